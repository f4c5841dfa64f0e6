"""The states a run can be in, and how each one is named, drawn and made."""

from __future__ import annotations

from dataclasses import field, replace
from enum import StrEnum
from typing import Any

from orion_nb.clock import SECOND
from orion_nb.schemas.values import frozen


class StateType(StrEnum):
    """The nine types of state; rules speak of types, people read names."""

    SCHEDULED = "SCHEDULED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CRASHED = "CRASHED"
    CANCELLED = "CANCELLED"


SCHEDULED = StateType.SCHEDULED
PENDING = StateType.PENDING
RUNNING = StateType.RUNNING
PAUSED = StateType.PAUSED
CANCELLING = StateType.CANCELLING
COMPLETED = StateType.COMPLETED
FAILED = StateType.FAILED
CRASHED = StateType.CRASHED
CANCELLED = StateType.CANCELLED

TERMINAL = frozenset({COMPLETED, FAILED, CRASHED, CANCELLED})
ACTIVE = frozenset(StateType) - TERMINAL

#: The names of each type; the first is its default.
NAMES: dict[StateType, tuple[str, ...]] = {
    SCHEDULED: ("Scheduled", "AwaitingRetry", "AwaitingSlot"),
    PENDING: ("Pending", "Submitting", "NotReady"),
    RUNNING: ("Running", "Retrying", "Rerunning"),
    PAUSED: ("Paused",),
    CANCELLING: ("Cancelling",),
    COMPLETED: ("Completed", "Cached", "Skipped"),
    FAILED: ("Failed", "TimedOut", "UpstreamFailed"),
    CRASHED: ("Crashed", "Lost"),
    CANCELLED: ("Cancelled",),
}

#: A scheduled run is shown as Late when it has not started this long after its time (seconds).
LATE_AFTER = 15.0


@frozen
class State:
    """One state of a run: immutable, appended to its history.

    `timestamp` and `scheduled_time` are microseconds since the epoch, UTC; `seq` counts the
    states of its run from 1, `n` all states of the database (0: not written yet).
    """

    type: StateType
    name: str
    timestamp: int = 0
    seq: int = 0
    message: str | None = None
    reason: str | None = None
    scheduled_time: int | None = None
    cache_key: str | None = None
    result: str | None = None
    attempt: int = 0
    by: str | None = None
    n: int = field(default=0, compare=False)

    @property
    def is_terminal(self) -> bool:
        return self.type in TERMINAL

    def because(self, reason: str) -> State:
        return replace(self, reason=reason)

    def as_json(self) -> dict[str, Any]:
        return {
            "type": self.type.value,
            "name": self.name,
            "timestamp": self.timestamp,
            "seq": self.seq,
            "n": self.n,
            "message": self.message,
            "reason": self.reason,
            "scheduled_time": self.scheduled_time,
            "cache_key": self.cache_key,
            "result": self.result,
            "attempt": self.attempt,
            "by": self.by,
        }

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.message else self.name

    def __repr__(self) -> str:
        return f"<{self}>"


def state(kind: StateType | str, name: str | None = None, **fields: Any) -> State:
    """A state of the given type, under its default name unless another is given."""
    kind = StateType(kind)
    return State(kind, name or NAMES[kind][0], **fields)


def Scheduled(at: int, **fields: Any) -> State:
    return State(SCHEDULED, "Scheduled", scheduled_time=at, **fields)


def AwaitingRetry(at: int, **fields: Any) -> State:
    return State(SCHEDULED, "AwaitingRetry", scheduled_time=at, **fields)


def AwaitingSlot(**fields: Any) -> State:
    return State(SCHEDULED, "AwaitingSlot", **fields)


def Pending(**fields: Any) -> State:
    return State(PENDING, "Pending", **fields)


def NotReady(**fields: Any) -> State:
    return State(PENDING, "NotReady", **fields)


def Running(**fields: Any) -> State:
    return State(RUNNING, "Running", **fields)


def Paused(until: int | None = None, **fields: Any) -> State:
    return State(PAUSED, "Paused", scheduled_time=until, **fields)


def Completed(**fields: Any) -> State:
    return State(COMPLETED, "Completed", **fields)


def Cached(result: str | None, **fields: Any) -> State:
    return State(COMPLETED, "Cached", result=result, **fields)


def Skipped(**fields: Any) -> State:
    return State(COMPLETED, "Skipped", **fields)


def Failed(message: str | None = None, **fields: Any) -> State:
    return State(FAILED, "Failed", message=message, **fields)


def TimedOut(message: str | None = None, **fields: Any) -> State:
    return State(FAILED, "TimedOut", message=message, **fields)


def UpstreamFailed(message: str | None = None, **fields: Any) -> State:
    return State(FAILED, "UpstreamFailed", message=message, **fields)


def Crashed(message: str | None = None, **fields: Any) -> State:
    return State(CRASHED, "Crashed", message=message, **fields)


def Lost(message: str | None = None, **fields: Any) -> State:
    return State(CRASHED, "Lost", message=message, **fields)


def Cancelling(**fields: Any) -> State:
    return State(CANCELLING, "Cancelling", **fields)


def Cancelled(message: str | None = None, **fields: Any) -> State:
    return State(CANCELLED, "Cancelled", message=message, **fields)


@frozen
class Look:
    """How a state is shown: never by colour alone, always with glyph and word."""

    glyph: str
    light: str
    dark: str


#: By name, then by type. Each colour has 3:1 contrast with its ground, and any two differ by
#: at least 17 in CIEDE2000 under normal, protan, deutan and tritan vision.
LOOKS: dict[str, Look] = {
    "SCHEDULED": Look("◷", "#be8d0e", "#e7ab29"),
    "Late": Look("◷!", "#be8d0e", "#e7ab29"),
    "AwaitingRetry": Look("↻", "#be8d0e", "#e7ab29"),
    "PENDING": Look("○", "#16161e", "#bec0cf"),
    "RUNNING": Look("◐", "#0021a4", "#165ecd"),
    "PAUSED": Look("❚❚", "#a94ef6", "#c588f7"),
    "CANCELLING": Look("⊘", "#939393", "#656366"),
    "CANCELLED": Look("⊘", "#939393", "#656366"),
    "COMPLETED": Look("✔", "#0e6968", "#08a97e"),
    "Cached": Look("◆", "#0e6968", "#08a97e"),
    "FAILED": Look("✖", "#bb2722", "#c80e08"),
    "CRASHED": Look("⚡", "#490f01", "#fde7ce"),
}


def look(kind: str, name: str) -> Look:
    """The glyph and colours of a state, by its name or else its type."""
    return LOOKS.get(name) or LOOKS[kind]


def is_late(kind: str, scheduled_time: int | None, now: int) -> bool:
    """A scheduled run is late `LATE_AFTER` seconds after its time: derived, not stored."""
    if kind != SCHEDULED or scheduled_time is None:
        return False
    return scheduled_time < late_before(now)


def late_before(now: int) -> int:
    """A scheduled run is late if its time is before this (microseconds, UTC)."""
    return now - round(LATE_AFTER * SECOND)
