"""Runs over the API: create, read, propose, explain, list, cancel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orion_nb import clock
from orion_nb.api import overriding
from orion_nb.api.checks import (
    check_moment,
    check_size,
    check_tags,
    check_text,
    read_policy,
    read_tags,
)
from orion_nb.api.lists import ListRoutes, Moment
from orion_nb.api.routes import route
from orion_nb.api.why import tell, told_state
from orion_nb.errors import InvalidInput
from orion_nb.schemas.policies import DEFAULT_POLICY, RunPolicy
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Kind, Run, is_id, new_id
from orion_nb.schemas.states import (
    CANCELLED,
    CANCELLING,
    NAMES,
    RUNNING,
    SCHEDULED,
    Pending,
    Scheduled,
    State,
    StateType,
    state,
)
from orion_nb.schemas.values import evolve
from orion_nb.store import events, listing, runs, sources
from orion_nb.store.events import Event, EventFilter


class RunRoutes(ListRoutes):
    """What can be done with runs."""

    @route("POST", "/runs", action="write", status=201)
    def create_run(
        self,
        kind: Kind,
        name: str,
        *,
        parent: str | None = None,
        policy: dict[str, Any] | None = None,
        parameters: dict[str, Any] | None = None,
        tags: list[str] | None = None,
        key: str | None = None,
        run_name: str | None = None,
        upstream: list[str] | None = None,
        scheduled_time: Moment | None = None,
        state: StateType | None = None,
    ) -> Run:
        """A run is created: Pending, or Scheduled if it has a time; `state` is proposed at once.

        The answer carries the report when a state was proposed, with `attempt` and `token` if the
        run is Running.
        """
        if state is SCHEDULED and scheduled_time is None:
            scheduled_time = clock.now()
        if run_name is not None:
            check_text("run_name", run_name)
        granted = read_policy(policy)
        overriding.check_none(granted)
        if kind == "flow" and (upstream or granted.trigger != "all_completed"):
            field = "upstream" if upstream else "policy"
            says = f"{field}: only a task run waits for others; kind is 'flow'"
            raise InvalidInput(says, field=field)
        made = self.new_run(
            kind, name, parent=parent, policy=granted, parameters=parameters,
            tags=read_tags(tags), key=key, run_name=run_name, scheduled_time=scheduled_time,
        )  # fmt: skip
        waits_for = [(self.find(ref).id, "") for ref in upstream or ()]
        if state is None:
            return self.begin(made, None, waits_for)[0]
        if state not in (StateType.PENDING, RUNNING, SCHEDULED):
            says = f"state: no run is born {state.value}; use SCHEDULED, PENDING or RUNNING"
            raise InvalidInput(says, field="state")
        if state is made.state.type:
            return self.begin(made, None, waits_for)[0]
        after, report = self.begin(made, _named(state, None), waits_for, owned=False)
        return replace(after, report=report)

    def new_run(
        self,
        kind: Kind,
        name: str,
        *,
        parent: str | None = None,
        policy: RunPolicy = DEFAULT_POLICY,
        parameters: dict[str, Any] | None = None,
        tags: tuple[str, ...] = (),
        key: str | None = None,
        run_name: str | None = None,
        scheduled_time: int | None = None,
        deployment: str | None = None,
    ) -> Run:
        """A run as a value, not yet written; its texts are checked."""
        check_text("name", name)
        check_moment("scheduled_time", scheduled_time)
        check_tags(tags)
        check_size(parameters or {})
        run_id = new_id()
        above = self.find(parent) if parent else None
        return Run(
            id=run_id,
            kind=kind,
            name=name,
            state=Pending() if scheduled_time is None else Scheduled(scheduled_time),
            root=above.root if above else run_id,
            parent=above.id if above else None,
            run_name=run_name,
            key=key,
            deployment=deployment,
            policy=policy,
            tags=tags,
            parameters=parameters,
        )

    @route("GET", "/runs/{run_id}", action="read")
    def read_run(self, run_id: str) -> Run:
        """One run, as it is now; of a notebook or a deployed flow with the version of its file."""
        return self.with_source(self.find(run_id))

    def with_source(self, run: Run) -> Run:
        """The run, and which version of which file its last attempt executed."""
        if run.kind != "flow" or not run.attempt:
            return run
        with self.database.read() as connection:
            found = sources.latest(connection, run.id)
        return run if found is None else evolve(run, source=found)

    @route("POST", "/runs/{run_id}/state", action="write", query=("explain",))
    def propose(
        self,
        run_id: str,
        type: StateType,
        *,
        name: str | None = None,
        message: str | None = None,
        scheduled_time: Moment | None = None,
        cache_key: str | None = None,
        result: str | None = None,
        attempt: int | None = None,
        token: str | None = None,
        transition_id: str | None = None,
        retriable: bool = True,
        seq: int | None = None,
        force: bool = False,
        why: str | None = None,
        by: str | None = None,
        explain: bool = False,
    ) -> Report:
        """A state is proposed; the rules accept it, enter another one, wait or abort, and say why.

        With `seq` only if the run still is in its state of that number; else it is a conflict. With
        `explain` nothing is written: the report says what would happen.
        """
        if not is_id(run_id):
            run_id = self.find(run_id).id
        proposed = _named(
            type, name, message=message, scheduled_time=scheduled_time, cache_key=cache_key,
            result=result, by=by,
        )  # fmt: skip
        if force:
            hand: dict[str, Any] = {"by": by or "api", "why": why or "", "seq": seq}
            if explain:
                return self.foresee_forced(run_id, proposed, **hand)
            return self.force(run_id, proposed, **hand)[1]
        if attempt is None and token is not None:
            raise InvalidInput("attempt: a token is that of an attempt; give both", field="attempt")
        claim: dict[str, Any] = {
            "claims": attempt, "token": token, "retriable": retriable,
            "transition_id": transition_id, "expected_seq": seq,
        }  # fmt: skip
        if explain:
            return self.foresee(run_id, proposed, **claim)
        return self.judge(run_id, proposed, **claim)[1]

    @route("GET", "/runs/{run_id}/states", action="read")
    def read_states(self, run_id: str) -> dict[str, Any]:
        """All states of a run, oldest first, each with the report on how it was entered."""
        run = self.find(run_id)
        with self.database.read() as connection:
            told = runs.history(connection, run.id)
        return {"states": [told_state(state, report) for state, report in told]}

    @route("GET", "/runs/{run_id}/why", action="read")
    def why(self, run_id: str) -> dict[str, Any]:
        """What happened to a run and why: in words, state by state, rule by rule."""
        run = self.with_source(self.find(run_id))
        with self.database.read() as connection:
            connection.execute("BEGIN")
            return tell(connection, run, clock.now())

    @route("POST", "/runs/{run_id}/cancel", action="execute")
    def cancel(self, run_id: str, why: str | None = None, by: str | None = None) -> Report:
        """The run is asked to stop, and all runs within it; what executes nothing is Cancelled."""
        run = self.find(run_id)
        told = why or "cancelled on request"
        report = self.judge(run.id, state(CANCELLING, message=told, by=by))[1]
        if report.state.type in (CANCELLING, CANCELLED):
            self._cancel_below(run, f"its parent was cancelled: {told}", by)
        return report

    def _cancel_below(self, run: Run, told: str, by: str | None) -> None:
        with self.database.read() as connection:
            below = listing.unfinished_below(connection, run)
        for child in below:
            self.judge(child, state(CANCELLING, message=told, by=by))

    def stopping(self, after: int) -> tuple[list[str], int]:
        """The runs that were asked to stop after event number `after`, and the last number."""
        with self.database.read() as connection:
            return events.stopping(connection, after)

    def events_after(
        self,
        n: int,
        root: str | None = None,
        limit: int = 1000,
        chosen: EventFilter | None = None,
    ) -> list[Event]:
        """The states entered after event number `n`, oldest first; of one tree, or as `chosen`."""
        with self.database.read() as connection:
            return events.after(connection, n, chosen or EventFilter(root), limit)

    def events_through(
        self, n: int, limit: int = 1000, chosen: EventFilter = events.ALL
    ) -> tuple[list[Event], int]:
        """The events after number `n`, as many as are found in a fraction of a second in a server.

        Also the number of the event up to which was looked, from which to look on.
        """
        with self.database.read() as connection:
            return events.some(connection, n, chosen, limit, self.patience)

    def last_event(self) -> int:
        """The number of the newest event."""
        with self.database.read() as connection:
            return events.last(connection)


def _named(kind: StateType, name: str | None, **fields: Any) -> State:
    if name is not None and name not in NAMES[kind]:
        says = f"name: {name!r} is no name of {kind.value}; there are {', '.join(NAMES[kind])}"
        raise InvalidInput(says, field="name")
    check_moment("scheduled_time", fields.get("scheduled_time"))
    if kind is SCHEDULED and fields.get("scheduled_time") is None:
        fields["scheduled_time"] = clock.now()
    return state(kind, name, **fields)
