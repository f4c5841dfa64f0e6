"""A run of a flow or a task, and the policy it runs under."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal

from orion_nb import clock
from orion_nb.schemas.entropy import eight_bytes
from orion_nb.schemas.policies import DEFAULT_POLICY, RunPolicy
from orion_nb.schemas.reports import Report
from orion_nb.schemas.states import State
from orion_nb.schemas.values import frozen

Kind = Literal["flow", "task"]


@frozen
class Run:
    """One run of a flow or a task. Times are microseconds since the epoch, UTC.

    `attempt` counts entries into RUNNING, `run_count` those since it was last rerun; `token` is
    the secret of the current attempt and is never shown in lists. `root` is the outermost run of
    its tree (itself, when it has no parent). `marks` are what rules have noted on it, such as
    "missed_sla". `source` is the version of the file that its last attempt executed, of a run of
    a notebook or a deployed flow that was read by itself: {"path", "sha256", "track"}.
    """

    id: str
    kind: Kind
    name: str
    state: State
    root: str
    parent: str | None = None
    run_name: str | None = None
    key: str | None = None
    deployment: str | None = None
    attempt: int = 0
    run_count: int = 0
    created: int = 0
    scheduled_time: int | None = None
    start_time: int | None = None
    end_time: int | None = None
    total_time: int = 0
    policy: RunPolicy = DEFAULT_POLICY
    tags: tuple[str, ...] = ()
    parameters: dict[str, Any] | None = None
    session: str | None = None
    blocked: Report | None = None
    marks: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    report: Report | None = field(default=None, repr=False)
    source: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def due(self) -> int | None:
        """When it was to start: its scheduled time, else its creation."""
        if self.scheduled_time is None:
            return self.created or None
        # A retry has a scheduled time of its own.
        return self.scheduled_time if self.attempt <= 1 else self.start_time

    def __repr__(self) -> str:
        return f"<{self.state} · {self.kind} {self.name} · run {short(self.id)}>"

    def as_json(self) -> dict[str, Any]:
        shown = {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "run_name": self.run_name,
            "key": self.key,
            "state": self.state.as_json(),
            "parent": self.parent,
            "root": self.root,
            "deployment": self.deployment,
            "attempt": self.attempt,
            "run_count": self.run_count,
            "created": self.created,
            "scheduled_time": self.scheduled_time,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "total_time": self.total_time,
            "policy": self.policy.as_json(),
            "tags": list(self.tags),
            "parameters": self.parameters,
            "marks": list(self.marks),
            "blocked": self.blocked.as_json() if self.blocked else None,
        }
        if self.report is not None:
            shown["report"] = self.report.as_json()
        if self.source is not None:
            shown["source"] = self.source
        return shown


def new_id() -> str:
    """A fresh id: UUID version 7 as 32 hexadecimal digits, so ids sort by the time they were made.

    The 12 bits after the millisecond carry its fraction (RFC 9562, section 6.2, method 3).
    """
    millis, rest = divmod(clock.now(), 1000)
    high = (millis << 16) | 0x7000 | (rest * 4096 // 1000)
    low = int.from_bytes(eight_bytes(), "big") & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    return f"{(high << 64) | low:032x}"


def is_id(text: str) -> bool:
    """The text is an id as `new_id` writes it: 32 hexadecimal digits in lower case."""
    return len(text) == 32 and is_hex(text)


def is_hex(text: str) -> bool:
    """All of the text is hexadecimal digits in lower case."""
    return not text.strip("0123456789abcdef")


def short(run_id: str) -> str:
    """The last eight digits of an id: what people see and type."""
    return run_id[-8:]
