"""Limits: which runs each counts, who holds a slot, who waits, and how it is told."""

from __future__ import annotations

import pytest

from orion_nb.rules import Place
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import Cancelling, Completed, Failed, Paused, Running, state
from orion_nb.store import limits

SUBMITTING = state("PENDING", "Submitting")
DB = RunPolicy(concurrency=(("db", 1),))


def begun(orion, proposed=None, kind="task", policy=DB, **fields):
    return orion.begin(orion.new_run(kind, "work", policy=policy, **fields), proposed or Running())


def place_of(orion, run, slots=1):
    with orion.database.read() as connection:
        (place,) = limits.places(connection, orion.find(run.id), {"db": slots})
    return place


def told(orion):
    with orion.database.read() as connection:
        return {
            each.name: (each.used, each.waiting) for each in limits.read_page(connection, "", 200)
        }


@pytest.mark.parametrize(
    ("fields", "known", "wanted"),
    [
        ({}, {}, {}),
        ({"policy": RunPolicy(concurrency=(("db", 3),))}, {}, {"db": 3}),
        ({"policy": RunPolicy(concurrency=(("db", 3),))}, {"db": 7}, {"db": 7}),
        ({"policy": RunPolicy(concurrency=(("db", None),))}, {}, {}),
        ({"policy": RunPolicy(concurrency=(("db", None),))}, {"db": 0}, {"db": 0}),
        ({"tags": ("gpu", "slow")}, {"tag:gpu": 1, "tag:big": 2, "gpu": 3}, {"tag:gpu": 1}),
        ({}, {"task:work": 2, "flow:work": 1, "work": 3}, {"task:work": 2}),
    ],
)
def test_a_run_is_subject_to_limits_it_names_of_its_tags_and_of_its_name(
    orion, fields, known, wanted
):
    assert limits.of(orion.new_run("task", "work", **fields), known) == wanted


def test_a_slot_is_in_use_while_a_run_executes_or_is_handed_over(orion):
    orion.set_limit("db", 5)
    ways = {
        "running": [Running()],
        "cancelling": [Running(), Cancelling()],
        "paused": [Running(), Paused()],
        "completed": [Running(), Completed()],
        "failed": [Running(), Failed()],
        "submitting": [SUBMITTING],
    }
    used = {}
    for name, (first, *rest) in ways.items():
        before = told(orion)["db"][0]
        run, _ = begun(orion, first)
        for proposed in rest:
            run, _ = orion.advance(run, proposed)
        used[name] = told(orion)["db"][0] - before
    assert used == {
        "running": 1, "cancelling": 1, "paused": 1, "completed": 0, "failed": 0, "submitting": 1,
    }  # fmt: skip


def test_those_who_wait_are_ahead_of_those_who_come_later(orion):
    first, _ = begun(orion)
    second, _ = begun(orion)
    third, _ = begun(orion)
    fourth = orion.create_run("task", "work")
    assert (second.state.name, third.state.name) == ("AwaitingSlot", "AwaitingSlot")
    assert place_of(orion, first) == Place("db", 1, 0, 2)
    assert place_of(orion, second) == Place("db", 1, 1, 0)
    assert place_of(orion, third) == Place("db", 1, 1, 1)
    assert place_of(orion, fourth) == Place("db", 1, 1, 2)


def test_a_freed_slot_goes_to_the_first_in_the_queue(orion):
    first, _ = begun(orion)
    second, _ = begun(orion)
    third, _ = begun(orion)
    orion.advance(first, Completed())
    third, report = orion.advance(third, Running())
    assert (report.status.value, third.state.name) == ("WAIT", "AwaitingSlot")
    assert report.reason == "limit 'db': 0 of 1 slots in use, 1 ahead in the queue"
    second, _ = orion.advance(second, Running())
    assert second.state.name == "Running"


def test_a_run_that_was_handed_over_keeps_its_slot_though_others_wait(orion):
    handed, _ = begun(orion, SUBMITTING, kind="flow")
    waiting, _ = begun(orion)
    assert waiting.state.name == "AwaitingSlot"
    handed, _ = orion.advance(handed, Running())
    assert handed.state.name == "Running"


def test_a_dead_process_takes_no_slot_and_no_place(orion, other):
    taken, _ = begun(other)
    waits, _ = begun(other)
    run = orion.create_run("task", "work")
    assert (place_of(orion, run).used, place_of(orion, run).ahead) == (1, 1)
    other.close()
    assert (place_of(orion, run).used, place_of(orion, run).ahead) == (0, 0)
    assert begun(orion)[0].state.name == "Running"
    assert {taken.state.name, waits.state.name} == {"Running", "AwaitingSlot"}


def test_who_holds_a_slot_is_told_oldest_first(orion, other):
    two = RunPolicy(concurrency=(("db", 2),))
    first, _ = begun(orion, policy=two)
    second, _ = begun(other, policy=two)
    begun(orion, policy=two)
    with orion.database.read() as connection:
        assert [each.id for each in limits.holders(connection, "db")] == [first.id, second.id]
    other.close()
    with orion.database.read() as connection:
        assert [each.id for each in limits.holders(connection, "db")] == [first.id]


def test_limits_are_set_changed_and_removed(orion):
    def change(work):
        return orion.database.write(work)

    change(lambda tx: limits.put(tx, "db", 3, 1))
    change(lambda tx: limits.put(tx, "api", 2, 1))
    change(lambda tx: limits.put(tx, "db", 5, 2))
    with orion.database.read() as connection:
        assert limits.known(connection) == {"db": 5, "api": 2}
        assert [each.name for each in limits.read_page(connection, "", 200)] == ["api", "db"]
    assert change(lambda tx: limits.remove(tx, "db"))
    assert not change(lambda tx: limits.remove(tx, "db"))


def test_a_run_that_is_used_and_left_is_counted_no_more(orion):
    run = orion.create_run("task", "work", state="RUNNING")
    orion.set_limit("db", 1)
    orion.database.write(lambda tx: limits.use(tx, run.id, ["db", "db"]))
    assert told(orion)["db"] == (1, 0)
    orion.database.write(lambda tx: limits.leave(tx, run.id))
    assert told(orion)["db"] == (0, 0)
