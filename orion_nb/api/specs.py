"""Deployments as values: read from what is told of them, paused, resumed, scheduled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orion_nb.api.checks import check_size, check_tags, check_text, read_concurrency
from orion_nb.api.sources import target_of
from orion_nb.errors import DeploymentExists, InvalidInput
from orion_nb.schemas import variables

if TYPE_CHECKING:
    from orion_nb.schemas.deployments import Deployment

MOST_SCHEDULES = 1000
#: Bytes of a deployment's environment variables; those of one run come on top.
LARGEST_ENV = 100_000
#: What stands behind `/deployments/` besides the names of deployments.
TAKEN = ("check",)
#: What is said of how cells are executed.
OF_NOTEBOOKS = (
    *("kernel", "allow_missing_kernel", "allow_untagged"),
    *("cell_timeout", "start_timeout", "output_limit"),
)


def said(path: str, paused: bool | None, fields: Mapping[str, Any], now: int) -> dict[str, Any]:
    """What is told of a deployment; what is not given, or None, is left out."""
    given = {"paused": paused, **fields}
    told = {field: value for field, value in given.items() if value is not None}
    told["path"], told["flow"] = target_of(path)
    if paused is not None:
        told["pause"] = {"at": now} if paused else None
    return told


def changes(path: str | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be changed of a deployment; what is None has its default again."""
    told = dict(fields)
    if path is not None:
        told["path"], told["flow"] = target_of(path)
    return told


def exists_already(name: str) -> DeploymentExists:
    return DeploymentExists(f"{name!r} exists; choose another name, or update it")


def read(told: dict[str, Any]) -> Deployment:
    """A deployment from JSON values."""
    from pydantic import ValidationError

    from orion_nb.schemas.deployments import Deployment

    _check_known(told, list(Deployment.model_fields))
    try:
        made = Deployment(**told)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        wanted = first["msg"].removeprefix("Value error, ")  # pydantic's word for our own
        raise InvalidInput(f"{field}: {wanted}, got {first['input']!r}", field=field) from error
    check_tags(made.tags)
    check_size(made.parameters)
    read_concurrency(made.concurrency)
    _check_room(made)
    return made


def check_flow(made: Deployment) -> None:
    """Nothing is said of a flow that holds for notebooks alone.

    Raises:
        InvalidInput: something is, which nobody would heed.
    """
    for name in OF_NOTEBOOKS if made.flow is not None else ():
        value = getattr(made, name)
        if value != type(made).model_fields[name].default:
            says = f"{name}: it holds for notebooks; {made.name!r} is a flow: leave it out"
            raise InvalidInput(says, field=name)


def _check_room(made: Deployment) -> None:
    """There are not more schedules than can be looked at, nor more variables than a process takes.

    Raises:
        InvalidInput: there are.
    """
    if len(made.schedules) > MOST_SCHEDULES:
        says = f"schedules: at most {MOST_SCHEDULES}, got {len(made.schedules)}"
        raise InvalidInput(says, field="schedules")
    if (size := variables.size_of(made.env)) > LARGEST_ENV:
        says = f"env: at most {LARGEST_ENV} bytes all together, got {size}; pass a file's path"
        raise InvalidInput(says, field="env")


def check_new_name(name: str) -> None:
    """It is a text, and not the word that stands in its place in an address of the API.

    Raises:
        InvalidInput: it is none, or that word.
    """
    if not isinstance(name, str):
        raise InvalidInput(f"name: expected a text, got {name!r}", field="name")
    if name in TAKEN:
        raise InvalidInput(f"name: {name!r} is a word of the API; choose another", field="name")


def _check_known(told: Mapping[str, Any], fields: list[str]) -> None:
    import difflib

    for name in told:
        if name not in fields:
            close = difflib.get_close_matches(name, fields, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise InvalidInput(f"{name}: no field of a deployment{hint}", field=name)


def check_words(**told: str | None) -> None:
    for field, text in told.items():
        if text is not None:
            check_text(field, text)


def paused_by(known: Deployment, pause: dict[str, Any]) -> Deployment:
    from orion_nb.schemas.deployments import SchedulePause

    told = {"paused": pause["until"] is None, "pause": SchedulePause(**pause)}
    return known.model_copy(update=told)


def resumed(known: Deployment, now: int, by: str | None) -> Deployment:
    pause = known.pause
    in_effect = known.paused or known.paused_until(now) is not None
    if pause is not None and in_effect:
        pause = pause.model_copy(update={"resumed": now, "resumed_by": by})
    return known.model_copy(update={"paused": False, "pause": pause})


def scheduled(made: Deployment, now: int, before: Deployment | None = None) -> Deployment:
    """The deployment with its next instant, counted from now.

    An instant that has come before it was changed stays due: the run for it is yet to be made.
    """
    ends = made.paused_until(now)
    due = None if made.paused else made.timing.due_after((ends or now) - 1)
    ran = before is not None and not before.paused and before.paused_until(now) is None
    if before is not None and ran and not made.paused and ends is None:
        overdue = before.next_due
        if overdue is not None and overdue <= now:
            due = overdue
    return made.model_copy(update={"next_due": due, "updated": now})
