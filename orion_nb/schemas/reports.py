"""What a rule may answer, and the report on a proposal: what happened, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from orion_nb.schemas.states import State
from orion_nb.schemas.values import frozen


@frozen
class Reject:
    """Another state is entered instead, or none (`state` is None: the run stays as it is)."""

    state: State | None
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@frozen
class Wait:
    """Nothing is entered; propose again at `until` (microseconds, UTC) or `after` seconds.

    `cancels` are the ids of runs that are asked to stop, so that this one may go on.
    """

    reason: str
    until: int | None = None
    after: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    cancels: tuple[str, ...] = ()


@frozen
class Abort:
    """Nothing is entered; stop. `fenced`: the proposal came from an attempt that is over."""

    reason: str
    fenced: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


@frozen
class Note:
    """The rule passes, but has something to say; `mark` is set on the run with it."""

    reason: str
    mark: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


Verdict = Reject | Wait | Abort | Note


class Status(StrEnum):
    """The answer to a proposal in one word."""

    ACCEPT = "ACCEPT"
    REJECT = "REJECT"
    WAIT = "WAIT"
    ABORT = "ABORT"


@frozen
class Line:
    """What one rule said; `says` is the first line of its docstring."""

    rule: str
    says: str
    verdict: str
    reason: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "says": self.says,
            "verdict": self.verdict,
            "reason": self.reason,
            "facts": dict(self.facts),
        }


@frozen
class Report:
    """The answer to a proposal.

    `state` is the run's state now. `retry_after` (seconds) and `until` (microseconds, UTC) are
    given with WAIT. `attempt` and `token` are given when RUNNING was entered: whoever proposes
    next on behalf of this attempt shows them. `proposed` is the name that was asked for. `marks`
    are set on the run with the state; `cancels` are runs that are asked to stop; `limits`
    count the run from now on.
    """

    status: Status
    state: State
    reason: str | None = None
    retry_after: float | None = None
    until: int | None = None
    replayed: bool = False
    rules: tuple[Line, ...] = ()
    proposed: str | None = None
    fenced: bool = False
    marks: tuple[str, ...] = ()
    cancels: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    attempt: int | None = None
    token: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"<{self.state} · {self.status.value}{reason}>"

    def as_json(self) -> dict[str, Any]:
        return {
            "status": self.status.value,
            "state": self.state.as_json(),
            "reason": self.reason,
            "retry_after": self.retry_after,
            "until": self.until,
            "replayed": self.replayed,
            "proposed": self.proposed,
            "attempt": self.attempt,
            "token": self.token,
            "rules": [line.as_json() for line in self.rules],
        }
