"""Processes elsewhere: they live as long as their beats come, whatever the clocks say."""

from __future__ import annotations

import os
import signal
import time

import pytest

from orion_nb.api.liveness import Watch
from orion_nb.api.orion import Orion
from orion_nb.errors import Fenced
from orion_nb.schemas.states import (
    CRASHED,
    RUNNING,
    Completed,
    Running,
)
from orion_nb.store import sessions
from tests.api.disguising import alter_session


class Ticks:
    """A monotonic clock that stands still until it is told to move; the wall clock moves along."""

    def __init__(self, wall):
        self.now, self.wall = 100.0, wall

    def __call__(self):
        return self.now

    def advance(self, seconds, *, asleep=False):
        """Laptops that sleep have clocks that run on, and ticks that stand still."""
        self.now += 0.0 if asleep else seconds
        self.wall.advance(seconds)


@pytest.fixture
def ticks(orion, clock):
    made = Ticks(clock)
    orion._watch = Watch(made)
    return made


@pytest.fixture
def remote(orion, other, ticks):
    """A run of a process of another computer."""
    run, _ = other.begin(other.new_run("flow", "afar"), Running())
    alter_session(other, run, host="afar.example", pid=1, pid_start="boot.1-1")
    return run


def beat(orion, run, at):
    alter_session(orion, run, beat=at)


def looks(orion, ticks, seconds):
    """Looks each second for so long; what was ended, and after how many seconds."""
    for second in range(1, seconds + 1):
        ticks.advance(1)
        if ended := orion.reap():
            return second, ended
    return seconds, []


def test_a_process_elsewhere_is_lost_when_it_was_silent_for_a_lease(orion, remote, ticks):
    assert orion.reap() == []
    second, (lost,) = looks(orion, ticks, 20)
    assert second == 11 + 4  # a lease, and time to answer
    assert (lost.id, lost.state.type, lost.state.name) == (remote.id, CRASHED, "Lost")
    assert lost.state.message == "nothing was heard of afar.example (pid 1) for 10 s"


def test_a_process_elsewhere_lives_as_long_as_it_beats_whatever_its_clock_says(
    orion, remote, ticks
):
    for moment in (5, 3, 999_999_999_999_999, 1, 2):  # years behind, years ahead
        beat(orion, remote, moment)
        assert looks(orion, ticks, 9) == (9, [])
    assert orion.find(remote.id).state.type is RUNNING


def test_who_was_asleep_himself_gives_a_whole_lease(orion, remote, ticks):
    assert looks(orion, ticks, 9) == (9, [])
    ticks.advance(3600, asleep=True)
    assert looks(orion, ticks, 9) == (9, [])
    assert looks(orion, ticks, 9)[1] != []


def test_who_was_held_up_himself_gives_a_whole_lease(orion, remote, ticks):
    assert looks(orion, ticks, 9) == (9, [])
    ticks.advance(30)
    assert looks(orion, ticks, 9) == (9, [])
    assert looks(orion, ticks, 9)[1] != []


def test_while_nobody_can_write_nobody_is_lost(orion, remote, ticks):
    """Beats wait for whoever holds the database; they come as soon as he lets go."""
    assert looks(orion, ticks, 9) == (9, [])
    ticks.advance(2)
    assert orion.reap() == []  # he is suspected, and it was seen that beats can be written
    beat(orion, remote, 8)
    assert looks(orion, ticks, 10) == (10, [])
    assert looks(orion, ticks, 9)[1] != []


def test_a_look_without_memory_ends_nothing_that_it_cant_see(orion, remote, clock):
    clock.advance(1e6)
    fresh = Orion(orion.settings)
    assert fresh.reap() == []
    fresh.close()


def test_one_that_was_taken_for_lost_and_is_not_is_watched_again(orion, remote, other, ticks):
    """Its computer slept: the run is lost to it, and its next one is its own again."""
    looks(orion, ticks, 20)
    with pytest.raises(Fenced):
        other.advance(remote, Completed())
    key = other.session
    other.database.write(lambda tx: sessions.renew(tx, key, 77))
    again, _ = other.begin(other.new_run("flow", "again"), Running())
    assert orion.reap() == []
    assert [each.id for each in looks(orion, ticks, 20)[1]] == [again.id]


AFAR = """
    import sys
    from orion_nb.api import heartbeat
    from orion_nb.api.connect import connect
    from orion_nb.errors import Fenced
    from orion_nb.schemas.states import Completed, Running
    from orion_nb.store import sessions

    heartbeat.BEAT = 0.1
    sessions.this_host = lambda: "afar.example"
    sessions._place = lambda: "another start.1"
    orion = connect()
    run, _ = orion.begin(orion.new_run("flow", "afar"), Running())
    print(run.id, flush=True)
    sys.stdin.readline()
    try:
        print(orion.advance(run, Completed())[0].state.name)
    except Fenced as error:
        print("Fenced:", error)
"""


def test_a_computer_that_sleeps_loses_its_run_and_is_told_so_when_it_wakes(
    orion, script, monkeypatch
):
    monkeypatch.setattr("orion_nb.api.liveness.LEASE", 2.0)
    monkeypatch.setattr("orion_nb.api.liveness.TIME_TO_ANSWER", 1.0)
    process = script(AFAR)
    run_id = process.stdout.readline().strip()

    def look(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if orion.reap():
                return True
            time.sleep(0.05)
        return False

    assert not look(3.5)  # longer than a lease
    os.kill(process.pid, signal.SIGSTOP)
    assert look(60.0)
    assert orion.find(run_id).state.name == "Lost"
    os.kill(process.pid, signal.SIGCONT)
    told, trouble = process.communicate("\n", timeout=60)
    assert told.startswith("Fenced: attempt 1 is over: the run was taken for Lost"), trouble
    assert len(orion.why(run_id)["notes"]) == 1
