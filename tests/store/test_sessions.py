"""Sessions: which process is which, and whether it lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from orion_nb.store import sessions
from orion_nb.store.sessions import Session, this_session


@pytest.fixture
def process():
    started = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield started
    started.kill()
    started.communicate()


def session_of(pid):
    return Session("1" * 32, sessions.this_host(), pid, sessions.pid_start(pid), None, 0)


def test_this_process_lives():
    ours = this_session("1" * 32, "a label", 5)
    assert ours.is_alive
    assert (ours.pid, ours.label, ours.started) == (os.getpid(), "a label", 5)


def test_one_that_has_said_that_it_ended_does_not():
    assert not replace(this_session("1" * 32, None, 5), ended=6).is_alive


def test_another_process_lives_until_it_is_killed_even_if_nobody_waits_for_it(process):
    its = session_of(process.pid)
    assert its.is_alive
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
    assert not its.is_alive
    process.wait()
    assert not its.is_alive


def test_a_stopped_process_lives(process):
    its = session_of(process.pid)
    process.send_signal(signal.SIGSTOP)
    assert its.is_alive


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells when it began")
def test_a_process_with_the_same_number_that_began_at_another_time_is_another():
    ours = this_session("1" * 32, None, 5)
    assert not replace(ours, pid_start=f"{ours.pid_start}0").is_alive


def test_where_it_cant_be_told_when_a_process_began_its_number_decides(process):
    its = replace(session_of(process.pid), pid_start=None)
    assert its.is_alive
    process.kill()
    process.wait()
    assert not its.is_alive


def test_a_process_of_another_user_is_there(monkeypatch):
    def not_ours(pid, number):
        raise PermissionError

    monkeypatch.setattr(os, "kill", not_ours)
    assert replace(this_session("1" * 32, None, 5), pid_start=None).is_alive


ELSEWHERE = Session("1" * 32, "elsewhere", 1, "boot.5-1", None, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"host": sessions.this_host()},  # another container of the same name, or another computer
        {"host": sessions.this_host(), "pid": os.getpid()},
        {"pid_start": None},
    ],
)
def test_of_a_process_that_cant_be_seen_its_beat_tells_whether_it_lives(clock, changes):
    its = replace(ELSEWHERE, beat=clock.at, **changes)
    assert its.exists is None
    assert its.is_alive
    clock.advance(sessions.PATIENCE * sessions.LEASE - 1)
    assert its.is_alive
    clock.advance(1)
    assert not its.is_alive
    assert its.exists is None
    assert not replace(ELSEWHERE, started=0, beat=None).is_alive


def test_a_process_that_is_there_lives_however_long_it_is_silent(clock):
    ours = this_session("1" * 32, None, clock.at)
    clock.advance(1e6)
    assert ours.is_silent
    assert ours.is_alive


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells its starts")
def test_after_a_restart_of_the_computer_its_silent_processes_are_gone(clock, monkeypatch):
    monkeypatch.setattr(sessions, "_place", lambda: f"now.{sessions.OUTERMOST}")
    its = replace(ELSEWHERE, host=sessions.this_host(), beat=clock.at)
    its = replace(its, pid_start=f"before.{sessions.OUTERMOST}-77")
    assert its.exists is None  # another computer of the same name, perhaps: it may beat again
    clock.advance(sessions.PATIENCE * sessions.LEASE)
    assert its.exists is False
    assert replace(its, pid_start="before.5-77").exists is None
    assert replace(its, host="elsewhere").exists is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_another_users_process_that_the_system_hides_cant_be_seen(monkeypatch):
    def not_ours(pid, number):
        raise PermissionError

    gone = replace(this_session("1" * 32, None, 5), pid=2**22 + 1)
    assert gone.exists is False
    monkeypatch.setattr(os, "kill", not_ours)
    assert gone.exists is None


def test_a_beat_renews_a_session_and_tells_when_it_was_taken_for_dead(orion, clock):
    key = orion.session
    clock.advance(5)
    renew = lambda tx: sessions.renew(tx, key, clock.at)  # noqa: E731
    assert orion.database.write(renew)
    orion.database.write(lambda tx: sessions.settle(tx, key, clock.at))
    with orion.database.read() as connection:
        assert sessions.unsettled(connection) == []
    assert not orion.database.write(renew)
    with orion.database.read() as connection:
        (known,) = sessions.unsettled(connection)
    assert (known.id, known.beat) == (key, clock.at)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_process_whose_name_looks_like_its_fields_is_read_right(tmp_path):
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/sleep")
    started = subprocess.Popen([odd, "60"])
    try:
        assert session_of(started.pid).is_alive
        boot, _, ticks = sessions.pid_start(started.pid).rpartition("-")
        assert boot
        assert int(ticks) > 0
    finally:
        started.kill()
        started.wait()
