"""Statements and ids in the form in which sqlite3 takes them quickest.

For each value that is not a plain number, text or bytearray sqlite3 looks for an adapter (see PEP
249, and "How to adapt custom Python types" in its documentation). For a None or bytes that takes
longer than to write it, and a run with its states has forty of them. So NULL is written into the
statement, and ids are bytearrays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

#: An id as a value of a statement; it is read back as bytes.
blob = bytearray.fromhex


def execute(tx: sqlite3.Connection, sql: str, row: Sequence[Any]) -> sqlite3.Cursor:
    """The statement is executed with these values."""
    return tx.execute(*filled(sql, row))


def execute_many(tx: sqlite3.Connection, sql: str, rows: Iterable[Sequence[Any]]) -> None:
    """The statement is executed with each row; those with the same empty places together."""
    alike: dict[str, list[list[Any]]] = {}
    for row in rows:
        known, values = filled(sql, row)
        alike.setdefault(known, []).append(values)
    for known, many in alike.items():
        tx.executemany(known, many)


def filled(sql: str, row: Sequence[Any]) -> tuple[str, list[Any]]:
    """The same statement with NULL in the place of each None, and the other values."""
    empty = (sql, *[value is None for value in row])
    known = _known.get(empty) or _with_nulls(sql, empty[1:])
    _known[empty] = known
    return known, [value for value in row if value is not None]


def _with_nulls(sql: str, empty: Sequence[Any]) -> str:
    parts = sql.split("?")
    marks = ["NULL" if is_none else "?" for is_none in empty]
    return "".join(part + mark for part, mark in zip(parts, [*marks, ""], strict=True))


_known: dict[tuple[Any, ...], str] = {}
