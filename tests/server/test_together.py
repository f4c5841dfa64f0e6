from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from orion_nb.api.orion import Orion
from orion_nb.errors import Conflict, Fenced, InvalidInput, RunNotFound, StoreUnavailable
from orion_nb.schemas.states import RUNNING
from orion_nb.settings import Settings
from orion_nb_server.together import Together


@pytest.fixture
def orion(tmp_path):
    opened = Orion(Settings.load(environ={}, home=str(tmp_path)))
    yield opened
    opened.close()


@contextmanager
def together_on(orion):
    with ThreadPoolExecutor(1, "a-thread") as executor:
        made = Together(orion, executor)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(params=[True, False], ids=["on the loop", "on a thread"])
def quick(request):
    return request.param


@pytest.fixture
def answers(orion, quick):
    """What each of the calls is answered, or its error; all are made at the same time."""

    async def ask(works):
        with together_on(orion) as together:
            if not orion.is_closed:
                await together.call(lambda orion: None)  # the first is never made on the loop
            calls = (together.call(work, quick=quick) for work in works)
            return await asyncio.gather(*calls, return_exceptions=True)

    return lambda *works: asyncio.run(ask(works))


def where(orion):
    """The thread that a call is made on."""
    return threading.current_thread().name


def names(orion):
    return sorted(run["name"] for run in orion.filter_runs()["runs"])


def created(name):
    return lambda orion: orion.create_run("task", name)


def test_calls_that_wait_are_committed_together(orion, answers):
    commits = []
    _ = orion.session
    orion.database._writer.set_trace_callback(
        lambda sql: commits.append(sql) if sql == "COMMIT" else None
    )
    made = answers(*[created(f"run {n}") for n in range(20)])
    assert [run.name for run in made] == [f"run {n}" for n in range(20)]
    assert len(commits) == 2  # that of the first call of all, and theirs
    assert len(names(orion)) == 20


def test_one_that_is_refused_spoils_no_other(orion, answers):
    def unknown(orion):
        return orion.propose("0" * 32, RUNNING)

    first, refused, last = answers(created("a"), unknown, created("b"))
    assert isinstance(refused, RunNotFound)
    assert (first.name, last.name) == ("a", "b")
    assert names(orion) == ["a", "b"]


def test_what_a_failing_call_wrote_is_undone(orion, answers):
    def half(orion):
        orion.create_run("task", "half")
        raise InvalidInput("name: no")

    def broken(orion):
        orion.create_run("task", "broken")
        raise ZeroDivisionError

    told = answers(created("a"), half, broken, created("b"))
    assert [type(told[1]), type(told[2])] == [InvalidInput, ZeroDivisionError]
    assert names(orion) == ["a", "b"]


def test_that_an_attempt_came_too_late_is_noted(orion, answers):
    run = orion.create_run("task", "a")
    old = orion.propose(run.id, RUNNING)
    orion.propose(run.id, "PENDING", force=True, why="again")
    orion.propose(run.id, RUNNING)

    def late(orion):
        return orion.propose(run.id, "COMPLETED", attempt=1, token=old.token)

    before = orion.read_run(run.id)
    told = answers(created("b"), late)
    assert isinstance(told[1], Fenced | Conflict)
    after = orion.read_run(run.id)
    assert after.state == before.state
    assert names(orion) == ["a", "b"]


def test_a_closed_database_is_told_to_all_who_wait(orion, answers):
    orion.close()
    told = answers(created("a"), created("b"))
    assert {type(each).__name__ for each in told} == {"StoreUnavailable"}


def test_quick_calls_are_made_on_the_loop(quick, answers):
    assert [name.startswith("a-thread") for name in answers(where, where)] == [not quick] * 2


def test_what_holds_the_loop_for_long_is_followed_by_calls_on_a_thread(orion, monkeypatch):
    monkeypatch.setattr("orion_nb_server.together.PATIENCE", -1.0)  # whatever it takes is long

    async def ask():
        with together_on(orion) as together:
            return [await together.call(where, quick=True) for _ in range(4)]

    first, second, *others = asyncio.run(ask())
    assert first.startswith("a-thread")  # it makes the session
    assert not second.startswith("a-thread")
    assert all(name.startswith("a-thread") for name in others)


def test_the_loop_does_not_wait_for_whoever_writes(orion, quick):
    """Another program holds the file: what else is asked is answered meanwhile."""
    other = sqlite3.connect(orion.database.path, isolation_level=None)

    async def ask():
        with together_on(orion) as together:
            await together.call(lambda orion: None)
            other.execute("BEGIN IMMEDIATE")
            call = asyncio.ensure_future(together.call(created("a"), quick=quick))
            for _ in range(20):
                await asyncio.sleep(0.005)  # the loop goes on
            assert not call.done()
            other.execute("COMMIT")
            return await call

    assert asyncio.run(asyncio.wait_for(ask(), 20)).name == "a"
    other.close()


def test_when_the_threads_have_ended_who_asks_is_told(orion, quick):
    async def ask():
        with together_on(orion) as together:
            await together.call(lambda orion: None)
        calls = (together.call(created(name), quick=quick) for name in "ab")
        return await asyncio.gather(*calls, return_exceptions=True)

    told = asyncio.run(ask())
    if quick:  # it was done already, and could be committed without a thread
        assert names(orion) == ["a", "b"]
    else:
        assert {type(each) for each in told} == {StoreUnavailable}


def test_who_gave_up_waiting_disturbs_nobody(orion):
    async def ask():
        with together_on(orion) as together:
            calls = [asyncio.ensure_future(together.call(created(name))) for name in "abc"]
            await asyncio.sleep(0)
            calls[0].cancel()
            calls[1].cancel()
            return await asyncio.gather(*calls, return_exceptions=True)

    told = asyncio.run(ask())
    assert [type(each).__name__ for each in told] == ["CancelledError", "CancelledError", "Run"]
