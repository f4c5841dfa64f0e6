"""What a notebook user touches: `%load_ext orion_nb`, `%%task`, `%orion`, and the live card."""

from __future__ import annotations

from typing import Any

from orion_nb.engine.context import flow_observers
from orion_nb.notebook.live import show_live
from orion_nb.notebook.magics import OrionMagics, rewrite_task_cells
from orion_nb.notebook.session import is_headless

_ATTRIBUTE = "orion_nb_magics"


def load(shell: Any) -> None:
    """The magics are there and flows show their card; loading twice does nothing more."""
    if getattr(shell, _ATTRIBUTE, None) is not None:
        return
    magics = OrionMagics(shell)
    shell.register_magics(magics)
    shell.input_transformers_cleanup.append(rewrite_task_cells)
    flow_observers.append(show_live)
    setattr(shell, _ATTRIBUTE, magics)
    if is_headless():
        _allow_loading_again(shell)


def _allow_loading_again(shell: Any) -> None:
    """The runner has loaded us before the first cell: a `%load_ext` in it is no mistake.

    IPython would print into the notebook that we are loaded already.
    """

    def forget(*_: Any) -> None:
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
    for kind, name in (("cell", "task"), ("line", "orion")):
        shell.magics_manager.magics[kind].pop(name, None)
    setattr(shell, _ATTRIBUTE, None)
