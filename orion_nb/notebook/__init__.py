"""What a notebook user touches: `%load_ext orion_nb`, `%%task`, `%orion`, and the live card."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from orion_nb.engine.context import flow_observers
from orion_nb.notebook import completing
from orion_nb.notebook.cells import number
from orion_nb.notebook.live import show_live
from orion_nb.notebook.magics import OrionMagics
from orion_nb.notebook.replay_magics import ReplayMagics
from orion_nb.notebook.rewriting import rewrite_task_cells
from orion_nb.notebook.session import is_headless

_ATTRIBUTE, _REPLAYS = "orion_nb_magics", "orion_nb_replays"
#: Messages that a kernel keeps for its runner.
QUEUE = 100_000
#: Shells that understand what we tell them first.
SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "ash")


def load(shell: Any) -> None:
    """The magics are there and flows show their card; loading twice does nothing more."""
    if getattr(shell, _ATTRIBUTE, None) is not None:
        return
    magics = OrionMagics(shell)
    replays = ReplayMagics(shell)
    shell.register_magics(magics, replays)
    shell.input_transformers_cleanup.append(rewrite_task_cells)
    flow_observers.append(show_live)
    completing.register(shell)
    setattr(shell, _ATTRIBUTE, magics)
    setattr(shell, _REPLAYS, replays)
    if is_headless():
        shell.events.register("pre_run_cell", magics.session.see)
        shell.events.register("post_run_cell", magics.session.look_back)
        _allow_loading_again(shell)
        _let_no_command_ask(type(shell).__module__)
        if "PYTHONBREAKPOINT" not in os.environ:
            sys.breakpointhook = partial(_pass_over, shell)


def _lose_no_output(shell: Any) -> None:
    """Outputs that the runner is slow to take wait for it; by default only a thousand do.

    It is done once the runner is connected: the option changes connections that there are.
    """
    thread = getattr(getattr(shell, "kernel", None), "iopub_thread", None)
    if thread is None:
        return
    import zmq

    thread.schedule(lambda: thread.socket.setsockopt(zmq.SNDHWM, QUEUE))


def _pass_over(shell: Any, *_: Any, **__: Any) -> None:
    """A `breakpoint()` where nobody is there to answer: it is passed over, and says so."""
    line = sys._getframe(1).f_lineno
    told = f"breakpoint() in cell [{number(shell)}], line {line}, is ignored: nobody watches"
    print(told, file=sys.stderr)  # noqa: T201 - it is the cell that speaks


def _let_no_command_ask(kernel: str) -> None:
    """What `!` starts reads nothing where nobody answers: pip's `Proceed (Y/n)?` waits for ever.

    IPython gives it a terminal of its own. It is replaced in the kernel's module, not in the shell,
    which looks for the `{names}` of a command in the frame that calls it.
    """
    module: Any = sys.modules[kernel]
    run = getattr(module, "system", None)
    known = os.name == "posix" and Path(os.environ.get("SHELL", "sh")).name in SHELLS
    if run is not None and known:
        module.system = lambda command: run(f"exec </dev/null; {command}")


def _allow_loading_again(shell: Any) -> None:
    """The runner has loaded us before the first cell: a `%load_ext` in it is no mistake.

    IPython would print into the notebook that we are loaded already.
    """

    def forget(*_: Any) -> None:
        _lose_no_output(shell)
        shell.extension_manager.loaded.discard("orion_nb")
        shell.events.unregister("pre_run_cell", forget)

    shell.events.register("pre_run_cell", forget)


def unload(shell: Any) -> None:
    """The magics and the card are gone again; the notebook's run ends."""
    magics = getattr(shell, _ATTRIBUTE, None)
    if magics is None:
        return
    magics.session.end()
    shell.input_transformers_cleanup.remove(rewrite_task_cells)
    flow_observers.remove(show_live)
    if is_headless():
        shell.events.unregister("pre_run_cell", magics.session.see)
        shell.events.unregister("post_run_cell", magics.session.look_back)
    ours = (("cell", "task"), ("cell", "replay"), ("line", "orion"), ("line", "replay"))
    for kind, name in ours:
        shell.magics_manager.magics[kind].pop(name, None)
    setattr(shell, _ATTRIBUTE, None)
    setattr(shell, _REPLAYS, None)
