"""What may be said about deployments and notifications, field by field, by every door."""

from __future__ import annotations

from typing import Any, TypedDict

Duration = float | str


class DeploymentFields(TypedDict, total=False):
    """The fields of a deployment as they come in. Durations: seconds, or texts like `10m`.

    `schemas/deployments.py` says what each may be and what holds when it is not given.
    """

    parameters: dict[str, Any] | None
    allow_untagged: bool | None
    track: str | None
    env: dict[str, str] | None
    schedules: list[Any] | None
    kernel: str | None
    allow_missing_kernel: bool | None
    cwd: str | None
    isolated: bool | None
    timeout: Duration | None
    cell_timeout: Duration | None
    start_timeout: Duration | None
    grace: Duration | None
    output_limit: int | None
    retries: int | None
    retry_delay: Duration | None
    retry_backoff: float | None
    retry_delay_max: Duration | None
    retry_jitter: float | None
    retry_crashes: int | None
    tags: list[str] | None
    jitter: Duration | None
    overlap: str | None
    catch_up: str | None
    catch_up_max: int | None
    concurrency: dict[str, Any] | list[str] | None
    sla: Duration | None
    sla_start: Duration | None
    sla_action: str | None
    keep: Duration | None
    keep_last: int | None


class NotificationFields(TypedDict, total=False):
    """The fields of a notification as they are changed. Durations: seconds, or texts like `10m`.

    `schemas/notifications.py` says what each may be and what holds when it is not given.
    """

    on: list[str] | None
    deployment: str | None
    flow: str | None
    webhook: str | None
    headers: dict[str, str] | None
    command: list[str] | None
    call: str | None
    apprise: list[str] | None
    timeout: Duration | None
    retries: int | None
    retry_delay: Duration | None
    paused: bool | None
