"""What is given for a run is checked: its policy, its texts, its moments, the size of its data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, get_args

from orion_nb import clock
from orion_nb.errors import InvalidInput
from orion_nb.schemas.runs import RunPolicy, Trigger, is_id

PARAMETERS_LIMIT = 512 * 1024
TAGS_LIMIT = 50


def read_policy(told: dict[str, Any] | None) -> RunPolicy:
    """A policy from JSON values; durations are seconds or texts like `10s`.

    Raises:
        InvalidInput: naming the field, the value and what it may be.
    """
    from orion_nb.schemas.durations import seconds

    known = {"retries", "retry_delay", "timeout", "trigger"}
    if unknown := set(told or ()) - known:
        word = sorted(unknown)[0]
        raise InvalidInput(f"policy.{word}: not known; there are {', '.join(sorted(known))}")
    told = told or {}
    retries, delay = told.get("retries", 0), told.get("retry_delay", [0.0])
    if not isinstance(retries, int) or isinstance(retries, bool) or not 0 <= retries <= 100:
        raise InvalidInput(f"policy.retries: expected 0..100, got {retries!r}", field="policy")
    trigger = told.get("trigger", "all_completed")
    if trigger not in get_args(Trigger):
        says = f"policy.trigger: {trigger!r} is none of {', '.join(get_args(Trigger))}"
        raise InvalidInput(says, field="policy")
    delays = delay if isinstance(delay, list | tuple) else [delay]
    timeout = told.get("timeout")
    return RunPolicy(
        retries,
        tuple(seconds(each) for each in delays) or (0.0,),
        None if timeout is None else seconds(timeout),
        trigger,
    )


def check_text(field: str, value: str) -> None:
    """A name or tag is 1 to 255 characters, none of them a control character."""
    if not 1 <= len(value) <= 255:
        raise InvalidInput(f"{field}: 1 to 255 characters, got {len(value)}", field=field)
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in value):
        raise InvalidInput(f"{field}: {value!r} has a control character", field=field)


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
