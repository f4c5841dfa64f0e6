"""Long lists are looked through in stretches: nothing is left out, little is looked at."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from orion_nb.schemas.filters import parse_filter
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Completed, Failed, Running, Scheduled
from orion_nb.store import listing, runs
from orion_nb.store.database import Database
from orion_nb.store.listing import RunFilter
from orion_nb.store.stretches import look_through

SECOND = 1_000_000
NOW = 1_790_000_000 * SECOND
#: Some at the same time, some days after the others.
GAPS = (0, 1, 1000, SECOND, 3600 * SECOND, 30 * 24 * 3600 * SECOND)
DEPLOYMENT = "d" * 32
FILTERS = (
    "", "state:failed", "state:failed,crashed", "state:running", "state:late", "kind:flow",
    "kind:flow state:failed", "since:24h", "since:90d until:1h", "name:a", "tag:db", "train",
    "dur>1s", "-state:failed",
)  # fmt: skip


def key_of(micros, chance):
    millis, rest = divmod(micros, 1000)
    return f"{millis:012x}{0x7000 | rest * 4096 // 1000:04x}8{chance.getrandbits(60):015x}"


def made(count, seed=7):
    chance, at, root = random.Random(seed), NOW, None
    for n in range(count):
        at -= chance.choice(GAPS) if n % 50 == 0 else chance.choice(GAPS[:4])
        key = key_of(at, chance)
        state = chance.choice((Completed(), Completed(), Failed("no"), Running(), Scheduled(at)))
        ended = state.type in ("COMPLETED", "FAILED")
        root = key if n % 5 == 0 else root
        yield Run(
            id=key, kind="flow" if key == root else "task", name=chance.choice("abc"),
            state=state, root=root, created=at, start_time=at, tags=chance.choice(((), ("db",))),
            end_time=at + 2 * SECOND if ended else None,
            deployment=DEPLOYMENT if key == root else None,
            scheduled_time=state.scheduled_time,
        )  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    opened = Database(tmp_path_factory.mktemp("database") / "orion.db")

    def write(tx):
        for nth, run in enumerate(made(600), 1):
            state = replace(run.state, seq=1, timestamp=run.created)
            runs.append(tx, run.id, state, None, None)
            runs.insert(tx, replace(run, state=state), slot=nth)

    opened.write(write)
    yield opened
    opened.close()


def chosen(text):
    return RunFilter(terms=parse_filter(text, NOW))


@pytest.fixture
def hasty(monkeypatch):
    """Every look at the clock takes a thousandth of the patience there is."""
    ticks = iter(range(10**9))
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) / 1000)
    return 0.004


@pytest.mark.parametrize("text", FILTERS)
def test_pages_of_a_hasty_list_are_the_whole_list(database, hasty, text):
    with database.read() as connection:
        wanted = [run.id for run in listing.page(connection, chosen(text), 1000, NOW)]
        found, cursor, pages = [], None, 0
        while True:
            some, rest = listing.some(
                connection, replace(chosen(text), cursor=cursor), 40, NOW, hasty
            )
            found += [run.id for run in some]
            pages += 1
            if rest is None and len(some) < 40:
                break
            cursor = rest or some[-1].id
    assert found == wanted
    assert text or pages > 15  # some of them are not full


@pytest.mark.parametrize("text", FILTERS)
def test_a_hasty_count_tells_how_far_it_came(database, hasty, text):
    with database.read() as connection:
        whole, rest = listing.counted(connection, chosen(text), NOW)
        assert rest is None
        assert sum(whole.values()) == len(listing.page(connection, chosen(text), 1000, NOW))
        some, rest = listing.counted(connection, chosen(text), NOW, patience=hasty)
        page = listing.page(connection, chosen(text), 1000, NOW)
    assert sum(some.values()) == sum(1 for run in page if rest is None or run.id >= rest)


def test_a_hasty_history_is_the_newest_part_of_the_whole(database, hasty):
    with database.read() as connection:
        asked = (connection, RunFilter(), NOW, NOW - 400 * 24 * 3600 * SECOND, NOW, 3600 * SECOND)
        whole, rest = listing.history(*asked)
        assert rest is None
        some, rest = listing.history(*asked, hasty)
    assert rest is not None
    assert 0 < total(some) < total(whole)
    for one, other in zip(some, whole, strict=True):  # what is younger than `rest` is all there
        if one["start"] > int(rest[:12], 16) * 1000:
            assert one == other


def total(buckets):
    return sum(sum(each["counts"].values()) for each in buckets)


def test_a_stretch_that_takes_too_long_is_given_up(database):
    """Whatever a look costs, the answer comes soon after the time is over."""
    slow = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000000) "
        "SELECT count(*) FROM n"
    )
    looks = []
    with database.read() as connection:

        def look(low, high):
            looks.append((low, high))
            if len(looks) > 1:
                connection.execute(slow).fetchone()
            return False

        started = time.monotonic()
        rest = look_through(connection, look, patience=0.2)
        assert time.monotonic() - started < 5
        assert rest == looks[0][0]
        assert connection.execute("SELECT 1").fetchone() == (1,)  # it can be used as before


PLANS = (
    *FILTERS, f"root:{'0' * 32}", f"parent:{'0' * 32}", "id:" + "0" * 32, "id:0000", "is:late",
    "is:unfinished", "is:top", "deployment:x", "attempt>1", "param:a=1", "state:completed name:a",
)  # fmt: skip


@pytest.mark.parametrize("text", PLANS)
def test_nothing_goes_through_all_runs(database, text):
    said = []
    with database.read() as connection:
        connection.set_trace_callback(said.append)
        listing.some(connection, chosen(text), 50, NOW, 10.0)
        for by in ("state", "name", "kind", "flow", "deployment", "tag"):
            listing.counted(connection, chosen(text), NOW, by, 10.0)
        listing.history(connection, chosen(text), NOW, NOW - 3600 * SECOND, NOW, SECOND, 10.0)
        connection.set_trace_callback(None)
        steps = [
            row[3]
            for sql in {sql for sql in said if sql.startswith("SELECT")}
            for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]
    assert steps
    assert [
        step for step in steps if step.startswith(("SCAN runs", "SCAN tops", "SCAN states"))
    ] == []


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        (RunFilter(kind="flow", states=("FAILED",)), "COVERING INDEX"),
        (RunFilter(states=("Failed",)), "COVERING INDEX runs_ended_badly"),
        (RunFilter(states=("FAILED", "CRASHED")), "COVERING INDEX runs_ended_badly"),
        (RunFilter(deployment=DEPLOYMENT), "INDEX runs_of_deployment"),
        (RunFilter(root="0" * 32), "COVERING INDEX runs_by_root"),
        (RunFilter(kind="flow", name="a"), "COVERING INDEX runs_of_flows"),
    ],
    ids=str,
)
def test_what_people_look_for_has_an_index(database, asked, index):
    said = []
    with database.read() as connection:
        connection.set_trace_callback(said.append)
        listing.some(connection, asked, 50, NOW, 10.0)
        connection.set_trace_callback(None)
        sql = next(sql for sql in said if "runs.id IN (" in sql)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert any(index in step for step in plan), plan
