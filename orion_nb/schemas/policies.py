"""What the rules may grant a run, and what it is executed with. Durations are seconds."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Any, Literal, get_args

from orion_nb.schemas.values import frozen

Trigger = Literal["all_completed", "all_finished", "any_failed", "function"]
Overlap = Literal["allow", "queue", "skip", "cancel_running"]
CatchUp = Literal["latest", "all", "none"]
SlaAction = Literal["mark", "cancel"]

TRIGGERS: tuple[str, ...] = get_args(Trigger)
OVERLAPS: tuple[str, ...] = get_args(Overlap)
CATCH_UPS: tuple[str, ...] = get_args(CatchUp)
SLA_ACTIONS: tuple[str, ...] = get_args(SlaAction)


@frozen
class RunPolicy:
    """What the rules may grant a run, and what it is executed with.

    `retry_delay[i]` is the wait before retry i + 1; the last one repeats, each time
    `retry_backoff` times as long; `retry_jitter` (0 to 1) is the part of it by which it varies. No
    wait is longer than `retry_delay_max`. `retry_crashes`: how often a run is tried again whose
    machine failed.
    `timeout` limits one attempt. With `trigger` "function" whoever runs it asks a function.
    A result in the cache is taken if it is not older than `cache_expires` (None: of any age) and
    `cache_refresh` is off. `concurrency` names limits, each with the slots it has if nobody has
    set it. `sla` is the time from the scheduled time (or the creation) to the end, `sla_start` to
    the start; `sla_action` says what happens when it is over. `overlap` is for runs of a
    deployment: what happens while another one is running; `catch_up`: which instants are made
    up for that passed while nobody was there. When a task fails whose policy says
    `rerun_from`, its flow goes back to the task of that name, at most `rerun_max` times.
    `kernel` and `env` are said of one run alone: what executes its notebook instead of its own
    kernel or the deployment's, and environment variables over those of the deployment.
    """

    retries: int = 0
    retry_delay: tuple[float, ...] = (0.0,)
    timeout: float | None = None
    trigger: Trigger = "all_completed"
    retry_backoff: float = 1.0
    retry_delay_max: float | None = None
    retry_jitter: float = 0.0
    retry_crashes: int = 0
    cache_expires: float | None = None
    cache_refresh: bool = False
    concurrency: tuple[tuple[str, int | None], ...] = ()
    sla: float | None = None
    sla_start: float | None = None
    sla_action: SlaAction = "mark"
    overlap: Overlap = "allow"
    catch_up: CatchUp = "latest"
    rerun_from: str | None = None
    rerun_max: int = 1
    kernel: str | None = None
    env: tuple[tuple[str, str], ...] = ()

    def delay_before(self, retry: int, chance: float = 0.5) -> float:
        """The wait in seconds before retry number `retry`, counted from 1.

        `chance`, from 0 to 1, places it in the range that jitter allows; 0.5 is the middle.
        """
        if not self.retry_delay:
            return 0.0
        given = len(self.retry_delay)
        delay = self.retry_delay[min(retry, given) - 1]
        if retry > given and self.retry_backoff != 1.0:
            delay *= self.retry_backoff ** min(retry - given, 64)
        if self.retry_delay_max is not None:
            # Those that reach the maximum vary, too: all at once is what jitter is to prevent.
            delay = min(delay, self.retry_delay_max / (1.0 + self.retry_jitter))
        return max(0.0, delay * (1.0 + self.retry_jitter * (2.0 * chance - 1.0)))

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        told = dict(zip(_NAMES, _values(self), strict=True))
        told["retry_delay"] = list(self.retry_delay)
        told["concurrency"] = dict(self.concurrency)
        told["env"] = dict(self.env)
        return told

    def told(self) -> dict[str, Any]:
        """What differs from the default, as JSON has it."""
        default = DEFAULT_POLICY.as_json()
        return {name: value for name, value in self.as_json().items() if value != default[name]}

    @classmethod
    def of(cls, told: dict[str, Any]) -> RunPolicy:
        """The policy that `told` or `as_json` wrote; what it does not know is left out."""
        given = {name: value for name, value in told.items() if name in _NAMES}
        if "retry_delay" in given:
            given["retry_delay"] = tuple(given["retry_delay"])
        for name in given.keys() & {"concurrency", "env"}:
            given[name] = tuple(given[name].items())
        return cls(**given)


_NAMES = tuple(field.name for field in fields(RunPolicy))
_values = attrgetter(*_NAMES)
DEFAULT_POLICY = RunPolicy()
