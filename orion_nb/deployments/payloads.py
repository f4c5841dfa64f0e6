"""What a notification says: the run, its state, why, and the end of the cell that failed."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.deployments.files import notebook_of
from orion_nb.deployments.marks import ANCHOR, METADATA
from orion_nb.deployments.sound import tags
from orion_nb.errors import DeploymentNotFound, RunNotFound
from orion_nb.schemas.notifications import Delivery, Notification
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import FAILED, State, look

#: Of a cell and of what it printed so many lines are told, and so many characters.
LINES = 20
CHARACTERS = 4000
#: A notebook that is larger (bytes) is not looked into.
LARGEST = 50_000_000
HIDDEN = "(hidden)"
#: Values under such names are never told, whatever they are.
SECRET_NAMES = re.compile(
    r"secret|passw(?:or)?d|passphrase|token|api_?key|private_?key|credential|auth", re.IGNORECASE
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SHOWN = (
    "id kind name run_name root parent deployment attempt run_count created scheduled_time "
    "start_time end_time tags marks"
).split()

Json = dict[str, Any]


def payload_of(orion: Orion, known: Notification, delivery: Delivery, link: str | None) -> Json:
    """The payload of a delivery: JSON values. `link` is the address of the dashboard.

    Raises:
        RunNotFound: the run was forgotten meanwhile.
    """
    if delivery.run is None:
        return _about_no_run(known, delivery)
    run = orion.find(delivery.run)
    state = _state(orion, run, delivery)
    page = f"{link}/#/runs/{run.id}" if link else None
    title = f"{look(state.type, state.name).glyph} {run.name}: {_headline(delivery, state)}"
    cell = failing_cell(orion, run, state)
    data = {
        "condition": delivery.condition,
        "notification": known.name,
        "title": title,
        "text": "\n".join(part for part in (state.message, page, _lines(cell)) if part) or title,
        "run": {**{name: _listed(getattr(run, name)) for name in _SHOWN},
                "parameters": without_secrets(run.parameters)},
        "state": state.as_json() | {"result": None},
        "why": orion.why(run.id)["summary"],
        "deployment": _deployment(orion, run),
        "cell": cell,
        "link": page,
    }  # fmt: skip
    return _envelope(delivery, state.timestamp or delivery.created, data)


def without_secrets(value: Any, name: str = "") -> Any:
    """The value with all that is under the name of a secret hidden, however deep."""
    if name and SECRET_NAMES.search(name):
        return HIDDEN
    if isinstance(value, dict):
        return {key: without_secrets(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(each) for each in value]
    return value


def failing_cell(orion: Orion, run: Run, state: State) -> Json | None:
    """The cell in which the attempt ended: its number, the end of its source and of its output."""
    path = notebook_of(orion.settings, run.id)
    if path is None or not state.is_terminal or state.type == "COMPLETED":
        return None
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        if path.stat().st_size <= LARGEST:
            nb = json.loads(path.read_text(encoding="utf-8"))
            if nb["metadata"][METADATA]["attempt"] == state.attempt:
                return _cell(nb["cells"])
    return None


def _cell(cells: list[Json]) -> Json | None:
    marked = [place for place, cell in enumerate(cells) if ANCHOR in tags(cell)]
    if not marked:
        return None
    cell = cells[marked[-1] + 1]
    code = [each for each in cells[: marked[-1] + 2] if each["cell_type"] == "code"]
    errors = [each for each in cell.get("outputs", ()) if each["output_type"] == "error"]
    last = errors[-1] if errors else {}
    return {
        "number": len(code),
        "id": cell.get("id"),
        "source": _tail(_joined(cell["source"])),
        "output": _tail("\n".join(_text(each) for each in cell.get("outputs", ()))),
        "ename": last.get("ename"),
        "evalue": _tail(str(last.get("evalue") or "")) or None,
    }


def _lines(cell: Json | None) -> str:
    """The cell as a mail shows it: what it was, and what it put out."""
    if cell is None:
        return ""
    parts = [part for part in (cell["source"], cell["output"]) if part]
    return "\n\n".join((f"\nCell {cell['number']}:", *parts))


def _text(output: Json) -> str:
    if output["output_type"] == "stream":
        return _joined(output["text"])
    if output["output_type"] == "error":
        return "\n".join(output["traceback"])
    return _joined(output.get("data", {}).get("text/plain", ""))


def _tail(text: str) -> str:
    lines = _COLOURS.sub("", text).rstrip().splitlines()[-LINES:]
    return "\n".join(lines)[-CHARACTERS:]


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _state(orion: Orion, run: Run, delivery: Delivery) -> State:
    """The state that the delivery is about, which the run may have left meanwhile."""
    if delivery.n is None or delivery.n == run.state.n:
        return run.state
    state = orion.state_of_event(run.id, delivery.n)
    if state is None:
        raise RunNotFound(f"run {run.id} has no state {delivery.n} any more")
    return state


def _deployment(orion: Orion, run: Run) -> Json | None:
    if run.deployment is None:
        return None
    with suppress(DeploymentNotFound):
        found = orion.find_deployment(run.deployment)
        return {"id": found.id, "name": found.name, "path": found.path}
    return {"id": run.deployment, "name": run.name, "path": None}


def _headline(delivery: Delivery, state: State) -> str:
    words = {"late": "late", "recovered": "completed, after it had failed"}
    told = words.get(delivery.condition, state.name)
    return f"{told} (attempt {state.attempt})" if state.type is FAILED else told


def _about_no_run(known: Notification, delivery: Delivery) -> Json:
    data: Json = {
        "condition": "test",
        "notification": known.name,
        "title": f"Orion: a test of the notification {known.name}",
        "text": f"This is how {known.name} tells you something. Nothing has happened.",
        **dict.fromkeys(("run", "state", "deployment", "cell", "link")),
        "why": [],
    }
    return _envelope(delivery, delivery.created, data)


def _envelope(delivery: Delivery, at: int, data: Json) -> Json:
    kind = "notification.test" if delivery.run is None else f"run.{delivery.condition}"
    return {"type": kind, "timestamp": clock.iso(at), "id": delivery.id, "data": data}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
