"""What is given for a run is checked: its policy, its texts, its moments, the size of its data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from orion_nb import clock
from orion_nb.errors import InvalidInput
from orion_nb.schemas import variables
from orion_nb.schemas.policies import (
    CATCH_UPS,
    DEFAULT_POLICY,
    OVERLAPS,
    SLA_ACTIONS,
    TRIGGERS,
    RunPolicy,
)
from orion_nb.schemas.runs import is_id

_DURATION = re.compile(r"\s*[\d.]+\s*[a-zµ]", re.IGNORECASE)
PARAMETERS_LIMIT = 512 * 1024
TAGS_LIMIT = 50
LIMITS_LIMIT = 20

_WORDS = {
    "trigger": TRIGGERS,
    "overlap": OVERLAPS,
    "catch_up": CATCH_UPS,
    "sla_action": SLA_ACTIONS,
}
_RANGES = {"retry_backoff": (1.0, 100.0), "retry_jitter": (0.0, 1.0)}


def read_policy(told: dict[str, Any] | None, at: str = "policy.") -> RunPolicy:
    """A policy from JSON values; durations are seconds or texts like `10s`.

    `at` is what errors begin the name of a field with.

    Raises:
        InvalidInput: naming the field, the value and what it may be.
    """
    told = dict(told or {})
    known = list(RunPolicy().as_json())  # in their order: the common ones come first
    if unknown := set(told) - set(known):
        word = sorted(unknown)[0]
        says = f"{at}{word}: not known; there are {', '.join(known)}"
        raise InvalidInput(says, field="policy")
    for name, allowed in _WORDS.items():
        if name in told and told[name] not in allowed:
            says = f"{at}{name}: {told[name]!r} is none of {', '.join(allowed)}"
            raise InvalidInput(says, field="policy")
    for name in ("retries", "retry_crashes"):
        if name in told:
            _check_number(at + name, told[name], 0, 100, whole=True)
    for name, (least, most) in _RANGES.items():
        if name in told:
            _check_number(at + name, told[name], least, most)
    for name in ("timeout", "retry_delay_max", "cache_expires", "sla", "sla_start"):
        if told.get(name) is not None:
            told[name] = _duration(at + name, told[name])
    if "retry_delay" in told:
        delay = told["retry_delay"]
        delays = delay if isinstance(delay, list | tuple) else [delay]
        told["retry_delay"] = [_duration(f"{at}retry_delay", each) for each in delays] or [0.0]
    if "rerun_max" in told:
        _check_number(f"{at}rerun_max", told["rerun_max"], 1, 100, whole=True)
    if told.get("rerun_from") is not None:
        check_text(f"{at}rerun_from", str(told["rerun_from"]))
    if not isinstance(told.get("cache_refresh", False), bool):
        raise InvalidInput(f"{at}cache_refresh: expected true or false", field="policy")
    if "concurrency" in told:
        told["concurrency"] = read_concurrency(told["concurrency"])
    if told.get("kernel") is not None:
        check_text(f"{at}kernel", str(told["kernel"]))
    if "env" in told:
        told["env"] = dict(variables.of_a_run(_object("policy.env", told["env"]), "policy.env"))
    made = RunPolicy.of(told)
    return DEFAULT_POLICY if made == DEFAULT_POLICY else made  # one and the same is known by sight


def read_concurrency(told: Any) -> dict[str, int | None]:
    """The limits that a run is subject to, by name: with the slots of one that nobody has set.

    `"db"`, `["db", "api"]`, and `{"db": 10}` are understood.

    Raises:
        InvalidInput: a name or a number that can't be accepted.
    """
    if isinstance(told, str):
        told = [told]
    limits = dict(told) if isinstance(told, dict) else dict.fromkeys(told or ())
    if len(limits) > LIMITS_LIMIT:
        says = f"concurrency: at most {LIMITS_LIMIT} limits, got {len(limits)}"
        raise InvalidInput(says, field="concurrency")
    for name, slots in limits.items():
        if not isinstance(name, str):
            raise InvalidInput(f"concurrency: {name!r} is no name of a limit", field="concurrency")
        check_text("concurrency", name)
        if slots is not None:
            check_slots(name, slots)
    return limits


def check_slots(name: str, slots: Any) -> None:
    """A limit has 0 to 1,000,000 slots; 0 lets nothing run."""
    if not isinstance(slots, int) or isinstance(slots, bool) or not 0 <= slots <= 1_000_000:
        says = f"slots: limit {name!r} has 0 to 1000000 slots, got {slots!r}"
        raise InvalidInput(says, field="slots")


def _object(field: str, told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise InvalidInput(f"{field}: expected an object of texts, got {told!r}", field="policy")
    return told


def _duration(name: str, value: Any) -> float:
    from orion_nb.schemas.durations import seconds

    try:
        return seconds(value)
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error}", field=name.partition(".")[0]) from None


def _check_number(name: str, value: Any, least: float, most: float, whole: bool = False) -> None:
    kinds = int if whole else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool) or not least <= value <= most:
        says = f"{name}: expected {least:g}..{most:g}, got {value!r}"
        raise InvalidInput(says, field=name.partition(".")[0])


def check_text(field: str, value: str) -> None:
    """A name or tag is 1 to 255 characters, none of them a control character."""
    if not isinstance(value, str):
        raise InvalidInput(f"{field}: expected a text, got {value!r}", field=field)
    if not 1 <= len(value) <= 255:
        raise InvalidInput(f"{field}: 1 to 255 characters, got {len(value)}", field=field)
    if value.isprintable():
        return
    import unicodedata

    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
        raise InvalidInput(f"{field}: {value!r} has a control character", field=field)


def check_ref(what: str, ref: str) -> None:
    """A run or a deployment is named by a text: its id, or its name."""
    if not isinstance(ref, str):
        raise InvalidInput(f"{what}: expected its name or its id, got {ref!r}", field=what)


def read_tags(told: Any) -> tuple[str, ...]:
    """Tags, of which one alone may be given as a text.

    Raises:
        InvalidInput: they are no texts, or too many.
    """
    if told is None or isinstance(told, str):
        told = () if told is None else (told,)
    if not isinstance(told, Iterable):
        raise InvalidInput(f"tags: expected texts, got {told!r}", field="tags")
    tags = tuple(told)
    check_tags(tags)
    return tags


def check_tags(tags: Sequence[str]) -> None:
    """There are at most 50 tags, each a text like a name."""
    if len(tags) > TAGS_LIMIT:
        raise InvalidInput(f"tags: at most {TAGS_LIMIT}, got {len(tags)}", field="tags")
    for tag in tags:
        check_text("tags", tag)


def check_size(parameters: dict[str, Any]) -> None:
    """Parameters are no place for data."""
    if len(json.dumps(parameters, default=repr)) > PARAMETERS_LIMIT:
        says = "parameters: more than 512 KiB; store the data and pass a path"
        raise InvalidInput(says, field="parameters")


def check_moment(field: str, value: int | None) -> None:
    """A moment lies in the years 1970 to 9999."""
    if value is not None and not 0 <= value <= clock.LAST_MOMENT:
        says = f"{field}: {value} µs since 1970 is not in the years 1970 to 9999"
        raise InvalidInput(says, field=field)


def check_id(field: str, value: str) -> None:
    if not is_id(value):
        raise InvalidInput(f"{field}: {value!r} is not an id (32 hexadecimal digits)", field=field)


def end_of_pause(until: str | int, now: int) -> int:
    """The instant until which a pause lasts, in microseconds.

    Raises:
        InvalidInput: it is neither an instant nor a duration, or not in the future.
    """
    from orion_nb.schemas import durations, instants

    try:
        if isinstance(until, int):
            end = until
        elif _DURATION.match(until):
            end = now + durations.micros(until)
        else:
            end = clock.micros(instants.read(until, "until"))
    except InvalidInput as error:
        message = (
            f"until: {until[:60]!r} is no time with an offset and no duration "  # type: ignore[index]
            "(try 2030-01-31T09:00Z or 2h)"
        )
        raise InvalidInput(message, field="until") from error
    if not now < end <= clock.LAST_MOMENT:
        raise InvalidInput(f"until: {until!r} is not in the future", field="until")
    return end
