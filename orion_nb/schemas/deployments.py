"""A deployment: a notebook with parameters, schedules and limits, that runs without its author."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from orion_nb.schemas import durations, variables
from orion_nb.schemas.policies import CatchUp, Overlap, RunPolicy, SlaAction
from orion_nb.schemas.schedules import Schedule, dump_schedule, parse_schedules
from orion_nb.schemas.timing import Timing

NAME = re.compile(r"[\w][\w .\-]{0,99}", re.ASCII)


def _seconds(value: Any, info: ValidationInfo) -> float:
    return durations.seconds(value, field=info.field_name)


Seconds = Annotated[float, BeforeValidator(_seconds)]
Limit = Annotated[Seconds, Field(gt=0)]


def _tags(value: Any) -> Any:
    """`"db"` is understood as well as `["db", "api"]`."""
    value = (value,) if isinstance(value, str) else value
    if not isinstance(value, list | tuple | set | frozenset):
        raise ValueError("expected texts")  # noqa: TRY004 - what pydantic understands
    return tuple(value)


def _limits(value: Any) -> Any:
    """`"db"` and `["db", "api"]` are understood as well as `{"db": 10}`."""
    if isinstance(value, str):
        return {value: None}
    return dict.fromkeys(value) if isinstance(value, list | tuple) else value


def source_key(path: str, flow: str | None) -> str:
    """What the runs of a notebook, or of a flow in a file, have in common."""
    return f"notebook:{path}" if flow is None else f"flow:{path}:{flow}"


class DeploymentSpec(BaseModel):
    """What a person says about a deployment. Durations are seconds, or texts like `10m`.

    `path` is absolute; `flow` is the name of the flow in a Python file, None for a notebook. With
    `allow_untagged` a notebook without parameters cell takes any parameters. With `track` "latest"
    what is on disk is run, with "pinned" the version whose SHA-256 is `pinned`. With
    `allow_missing_kernel` its kernel need not be installed where it is deployed, only where its
    runs are executed. If `isolated` each attempt works in a copy of its folder. `env` are more
    environment variables for its runs. `output_limit` are the
    characters that are kept of what a cell prints, and of what it shows; two thirds of them from
    its beginning. `jitter` is by how much the runs of its schedules may begin later than their
    instants. Its finished runs are forgotten when they ended longer ago than `keep`, and are not
    among the newest `keep_last`; without either as the server or worker is told to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    flow: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    allow_untagged: bool = False
    track: Literal["latest", "pinned"] = "latest"
    pinned: str | None = None
    env: Annotated[dict[str, str], AfterValidator(variables.checked)] = Field(default_factory=dict)
    schedules: Annotated[tuple[Schedule, ...], BeforeValidator(parse_schedules)] = ()
    kernel: str | None = None
    allow_missing_kernel: bool = False
    cwd: str | None = None
    isolated: bool = False
    timeout: Limit | None = None
    cell_timeout: Limit | None = None
    start_timeout: Limit = 60.0
    grace: Seconds = 10.0
    output_limit: Annotated[int, Field(ge=1000, le=100_000_000)] | None = None
    retries: Annotated[int, Field(ge=0, le=100)] = 0
    retry_delay: Seconds = 0.0
    retry_backoff: Annotated[float, Field(ge=1, le=100)] = 1.0
    retry_delay_max: Limit | None = None
    retry_jitter: Annotated[float, Field(ge=0, le=1)] = 0.0
    retry_crashes: Annotated[int, Field(ge=0, le=100)] = 0
    tags: Annotated[tuple[str, ...], BeforeValidator(_tags)] = ()
    overlap: Overlap = "allow"
    jitter: Annotated[Seconds, Field(le=86_400)] = 0.0
    catch_up: CatchUp = "latest"
    catch_up_max: Annotated[int, Field(ge=1, le=1000)] = 10
    concurrency: Annotated[dict[str, int | None], BeforeValidator(_limits)] = Field(
        default_factory=dict
    )
    sla: Limit | None = None
    sla_start: Limit | None = None
    sla_action: SlaAction = "mark"
    keep: Limit | None = None
    keep_last: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    @property
    def policy(self) -> RunPolicy:
        """What the rules may grant a run of this deployment."""
        return RunPolicy(
            self.retries,
            (self.retry_delay,),
            self.timeout,
            retry_backoff=self.retry_backoff,
            retry_delay_max=self.retry_delay_max,
            retry_jitter=self.retry_jitter,
            retry_crashes=self.retry_crashes,
            concurrency=tuple(self.concurrency.items()),
            sla=self.sla,
            sla_start=self.sla_start,
            sla_action=self.sla_action,
            overlap=self.overlap,
            catch_up=self.catch_up,
        )

    @property
    def key(self) -> str:
        """What its runs have in common with those of the same source."""
        return source_key(self.path, self.flow)

    @property
    def folder(self) -> Path:
        """Where its runs work: `cwd`, or the folder of the notebook."""
        return Path(self.cwd) if self.cwd else Path(self.path).parent

    def spec(self) -> dict[str, Any]:
        """The spec as JSON values."""
        told = self.model_dump(mode="json", include=set(DeploymentSpec.model_fields))
        told["schedules"] = [dump_schedule(schedule) for schedule in self.schedules]
        return told

    def kept(self) -> dict[str, Any]:
        """The spec as it is written: what is none, empty or off unless somebody says so is not.

        Other defaults are: a deployment keeps to them when those of a later version differ.
        """
        nothing = _nothing()
        return {name: value for name, value in self.spec().items() if value or name not in nothing}


@lru_cache(maxsize=1)
def _nothing() -> frozenset[str]:
    """The fields of a spec that say nothing by default."""
    return frozenset(name for name, value in DeploymentSpec(path="").spec().items() if not value)


class SchedulePause(BaseModel):
    """Who paused the schedules of a deployment, when, why and until when; and who resumed them.

    Times are microseconds since the epoch, UTC.
    """

    model_config = ConfigDict(frozen=True)

    at: int
    until: int | None = None
    by: str | None = None
    why: str | None = None
    resumed: int | None = None
    resumed_by: str | None = None


class Deployment(DeploymentSpec):
    """A deployment as it is kept. Times are microseconds since the epoch, UTC.

    `revision` counts its changes; `next_due` is the next instant one of its schedules names.
    `paused` says that it is, without an end; `pause` is the last pause, which may have one.
    """

    id: str
    name: str
    paused: bool = False
    pause: SchedulePause | None = None
    next_due: int | None = None
    revision: int = 1
    created: int = 0
    updated: int = 0

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError("use 1 to 100 letters, digits, spaces, dots, dashes and underscores")
        return name

    def paused_until(self, now: int) -> int | None:
        """When a pause that is in effect and has an end is over; None if there is none."""
        pause = self.pause
        if pause is None or pause.resumed is not None or pause.until is None:
            return None
        return pause.until if now < pause.until else None

    @property
    def timing(self) -> Timing:
        """When it gets runs."""
        return Timing(self.schedules, self.next_due, self.catch_up, self.catch_up_max)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            **self.spec(),
            "paused": self.paused,
            "pause": None if self.pause is None else self.pause.model_dump(),
            "next_due": self.next_due,
            "revision": self.revision,
            "created": self.created,
            "updated": self.updated,
        }
