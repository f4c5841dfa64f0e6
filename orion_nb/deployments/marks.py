"""What happened to a run, marked in its executed notebook: a banner, an anchor, an error output.

Notebooks are plain JSON objects here, so that a server can mark one without importing nbformat.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from orion_nb.clock import iso
from orion_nb.deployments.endings import Ending
from orion_nb.deployments.files import Spec, write_whole
from orion_nb.deployments.floods import cut
from orion_nb.deployments.journal import JOURNAL, SAVED, replay
from orion_nb.deployments.progress import Progress
from orion_nb.deployments.sound import make_sound, tags
from orion_nb.deployments.verdicts import is_skipped
from orion_nb.deployments.widgets import kept_in, without_views
from orion_nb.errors import OrionError
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import COMPLETED, RUNNING, State, StateType, look

BANNER = "orion-failure"
ANCHOR = "orion-anchor"
METADATA = "orion_nb"
LONGEST = 2_000
#: Characters that are told of the source of a failed cell, and of its error.
SHOWN = 20_000
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

Json = dict[str, Any]


def prepare(nb: Json, run: Run, source: Json) -> None:
    """The notebook is as it was before any run, and says which run of which file this is.

    What cells show that are not to be executed stays; what others show is of another run.
    """
    nb["cells"] = [cell for cell in nb["cells"] if not {BANNER, ANCHOR} & tags(cell)]
    nb["metadata"].pop("widgets", None)
    make_sound(nb)
    for cell in nb["cells"]:
        cell["metadata"].pop("execution", None)
        if cell["cell_type"] == "code" and not is_skipped(cell):
            cell["outputs"], cell["execution_count"] = [], None
    nb["metadata"][METADATA] = {"run": run.id, "attempt": run.attempt, "source": source}
    _label(nb, RUNNING, "Running")


def finish(nb: Json, run: Run, ending: Ending, at: int) -> None:
    """The notebook says how the run ended; `at` is when (microseconds, UTC)."""
    kept = kept_in(nb)
    for cell in nb["cells"]:
        for output in cell.get("outputs", ()):
            without_views(output, kept)
    _label(nb, ending.state.type, ending.state.name)
    if ending.state.type is COMPLETED:
        return
    if ending.index is not None:
        cell = nb["cells"][ending.index]
        if ending.ename and "outputs" in cell:
            add_error(cell, ending.ename, ending.state.message or ending.state.name)
        here = f'<a id="{BANNER}"></a>{_headline(ending.state)} in the next cell.'
        nb["cells"].insert(ending.index, _markdown(nb, ANCHOR, here))
    nb["cells"].insert(0, _markdown(nb, BANNER, _banner(run, ending, at)))


def failed_cell(nb: Json) -> Json | None:
    """The cell that a finished notebook failed in: {"index", "source", "error"}; None if none.

    `index` counts the cells of the notebook as it was before its end was marked in it.
    """
    found = [at for at, cell in enumerate(nb["cells"]) if ANCHOR in tags(cell)]
    if not found or found[0] + 1 >= len(nb["cells"]):
        return None
    cell = nb["cells"][found[0] + 1]
    banners = sum(BANNER in tags(each) for each in nb["cells"][: found[0]])
    told = [each for each in cell.get("outputs", ()) if each["output_type"] == "error"]
    error = "\n".join(map(str, told[-1]["traceback"])) if told else ""
    if told and not error.strip():
        error = f"{told[-1]['ename']}: {told[-1]['evalue']}"
    return {
        "index": found[0] - banners,
        "source": cut(str(cell["source"]), SHOWN // 2, SHOWN // 2),
        "error": cut(_COLOURS.sub("", error), SHOWN // 2, SHOWN // 2),
    }


def finish_lost(path: Path, run: Run, at: int) -> None:
    """The notebook of a run whose runner was lost says so; one that says how it ended is left."""
    nb = json.loads(path.read_text(encoding="utf-8"))
    told = nb["metadata"].get(METADATA, {})
    if told.get("state", {}).get("type") != RUNNING or told.get("attempt") != run.attempt:
        return
    limit = None
    with suppress(OrionError):
        limit = Spec.read(path.parent).output_limit
    replay(nb, path.with_name(JOURNAL), told.pop(SAVED, 0), limit)
    # nbclient notes when a cell begins and when its reply comes.
    begun = [at for at, cell in enumerate(nb["cells"]) if "execution" in cell["metadata"]]
    left = [at for at in begun if "shell.execute_reply" not in _timing(nb["cells"][at])]
    index = left[-1] if left else None
    number = begun.index(index) + 1 if index is not None else None
    finish(nb, run, Ending(run.state, index, number, "RunnerLost"), at)
    write_whole(path, json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    path.with_name(JOURNAL).unlink(missing_ok=True)
    progress = Progress.read(path.parent)
    if progress is not None:
        for place, at_index in enumerate(begun, 1):
            cell = progress.at(at_index)
            cell.number, cell.state = place, "Running" if at_index in left else "Completed"
        progress.finish(index, run.state, at)
        progress.about["failure"] = failed_cell(nb)
        progress.write(path.parent)


def add_error(cell: Json, ename: str, evalue: str) -> None:
    """The cell shows why it ended; the traceback of an interrupt says where it was."""
    where: list[str] = []
    for output in list(cell["outputs"]):
        if output["output_type"] == "error" and output["ename"] == "KeyboardInterrupt":
            where = output["traceback"]
            cell["outputs"].remove(output)
    traceback = [*where, f"{ename}: {evalue}"]
    error = {"output_type": "error", "ename": ename, "evalue": evalue, "traceback": traceback}
    cell["outputs"].append(type(cell)(error))


def _label(nb: Json, kind: StateType, name: str) -> None:
    nb["metadata"][METADATA]["state"] = {"type": kind.value, "name": name}


def _timing(cell: Json) -> Json:
    found: Json = cell["metadata"].get("execution", {})
    return found


def _banner(run: Run, ending: Ending, at: int) -> str:
    state = ending.state
    where = f" in [cell {ending.number}](#{BANNER})" if ending.index is not None else ""
    told = [f"{_headline(state)}{where}."]
    if state.message:
        told.append(_verbatim(state.message))
    if state.by:
        told.append(f"by {_verbatim(state.by).strip()}")
    told.append(f"run `{run.id}` · attempt {run.attempt} · {iso(at)}")
    told.append(_what_to_do(run))
    return "\n\n".join(told)


def _what_to_do(run: Run) -> str:
    """How the run is looked into, and run once more."""
    known = short(run.id)
    told = f"Why: `orion-nb explain {known}` · again from here: "
    told += f"`orion-nb runs rerun {known} --from-failed` · look into it in a notebook: "
    return f"{told}`%replay {known}` · this file is a copy."


def _markdown(nb: Json, tag: str, text: str) -> Json:
    # The same kind of mapping as the notebook is: nbformat has one of its own.
    cell = {"cell_type": "markdown", "id": tag, "metadata": {"tags": [tag]}, "source": text}
    return type(nb)(cell)


def _headline(state: State) -> str:
    return f"{look(state.type, state.name).glyph} **{state.name}**"


def _verbatim(text: str) -> str:
    """A text from anywhere as a block of code: nothing in it is markup."""
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return "\n".join(f"    {line}" for line in text.splitlines())
