from __future__ import annotations

import logging
import threading

import pytest

from orion_nb.deployments import loops
from orion_nb.deployments.duties import Duties
from orion_nb.deployments.loops import Loop

LOG = logging.getLogger("test")


@pytest.fixture
def started():
    made = []

    def start(step, **more):
        loop = Loop("work", step, LOG, **more)
        made.append(loop)
        loop.start()
        return loop

    yield start
    for loop in made:
        assert loop.stop(60)


def test_a_step_is_done_again_after_the_pause_it_names(started, eventually):
    done = []

    def step():
        done.append(1)
        return 0.01

    loop = started(step)
    eventually(lambda: len(done) > 3)
    assert loop.health().status == "ok"
    assert loop.stop(60)
    assert loop.health().status == "stopped"


def test_it_goes_on_after_errors_which_are_logged_once(started, eventually, caplog):
    done = []

    def step():
        done.append(1)
        if len(done) < 4:
            raise RuntimeError("no luck")
        return 0.01

    loop = started(step, first_rest=0.01)
    eventually(lambda: len(done) > 4)
    health = loop.health()
    assert (health.status, health.failures, health.error) == ("ok", 3, None)
    assert caplog.text.count("Traceback") == 1
    assert [each.levelname for each in caplog.records if each.levelno > 20] == ["ERROR"] * 3


def test_it_rests_longer_after_each_error(monkeypatch):
    loop = Loop("work", lambda: 1 / 0, LOG, first_rest=1.0)
    assert [loop._once() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert loop.health().failures == 8


def test_one_that_is_stuck_is_told_of_and_where(orion, other, eventually, caplog):
    free = threading.Event()

    def waits_for_ever():
        free.wait(30)
        return 0.01

    loop = Loop("work", waits_for_ever, LOG, stuck_after=0.1)
    duties = Duties(orion, LOG, more=[loop])
    duties.start()
    try:
        told = eventually(lambda: [each for each in other.services() if each["status"] == "stuck"])
        assert [each["name"] for each in told] == ["work"]
        assert other.health()["status"] == "degraded"
        assert "waits_for_ever" in caplog.text
        free.set()
        eventually(lambda: other.health()["status"] == "ok")
    finally:
        free.set()
        duties.stop()
    assert {each["status"] for each in other.services()} == {"stopped"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_whose_thread_has_died_starts_anew(orion, eventually, caplog):
    done = []

    def step():
        done.append(1)
        if len(done) == 1:
            raise SystemExit
        return 0.01

    loop = Loop("work", step, LOG)
    duties = Duties(orion, LOG, more=[loop])
    duties.start()
    try:
        eventually(lambda: len(done) > 2)
    finally:
        duties.stop()
    assert "its thread has died" in caplog.text


def test_the_health_of_a_process_that_is_gone_is_not_told(orion, script, eventually):
    process = script(
        """
        import logging, sys
        from orion_nb.api.connect import connect
        from orion_nb.deployments.duties import Duties

        Duties(connect(label="worker"), logging.getLogger()).start()
        sys.stdin.read()
        """
    )
    found = eventually(lambda: len(orion.services()) == 2 and orion.services())
    assert {each["name"] for each in found} == {"upkeep", "teller"}
    assert {(each["status"], each["pid"]) for each in found} == {("ok", process.pid)}
    process.kill()
    process.wait()
    assert orion.services() == []


def test_a_loop_that_is_well_writes_nothing(orion, eventually):
    duties = Duties(orion, LOG)
    duties.start()
    try:
        eventually(lambda: len(orion.services()) == 2)
        told = []
        orion.note_service = lambda *about: told.append(about)
        for _ in range(3):
            duties._look()
        assert told == []
    finally:
        del orion.note_service
        duties.stop()


def test_halting_takes_no_lock():
    loop = Loop("work", lambda: 60.0, LOG)
    running = threading.Thread(target=loop.run)
    running.start()
    loop.halt()
    running.join(60)
    assert not running.is_alive()
    assert loops.SOON < 1
