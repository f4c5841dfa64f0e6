"""Rows of one simple table, to tell what was written."""

from __future__ import annotations


def put(key, body="x"):
    return lambda tx: tx.execute("INSERT INTO reports (digest, body) VALUES (?, ?)", (key, body))


def keys(database):
    with database.read() as connection:
        rows = connection.execute("SELECT digest FROM reports ORDER BY digest").fetchall()
    return [row[0] for row in rows]
