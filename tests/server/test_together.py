from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from orion_nb.api.orion import Orion
from orion_nb.errors import Conflict, Fenced, InvalidInput, RunNotFound
from orion_nb.schemas.states import RUNNING
from orion_nb.settings import Settings
from orion_nb_server.together import Together


@pytest.fixture
def orion(tmp_path):
    opened = Orion(Settings.load(environ={}, home=str(tmp_path)))
    yield opened
    opened.close()


def answers(orion, *works):
    """What each of them is answered, or its error; all are asked for at the same time."""

    async def ask():
        with ThreadPoolExecutor(1) as executor:
            together = Together(orion, executor)
            calls = (together.call(work) for work in works)
            return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(ask())


def names(orion):
    return sorted(run["name"] for run in orion.filter_runs()["runs"])


def created(name):
    return lambda orion: orion.create_run("task", name)


def test_calls_that_wait_are_committed_together(orion):
    commits = []
    _ = orion.session
    orion.database._writer.set_trace_callback(
        lambda sql: commits.append(sql) if sql == "COMMIT" else None
    )
    made = answers(orion, *[created(f"run {n}") for n in range(20)])
    assert [run.name for run in made] == [f"run {n}" for n in range(20)]
    assert len(commits) == 2  # the first finds nobody else; the others wait for it
    assert len(names(orion)) == 20


def test_one_that_is_refused_spoils_no_other(orion):
    def unknown(orion):
        return orion.propose("0" * 32, RUNNING)

    first, refused, last = answers(orion, created("a"), unknown, created("b"))
    assert isinstance(refused, RunNotFound)
    assert (first.name, last.name) == ("a", "b")
    assert names(orion) == ["a", "b"]


def test_what_a_failing_call_wrote_is_undone(orion):
    def half(orion):
        orion.create_run("task", "half")
        raise InvalidInput("name: no")

    def broken(orion):
        orion.create_run("task", "broken")
        raise ZeroDivisionError

    told = answers(orion, created("a"), half, broken, created("b"))
    assert [type(told[1]), type(told[2])] == [InvalidInput, ZeroDivisionError]
    assert names(orion) == ["a", "b"]


def test_that_an_attempt_came_too_late_is_noted(orion):
    run = orion.create_run("task", "a")
    old = orion.propose(run.id, RUNNING)
    orion.propose(run.id, "PENDING", force=True, why="again")
    orion.propose(run.id, RUNNING)

    def late(orion):
        return orion.propose(run.id, "COMPLETED", attempt=1, token=old.token)

    before = orion.read_run(run.id)
    told = answers(orion, created("b"), late)
    assert isinstance(told[1], Fenced | Conflict)
    after = orion.read_run(run.id)
    assert after.state == before.state
    assert names(orion) == ["a", "b"]


def test_a_closed_database_is_told_to_all_who_wait(orion):
    orion.close()
    told = answers(orion, created("a"), created("b"))
    assert {type(each).__name__ for each in told} == {"StoreUnavailable"}


def test_who_gave_up_waiting_disturbs_nobody(orion):
    async def ask():
        with ThreadPoolExecutor(1) as executor:
            together = Together(orion, executor)
            calls = [asyncio.ensure_future(together.call(created(name))) for name in "abc"]
            await asyncio.sleep(0)
            calls[0].cancel()
            calls[1].cancel()
            return await asyncio.gather(*calls, return_exceptions=True)

    told = asyncio.run(ask())
    assert [type(each).__name__ for each in told] == ["CancelledError", "CancelledError", "Run"]
