"""The conditions of a filter in SQL: the one translation of what people type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from orion_nb.schemas.filter_values import Value
from orion_nb.schemas.filters import Term
from orion_nb.schemas.states import NAMES, late_before
from orion_nb.store.runs import plain
from orion_nb.store.sessions import NOTEBOOK
from orion_nb.store.stretches import END

#: A condition, and the values of its question marks.
Sql = tuple[str, list[Any]]

#: The type of each name, and the types of runs that ended and did not complete.
TYPE_OF = {name: kind.value for kind, names in NAMES.items() for name in names}
BAD = frozenset({"FAILED", "CRASHED", "CANCELLED"})

#: Ids sort by the time they were made, told by the clock of whoever made them: which may be wrong.
SKEW = 24 * 3600 * 1_000_000
#: The columns of what is compared; `:now` stands for the time of asking.
COLUMNS = {
    "since": "runs.created",
    "until": "runs.created",
    "created": "runs.created",
    "scheduled": "runs.scheduled_time",
    "start": "runs.start_time",
    "end": "runs.end_time",
    "attempt": "runs.attempt",
    "dur": "(coalesce(runs.end_time, ?) - runs.start_time)",
}
BY_CREATION = frozenset({"since", "until", "created"})

ASPECTS = {
    "late": "runs.state_type = 'SCHEDULED' AND runs.scheduled_time < ?",
    "finished": "runs.end_time IS NOT NULL",
    "unfinished": "runs.end_time IS NULL",
    "top": "runs.parent IS NULL",
    "deployed": "runs.deployment IS NOT NULL",
    "retried": "runs.attempt > 1",
    "pinned": "EXISTS (SELECT 1 FROM pins WHERE pins.run = runs.id)",
}
#: JSON's own words for what json_each tells as numbers or nothing.
_SPOKEN = (
    "CASE item.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' "
    "WHEN 'null' THEN 'null' ELSE CAST(item.value AS TEXT) END"
)


def conditions(terms: Iterable[Term], now: int) -> list[Sql]:
    """Each term as a condition on a row of `runs`."""
    return [_term(term, now) for term in terms]


def span(terms: Iterable[Term], since: int | None = None) -> tuple[bytes, bytes]:
    """Bounds of ids that follow from those of `created`, so that no older run is even looked at."""
    low, high = (b"", END) if since is None else (first_id(since - SKEW), END)
    for term in terms:
        if term.key in BY_CREATION and not term.negated and len(term.values) == 1:
            (value,) = term.values
            if value.low is not None:
                low = max(low, first_id(value.low - SKEW))
            if value.high is not None:
                high = min(high, first_id(value.high + SKEW))
    return low, high


def by_index(states: Iterable[str]) -> list[Sql]:
    """A condition that follows from these states, if the index of runs that ended badly has it.

    Without it SQLite would not know that it may use that index.
    """
    types = sorted({TYPE_OF.get(word, word) for word in states})
    if not types or not BAD.issuperset(types):
        return []
    marks = ", ".join("?" * len(types))
    ended = "runs.end_time IS NOT NULL AND runs.state_type != 'COMPLETED'"
    return [(f"runs.state_type IN ({marks}) AND {ended}", types)]


def like(value: Value) -> str:
    """The pattern that LIKE takes for a whole text; stars stand for any text if they may."""
    pattern = re.sub(r"([%_\\])", r"\\\1", plain(value.text) or "")
    return pattern.replace("*", "%") if value.wild else pattern


def _term(term: Term, now: int) -> Sql:
    read = _CONDITIONS.get(term.key, _compared)
    parts = [read(term.key, value, now) for value in term.values]
    condition = " OR ".join(f"({sql})" for sql, _ in parts)
    values = [each for _, given in parts for each in given]
    if term.negated:  # what is not known does not hold, and so its contrary does
        return f"({condition}) IS NOT TRUE", values
    if term.key == "kind" and len(term.values) == 1:
        # Written out, not bound: SQLite uses the partial index of flow runs only for a literal.
        return f"runs.kind = '{term.values[0].text}'", []
    if term.key == "state":
        known = by_index(word for value in term.values for word in value.states)
        condition = " AND ".join([f"({condition})", *(sql for sql, _ in known)])
        return condition, values + [each for _, given in known for each in given]
    return f"({condition})", values


def _state(key: str, value: Value, now: int) -> Sql:
    names = [name for name in value.states if name != "Late"]
    marks = ", ".join("?" * len(names))
    parts = [f"runs.state_type IN ({marks}) OR runs.state_name IN ({marks})"] if names else []
    given: list[Any] = [*names, *names]
    if len(names) < len(value.states):
        parts.append(f"({ASPECTS['late']})")
        given.append(late_before(now))
    return " OR ".join(parts), given


def _aspect(key: str, value: Value, now: int) -> Sql:
    return ASPECTS[value.text], [late_before(now)] if value.text == "late" else []


def _kind(key: str, value: Value, now: int) -> Sql:
    return "runs.kind = ?", [value.text]


def _of_kind(key: str, value: Value, now: int) -> Sql:
    sql, given = _name(key, value, now)
    return f"runs.kind = '{key}' AND ({sql})", given


def _name(key: str, value: Value, now: int) -> Sql:
    pattern = like(value)
    return r"runs.name LIKE ? ESCAPE '\' OR runs.run_name LIKE ? ESCAPE '\'", [pattern, pattern]


def _deployment(key: str, value: Value, now: int) -> Sql:
    sql = r"runs.deployment IN (SELECT id FROM deployments WHERE name LIKE ? ESCAPE '\')"
    if (told := _bytes(value.text)) is not None:
        return f"{sql} OR runs.deployment = ?", [like(value), told]
    return sql, [like(value)]


def _listed(key: str, value: Value, now: int) -> Sql:
    column = {"tag": "tags", "mark": "marks"}[key]
    inside = f"SELECT 1 FROM json_each(runs.{column}) AS item"
    return rf"EXISTS ({inside} WHERE item.value LIKE ? ESCAPE '\')", [like(value)]


def _parameter(key: str, value: Value, now: int) -> Sql:
    name, equals, wanted = (plain(value.text) or "").partition("=")
    sql, given = "item.key = ?", [name]
    if equals:
        sql, given = f"{sql} AND {_SPOKEN} = ?", [name, wanted]
    return f"EXISTS (SELECT 1 FROM json_each(runs.parameters) AS item WHERE {sql})", given


def _key(key: str, value: Value, now: int) -> Sql:
    return r"runs.key LIKE ? ESCAPE '\'", [like(value)]


def _notebook(key: str, value: Value, now: int) -> Sql:
    path = like(value)
    if not re.match(r"/|\w:|%", path):
        path = f"%/{path}"  # wherever the folder is that it is relative to
    called = r"SELECT id FROM sessions WHERE label LIKE ? ESCAPE '\'"
    sql = rf"runs.key LIKE ? ESCAPE '\' OR runs.session IN ({called})"
    return sql, [f"notebook:{path}", f"{NOTEBOOK}{path}"]


def _id(key: str, value: Value, now: int) -> Sql:
    if (whole := _bytes(value.text)) is not None:
        return "runs.id = ?", [whole]
    return "hex(runs.id) LIKE ?", [f"%{value.text}"]


def _family(key: str, value: Value, now: int) -> Sql:
    return f"runs.{key} = ?", [_bytes(value.text)]


def _text(key: str, value: Value, now: int) -> Sql:
    pattern = like(Value(value.text))
    columns = ("runs.name", "runs.run_name", "hex(runs.id)")
    tests = " OR ".join(rf"{column} LIKE ? ESCAPE '\'" for column in columns)
    return tests, [f"%{pattern}%", f"%{pattern}%", f"%{pattern}"]


def _compared(key: str, value: Value, now: int) -> Sql:
    column = COLUMNS[key]
    parts, given = [], []
    for sign, bound in ((">=", value.low), ("<", value.high)):
        if bound is not None:
            parts.append(f"{column} {sign} ?")
            given += [*([now] if key == "dur" else []), bound]
    return " AND ".join(parts), given


def _bytes(text: str) -> bytes | None:
    """The bytes of a whole id."""
    return bytes.fromhex(text) if re.fullmatch(r"[0-9a-f]{32}", text) else None


def first_id(micros: int) -> bytes:
    """The least id that is made in the millisecond of a moment."""
    return (max(0, micros) // 1000).to_bytes(8, "big")[-6:] + bytes(10)


_CONDITIONS: dict[str, Callable[[str, Value, int], Sql]] = {
    "state": _state, "is": _aspect, "kind": _kind, "flow": _of_kind, "task": _of_kind,
    "name": _name, "deployment": _deployment, "tag": _listed, "mark": _listed,
    "param": _parameter, "key": _key, "notebook": _notebook, "id": _id, "root": _family,
    "parent": _family,
    "text": _text,
}  # fmt: skip
