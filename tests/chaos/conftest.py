"""The checker: what must be true of any database, whatever was done to its processes."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orion_nb.api.orion import Orion
from orion_nb.settings import Settings


@pytest.fixture
def chance() -> random.Random:
    """Chance, by a printed seed; `ORION_SEED` replays it."""
    seed = int(os.environ.get("ORION_SEED") or random.SystemRandom().randrange(10**9))
    print(f"ORION_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def check() -> Callable[[Path], dict[str, list[str]]]:
    """Checks a data folder; answers the names of all states of each run, by id.

    The file is sound; each run has all its states, numbered without gaps, the last of which is
    the one it is in; no state is without its run; and once it ended, nothing follows.
    """

    def look(home: Path) -> dict[str, list[str]]:
        with closing(sqlite3.connect(home / "orion.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            counted = connection.execute("SELECT run, count(*) FROM states GROUP BY run").fetchall()
            rows = connection.execute("SELECT id, seq, state_name FROM runs").fetchall()
        states = {key.hex(): count for key, count in counted}
        told: dict[str, list[str]] = {}
        orion = Orion(Settings.load(home=home))
        for key, seq, name in rows:
            history: list[dict[str, Any]] = orion.read_states(key.hex())["states"]
            assert [state["seq"] for state in history] == list(range(1, seq + 1)), key.hex()
            assert states.pop(key.hex()) == seq
            told[key.hex()] = [state["name"] for state in history]
            assert told[key.hex()][-1] == name
            assert not any(state["type"] in ENDS for state in history[:-1])
            assert all(state["report"] for state in history[1:])
        assert states == {}
        orion.close()
        return told

    return look


ENDS = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
