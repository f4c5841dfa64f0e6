"""`print` within a run: shown as ever, and kept with the run.

It is taken where it is called, so that it does not matter what `sys.stdout` is or becomes.
"""

from __future__ import annotations

import copyreg
import functools
import logging
import os
import sys
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FrameType
from typing import Any

from orion_nb.api.orion import Orion
from orion_nb.engine import lines
from orion_nb.engine.context import RunContext, current
from orion_nb.secrets import redacted, settled
from orion_nb.store.logs import LINE, fitting

#: The name under which what is printed is kept.
NAME = "print"

#: What `print` was before it was replaced.
_originals: set[Any] = set()


def also_kept(show: Callable[..., None]) -> Callable[..., None]:
    """A `print` that prints as `show` does and, within a run, keeps it with the run."""
    _originals.add(show)
    copyreg.pickle(BuiltinFunctionType, _reduced)

    @functools.wraps(show)
    def print(*values: object, **how: Any) -> None:
        __tracebackhide__ = True
        context = current()
        if context is None or not _is_shown(how) or _is_ours(sys._getframe(1)):
            show(*values, **how)
            return
        # Each value is made text once: what is kept is what is shown. It is written in one piece,
        # so that lines of two threads do not mix.
        sep, end = how.pop("sep", None), how.pop("end", None)
        text = (" " if sep is None else sep).join(map(str, values))
        text += "\n" if end is None else end
        show(text, end="", **how)
        try:
            _keep_printed(context, text)
        except Exception:
            return

    return print


def usual() -> Callable[..., None]:
    """The `print` that is in place: as what a pickled one comes back."""
    return print


def _reduced(function: Any) -> str | tuple[Any, ...]:
    """How a function of Python's own is pickled: by its name, which `print` has lost to ours.

    Somebody may have kept the original before it was replaced, as a default argument say.
    """
    if function in _originals:
        return usual, ()
    told: str | tuple[Any, ...] = function.__reduce__()
    return told


def finish(run: str) -> None:
    """What a run has printed without ending the line is kept now."""
    if run in _unfinished:
        _keep_line(*_unfinished.pop(run), run)


def _finish_much(run: str) -> None:
    """A line without an end is kept as far as it goes, but for the beginning of a secret."""
    orion, text = _unfinished.pop(run)
    at = settled(text)
    _keep_line(orion, text[:at], run)
    if at < len(text):
        _unfinished[run] = (orion, text[at:])


def _is_shown(how: Mapping[str, Any]) -> bool:
    """It is printed for people to see, and in a way that `print` understands."""
    file = how.get("file")
    is_text = isinstance(how.get("sep"), str | None) and isinstance(how.get("end"), str | None)
    return is_text and (file is None or file is sys.stdout or file is sys.stderr)


def _is_ours(frame: FrameType) -> bool:
    """It is this library that prints, not the run's code: that its server is away, say."""
    return str(frame.f_globals.get("__name__", "")).startswith("orion_nb.")


def _keep_printed(context: RunContext, text: str) -> None:
    """What was printed up to the last end of a line is kept as one; the rest waits for its end."""
    run = context.run.id
    whole, newline, rest = text.rpartition("\n")
    if run in _unfinished and newline:
        whole = _unfinished.pop(run)[1] + whole
    elif run in _unfinished:
        rest = _unfinished[run][1] + rest
    if rest:
        # As on a screen, what is written after a carriage return replaces what is before it.
        _unfinished[run] = (context.orion, rest[max(0, rest.rstrip("\r").rfind("\r")) :])
        if len(rest) > LINE:
            _finish_much(run)
    if newline:
        _keep_line(context.orion, whole, run)


def _keep_line(orion: Orion, text: str, run: str) -> None:
    if "\r" in text:
        text = "\n".join(each.rstrip("\r").rpartition("\r")[2] for each in text.split("\n"))
    if text:
        lines.waiting.add(orion, run, logging.INFO, NAME, fitting(redacted(text)))


#: Printed, by run, without the end of its line yet.
_unfinished: dict[str, tuple[Orion, str]] = {}

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unfinished.clear)
