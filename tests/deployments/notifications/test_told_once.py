"""A run that crashed is told of once, however many look after it, and whoever of them dies."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

import pytest

from orion_nb.api.orion import Orion
from orion_nb.schemas.states import Crashed, Running
from tests.deployments.notifications.ending import SERVER

WORKER = """
    import os
    os.environ["ORION_NB_WEBHOOK_ALLOW"] = "localhost"
    from orion_nb.api.connect import connect
    from orion_nb.deployments.worker import Worker

    worker = Worker(connect(label="worker"), concurrency=4)
    print("ready", flush=True)
    worker.run()
"""
#: Begins so many runs, and is killed over them.
VICTIM = """
    import sys
    from orion_nb import flow
    from orion_nb.api.connect import connect
    from orion_nb.schemas.states import Running

    orion = connect()
    for n in range(int(sys.argv[1])):
        orion.begin(orion.new_run("flow", f"victim {n}"), Running())
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def ready(script):
    """Starts processes of these sources and waits until they work."""

    def start(*sources):
        started = [script(source) for source in sources]
        assert [each.stdout.readline() for each in started] == ["ready\n"] * len(started)
        return started

    return start


@pytest.fixture
def crash(script):
    def kill(count):
        victim = script(VICTIM, count)
        assert victim.stdout.readline() == "begun\n"
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()

    return kill


def crashed(orion):
    return {run["id"] for run in orion.find_runs("state:crashed")["runs"]}


def delivered(orion):
    return orion.list_deliveries(status="delivered")["deliveries"]


def test_crashed_runs_are_told_of_once_by_many(orion, receiver, ready, crash, eventually):
    """Three servers and two workers reap and tell on one database, each as fast as it can."""
    orion.add_notification("team", webhook=receiver.url, on=["crashed"])
    orion.add_notification("all", webhook=receiver.url, on=["crashed", "failed", "recovered"])
    ready(SERVER, SERVER, SERVER, WORKER, WORKER)
    crash(8)
    eventually(lambda: len(delivered(orion)) == 16)
    assert len(crashed(orion)) == 8
    told = Counter(
        (each["data"]["notification"], each["data"]["run"]["id"]) for each in receiver.told()
    )
    assert told == {(name, run): 1 for name in ("team", "all") for run in crashed(orion)}
    assert {each["type"] for each in receiver.told()} == {"run.crashed"}
    ids = [headers["webhook-id"] for headers, _ in receiver.got]
    assert len(ids) == len(set(ids))


def test_a_crash_is_told_of_once_more_if_its_teller_is_killed(
    orion, receiver, ready, crash, eventually
):
    """It had been posted and not been noted: the same delivery comes again, and no other."""
    orion.add_notification("team", webhook=receiver.url, on=["crashed"], timeout=300)
    receiver.hold = threading.Event()
    (teller,) = ready(SERVER)
    crash(1)
    eventually(lambda: receiver.got)
    os.kill(teller.pid, signal.SIGKILL)
    teller.wait()
    receiver.hold.set()
    ready(SERVER, SERVER, WORKER)
    eventually(lambda: delivered(orion))
    (run,) = crashed(orion)
    (first, body), (again, same) = receiver.got
    assert (first["webhook-id"], body) == (again["webhook-id"], same)
    (delivery,) = orion.list_deliveries()["deliveries"]
    assert (delivery["run"], delivery["id"]) == (run, first["webhook-id"])


def test_a_crash_whose_reaper_dies_before_it_tells_is_told_of(
    orion, receiver, ready, script, crash, eventually
):
    """The states are told of by whoever comes, not by who wrote them."""
    orion.add_notification("team", webhook=receiver.url, on=["crashed"])
    crash(3)
    reaper = script(
        """
        import os, signal
        from orion_nb.api.connect import connect
        from orion_nb.deployments.aftermath import reap

        orion = connect()
        while len(orion.find_runs("state:crashed")["runs"]) < 3:
            reap(orion)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert reaper.wait(60) == -signal.SIGKILL
    assert len(crashed(orion)) == 3
    assert orion.list_deliveries()["deliveries"] == []
    ready(SERVER, WORKER, SERVER)
    eventually(lambda: len(delivered(orion)) == 3)
    assert {each["data"]["run"]["id"] for each in receiver.told()} == crashed(orion)
    assert len(receiver.got) == 3


def test_two_that_have_read_the_same_crash_tell_of_it_once(orion, monkeypatch):
    """One comes between another's look and its write, where both know of the crash."""
    orion.add_notification("team", call="json:dumps", on=["crashed"])
    run, _ = orion.begin(orion.new_run("flow", "f"), Running(), owned=False)
    orion.judge(run.id, Crashed("its process is gone"))
    other, write = Orion(orion.settings), orion.database.write

    def after_the_other(work, **more):
        monkeypatch.undo()
        assert other.note_states() == 1
        return write(work, **more)

    monkeypatch.setattr(orion.database, "write", after_the_other)
    assert orion.note_states() == 0
    other.close()
    assert [each["run"] for each in orion.list_deliveries()["deliveries"]] == [run.id]
