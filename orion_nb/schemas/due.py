"""What a scheduler needs of a deployment: its timing, and what its runs are like.

A spec was checked when it was written. Reading all of it through its model again costs more than
writing the run does; here only what the runs are made of is read, and checked once for each
schedule and each policy that there is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from orion_nb.clock import SECOND
from orion_nb.schemas import jitter
from orion_nb.schemas.deployments import Deployment, DeploymentSpec, source_key
from orion_nb.schemas.policies import DEFAULT_POLICY, CatchUp, RunPolicy
from orion_nb.schemas.runs import Run, new_id
from orion_nb.schemas.schedules import Schedule
from orion_nb.schemas.states import Scheduled, Skipped
from orion_nb.schemas.timing import Timing
from orion_nb.schemas.values import evolve, frozen

#: The fields of a spec that the timing and the policy of its runs are made of.
GRANTED = tuple(
    name
    for name in DeploymentSpec.model_fields
    if (name in RunPolicy.__dataclass_fields__ and name not in ("kernel", "env"))
    or name in ("schedules", "catch_up_max", "jitter")
)
_FIELDS = Deployment.model_fields.keys()
_SPEC = DeploymentSpec(path="").spec()
#: What they say when nobody has said anything of them; most deployments say it of most.
_USUAL = {name: _SPEC[name] for name in GRANTED}


@frozen
class Due:
    """A deployment as a scheduler sees it; `revision` tells whether it was changed since.

    `jitter` are the microseconds by which its runs may be later than their instants.
    """

    id: str
    name: str
    revision: int
    timing: Timing
    key: str
    policy: RunPolicy
    tags: tuple[str, ...]
    parameters: dict[str, Any]
    jitter: int = 0

    def run(self, slot: int, now: int) -> Run:
        """A run of it for the instant `slot`, as it is born at `now`; not yet written."""
        run_id = new_id()
        at = slot + jitter.wait(self.id, slot, self.jitter) if self.jitter else slot
        return Run(
            run_id,
            "flow",
            self.name,
            Scheduled(at, timestamp=now, seq=1),
            run_id,
            key=self.key,
            deployment=self.id,
            created=now,
            scheduled_time=at,
            policy=self.policy,
            tags=self.tags,
            parameters=self.parameters,
        )

    def skipped(self, made: Sequence[int], now: int) -> list[tuple[Run, int]]:
        """One run that stands for the missed instants that get none, and its instant."""
        passed = self.timing.passed_over(made)
        if passed is None:
            return []
        told = passed.told(self.timing.catch_up)
        state = Skipped(message=told, timestamp=now, seq=1, by="scheduler")
        run = self.run(passed.last, now)
        run = evolve(run, state=state, scheduled_time=passed.last, end_time=now)
        return [(run, passed.last)]


def read_due(key: str, name: str, spec: str, revision: int, next_due: int) -> Due:
    """A deployment from what is written of it.

    Raises:
        OrionError, ValueError, TypeError, KeyError: it can't be read any more; a time zone is gone,
            say.
    """
    told = json.loads(spec)
    if not told.keys() <= _FIELDS:
        raise ValueError(f"{', '.join(told.keys() - _FIELDS)}: no field of a deployment")
    path, parameters, tags = told["path"], told.get("parameters", {}), told.get("tags", [])
    if not (isinstance(path, str) and isinstance(parameters, dict) and isinstance(tags, list)):
        raise TypeError("path, parameters and tags are a text, an object and a list of texts")
    granted = {name: said for name, said in told.items() if name in _USUAL and said != _USUAL[name]}
    policy, schedules, catch_up, most, late = _granted(json.dumps(granted))
    return Due(
        key,
        name,
        revision,
        Timing(schedules, next_due, catch_up, most),
        source_key(path, told.get("flow")),
        policy,
        tuple(tags),
        parameters,
        late,
    )


@lru_cache(maxsize=4096)
def _granted(text: str) -> tuple[RunPolicy, tuple[Schedule, ...], CatchUp, int, int]:
    """What these fields of a spec say; most deployments have them from others."""
    spec = DeploymentSpec(path="", **json.loads(text))
    policy = spec.policy
    shared = DEFAULT_POLICY if policy == DEFAULT_POLICY else policy
    late = round(spec.jitter * SECOND)
    return shared, spec.schedules, spec.catch_up, spec.catch_up_max, late
