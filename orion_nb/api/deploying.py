"""`deploy`: what Python code calls to give a notebook or a flow a name and schedules."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from orion_nb.api.aside import aside
from orion_nb.api.connect import connect
from orion_nb.api.sources import file_of, target_of
from orion_nb.errors import InvalidInput, ScheduleError
from orion_nb.schemas.fields import DeploymentFields
from orion_nb.schemas.targets import joined

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

Duration = float | str | timedelta
Texts = str | Iterable[str] | None
Every = Duration | Iterable[Duration] | None
Files = str | Path | Iterable[str | Path] | None
When = str | date | None
Moments = str | date | Iterable[str | date] | None


def deploy(
    target: str | Path,
    name: str | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    cron: Texts = None,
    every: Every = None,
    rrule: Texts = None,
    ics: Files = None,
    at: Moments = None,
    tz: str | None = None,
    starts: When = None,
    ends: When = None,
    paused: bool | None = None,
    update: bool = False,
    dry_run: bool = False,
    orion: Orion | None = None,
    **fields: Unpack[DeploymentFields],
) -> dict[str, Any]:
    """A notebook, or a flow `file.py:flow` or `module:flow`, runs by its schedules from now on.

    It does so while a Jupyter server, `orion-nb server` or `orion-nb worker` runs. Answers the
    deployment as the API shows it, with its next times.

    Args:
        target: a path, from the current folder on if it is relative.
        name: of the deployment; default: that of the file, or of the flow.
        params: values for its parameters, checked before anything is written.
        cron: cron expressions, in the time zone `tz`.
        every: durations: texts like "15m", seconds, or timedeltas.
        rrule: recurrence rules of RFC 5545: "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9".
        ics: calendar files, `file.ics` or `file.ics#EVENT` with the UID or summary of an event.
        at: dates and times, as texts or datetimes; each is run once.
        tz: the IANA time zone of what is a text; UTC by default, and in calendar files their own.
        starts: these schedules name no time before; "2030-01-31" is the midnight of that day, in
            the zone of each schedule.
        ends: they name no time after; "2030-01-31" is the end of that day.
        paused: no run is made by schedule until it is resumed.
        update: a deployment of this name is changed; what is not given stays.
        dry_run: all is checked, and answered as it would be; nothing is written.
        orion: the API to use; default: `connect()`.
        fields: as `schemas.fields` lists them: `retries=2`, `timeout="1h"`, `schedules=[...]`.

    Raises:
        InvalidInput: something is said that can't be; the text names it.
        NotebookNotFound, FlowNotFound, InvalidNotebook, ParameterError, ScheduleError,
        DeploymentExists: nothing was written.
    """
    if not isinstance(target, str | Path):
        raise _unexpected("target", "a path, or FILE.py:FLOW", target)
    file, flow = target_of(file_of(str(target)))
    told = _read(fields)
    if params is not None:
        if told.get("parameters") is not None:
            raise InvalidInput("params: give them as params or as parameters", field="params")
        if not isinstance(params, Mapping):
            raise _unexpected("params", "values by their names", params)
        told["parameters"] = dict(params)
    schedules = schedules_of(cron, every, at, tz, rrule=rrule, ics=ics)
    schedules = [*_dumped(told.get("schedules"), tz), *schedules]
    if starts is not None or ends is not None:
        schedules = _bounded(schedules, starts, ends, tz)
    if schedules:
        told["schedules"] = schedules
    called = name if name is not None else flow or Path(file).stem
    api = orion or connect()
    make = api.check_deployment if dry_run else api.create_deployment
    return make(called, joined(file, flow), paused=paused, update=update, **told)


deploy_async = aside(
    deploy,
    """The same as `deploy`, to be awaited.

    Who is cancelled meanwhile waits no longer; the deployment was made whole, or not at all.
    """,
)


def deploy_as_said(
    target: str | Path,
    name: str | None,
    options: Mapping[str, Any],
    *,
    orion: Orion | None = None,
) -> dict[str, Any]:
    """`deploy` with options as they stand in a line, by the names of `schemas.deploy_options`.

    Raises:
        OrionError: as `deploy`; or an option can't be read.
    """
    from orion_nb.api.parameter_files import read_parameters
    from orion_nb.schemas.deploy_options import arguments_of

    given = arguments_of(options)
    file = options.get("params_file")
    params = read_parameters(options.get("param"), None if file is None else Path(file))
    return deploy(target, name, orion=orion, **{**given, "params": params or None})


def schedules_of(
    cron: Texts,
    every: Every,
    at: Moments,
    tz: str | None,
    *,
    rrule: Texts = None,
    ics: Files = None,
) -> list[dict[str, Any]]:
    """The schedules as the API takes them.

    Raises:
        ScheduleError: one can't be read.
    """
    from orion_nb.schemas import zones
    from orion_nb.schemas.calendars import from_file
    from orion_nb.schemas.recurring import RRule
    from orion_nb.schemas.schedules import Cron, Interval, dump_schedule

    zone = zones.zone(tz or "UTC").key
    found: list[Any] = [Cron(each, timezone=zone) for each in _several("cron", cron)]
    found += [
        Interval(each, timezone=zone)
        for each in _several("every", every, (int, float, timedelta), "a duration")
    ]
    found += [RRule(each, timezone=zone) for each in _several("rrule", rrule)]
    found += [from_file(str(each), timezone=tz) for each in _several("ics", ics, (Path,), "a path")]
    found += [_once(each, zone) for each in _several("at", at, (date,), "a date and time")]
    return [dump_schedule(each) for each in found]


def _bounded(
    schedules: list[Any], starts: When, ends: When, tz: str | None
) -> list[dict[str, Any]]:
    """The schedules from a start on, until an end, except where one says another itself."""
    from orion_nb.schemas.schedules import dump_schedule, parse_schedule, within

    if not schedules:
        field = "ends" if starts is None else "starts"
        raise InvalidInput(f"{field}: no schedule is given that it is said of", field=field)
    return [dump_schedule(within(parse_schedule(each), starts, ends, tz)) for each in schedules]


def _once(moment: str | date, zone: str) -> Any:
    from orion_nb.schemas.schedules import Once, parse_schedule

    moment = moment if isinstance(moment, str) else moment.isoformat()
    try:
        schedule = parse_schedule(moment, timezone=zone)
    except ScheduleError:
        schedule = None
    if not isinstance(schedule, Once):
        example = "try 2030-01-31T09:00 or 2030-01-31T09:00Z"
        raise ScheduleError(f"at: {moment!r} is not a date and time ({example})", field="at")
    return schedule


def _read(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, of which each is known; durations as JSON has them."""
    from orion_nb.schemas.likeness import closest

    for name in fields.keys() - DeploymentFields.__annotations__.keys():
        known = [*DeploymentFields.__annotations__, *inspect.signature(deploy).parameters]
        close = closest(name, known)
        hint = f"; did you mean {close!r}?" if close else ""
        raise InvalidInput(f"{name}: no field of a deployment{hint}", field=name)
    return {
        name: value.total_seconds() if isinstance(value, timedelta) else value
        for name, value in fields.items()
    }


def _dumped(given: Any, tz: str | None) -> list[dict[str, Any]]:
    from orion_nb.schemas.schedules import dump_schedule, parse_schedules

    if given is None:
        return []
    return [dump_schedule(each) for each in parse_schedules(given, timezone=tz)]


def _unexpected(field: str, wanted: str, got: Any) -> InvalidInput:
    return InvalidInput(f"{field}: expected {wanted}, got {got!r:.100}", field=field)


def _several(
    field: str, given: Any, kinds: tuple[type, ...] = (), wanted: str = "a text"
) -> list[Any]:
    """One text, or one of these kinds, as a list of one; several as they are.

    Raises:
        InvalidInput: something else is given than what is `wanted`.
    """
    from orion_nb.schemas.kinds import ScheduleKind

    if given is None:
        return []
    kinds = (str, *kinds)
    if isinstance(given, ScheduleKind):
        raise _unexpected(field, f"{wanted} (`schedules=` takes a schedule as a value)", given)
    alone = isinstance(given, kinds) or not isinstance(given, Iterable)
    found = [given] if alone else list(given)
    for each in found:
        if not isinstance(each, kinds) or isinstance(each, bool):
            raise _unexpected(field, wanted, each)
    return found
