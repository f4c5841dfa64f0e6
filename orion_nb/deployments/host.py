"""What happens in the process of a deployed flow: `standby_flow` becomes this.

It imports the flow, calls it once and writes down what that came to; its runner, which started it,
proposes that as the run's state. Only what can't be known without the user's code happens here.
"""

from __future__ import annotations

import json
import signal
import sys
import traceback
import typing
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from orion_nb import clock, secrets
from orion_nb.api.codec import read_report, read_run
from orion_nb.api.connect import connect
from orion_nb.api.results import with_annotation
from orion_nb.api.sources import inspect
from orion_nb.deployments.endings import refusal
from orion_nb.deployments.files import Spec, run_folder, write_whole
from orion_nb.engine.attempts import without_our_frames
from orion_nb.engine.hooks import call_of_process, is_stop
from orion_nb.engine.lead import Outcome, describe, state_of
from orion_nb.engine.loading import load_flow
from orion_nb.errors import OrionError, ParameterError, RunStopped
from orion_nb.schemas.literals import SecretName
from orion_nb.schemas.states import Completed, Failed, State, StateType

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion
    from orion_nb.engine.flows import Flow
    from orion_nb.schemas.runs import Run

OUTCOME = "outcome.json"
#: What is executed: the file of the flow may be another one by now.
SOURCE = "source.py"
#: It is there if the flow has functions that are to hear of its states (`on_change`).
HOOKS = "on_change"
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

    @staticmethod
    def is_there(folder: Path) -> bool:
        """Something was written down."""
        return (folder / OUTCOME).exists()

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


class Host:
    """One run of a flow, in the process that calls it."""

    def __init__(self, orion: Orion, run: Run, spec: Spec) -> None:
        self.orion, self.run, self.spec = orion, run, spec
        self.folder = run_folder(orion.settings, run.id)
        self.flow: Flow[..., Any] | None = None

    def load(self, text: bytes) -> Flow[..., Any]:
        self.flow = load_flow(self.spec.path, self.spec.flow or "", text=text)
        return self.flow

    def play(self, text: bytes, began: dict[str, Any] | None) -> Told:
        """The flow is called once."""
        try:
            values = _values(self.spec, text, self.run.parameters or {})
            flow = self.load(text)
            if flow.options.on_change:
                (self.folder / HOOKS).touch(0o600)  # now its runner knows, too
            self.tell(began)
            checked = flow.checked(values)
        except OrionError as error:
            if error.__cause__ is not None:
                _log(self.orion, self.run, error.__cause__)
            return Told(Failed(refusal(error)), not isinstance(error, ParameterError))
        try:
            outcome = flow.attempt(self.orion, self.run, checked)
        except KeyboardInterrupt as error:  # the second one: its code was left by the first
            outcome = Outcome(error=error)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # there is nothing left to interrupt
        if is_stop(outcome.error) or isinstance(outcome.error, RunStopped):
            call_of_process()
        if outcome.error is not None:
            _log(self.orion, self.run, outcome.error)
        elif outcome.result is not None:
            outcome = _described(flow, outcome)
        return told_of(flow, outcome)

    def tell(self, told: dict[str, Any] | None) -> None:
        """What `on_change` names was called with the run and the report; None: there is none."""
        if told is not None and self.flow is not None:
            self.flow.tell(read_run(told["as"]), read_report(told["report"]))


def _described(flow: Flow[..., Any], outcome: Outcome) -> Outcome:
    """What the flow came to, with the JSON Schema that it is annotated to return, if it does."""
    try:
        returns = typing.get_type_hints(flow.fn).get("return", Any)
        told = with_annotation(outcome.result or "", outcome.value, returns)
    except Exception:  # an annotation for checkers only, a value's own code: it has none then
        return outcome
    return replace(outcome, result=told)


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


def main(told: dict[str, Any], lines: BinaryIO) -> int:
    """The exit code is 0 when there is an outcome, whatever it is.

    `told` names the run, and what is known of its states: `began`, or `ended` if it is over and
    nothing but that is to be told. What it comes to is judged by the runner, and heard by `lines`.
    """
    # What the user's code prints is told at once, like what ends it.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    orion = connect(label=f"flow of {told['run']}")
    secrets.watch_all(orion.settings.home)
    host = Host(orion, orion.find(told["run"]), Spec.read(run_folder(orion.settings, told["run"])))
    try:
        text = (host.folder / SOURCE).read_bytes()
        if ended := told.get("ended"):
            host.load(text)
            host.tell(ended)
            return 0
        try:
            host.play(text, told.get("began")).write(host.folder)
        except KeyboardInterrupt:  # before the flow was called
            call_of_process()
            raise
        wants_more = host.flow is not None and host.flow.options.on_change
        if wants_more and (line := lines.readline()):
            host.tell(json.loads(line))
    finally:
        orion.close()
    return 0
