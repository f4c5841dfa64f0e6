"""Filters in SQL: each word finds what it says, and not what it does not."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb import clock
from orion_nb.clock import SECOND
from orion_nb.schemas.filters import parse_filter
from orion_nb.schemas.runs import Run, new_id
from orion_nb.schemas.states import (
    Completed,
    Failed,
    Pending,
    Running,
    Scheduled,
    Skipped,
    TimedOut,
)
from orion_nb.store import listing, retention, runs
from orion_nb.store.database import Database
from orion_nb.store.listing import RunFilter

DAY = 24 * 3600 * SECOND
NOW = 20_000 * DAY
MINUTE = 60 * SECOND


def made(name, state, **fields):
    created = fields.pop("created", NOW - MINUTE)
    with clock.frozen(created):
        run_id = new_id()
    told = {"kind": "flow", "name": name, "root": run_id, "created": created, **fields}
    return Run(run_id, state=state, **told)


def crowd():
    top = made("Etl", Completed(seq=1), run_name="brave otter", tags=("db", "nightly load"),
               start_time=NOW - 9 * MINUTE, end_time=NOW - 2 * MINUTE, attempt=2,
               parameters={"rows": 10, "mode": "full", "dry": True, "rate": 0.5, "who": None},
               )  # fmt: skip
    return [
        top,
        made("etl-2", Failed(seq=1), tags=("DB",), marks=("missed_sla",), attempt=1,
             parameters={"rows": 100}, created=NOW - 3 * DAY, end_time=NOW - 3 * DAY),
        made("100%_x", Running(seq=1), start_time=NOW - 90 * SECOND, key="a.py:f", attempt=1),
        made("waits", Scheduled(NOW - MINUTE, seq=1), scheduled_time=NOW - MINUTE),
        made("later", Scheduled(NOW + MINUTE, seq=1), scheduled_time=NOW + MINUTE),
        made("load", Skipped(seq=1), kind="task", parent=top.id, root=top.id, end_time=NOW),
        made("load", TimedOut(seq=1), kind="task", parent=top.id, root=top.id, end_time=NOW),
        made("näh, \"x\"", Pending(seq=1), deployment=new_id(), created=NOW),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    database = Database(tmp_path_factory.mktemp("filtering") / "orion.db")
    everyone = crowd()

    def work(tx):
        for run in everyone:
            runs.insert(tx, run)
            state = runs.append(tx, run.id, run.state, None, None)
            tx.execute("UPDATE runs SET state_n=? WHERE id=?", (state.n, bytes.fromhex(run.id)))
        retention.pin(tx, everyone[2].id, None, NOW)

    database.write(work)
    yield database, everyone
    database.close()


def found(database, text):
    chosen = RunFilter(terms=parse_filter(text, NOW))
    with database.read() as connection:
        page = listing.page(connection, chosen, 100, NOW)
        total = sum(listing.counts(connection, chosen, NOW).values())
    assert total == len(page)
    return {run.id for run in page}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("", "01234567"),
        ("state:completed", "05"), ("state:Skipped", "5"), ("state:fail", "16"),
        ("state:timedout,late", "36"), ("-state:completed,failed", "2347"),
        ("state:scheduled", "34"), ("is:late", "3"), ("-is:late", "0124567"),
        ("is:finished", "0156"), ("is:unfinished", "2347"), ("is:top", "012347"),
        ("is:deployed", "7"), ("is:retried", "0"), ("is:pinned", "2"), ("is:pinned,late", "23"),
        ("kind:task", "56"), ("-kind:task", "012347"), ("kind:flow,task", "01234567"),
        ("flow:etl", "0"), ("flow:etl*", "01"), ("flow:load", ""), ("task:load", "56"),
        ("name:\"brave otter\"", "0"), ("name:100%_x", "2"), ("name:100*", "2"), ("name:%", ""),
        ("name:*", "01234567"), ("name:\"*\"", ""), ('name:"näh, \\"x\\""', "7"),
        ("tag:db", "01"), ("tag:night*", "0"), ("-tag:db", "234567"), ("tag:night", ""),
        ("mark:missed_sla", "1"), ("-mark:missed_sla", "0234567"),
        ("param:rows", "01"), ("param:rows=10", "0"), ("param:dry=true", "0"),
        ("param:rate=0.5", "0"), ("param:who=null", "0"), ("param:mode=full", "0"),
        ("param:mode=FULL", ""), ("-param:rows=10", "1234567"), ("param:dry=1", ""),
        ("key:a.py:f", "2"), ("key:*.py*", "2"),
        ("since:1d", "0234567"), ("until:1d", "1"), ("created<2024-10-04", "0123456"),
        ("-since:1d", "1"), ("dur>5m", "0"), ("dur<5m", "2"), ("dur>=90s", "02"), ("dur>90s", "0"),
        ("-dur>5m", "1234567"), ("attempt>1", "0"), ("attempt>=1", "012"), ("attempt:0", "34567"),
        ("scheduled>=2024-10-04", "4"), ("scheduled<2024-10-04", "3"), ("end:today", "56"),
        ("etl", "01"), ("ETL otter", "0"), ("-etl", "234567"), ("%", "2"), ("_", "2"), ("\\", ""),
        ("etl -\"-2\"", "0"), ("otter -zzz", "0"),
    ],
)  # fmt: skip
def test_each_word_finds_what_it_says(written, text, places):
    database, everyone = written
    assert found(database, text) == {everyone[int(place)].id for place in places}


def test_runs_are_found_by_family_and_id(written):
    database, everyone = written
    top = everyone[0].id
    assert found(database, f"root:{top}") == {everyone[n].id for n in (0, 5, 6)}
    assert found(database, f"parent:{top}") == {everyone[n].id for n in (5, 6)}
    assert found(database, f"id:{top}") == found(database, f"id:{top[-12:].upper()}") == {top}
    assert found(database, f"deployment:{everyone[7].deployment}") == {everyone[7].id}


def like(text, pattern):
    """Python's own idea of a star, without regard to case in ASCII."""
    return text is not None and fnmatch.fnmatchcase(text.lower(), pattern.lower())


PARTS = {
    "state:failed": lambda r: r.state.type == "FAILED",
    "state:late,completed": lambda r: r.name == "waits" or r.state.type == "COMPLETED",
    "kind:task": lambda r: r.kind == "task",
    "flow:*et*": lambda r: r.kind == "flow" and like(r.name, "*et*"),
    "name:l*,waits": lambda r: like(r.name, "l*") or r.name == "waits",
    "tag:db": lambda r: any(like(tag, "db") for tag in r.tags),
    "param:rows": lambda r: "rows" in (r.parameters or {}),
    "is:finished": lambda r: r.end_time is not None,
    "since:1h": lambda r: r.created >= NOW - 60 * MINUTE,
    "attempt>=1": lambda r: r.attempt >= 1,
    "dur>80s": lambda r: (
        r.start_time is not None and (r.end_time or NOW) - r.start_time > 80 * SECOND
    ),
    "lo": lambda r: like(r.name, "*lo*") or like(r.run_name, "*lo*"),
}


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(sorted(PARTS))), max_size=4))
def test_conditions_hold_together_and_minus_turns_each_round(written, asked):
    database, everyone = written
    text = " ".join(f"{'-' if negated else ''}{part}" for negated, part in asked)
    wanted = {r.id for r in everyone if all(PARTS[part](r) is not neg for neg, part in asked)}
    assert found(database, text) == wanted
