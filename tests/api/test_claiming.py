"""Who has to wait for a slot or his turn holds up nobody else."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from orion_nb.api import scheduling
from orion_nb.errors import StoreUnavailable
from orion_nb.schemas.states import Completed, Running
from orion_nb.store import listing
from orion_nb.store.schema import SCHEMA_VERSION
from tests.waiting import until


def begun(orion, name):
    """A run of the deployment that is at work here."""
    orion.run_deployment(name)
    (run,) = orion.claim(1)
    return orion.judge(run.id, Running(), claims=0, session=orion.session)[0]


@pytest.mark.parametrize(
    ("waits", "says"),
    [
        ({"concurrency": {"db": 1}}, "limit 'db': 1 of 1 slots in use"),
        ({"overlap": "queue"}, "of the same deployment is Running"),
    ],
)
def test_a_run_that_has_to_wait_holds_up_no_other_deployment(orion, deploy, waits, says):
    deploy("waits", **waits)
    deploy("free")
    first = begun(orion, "waits")
    second = orion.run_deployment("waits")
    assert orion.claim(1) == []
    waiting = orion.find(second.id)
    assert says in (waiting.state.message or waiting.blocked.reason)
    free = orion.run_deployment("free")
    assert [run.id for run in orion.claim(1)] == [free.id]
    assert orion.claim(1) == []
    orion.advance(first, Completed())
    assert [run.id for run in orion.claim(1)] == [second.id]


def test_however_many_wait_the_one_behind_them_is_taken_at_once(orion, deploy):
    deploy("holder", concurrency={"db": 1})
    begun(orion, "holder")
    for n in range(30):
        deploy(f"waits {n}", concurrency={"db": 1})
        orion.run_deployment(f"waits {n}")
    assert orion.claim(5) == []
    deploy("free")
    free = orion.run_deployment("free")
    assert [run.id for run in orion.claim(5)] == [free.id]


def test_more_may_wait_than_a_statement_has_places_for(orion, deploy):
    deploy("free")
    free = orion.run_deployment("free")
    others = [f"{n:032x}" for n in range(1000)]
    with orion.database.read() as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
        found = listing.claimable(connection, free.created, 1, others)
        assert [run.id for run in found] == [free.id]
        assert listing.claimable(connection, free.created, 1, [*others, free.deployment]) == []


def test_several_of_one_deployment_are_taken_at_once(orion, deploy):
    deploy("free")
    runs = [orion.run_deployment("free").id for _ in range(3)]
    assert [run.id for run in orion.claim(5)] == runs


def test_one_that_can_not_be_read_right_holds_up_no_other(orion, deploy):
    deploy("odd")
    odd = orion.run_deployment("odd")
    deploy("free")
    free = orion.run_deployment("free")
    key = bytes.fromhex(odd.id)
    policy = """{"concurrency": {"db": "many"}}"""
    orion.database.write(
        lambda tx: tx.execute("UPDATE runs SET policy=? WHERE id=?", (policy, key))
    )
    assert [run.id for run in orion.claim(5)] == [free.id]


def test_where_nothing_can_be_written_that_is_said(orion, deploy):
    deploy("free")
    orion.run_deployment("free")
    _ = orion.session
    with closing(sqlite3.connect(orion.database.path, isolation_level=None)) as other:
        other.execute("PRAGMA user_version=1000")
        with pytest.raises(StoreUnavailable):
            orion.claim(1)
        other.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def test_one_of_many_that_wait_is_asked_again_a_second_later_though_the_clock_is_set_back(
    orion, deploy, clock
):
    deploy("holder", concurrency={"db": 1})
    begun(orion, "holder")
    deploy("another", concurrency={"api": 1})
    other = begun(orion, "another")
    for n in range(scheduling.EAGER):
        deploy(f"waits {n}", concurrency={"db": 1})
        orion.run_deployment(f"waits {n}")
    clock.advance(1)
    last = orion.run_deployment("another")
    clock.advance(10)
    assert orion.claim(1) == []  # each has a place in a queue now
    assert orion.claim(1) == []  # and is told for how long to wait
    clock.advance(-5)
    orion.advance(other, Completed())
    (taken,) = until(lambda: orion.claim(1))
    assert taken.id == last.id
