"""The heartbeat: it says that this process lives, harms nothing, and ends with it."""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref

import pytest

from orion_nb.api import heartbeat
from orion_nb.api.orion import Orion
from orion_nb.errors import StoreUnavailable
from orion_nb.schemas.states import Running
from orion_nb.store import sessions
from tests.waiting import until


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT", 0.02)


def beat_of(orion, key=None):
    with orion.database.read() as connection:
        return sessions.read(connection, bytes.fromhex(key or orion.session)).beat


def all_beats():
    return {each for each in threading.enumerate() if each.name == "orion-heartbeat"}


@pytest.fixture
def beats():
    """The heartbeats that began in this test: an earlier one may have left its own to the end."""
    others = all_beats()
    return lambda: all_beats() - others


def test_it_starts_with_the_session_and_stops_with_the_api(orion, beats):
    assert not beats()
    first = beat_of(orion, orion.session)
    assert first is not None
    until(lambda: beat_of(orion) > first)
    assert len(beats()) == 1
    orion.close()
    assert not beats()


def test_an_api_that_nobody_uses_any_more_is_not_kept(orion, beats):
    other = Orion(orion.settings)
    assert other.session
    gone = weakref.ref(other)
    del other
    until(lambda: gc.collect() is not None and gone() is None)
    until(lambda: not beats())


def test_it_goes_on_after_an_error(orion, monkeypatch):
    first, write, errors = beat_of(orion, orion.session), orion.database.write, []

    def full(work):
        if len(errors) < 3:
            errors.append(work)
            raise StoreUnavailable("the disk is full")
        return write(work)

    monkeypatch.setattr(orion.database, "write", full)
    until(lambda: beat_of(orion) > first)
    assert len(errors) == 3


def test_a_session_that_was_taken_for_dead_says_that_it_lives(orion, other):
    key = orion.session
    run, _ = orion.begin(orion.new_run("flow", "f"), Running())
    orion.begin(orion.new_run("task", "t", parent=run.id), Running())
    other.database.write(lambda tx: sessions.settle(tx, key, 5))
    with other.database.read() as connection:
        until(lambda: sessions.unsettled(connection))
    until(lambda: not orion._reached)


def test_any_process_with_a_session_notices_that_another_was_killed(orion, script):
    process = script("""
        import os, sys
        from orion_nb.api.connect import connect
        from orion_nb.schemas.states import Running
        orion = connect()
        print(orion.begin(orion.new_run("flow", "f"), Running())[0].id, flush=True)
        sys.stdin.read()
    """)
    run_id = process.stdout.readline().strip()
    assert orion.session
    assert orion.find(run_id).state.name == "Running"
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: orion.find(run_id).state.name == "Crashed")


def test_it_keeps_no_process_alive_and_a_fork_has_one_of_its_own(script, finish):
    told = finish(
        script("""
            import os, threading
            from orion_nb.api import heartbeat
            heartbeat.BEAT = 0.01
            from orion_nb.api.connect import connect
            orion = connect()
            first = orion.session
            child = os.fork()
            if child == 0:
                assert orion.session != first
                names = [each.name for each in threading.enumerate()]
                assert names.count("orion-heartbeat") == 1, names
                orion.close()
                os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            assert orion.session == first
            print("ended")
        """)
    )
    assert told == "ended\n"
