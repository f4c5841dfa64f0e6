"""Runs that wait for people: paused, and resumed with what they asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from orion_nb import clock
from orion_nb.api.proposals import Proposals
from orion_nb.api.routes import route
from orion_nb.errors import Conflict, InvalidInput
from orion_nb.schemas.pauses import Pause
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import PAUSED, Paused, Running
from orion_nb.store import pauses
from orion_nb.store.database import Connection

#: The pause that somebody else asked for, not the code itself.
FROM_OUTSIDE = "from outside"


class PauseRoutes(Proposals):
    """Pause and resume."""

    @route("POST", "/runs/{run_id}/pause", action="execute")
    def pause(self, run_id: str, why: str | None = None, by: str | None = None) -> Report:
        """A running run is paused: it starts nothing new until it is resumed."""
        run = self.find(run_id)
        return self.judge(run.id, Paused(message=why or "paused on request", by=by))[1]

    @route("POST", "/runs/{run_id}/resume", action="execute")
    def resume(
        self, run_id: str, input: dict[str, Any] | None = None, by: str | None = None
    ) -> Report:
        """A paused run goes on, with the input that it waits for.

        Raises:
            InvalidInput: the input is not what the run asked for; the message names the field.
        """
        run = self.find(run_id)
        if run.state.type is not PAUSED:
            raise Conflict(f"run {short(run.id)} is not paused: it is {run.state.name}")
        waiting = self.waiting_pause(run)
        resumed = Running(message="resumed", by=by)
        if waiting is None:
            if input is not None:
                raise InvalidInput("input: the run waits for none", field="input")
            return self.judge(run.id, resumed, expected_seq=run.state.seq)[1]
        if waiting.schema is not None and (told := problem(input or {}, waiting.schema)):
            raise InvalidInput(told, field="input")
        key, now = waiting.key, clock.now()

        def answer(tx: Connection) -> None:
            pauses.answer(tx, run.id, key, input, by, now)

        # Of two who resume it at once, one is too late: the run has moved on.
        return self.judge(run.id, resumed, expected_seq=run.state.seq, also=answer)[1]

    @route("GET", "/runs/{run_id}/pauses", action="read")
    def read_pauses(self, run_id: str) -> dict[str, Any]:
        """The pauses of a run: what each asked for, until when, and what it was given."""
        run = self.find(run_id)
        with self.database.read() as connection:
            listed = pauses.read_all(connection, run.id)
        return {"pauses": [each.as_json() for each in listed]}

    def waiting_pause(self, run: Run) -> Pause | None:
        """The pause that the run asked for and that nobody has answered; None if there is none."""
        if run.state.type is not PAUSED:
            return None
        with self.database.read() as connection:
            listed = pauses.read_all(connection, run.id)
        return next((each for each in reversed(listed) if each.resumed is None), None)

    def find_pause(self, run_id: str, key: str) -> Pause | None:
        """One pause of a run, answered or not."""
        with self.database.read() as connection:
            listed = pauses.read_all(connection, run_id)
        return next((each for each in listed if each.key == key), None)

    def ask_pause(self, pause: Pause) -> None:
        """The run is about to pause, and this is what it asks for."""
        self.database.write(lambda tx: pauses.ask(tx, pause))


def problem(values: Mapping[str, Any], schema: Mapping[str, Any]) -> str | None:
    """What is wrong with the input of a pause, naming the field; None if nothing is."""
    jsonschema: Any = import_module("jsonschema")
    fields = schema.get("properties", {})
    for name in values:
        if fields and name not in fields:
            return f"input.{name}: not asked for; there are {', '.join(fields)}"
    for name in schema.get("required", []):
        if name not in values:
            return f"input.{name}: is missing"
    for error in jsonschema.Draft202012Validator(schema).iter_errors(values):
        place = ".".join(("input", *map(str, error.absolute_path)))
        return f"{place}: {error.message}"
    return None
