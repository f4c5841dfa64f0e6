"""Fills a database with many runs, as ninety days of a busy team leave it; used by million_runs."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from pathlib import Path
from typing import Any

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.settings import Settings
from orion_nb.store.statements import INSERT_LOG, INSERT_RUN

DAYS = 90
HOUR = 3600 * clock.SECOND
#: Of a thousand runs, so many end like this; the rest complete.
BAD = {"FAILED": ("Failed", 20), "CRASHED": ("Crashed", 4), "CANCELLED": ("Cancelled", 4)}
FLOWS = [f"{what} {when}" for what in ("load", "train", "report", "clean") for when in "abcdefghij"]
TASKS = [f"{verb} {noun}" for verb in ("read", "sort", "join", "fit", "write") for noun in FLOWS]
TAGS = ["nightly", "db", "gpu", "eu", "us"]
#: A run of the flow has so many tasks; one in each database has very many.
SIZES, LARGEST = (9, 19, 49, 99), 10_000
NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}


def fill(folder: Path, count: int) -> float:
    """The folder has a database with so many runs; answers the seconds it took to write them."""
    started = time.perf_counter()
    settings = Settings.load(environ={}, home=str(folder))
    notebook = folder / "report.ipynb"
    orion = Orion(settings, label="benchmark")
    notebook.write_text(json.dumps(NOTEBOOK))
    for n in range(40):
        orion.create_deployment(f"deployment {n:02}", str(notebook), schedules=["0 9 * * *"])
    reports = _reports(orion)
    orion.close()
    with sqlite3.connect(settings.database_path, isolation_level=None) as connection:
        for pragma in ("synchronous=off", "cache_size=-400000", "temp_store=memory"):
            connection.execute(f"PRAGMA {pragma}")
        deployments = [row[0] for row in connection.execute("SELECT id FROM deployments")]
        _write(connection, count, deployments, reports)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return time.perf_counter() - started


def _reports(orion: Orion) -> dict[str, int]:
    """The digests of real reports, by the state that they let in."""
    run = orion.create_run("task", "noop")
    token = orion.propose(run.id, "RUNNING").token  # type: ignore[arg-type]
    orion.propose(run.id, "COMPLETED", attempt=1, token=token)  # type: ignore[arg-type]
    with orion.database.read() as connection:
        sql = "SELECT type, report FROM states WHERE report IS NOT NULL"
        return dict(connection.execute(sql).fetchall())


def _sizes(count: int) -> list[int]:
    """How many tasks each flow run has; with the flow runs they are `count` runs."""
    sizes = [LARGEST] if count > 10 * LARGEST else []
    left = count - sum(sizes) - len(sizes)
    while left > 0:
        sizes.append(min(SIZES[len(sizes) % len(SIZES)], left - 1))
        left -= sizes[-1] + 1
    return sizes


def _write(
    connection: sqlite3.Connection, count: int, deployments: list[bytes], reports: dict[str, int]
) -> None:
    chance = random.Random(7)
    sizes = _sizes(count)
    first, step = clock.now() - DAYS * 24 * HOUR, (DAYS * 24 - 1) * HOUR // len(sizes)
    connection.execute("BEGIN IMMEDIATE")
    (n,) = connection.execute("SELECT max(n) FROM states").fetchone()
    for turn, size in enumerate(sizes):
        states: list[tuple[Any, ...]] = []
        rows: list[tuple[Any, ...]] = []
        at = first + turn * step
        deployment = chance.choice(deployments) if chance.random() < 0.5 else None
        end = _ending(chance, "SCHEDULED" if turn > len(sizes) - 200 else "")
        root = _id(chance, at)
        for nth in range(size + 1):
            born = at + nth * 1000
            ended = end if nth == 0 else _ending(chance, "")
            moves = (
                [("SCHEDULED", "Scheduled")]
                if ended[0] == "SCHEDULED"
                else [("PENDING", "Pending"), ("RUNNING", "Running"), ended]
            )
            key = root if nth == 0 else _id(chance, born)
            for seq, (kind, name) in enumerate(moves, 1):
                n += 1
                told = f"ValueError: no column {nth}" if kind == "FAILED" else None
                states.append(
                    (n, key, seq, kind, name, born + seq * 500, seq > 1, told, reports.get(kind),
                     n - 1 if seq > 1 else None)
                )  # fmt: skip
            rows.append(_run(chance, key, root, nth, born, n, moves, deployment))
        connection.executemany(INSERT_RUN, rows)
        connection.executemany(_INSERT_STATE, states)
        lines = [(row[0], row[15], 20, "flow", f"{row[2]}: {chance.random()}") for row in rows[::4]]
        connection.executemany(INSERT_LOG, lines)
    connection.execute("COMMIT")


_INSERT_STATE = (
    "INSERT INTO states (n, run, seq, type, name, timestamp, attempt, message, report, prev) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def _run(
    chance: random.Random,
    key: bytes,
    root: bytes,
    nth: int,
    born: int,
    n: int,
    moves: list[tuple[str, str]],
    deployment: bytes | None,
) -> tuple[Any, ...]:
    (kind, name), top = moves[-1], nth == 0
    waits = kind == "SCHEDULED"
    tags = json.dumps(chance.sample(TAGS, 2)) if chance.random() < 0.2 else None
    parameters = json.dumps({"day": nth, "path": f"data/{nth}.csv"}) if nth % 10 == 0 else None
    due = born + 200 * HOUR if waits else None
    started, ended = (None, None) if waits else (born + 1000, born + 1500)
    return (
        key, "flow" if top else "task", chance.choice(FLOWS if top else TASKS),
        f"run {n}" if top and n % 3 == 0 else None, None if top else f"t-{nth}",
        None if top else root, root, deployment if top else None, born if deployment else None,
        kind, name, len(moves), int(not waits), None, int(not waits), born, due, started, ended,
        0 if waits else 500, None, tags, parameters, None, None, n, None,
    )  # fmt: skip


def _ending(chance: random.Random, given: str) -> tuple[str, str]:
    if given:
        return given, given.title()
    drawn = chance.randrange(1000)
    for kind, (name, share) in BAD.items():
        if drawn < share:
            return kind, name
        drawn -= share
    return "COMPLETED", "Completed"


def _id(chance: random.Random, micros: int) -> bytes:
    """As `new_id` makes them: version 7, of this moment."""
    millis, rest = divmod(micros, 1000)
    high = (millis << 16) | 0x7000 | (rest * 4096 // 1000)
    return ((high << 64) | chance.getrandbits(62) | 1 << 63).to_bytes(16, "big")
