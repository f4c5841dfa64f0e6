"""`orion-nb replay RUN --print | --ipython | --lab`: a failure is at hand, to be mended here."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from orion_nb.cli import output
from orion_nb.cli.command import OK
from orion_nb.errors import InvalidInput
from orion_nb.schemas.states import COMPLETED

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion
    from orion_nb.engine.replaying import Replay


def show(orion: Orion, run_id: str, *, as_json: bool) -> int:
    """Its inputs, its frames with what their names held, and its code are printed."""
    found = _failed(orion, run_id)
    if as_json:
        output.print_json(_as_json(found))
        return OK
    typer.echo(output.plain(repr(found)))
    if found.run.state.type is COMPLETED and not found.frames:
        typer.echo("Nothing failed in it, so there is nothing to replay.")
        return OK
    for frame in found.frames:
        typer.echo(output.plain(repr(frame)))
    if found.cell is not None:
        typer.echo(f"\ncell {found.cell.number}:")
    if found.source:
        typer.echo(f"\n{output.plain(found.source)}")
    if found.cell is not None and not found.frames:
        typer.echo(f"\n{output.plain(found.cell.error)}")
    return OK


def in_ipython(orion: Orion, run_id: str) -> int:
    """IPython is started in this terminal, with the run taken up; its code is at the prompt."""
    _require("IPython")
    told = orion.replay_notebook(run_id)
    lines = _code_cells(told["notebook"])
    options = [f"--InteractiveShellApp.exec_lines={line}" for line in lines]
    return _start(["IPython", "--no-banner", *options], told["folder"])


def in_lab(orion: Orion, run_id: str, *, starts: bool) -> int:
    """A notebook that takes the run up is beside its code, and JupyterLab is started on it."""
    if starts:
        _require("jupyterlab")
    told = orion.replay_notebook(run_id)
    folder = Path(told["folder"] or ".").absolute()
    file = folder / told["name"]
    try:
        with file.open("x", encoding="utf-8") as made:
            json.dump(told["notebook"], made, indent=1, ensure_ascii=False)
    except FileExistsError:  # what somebody has made of it stays
        pass
    except OSError as error:
        says = f"{file} can't be written: {error.strerror}"
        raise InvalidInput(says, field="run") from None
    typer.echo(str(file))
    return _start(["jupyterlab", str(file)], folder) if starts else OK


def _failed(orion: Orion, run_id: str) -> Replay:
    from orion_nb.engine.replaying import Replay

    return Replay(orion, orion.find(orion.replay_notebook(run_id)["replays"]), None)


def _as_json(found: Replay) -> dict[str, Any]:
    from orion_nb.store.previews import preview

    cell = found.cell
    return {
        "run": found.run.as_json(),
        "error": found.error,
        "inputs": {name: preview(value) for name, value in found.inputs.items()},
        "missing": found.missing,
        "problem": found.problem,
        "frames": [
            {
                "function": each.function,
                "file": each.file,
                "line": each.line,
                "names": {name: each.locals.shown(name) for name in each.locals},
            }
            for each in found.frames
        ],
        "cell": {"number": cell.number, "error": cell.error} if cell is not None else None,
        "source": found.source,
    }


def _code_cells(notebook: dict[str, Any]) -> list[str]:
    cells = [each for each in notebook["cells"] if each["cell_type"] == "code"]
    return [line for each in cells for line in each["source"].splitlines()]


def _require(module: str) -> None:
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise InvalidInput(f"{module} is not installed here: pip install {module}", field="run")


def _start(words: Sequence[str], folder: Any) -> int:
    """The program has this terminal, and Ctrl-C, until it ends; its exit code."""
    before = signal.signal(signal.SIGINT, lambda *_: None)  # not ignored: children inherit that
    try:
        return subprocess.call([sys.executable, "-m", *words], cwd=folder)
    finally:
        signal.signal(signal.SIGINT, before)
