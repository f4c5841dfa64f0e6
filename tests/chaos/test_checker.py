"""The checker finds nothing in a good database, and says what is wrong with any damaged one."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import closing

import pytest

from tests.chaos.checker import check, operations, peak_of, read, read_history
from tests.chaos.mutants import MUTANTS, REAPERS
from tests.chaos.workload import CACHE, LIMITS, shared_ids

ONE_AT_A_TIME = {**LIMITS, **{f"{CACHE}{n}": 1 for n in range(3)}}


@pytest.fixture(scope="module")
def good(tmp_path_factory, nursery, other_nursery):
    """A folder with the file and the history of two processes that did a bit of everything."""
    folder = tmp_path_factory.mktemp("good")
    work(folder, (nursery, other_nursery), seconds=1.0)
    return folder


@pytest.fixture
def copy(good, tmp_path):
    return shutil.copytree(good, tmp_path / "copy")


def work(folder, nurseries, seconds, mutant=None):
    """Both processes work at the same time, on runs of their own and on shared ones."""
    shared = shared_ids()
    places = {"home": folder / "home", "history": folder / "history.jsonl"}
    for seed, nursery in enumerate(nurseries):
        nursery.start(
            "tests.chaos.workload:mixed", **places, seed=seed, seconds=seconds, shared=shared,
            flows=mutant is None, mutant=mutant,
        )  # fmt: skip
    statuses = [nursery.end() for nursery in nurseries]
    assert mutant is not None or statuses == [0, 0]


def found_in(folder, **more):
    return check(folder / "home" / "orion.db", folder / "history.jsonl", **more)


def test_a_good_database_is_good(good, nursery):
    assert found_in(good, limits=ONE_AT_A_TIME) == []
    facts = read(good / "home" / "orion.db")
    ops = operations(read_history(good / "history.jsonl"))
    told = {op.told["error"] for op in ops if op.told and op.told["what"] == "fail"}
    print(f"{len(facts.runs)} runs, {len(facts.states)} states, {len(ops)} calls")
    assert told == {"Conflict", "Fenced"}, "nothing was refused: there was no contest"
    names = {state.name for state in facts.states.values()}
    assert names > {"AwaitingRetry", "Retrying", "Cancelling", "NotReady", "UpstreamFailed"}
    assert any(op.asked.get("counts", 0) > 10 for op in ops)


#: What is done to a run that has ended after one retry, and what the checker calls it.
DAMAGES = {
    "a state is gone": ("DELETE FROM states WHERE n = :middle", "chain"),
    "the last state is gone": ("DELETE FROM states WHERE n = :last", "reference"),
    "two seqs are swapped": (
        "UPDATE states SET seq = :seq * 2 - 1 - seq WHERE n IN (:last, :before)", "seq"
    ),
    "a seq is left out": ("UPDATE states SET seq = seq + 1 WHERE n = :last", "current"),
    "the run stands at the state before": ("UPDATE runs SET state_n = :before WHERE id = :run",
        "orphan"),
    "the run stands at a state of another": (
        "UPDATE runs SET state_n = (SELECT max(n) FROM states WHERE run != :run) WHERE id = :run",
        "chain"),
    "the run says another type": ("UPDATE runs SET state_type = 'FAILED' WHERE id = :run",
        "current"),
    "the run says another name": ("UPDATE runs SET state_name = 'Cached' WHERE id = :run",
        "current"),
    "the run has no end": ("UPDATE runs SET end_time = NULL WHERE id = :run", "current"),
    "the run is gone": ("DELETE FROM runs WHERE id = :run", "orphan"),
    "the run and all its states are gone": (
        "DELETE FROM states WHERE run = :run; DELETE FROM runs WHERE id = :run", "acknowledged"),
    "all that was done after a certain time is gone": (
        "UPDATE runs SET state_n = :before, state_type = 'RUNNING', state_name = 'Retrying', "
        "seq = seq - 1, end_time = NULL WHERE id = :run; DELETE FROM states WHERE n = :last",
        "acknowledged"),
    "another end after the end": (
        "INSERT INTO states (n, run, seq, type, name, timestamp, attempt, prev, report) SELECT "
        "1000000, run, seq + 1, 'FAILED', 'Failed', timestamp, attempt, n, report FROM states "
        "WHERE n = :last; UPDATE runs SET state_n = 1000000, seq = seq + 1, state_type = 'FAILED', "
        "state_name = 'Failed' WHERE id = :run", "finality"),
    "an end in the middle": (
        "UPDATE states SET type = 'COMPLETED', name = 'Completed' WHERE n = :middle", "finality"),
    "it ran twice at a time": (
        "UPDATE states SET type = 'RUNNING', name = 'Running' WHERE n = :middle", "path"),
    "a word that is no state": ("UPDATE states SET name = 'Done' WHERE n = :middle", "path"),
    "an attempt too many": ("UPDATE states SET attempt = attempt + 1 WHERE n = :last", "attempt"),
    "the attempt goes back": ("UPDATE states SET attempt = 1 WHERE n = :before", "attempt"),
    "a start that is not counted": ("UPDATE runs SET run_count = 1 WHERE id = :run", "attempt"),
    "a retry that was not granted": ("UPDATE runs SET policy = NULL WHERE id = :run", "retries"),
    "no token": ("UPDATE runs SET token = NULL WHERE id = :run", "attempt"),
    "no report": ("UPDATE states SET report = NULL WHERE n = :last", "report"),
    "a slot that is not given back": (
        "INSERT INTO uses (limit_name, run) VALUES ('db', :run)", "use"),
    "a log of nobody": (
        "INSERT INTO logs (run, timestamp, level, message) VALUES (x'07', 0, 20, '')", "reference"),
    "a report that is not there": ("UPDATE states SET report = 7 WHERE n = :last", "reference"),
    "a session that is not there": ("UPDATE runs SET session = x'07' WHERE id = :run",
        "reference"),
    "a parent that is not there": ("UPDATE runs SET parent = x'07' WHERE id = :run", "reference"),
    "an upstream that is not there": (
        "UPDATE edges SET upstream = x'07' WHERE upstream = (SELECT upstream FROM edges JOIN runs "
        "ON id = run AND attempt > 0 LIMIT 1)",
        "reference"),
    "a proposal with two effects": (
        "DROP INDEX states_by_transition; UPDATE states SET transition_id = 'x' WHERE run = :run",
        "once"),
    "what was to be stopped has failed": (
        "UPDATE states SET type = 'CANCELLING', name = 'Cancelling' WHERE n = :before", "path"),
}  # fmt: skip


def harm(copy, damage):
    """Does the damage to the copy; answers the name for what it is."""
    statements, what = DAMAGES[damage]
    with closing(sqlite3.connect(copy / "home" / "orion.db")) as connection:
        run, last, seq = connection.execute(
            "SELECT id, state_n, seq FROM runs WHERE name = 'plain' AND run_count = 2 "
            "AND state_name = 'Completed' AND seq = 5 ORDER BY id LIMIT 1"
        ).fetchone()
        before, middle = connection.execute(
            "SELECT one.prev, two.prev FROM states one JOIN states two ON two.n = one.prev "
            "WHERE one.n = ?", (last,),
        ).fetchone()  # fmt: skip
        given = {"run": run, "last": last, "seq": seq, "before": before, "middle": middle}
        for statement in statements.split(";"):
            connection.execute(statement, given)
        connection.commit()
    return what


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found(copy, damage):
    what = harm(copy, damage)
    assert what in {violation.what for violation in found_in(copy)}


def test_a_file_with_broken_pages_is_found(copy):
    path = copy / "home" / "orion.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'runs_by_root'"
        root = connection.execute(sql).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\x02" + b"\xff" * 63)
    assert "integrity" in {violation.what for violation in found_in(copy)}


def rewritten(folder, change):
    """The history with some of its lines changed."""
    path = folder / "history.jsonl"
    lines = list(read_history(path))
    change(lines)
    path.write_text("\n".join(map(json.dumps, lines)))


def first(lines, **wanted):
    return next(line for line in lines if wanted.items() <= line.items())


def test_an_answer_that_is_older_than_one_before_it_is_found(copy):
    def later(lines):
        told = first(lines, what="ok", seq=3, entered=True)
        asked = first(lines, what="invoke", op=told["op"])
        now = max(line["t"] for line in lines)
        lines += [
            {"what": "invoke", "op": "reader", "call": "find", "run": asked["run"], "t": now},
            {"what": "ok", "op": "reader", "seq": 2, "entered": False, "t": now + 1},
        ]

    rewritten(copy, later)
    assert {violation.what for violation in found_in(copy)} == {"order"}


def test_a_step_that_was_given_to_two_callers_is_found(copy):
    def doubled(lines):
        told = first(lines, what="ok", name="Completed", entered=True)
        asked = first(lines, what="invoke", op=told["op"])
        lines += [{**asked, "op": "second"}, {**told, "op": "second"}]

    rewritten(copy, doubled)
    assert "lost update" in {violation.what for violation in found_in(copy)}


def test_an_error_that_nobody_expects_is_found(copy):
    def locked(lines):
        told = first(lines, what="fail")
        told |= {"error": "StoreUnavailable", "text": "database is locked"}

    rewritten(copy, locked)
    assert {violation.what for violation in found_in(copy)} == {"error"}


def test_a_write_of_an_older_attempt_is_found(copy):
    def stale(lines):
        told = first(lines, what="ok", name="Completed", attempt=2, entered=True)
        first(lines, what="invoke", op=told["op"])["claims"] = 1

    rewritten(copy, stale)
    assert {violation.what for violation in found_in(copy)} == {"fencing"}


def test_what_nobody_ended_is_found(copy):
    harm(copy, "all that was done after a certain time is gone")
    found = found_in(copy, settled=True)
    assert "Retrying, and nobody lives" in str(found)


def test_a_limit_that_is_exceeded_is_found(good):
    found = found_in(good, limits={"db": 1, "key 0": 0, "no such limit": 0})
    assert [each.what for each in found] == ["limit", "limit"]


def test_intervals_are_counted_where_they_overlap():
    assert peak_of([(0, 3), (1, 2), (2, 5), (3, 4)]) == 2
    assert peak_of([(0, 9), (1, 8), (2, 7)]) == 3
    assert peak_of([]) == 0


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mistake_in_the_code_is_found(tmp_path, nursery, other_nursery, mutant):
    """Until it is found: what a mistake does is a matter of chance, and it has ten seconds."""
    assert MUTANTS[mutant].source()
    for seconds in (0.5, 1.5, 3.0, 5.0):
        folder = tmp_path / str(seconds)
        folder.mkdir()
        work(folder, (nursery, other_nursery), seconds=seconds, mutant=mutant)
        found = {violation.what for violation in found_in(folder, limits=ONE_AT_A_TIME)}
        if MUTANTS[mutant].noticed & found:
            return
    raise AssertionError(f"{mutant}: it was not noticed")


@pytest.mark.parametrize("mutant", REAPERS)
def test_a_mistake_of_a_reaper_is_found(tmp_path, nursery, mutant):
    places = {"home": tmp_path / "home", "history": tmp_path / "history.jsonl"}
    nursery.start("tests.chaos.workload:mixed", **places, seed=1, seconds=60, shared=shared_ids())
    while not places["history"].exists() or places["history"].stat().st_size < 100_000:
        time.sleep(0.01)
    nursery.kill()
    nursery.run("tests.chaos.workload:go_on", **places, mutant=mutant)
    assert {each.what for each in found_in(tmp_path, settled=True)} == {"left"}
    assert nursery.run("tests.chaos.workload:go_on", **places) == 0
