"""`%replay debug`: step into what was raised, or through what the names held when it was."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from orion_nb.engine.snapshots import as_text, frames_of
from orion_nb.errors import InvalidInput
from orion_nb.notebook.browsing import Browser
from orion_nb.notebook.deploying import Parser
from orion_nb.notebook.replaying import at_hand
from orion_nb.notebook.session import is_headless
from orion_nb.store.previews import said


def debug(shell: Any, words: Sequence[str]) -> None:
    """IPython's debugger on the live exception; else a browser over the frames that were kept.

    Where nobody can be asked, the frames are printed instead, and why.

    Raises:
        InvalidInput: there is neither an exception nor a frame.
    """
    says = "Step into what the replay raised, or look at the frames that were kept."
    Parser("%replay debug", says).parse_args(words)
    found = at_hand(shell)
    tried = found.tried
    error = tried.error if tried is not None else None
    trace = tried.trace if tried is not None else None
    if trace is None and not found.frames:
        if tried is not None and error is None:
            raise InvalidInput("debug: the replay raised nothing", field="debug")
        says = "no frames of the run were kept (frames=True or ORION_NB_FRAMES=1 asks for them)"
        on = "run its code below, and debug that" if found.source else "nor is its code known here"
        raise InvalidInput(f"debug: {says}; {on}", field="debug")
    if (why := why_no_prompt(shell)) is not None:
        kept = [*map(repr, found.frames), found.error or ""]
        _print(_live(error, trace) if error is not None and trace else "\n".join(kept).rstrip())
        _print(f"There is no prompt: {why}.")
    elif trace is not None:
        post_mortem(shell, trace)
    else:
        _print(f"The frames that were kept of {found.run.name}; `help` says what can be typed.")
        Browser(found.frames, found.error or "", shell.user_ns).cmdloop()


def why_no_prompt(shell: Any) -> str | None:
    """Why nobody can be asked here; None if somebody can."""
    if is_headless():
        return "the notebook is executed where nobody watches"
    if hasattr(shell, "kernel"):
        content = (shell.get_parent() or {}).get("content") or {}
        return None if content.get("allow_stdin") else "this front end takes no input for a cell"
    is_asked = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    return None if is_asked else "the input is no terminal"


def post_mortem(shell: Any, trace: TracebackType) -> None:
    """IPython's debugger, at the innermost frame; it is left with `q`."""
    from IPython.core.display_trap import DisplayTrap

    debugger = shell.debugger_cls()
    with DisplayTrap(hook=sys.__displayhook__):  # type: ignore[no-untyped-call]
        debugger.reset()
        debugger.botframe = trace.tb_frame
        debugger.interaction(None, trace)


def _live(error: BaseException, trace: TracebackType) -> str:
    return as_text({"frames": frames_of(error.with_traceback(trace)), "error": said(error)})


def _print(text: str) -> None:
    print(text)  # noqa: T201 - it is the magic that speaks
