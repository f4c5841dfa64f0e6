"""The cache as it is read off states: the newest result of a key, and who is computing it."""

from __future__ import annotations

import pytest

from orion_nb.schemas.states import (
    Cached,
    Cancelling,
    Completed,
    Failed,
    Paused,
    Running,
    Skipped,
)
from orion_nb.store import caches

KEYED = Running(cache_key="key")


def made(orion, result="1", key="key", name="work"):
    """A run that computed this under the key."""
    run, _ = orion.begin(orion.new_run("task", name), Running())
    return orion.advance(run, Completed(result=result, cache_key=key))[0]


def newest(orion, key="key"):
    with orion.database.read() as connection:
        return caches.newest(connection, key)


def filling(orion, run):
    with orion.database.read() as connection:
        return caches.filling(connection, "key", run)


def test_the_newest_result_of_a_key_is_found_with_its_run(orion, clock):
    assert newest(orion) is None
    made(orion)
    clock.advance(5)
    second = made(orion, "2", name="again")
    made(orion, "3", key="other")
    found = newest(orion)
    assert (found.id, found.name, found.state.result) == (second.id, "again", "2")
    assert found.state.timestamp == clock.at


@pytest.mark.parametrize(
    "last",
    [
        Completed(cache_key="key"),
        Failed(cache_key="key", result="9"),
        Skipped(cache_key="key", result="9"),
    ],
)
def test_only_what_completed_with_a_result_is_in_the_cache(orion, last):
    run = made(orion)
    other, _ = orion.begin(orion.new_run("task", "work"), Running())
    orion.advance(other, last)
    assert newest(orion).id == run.id


def test_a_result_that_came_from_the_cache_does_not_make_it_younger(orion, clock):
    run = made(orion)
    clock.advance(60)
    again, _ = orion.begin(orion.new_run("task", "work"), KEYED)
    assert again.state.name == "Cached"
    assert newest(orion).id == run.id
    assert again.state.result == Cached("1").result


def test_a_result_stays_in_the_cache_when_its_run_is_rerun(orion):
    run = made(orion)
    orion.advance(run, Running(), rerun=True)
    assert newest(orion).id == run.id


def test_who_is_computing_it_is_found_but_for_the_asker(orion):
    asker = orion.create_run("task", "asker")
    run, _ = orion.begin(orion.new_run("task", "work"), KEYED)
    assert filling(orion, asker).id == run.id
    assert filling(orion, run) is None


@pytest.mark.parametrize(
    ("then", "is_computing"),
    [
        (Completed(), False),
        (Failed(), False),
        (Cancelling(), False),
        (Paused(), False),
    ],
)
def test_a_run_that_left_running_is_not_computing_it(orion, then, is_computing):
    asker = orion.create_run("task", "asker")
    run, _ = orion.begin(orion.new_run("task", "work"), KEYED)
    orion.advance(run, then)
    assert (filling(orion, asker) is not None) == is_computing


def test_a_second_attempt_is_computing_it_too(orion):
    asker = orion.create_run("task", "asker")
    run, _ = orion.begin(orion.new_run("task", "work"), Running())
    run, _ = orion.advance(run, Failed())
    run, _ = orion.advance(run, KEYED, rerun=True)
    assert (run.state.name, filling(orion, asker).id) == ("Rerunning", run.id)


def test_a_dead_process_computes_nothing(orion, other):
    asker = orion.create_run("task", "asker")
    other.begin(other.new_run("task", "work"), KEYED)
    assert filling(orion, asker) is not None
    other.close()
    assert filling(orion, asker) is None
    found, _ = orion.advance(orion.find(asker.id), KEYED)
    assert found.state.name == "Running"


def test_what_a_key_was_made_of_is_kept_once_newest_first(orion):
    def keep(key, n, **parts):
        orion.database.write(lambda tx: caches.keep_parts(tx, key, "work", parts, n))

    keep("a", 1, source="x")
    keep("b", 2, source="y")
    keep("a", 3, source="z")
    orion.database.write(lambda tx: caches.keep_parts(tx, "c", "other", {}, 4))
    with orion.database.read() as connection:
        assert caches.parts_of(connection, "work") == [
            ("b", {"source": "y"}, 2), ("a", {"source": "x"}, 1),
        ]  # fmt: skip
        assert len(caches.parts_of(connection, "work", limit=1)) == 1
