"""Runs with rows in many tables, and the days after which they are old."""

from __future__ import annotations

import json
import os

from orion_nb.schemas.states import Completed, Running
from orion_nb.store import kept

DAY = 24 * 3600
KEY = "ab" * 32
RESULT = json.dumps({"key": KEY, "serializer": "json", "size": 3}, separators=(",", ":"))


def furnish(orion, run_id, now):
    key = bytes.fromhex(run_id)

    def work(tx):
        tx.execute("INSERT INTO logs VALUES (NULL, ?, ?, 20, 'x', 'hello')", (key, now))
        row = (os.urandom(16), key, "k", None, now, 2, "{}")
        tx.execute("INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        kept.put_inputs(tx, run_id, RESULT, 1, now)
        kept.put_problem(tx, run_id, "inputs", "why", None, now)
        tx.execute("INSERT INTO pauses (run, key, asked) VALUES (?, 'k', ?)", (key, now))

    orion.database.write(work)


def names(orion):
    return sorted(run["name"] for run in orion.filter_runs(kind="flow")["runs"])


def later(orion, clock, days, newest="newest"):
    """So many days later somebody runs something else."""
    clock.advance(days * DAY)
    run, _ = orion.begin(orion.new_run("flow", newest), Running())
    orion.advance(run, Completed())
