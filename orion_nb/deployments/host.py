"""The process that a deployed flow runs in: `python -m orion_nb.deployments.host RUN`.

It imports the flow, calls it once and writes down what that came to; its runner, which started it,
proposes that as the run's state. Only what can't be known without the user's code happens here.
"""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orion_nb import clock, secrets
from orion_nb.api.connect import connect
from orion_nb.api.sources import inspect
from orion_nb.deployments.files import Spec, run_folder, write_whole
from orion_nb.engine.attempts import without_our_frames
from orion_nb.engine.lead import Outcome, describe, state_of
from orion_nb.engine.loading import load_flow
from orion_nb.errors import OrionError, ParameterError
from orion_nb.schemas.literals import SecretName
from orion_nb.schemas.states import Completed, Failed, State, StateType

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion
    from orion_nb.engine.flows import Flow
    from orion_nb.schemas.runs import Run

OUTCOME = "outcome.json"
#: What is executed: the file of the flow may be another one by now.
SOURCE = "source.py"
#: What `sys.exit` is given by code that has done what it was to do.
CLEAN_EXITS = (None, 0, False)


@dataclass(frozen=True, slots=True)
class Told:
    """What a host says to its runner: the state to propose, and whether trying again may help."""

    state: State
    retriable: bool = True

    def write(self, folder: Path) -> None:
        state = {name: getattr(self.state, name) for name in ("type", "name", "message", "result")}
        write_whole(folder / OUTCOME, json.dumps({**state, "retriable": self.retriable}) + "\n")

    @classmethod
    def take(cls, folder: Path) -> Told | None:
        """What was written down, which is gone then; None if nothing was."""
        path = folder / OUTCOME
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        with suppress(OSError):
            path.unlink()
        retriable = bool(told.pop("retriable"))
        return cls(State(StateType(told.pop("type")), **told), retriable)


def play(orion: Orion, run: Run, spec: Spec, text: bytes) -> Told:
    """The flow is called once."""
    try:
        values = _values(spec, text, run.parameters or {})
        flow = load_flow(spec.path, spec.flow or "", text=text)
        checked = flow.checked(values)
    except OrionError as error:
        if error.__cause__ is not None:
            _log(orion, run, error.__cause__)
        return Told(Failed(str(error)), not isinstance(error, ParameterError))
    outcome = flow.attempt(orion, run, checked)
    if outcome.error is not None:
        _log(orion, run, outcome.error)
    return told_of(flow, outcome)


def told_of(flow: Flow[..., Any], outcome: Outcome) -> Told:
    """What a call of the flow came to, as its runner is told."""
    error = outcome.error
    if isinstance(error, SystemExit):
        if error.code in CLEAN_EXITS:
            return Told(Completed(message="stopped early: sys.exit()"))
        return Told(Failed(describe(error)))
    retriable = not isinstance(error, Exception) or flow.options.retriable(error)
    return Told(state_of(outcome), retriable)


def _values(spec: Spec, text: bytes, given: dict[str, Any]) -> dict[str, Any]:
    """The values as the flow is given them, as far as its syntax says of what type they are."""
    taken = inspect(spec.path, spec.flow, text=text).parameters
    return {name: _plain(value) for name, value in taken.validate(given).items()}


def _plain(value: Any) -> Any:
    """A member of an enum's likeness as its value: the flow has the enum itself."""
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(map(_plain, value))
    if isinstance(value, SecretName):
        return secrets.secret(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value.value if isinstance(value, Enum) else value


def _log(orion: Orion, run: Run, error: BaseException) -> None:
    """The traceback is kept with the run's logs, and printed."""
    lines = traceback.format_exception(without_our_frames(error))
    told = secrets.redacted("".join(lines).rstrip())
    print(told, file=sys.stderr, flush=True)  # noqa: T201 - the runner's log is read by people
    line = {"run": run.id, "level": 40, "logger": "orion_nb.run", "message": told}
    with suppress(OrionError):
        orion.write_logs([{**line, "timestamp": clock.now()}])


def main(arguments: list[str]) -> int:
    """The exit code is 0 when there is an outcome, whatever it is."""
    (run_id,) = arguments
    # What the user's code prints is told at once, like what ends it.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    orion = connect(label=f"flow of {run_id}")
    folder = run_folder(orion.settings, run_id)
    spec = Spec.read(folder)
    secrets.watch_all(orion.settings.home)
    try:
        text = (folder / SOURCE).read_bytes()
        play(orion, orion.find(run_id), spec, text).write(folder)
    finally:
        orion.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
