"""Runs alike are judged alike: what the rules said of one plain run holds for the next.

Plain is a run whose policy knows no time, that takes inputs from no other, and of which no rule
had anything to say. A rule could tell it from the one before only by its id and by the clock, and
those of ours look at neither then. It holds until anything is written that rules might ask for.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from orion_nb import clock
from orion_nb.schemas.entropy import eight_bytes
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import COMPLETED, RUNNING, State
from orion_nb.schemas.values import evolver, frozen
from orion_nb.store.alike import Rows, end
from orion_nb.store.database import Connection


@frozen
class Beginning:
    """How a plain run began: as it was given, as it then was, and the report with its number."""

    given: Run
    proposed: State
    rows: Rows
    after: Run
    report: Report
    asked: Any  # the epoch and the session that it holds for
    evolvers: Any = field(
        default_factory=lambda: (
            evolver(State, "timestamp", "n"),
            evolver(Run, "id", "state", "created", "start_time", "token"),
            evolver(Report, "state", "token"),
        )
    )

    def fits(self, run: Run, proposed: State | None, asked: Any) -> bool:
        """The run is one like it."""
        known = self.given
        return (
            proposed is self.proposed
            and asked == self.asked
            and run.state is known.state
            and run.policy is known.policy
            and run.parent == known.parent
            and run.name == known.name
            and run.key == known.key
            and run.kind == known.kind
            and run.tags == known.tags
            and run.run_name == known.run_name
            and run.parameters is None
            and run.deployment is None
        )

    def again(self, tx: Connection, run: Run) -> tuple[Run, Report]:
        """The run begins in the same way."""
        now, token = clock.now(), eight_bytes().hex()
        n = self.rows.again(tx, run.id, token, now)
        entered, begun, reported = self.evolvers
        state = entered(self.after.state, now, n)
        after = begun(self.after, run.id, state, now, now, token)
        return after, reported(self.report, state, token)


@frozen
class Ending:
    """How a plain run completed."""

    given: Run
    report: Report
    digest: int
    asked: Any
    evolvers: Any = field(
        default_factory=lambda: (
            evolver(State, "seq", "timestamp", "attempt"),
            evolver(Run, "state", "end_time", "total_time"),
            evolver(Report, "state"),
        )
    )

    def fits(self, run: Run, proposed: State, asked: Any) -> bool:
        """The run is one like it, and completes like it."""
        return (
            asked == self.asked
            and run.policy is self.given.policy
            and run.kind == self.given.kind
            and is_plain_end(run, proposed)
        )

    def again(self, tx: Connection, run: Run, proposed: State) -> tuple[Run, Report] | None:
        """The run completes in the same way; None if it was moved by another."""
        entered, ended, reported = self.evolvers
        now = clock.now()
        state = entered(proposed, run.state.seq + 1, now, run.attempt)
        total = run.total_time + max(0, now - run.state.timestamp)
        if not end(tx, run, state, total, self.digest):
            return None
        return ended(run, state, now, total), reported(self.report, state)


class Alike:
    """How the last plain run of each kind began, and how it completed."""

    def __init__(self) -> None:
        self.beginnings: dict[str, Beginning] = {}
        self.endings: dict[str, Ending] = {}


def is_plain_start(run: Run, after: Run, report: Report) -> bool:
    """No rule had anything to say, and none looks at the clock."""
    return (
        after.state.type is RUNNING
        and _is_timeless(run)
        and run.parent is not None
        and run.parameters is None
        and run.deployment is None
        and _is_silent(report)
    )


def is_plain_end(run: Run, proposed: State) -> bool:
    """A first attempt completes, and there is nothing to be said of it."""
    return (
        proposed.type is COMPLETED
        and proposed.name == "Completed"
        and proposed.cache_key is None
        and proposed.message is proposed.reason is proposed.by is None
        and run.state.type is RUNNING
        and run.state.name == "Running"
        and not run.marks
        and run.blocked is None
        and (proposed.result is None or proposed.result.startswith('{"inline"'))
    )


def is_silent_end(run: Run, proposed: State, report: Report) -> bool:
    return is_plain_end(run, proposed) and _is_timeless(run) and _is_silent(report)


def _is_timeless(run: Run) -> bool:
    policy = run.policy
    return (
        policy.sla is None
        and policy.sla_start is None
        and policy.timeout is None
        and not policy.concurrency
    )


def _is_silent(report: Report) -> bool:
    return (
        report.status is Status.ACCEPT
        and not report.reason
        and not report.marks
        and not report.limits
        and all(line.verdict == "pass" and line.reason is None for line in report.rules)
    )
