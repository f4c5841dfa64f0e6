"""What can be said when deploying, option by option: the one list for command line and magic."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orion_nb.errors import InvalidInput, ScheduleError
from orion_nb.schemas.values import frozen

if TYPE_CHECKING:
    from orion_nb.schemas.schedules import Schedule


@frozen
class Option:
    """One option: `--name METAVAR`, or a flag if it has no metavar.

    Args:
        name: with underscores; also that of its field, where it has one alone.
        help: one sentence.
        metavar: what its value is called.
        many: it can be given more than once.
        short: another spelling, such as `-p`.
        words: the values there are.
        default: what holds when it isn't given, as help shows it.
        kind: its value is a `str`, an `int` or a `float`.
        completes: what its values are the names of: `kernels`, `zones`, `limits` or `files`.
    """

    name: str
    help: str
    metavar: str = ""
    many: bool = False
    short: str = ""
    words: tuple[str, ...] = ()
    default: str = ""
    kind: type = str
    completes: str = ""

    @property
    def flags(self) -> tuple[str, ...]:
        long = f"--{self.name.replace('_', '-')}"
        return (self.short, long) if self.short else (long,)


SCHEDULES = (
    Option("cron", "Run when this cron expression says.", "EXPR", many=True),
    Option("every", "Run at this interval: 15m, 1h30m, 1d.", "DURATION", many=True),
    Option("rrule", "Run when this RFC 5545 rule says: FREQ=WEEKLY;BYDAY=MO.", "RULE", many=True),
    Option(
        "ics",
        "Run when an event of this calendar file begins; EVENT is its UID or summary.",
        "FILE[#EVENT]",
        many=True,
        completes="files",
    ),
    Option("at", "Run once, at this date and time: 2030-01-31T09:00.", "TIME", many=True),
    Option(
        "schedule",
        "Any of these, or a schedule as the REST API takes it, with all that can be said of it: "
        '{"kind": "cron", "cron": "30 2 * * *", "dst": "skip"}.',
        "TEXT|JSON",
        many=True,
    ),
    Option("tz", "The IANA time zone, such as Europe/Prague.", "ZONE", completes="zones"),
    Option(
        "starts",
        "These schedules run from then on, on their own clock: 2030-01-31, 2030-01-31T09:00.",
        "TIME",
    ),
    Option("ends", "They run until then; a date alone is included.", "TIME"),
)

PARAMETERS = (
    Option(
        "param",
        "A parameter: a JSON value, or else text. Can be given many times.",
        "NAME=VALUE",
        many=True,
        short="-p",
    ),
    Option(
        "params_file",
        "Parameters from a YAML, JSON or TOML file, or from - (stdin); -p goes before them.",
        "FILE",
        completes="files",
    ),
    Option(
        "allow_untagged",
        "Set parameters even in a notebook without a parameters cell, in a new first cell.",
    ),
)

EXECUTION = (
    Option("kernel", "The kernel, instead of the notebook's own.", "NAME", completes="kernels"),
    Option(
        "allow_missing_kernel",
        "Deploy even if its kernel is not installed here: it is where its runs are executed.",
    ),
    Option(
        "cwd",
        "Where its runs work, instead of the notebook's own folder.",
        "FOLDER",
        completes="files",
    ),
    Option(
        "isolated",
        "Work in a copy of that folder, made for each attempt and kept with the run.",
    ),
    Option(
        "track",
        "latest: run what is on disk then; pinned: run the file as it is now.",
        "WORD",
        words=("latest", "pinned"),
        default="latest",
    ),
    Option("pin", "The same as --track pinned."),
    Option("env", "An environment variable for its runs.", "NAME=VALUE", many=True),
    Option("timeout", "The longest an attempt may take: 90s, 10m, 1h30m.", "DURATION"),
    Option("cell_timeout", "The longest a cell may take.", "DURATION"),
    Option(
        "start_timeout", "The longest the kernel may take to answer.", "DURATION", default="60s"
    ),
    Option(
        "grace",
        "How long a cell that was interrupted may go on, before it is killed.",
        "DURATION",
        default="10s",
    ),
    Option(
        "output_limit",
        "How many characters of what each cell prints are kept, and of what it shows.",
        "N",
        kind=int,
        default="786432 and 16777216",
    ),
    Option("retries", "How often a failed run is tried again.", "N", kind=int, default="0"),
    Option("retry_delay", "The wait before each retry.", "DURATION", default="0s"),
    Option(
        "retry_crashes",
        "How often a run that crashed, its kernel was killed say, is tried again.",
        "N",
        kind=int,
        default="0",
    ),
    Option(
        "retry_backoff",
        "Each wait is so many times the one before.",
        "FACTOR",
        kind=float,
        default="1",
    ),
    Option("retry_delay_max", "No wait before a retry is longer.", "DURATION"),
    Option(
        "retry_jitter",
        "The part of each wait, 0 to 1, by which it varies at random.",
        "PART",
        kind=float,
        default="0",
    ),
    Option("tags", "Tags of its runs.", "TAG,TAG", many=True),
)

RULES = (
    Option(
        "jitter",
        "Each run of its schedules begins later than its time, by up to so long: another wait for "
        "each deployment and time.",
        "DURATION",
        default="0s",
    ),
    Option(
        "overlap",
        "While a run of it is under way, another one: allow, queue, skip, cancel_running.",
        "WORD",
        words=("allow", "queue", "skip", "cancel_running"),
        default="allow",
    ),
    Option(
        "catch_up",
        "Of times missed while nobody was there, make up for: latest, all, none.",
        "WORD",
        words=("latest", "all", "none"),
        default="latest",
    ),
    Option(
        "catch_up_max",
        "When catching up with all: for how many at most.",
        "N",
        kind=int,
        default="10",
    ),
    Option(
        "limit",
        "A concurrency limit that counts its runs; NAME=N sets how many it lets run.",
        "NAME[=N]",
        many=True,
        completes="limits",
    ),
    Option("sla", "From due to done; who is later is marked.", "DURATION"),
    Option("sla_start", "From due to started; who is later is marked.", "DURATION"),
    Option(
        "sla_action",
        "What becomes of a run that is late by its SLA: mark, or cancel.",
        "WORD",
        words=("mark", "cancel"),
        default="mark",
    ),
    Option(
        "keep",
        "Its finished runs are forgotten after so long, whatever ORION_NB_KEEP says.",
        "DURATION",
    ),
    Option(
        "keep_last",
        "Its newest N finished runs stay; without --keep all others are forgotten.",
        "N",
        kind=int,
    ),
)

ITSELF = (
    Option("paused", "Create no runs by schedule until it is resumed."),
    Option("update", "Change the deployment if the name exists; what is not given stays."),
    Option("dry_run", "Check it all and show what it would be; nothing is written."),
)

OPTIONS = (*SCHEDULES, *PARAMETERS, *EXECUTION, *RULES, *ITSELF)

#: The same by what they are about, as forms show them.
GROUPS = {
    "schedules": SCHEDULES,
    "parameters": PARAMETERS,
    "execution": EXECUTION,
    "rules": RULES,
    "itself": ITSELF,
}
#: The fields of a deployment that options say under another name.
FIELDS = {
    **dict.fromkeys((each.name for each in SCHEDULES), "schedules"),
    "param": "parameters",
    "params_file": "parameters",
    "pin": "track",
    "limit": "concurrency",
}
#: How a value is written, by what it is called.
_WRITTEN = {
    "DURATION": "duration",
    "NAME=VALUE": "pairs",
    "NAME[=N]": "limits",
    "TAG,TAG": "list",
}
_KINDS = {int: "whole", float: "number"}


def described() -> list[dict[str, Any]]:
    """Each option that says a field of a deployment, for who makes a form of them.

    `takes` is `flag`, `word` (one of `words`), `duration`, `whole`, `number`, `text`, `list`,
    `pairs` (NAME=VALUE) or `limits` (NAME or NAME=N); `names` is what its values are names of.
    """
    return [
        {
            "name": each.name,
            "field": FIELDS.get(each.name, each.name),
            "group": group,
            "takes": _takes(each),
            "help": each.help,
            "metavar": each.metavar,
            "words": list(each.words),
            "default": each.default,
            "names": each.completes,
        }
        for group, options in GROUPS.items()
        for each in options
        if each.name not in ("update", "dry_run")
    ]


def _takes(option: Option) -> str:
    if not option.metavar:
        return "flag"
    if option.words:
        return "word"
    return _WRITTEN.get(option.metavar) or _KINDS.get(option.kind, "text")


#: The fields of a deployment that are durations.
DURATIONS = frozenset(each.name for each in OPTIONS if each.metavar == "DURATION") - {"every"}
#: Options that are a field of a deployment under their own names.
PLAIN = (
    "allow_untagged kernel allow_missing_kernel isolated track timeout cell_timeout start_timeout "
    "grace output_limit retries retry_delay retry_crashes retry_backoff retry_delay_max "
    "retry_jitter jitter overlap catch_up catch_up_max sla sla_start sla_action keep keep_last"
).split()
#: Options that are an argument of `deploy()` under their own names.
OWN = "cron every rrule ics at tz starts ends update dry_run".split()


def arguments_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """What `deploy()` is given for these options, by their names; those without value are left out.

    Parameters are not among them.

    Raises:
        ParameterError: a pair of `env` can't be read.
        ScheduleError, InvalidInput: a schedule or a limit can't be read.
    """
    from orion_nb.schemas.parameters import parse_pairs

    given = {
        **{name: told.get(name) for name in (*PLAIN, *OWN)},
        "cwd": _folder(told.get("cwd")),
        "env": parse_pairs(told.get("env") or (), "--env"),
        "tags": _words(told.get("tags") or ()),
        "concurrency": dict(_limit(each) for each in _words(told.get("limit") or ())),
        "schedules": [
            read_schedule(each, told.get("tz"), told.get("starts"), told.get("ends"))
            for each in told.get("schedule") or ()
        ],
        "paused": told.get("paused"),
    }
    if told.get("pin"):
        if told.get("track") == "latest":
            raise InvalidInput("track: --pin and --track latest contradict", field="track")
        given["track"] = "pinned"
    return {name: value for name, value in given.items() if value not in (None, False, [], {}, ())}


def _folder(given: Any) -> str | None:
    try:
        return None if given is None else str(Path(given).expanduser().absolute())
    except RuntimeError as error:  # of somebody who has no home
        raise InvalidInput(f"cwd: {given!r}: {error}", field="cwd") from error


def _words(given: Iterable[str]) -> list[str]:
    return [word.strip() for each in given for word in each.split(",") if word.strip()]


def _limit(word: str) -> tuple[str, int | None]:
    name, equals, slots = word.partition("=")
    if not equals:
        return name, None
    if not (slots.isascii() and slots.isdigit() and int(slots)):
        raise InvalidInput(f"limit: {word!r} is not NAME or NAME=N", field="limit")
    return name, int(slots)


def read_schedule(
    text: str, tz: str | None, starts: str | None = None, ends: str | None = None
) -> dict[str, Any]:
    """The schedule that a text stands for, as the API takes it.

    The text is any that `parse_schedule` knows, `file.ics` or `file.ics#EVENT`, or a JSON object.
    What a JSON object says itself of zone, start and end holds; `starts` and `ends` are in the
    zone of the schedule.

    Raises:
        ScheduleError: it can't be read.
    """
    from orion_nb.schemas.schedules import dump_schedule, within

    return dump_schedule(within(_schedule_of(text, tz), starts, ends, tz))


def _schedule_of(text: str, tz: str | None) -> Schedule:
    from orion_nb.schemas.calendars import from_file
    from orion_nb.schemas.schedules import parse_schedule

    if text.partition("#")[0].strip().lower().endswith(".ics"):
        return from_file(text.strip(), timezone=tz)
    if not text.lstrip().startswith("{"):
        return parse_schedule(text, timezone=tz)
    try:
        told = json.loads(text)
    except ValueError as error:
        raise ScheduleError(f"schedule: {text[:80]!r} is no JSON: {error}") from None
    return parse_schedule({"timezone": tz, **told} if tz and _zoned(told) else told)


def _zoned(told: Mapping[str, Any]) -> bool:
    return told.get("kind") in ("cron", "interval", "rrule")
