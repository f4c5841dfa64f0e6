"""What each key of a filter takes: states, moments, durations, numbers, names."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from orion_nb.clock import LAST_MOMENT, SECOND, micros
from orion_nb.errors import InvalidInput
from orion_nb.schemas import durations
from orion_nb.schemas.runs import is_hex
from orion_nb.schemas.states import NAMES, StateType
from orion_nb.schemas.values import frozen

COMPARED = (">", ">=", "<", "<=", ":")
DAY = 24 * 3600 * SECOND

#: What `is:` asks.
ASPECTS = {
    "late": "should have started by now",
    "finished": "has ended",
    "unfinished": "has not ended",
    "top": "runs in no other run",
    "deployed": "belongs to a deployment",
    "retried": "was attempted more than once",
    "pinned": "is kept however old it gets",
}
KINDS = ("flow", "task")


@frozen
class Value:
    """One value as it was typed, and what it means.

    `wild`: stars in it stand for any text. `low` and `high` are the bounds of a moment
    (microseconds, UTC), a duration (microseconds) or a number: from `low` to before `high`.
    `states` are types and names.
    """

    text: str
    wild: bool = False
    low: int | None = None
    high: int | None = None
    states: tuple[str, ...] = ()


@frozen
class Key:
    """One key: what it is called, what it asks, and the operators it is used with."""

    name: str
    says: str
    kind: str = "name"
    ops: tuple[str, ...] = (":",)


def _keys(*keys: Key) -> dict[str, Key]:
    return {key.name: key for key in keys}


#: All keys there are; "text" is what words without one are for.
KEYS = _keys(
    Key("state", "in this state: failed, late, TimedOut; or the beginning of one", "state"),
    Key("is", ", ".join(ASPECTS), "aspect"),
    Key("kind", "flow or task", "kind"),
    Key("flow", "flow runs of this name; * stands for any text"),
    Key("task", "task runs of this name"),
    Key("name", "runs of this name, or called this"),
    Key("deployment", "runs of this deployment"),
    Key("tag", "runs with this tag"),
    Key("mark", "runs with this mark, such as missed_sla"),
    Key("param", "runs with this parameter, or with this value: param:rows=10", "pair"),
    Key("key", "runs whose code has this key"),
    Key("notebook", "runs of the notebook at this path, deployed or called in its kernel"),
    Key("id", "the run with this id, or with one that ends so", "id"),
    Key("root", "runs in the tree of this outermost run", "run"),
    Key("parent", "runs that this run has called", "run"),
    Key("since", "made this long ago or later: 24h, today, 2026-11-22", "since"),
    Key("until", "made until this long ago, this day, this minute", "until"),
    Key("created", "made then: created>=2026-11-22", "moment", COMPARED),
    Key("scheduled", "to start then", "moment", COMPARED),
    Key("start", "started then", "moment", COMPARED),
    Key("end", "ended then", "moment", COMPARED),
    Key("dur", "took so long, or takes so long by now: dur>5m", "duration", COMPARED),
    Key("attempt", "is in this attempt: attempt>1", "number", COMPARED),
    Key("text", "words are looked for in names and at the end of ids", "text"),
)


def read_value(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    """One value of a key, checked.

    Raises:
        ValueError: says what is possible.
    """
    if not text:
        raise ValueError(f"{key.name}: lacks a value: {_possible(key)}")
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise ValueError("it has a control character")
    if len(text) > 255:
        raise ValueError(f"a value has at most 255 characters, got {len(text)}")
    return _READ[key.kind](key, op, text, quoted, now)


def choices(key: Key) -> tuple[str, ...]:
    """The values that a key can have, when they can be listed."""
    if key.kind == "state":
        return tuple(word.lower() for word in STATES)
    if key.kind == "aspect":
        return tuple(ASPECTS)
    return KINDS if key.kind == "kind" else ()


#: Types and names of states, as people type them; Late, too.
STATES: dict[str, str] = {"late": "Late"}
for _type, _names in NAMES.items():
    STATES |= {_name.lower(): _name for _name in _names} | {_type.value.lower(): _type.value}


def states_called(word: str) -> tuple[str, ...]:
    """The states that a word means: a type, a name, or those that begin with it, types first."""
    if word in set(StateType):
        return (word,)
    wanted = word.lower()
    if wanted in STATES:
        return (STATES[wanted],)
    types = tuple(each.value for each in StateType if each.value.lower().startswith(wanted))
    return types or tuple(name for low, name in STATES.items() if low.startswith(wanted))


def _state(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    import difflib

    found = states_called(text)
    if not found:
        close = difflib.get_close_matches(text.lower(), STATES, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"{text!r} is no state; {hint}there are {', '.join(sorted(STATES))}")
    return Value(text, states=found)


def _aspect(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    return Value(_one_of(text, tuple(ASPECTS)))


def _kind(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    return Value(_one_of(text, KINDS))


def _one_of(text: str, known: tuple[str, ...]) -> str:
    if text.lower() not in known:
        raise ValueError(f"{text!r} is none of {', '.join(known)}")
    return text.lower()


def _name(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    return Value(text, wild="*" in text and not quoted)


def _pair(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    if text.startswith("="):
        raise ValueError("it names no parameter; try param:rows=10")
    return Value(text)


def _id(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    digits = text.lower().replace("-", "")
    if not is_hex(digits) or not 4 <= len(digits) <= 32:
        raise ValueError(f"{text!r} is no id: 4 to 32 hexadecimal digits")
    return Value(digits)


def _text(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    return Value(text)


def _moment(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    low, high = _span(key, text, now)
    return Value(text, False, *_bounds(op, low, high))


def _since(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    ago = _ago(text, now)
    return Value(text, low=_span(key, text, now)[0] if ago is None else ago)


def _until(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    ago = _ago(text, now)
    return Value(text, high=_span(key, text, now)[1] if ago is None else ago)


def _duration(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    try:
        low = durations.micros(text)
    except InvalidInput as error:
        raise ValueError(str(error)) from None
    return Value(text, False, *_bounds(op, low, low + 1))


def _number(key: Key, op: str, text: str, quoted: bool, now: int) -> Value:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{text!r} is no number")
    return Value(text, False, *_bounds(op, int(text), int(text) + 1))


def _bounds(op: str, low: int, high: int) -> tuple[int | None, int | None]:
    """From where to where `op` holds for what lies between `low` and `high`."""
    beyond = {">": (high, None), ">=": (low, None), "<": (None, low), "<=": (None, high)}
    return beyond.get(op, (low, high))


def _ago(text: str, now: int) -> int | None:
    """The moment that lies a duration back."""
    if text.isdecimal():
        return None  # microseconds since 1970, as everywhere in the API
    try:
        return max(0, now - durations.micros(text))
    except InvalidInput:
        return None


def _span(key: Key, text: str, now: int) -> tuple[int, int]:
    """From when to before when a moment, a minute or a day lasts; days are those of UTC."""
    found = _named_span(text.lower(), now) or _written_span(text)
    if found is not None and 0 <= found[0] <= LAST_MOMENT:
        return found
    ago = "" if key.kind == "moment" else "24h, "
    hint = "; for durations there is since:" if ago == "" and _ago(text, now) is not None else ""
    says = f"{text!r} is no time; try {ago}today, 2026-11-22 or 2026-11-22T09:30Z{hint}"
    raise ValueError(says)


def _named_span(word: str, now: int) -> tuple[int, int] | None:
    today = now - now % DAY
    begins = {"now": now, "today": today, "yesterday": today - DAY}
    if word not in begins:
        return None
    return begins[word], begins[word] + (1 if word == "now" else DAY)


_WRITTEN = re.compile(
    r"\d{4}-\d\d-\d\d(?P<time>[T ]\d\d:\d\d(?P<second>:\d\d(?P<part>\.\d{1,6})?)?)?"
    r"(?P<zone>[Zz]|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


def _written_span(text: str) -> tuple[int, int] | None:
    """A day, minute, second or microsecond in ISO 8601; without an offset, in UTC."""
    if text.isdecimal():  # microseconds; fewer digits are those of seconds, or of a year
        return (int(text), int(text) + 1) if 15 <= len(text) < 19 else None
    written = _WRITTEN.fullmatch(text)
    if written is None or (written["zone"] and not written["time"]):
        return None
    try:
        moment = datetime.fromisoformat(text)
        at = micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
    steps = (("part", 1), ("second", SECOND), ("time", 60 * SECOND))
    return at, at + next((step for part, step in steps if written[part]), DAY)


def _possible(key: Key) -> str:
    listed = choices(key)
    return f"one of {', '.join(sorted(listed))}" if listed else key.says


_READ: dict[str, Callable[[Key, str, str, bool, int], Value]] = {
    "state": _state, "aspect": _aspect, "kind": _kind, "name": _name, "run": _name, "pair": _pair,
    "id": _id, "text": _text, "moment": _moment, "since": _since, "until": _until,
    "duration": _duration, "number": _number,
}  # fmt: skip
