"""What stands still for longer than a lease: a laptop that sleeps, a process that is stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest

from orion_nb.deployments.aftermath import reap
from tests.chaos.deployed import NOTE, runs_of
from tests.chaos.victims import children
from tests.waiting import until

#: A lease of the one who looks (seconds), and how long something stands still.
LEASE, NAP = 3.0, 6.0
#: What is stopped; all of it if `ORION_CHAOS` is set.
STOPPED = ["worker", "server", "runner", "kernel"] if os.environ.get("ORION_CHAOS") else ["runner"]
#: It begins, works for a while, and is done.
LONG = (NOTE, *("time.sleep(0.2)",) * 20, "note('done.txt')")
#: Its processes see numbers of their own, as those of a container do.
APART = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def can_be_apart():
    """Whether this system lets us start something in a process namespace of its own."""
    told = shutil.which("unshare") and subprocess.run(
        [*APART, "true"], check=False, stderr=subprocess.DEVNULL
    )
    return bool(told) and told.returncode == 0


def signalled(pids, number):
    for pid in pids:
        os.kill(pid, number)


@pytest.mark.parametrize("who", STOPPED)
def test_what_is_stopped_here_is_not_dead_and_its_run_goes_on(orion, battle, who, monkeypatch):
    """It can be seen to be there, however long it is silent: nobody takes its run."""
    monkeypatch.setattr("orion_nb.api.liveness.LEASE", LEASE)
    orion.create_deployment("long", str(battle.write_notebook(LONG)), retry_crashes=3)
    started = battle.start("server" if who == "server" else "worker").pid
    run = orion.run_deployment("long").id
    until(lambda: battle.noted("begun"))
    (kernel,) = until(battle.busy_kernels)
    (runner,) = battle.busy_runners()
    stopped = {"kernel": kernel, "runner": runner}.get(who, started)

    signalled([stopped], signal.SIGSTOP)
    end = time.monotonic() + NAP
    while time.monotonic() < end:
        assert reap(orion) == []
        time.sleep(0.2)
    signalled([stopped], signal.SIGCONT)

    until(lambda: orion.find(run).state.is_terminal)
    battle.end()
    assert (str(orion.find(run).state), orion.find(run).attempt) == ("Completed", 1)
    assert battle.noted("begun") == battle.noted("done") == [f"{run}.1"]


@pytest.mark.skipif(not can_be_apart(), reason="no process namespaces can be made here")
def test_who_sleeps_elsewhere_loses_its_run_and_does_not_go_on_with_it(orion, battle, monkeypatch):
    """Another worker has executed it meanwhile; who wakes stops at once, and is not believed."""
    monkeypatch.setattr("orion_nb.api.liveness.LEASE", LEASE)
    orion.create_deployment("long", str(battle.write_notebook(LONG)), retry_crashes=1)
    apart = battle.start(before=APART).pid
    run = orion.run_deployment("long").id
    until(lambda: battle.noted("begun"))
    asleep = family(apart)
    assert len(asleep) >= 3, "the worker, its runner and a kernel"

    signalled(asleep, signal.SIGSTOP)
    until(lambda: reap(orion), "to be taken for lost")
    lost = orion.find(run)
    assert (lost.state.name, lost.attempt) == ("AwaitingRetry", 1)
    battle.start()
    until(lambda: f"{run}.2" in battle.noted("begun"))
    signalled(reversed(asleep), signal.SIGCONT)
    until(lambda: orion.find(run).state.is_terminal)
    until(lambda: len(family(apart)) <= 4 and not battle.marked(f"{run}.1"), "the first to stop")
    signalled(children(apart), signal.SIGTERM)  # `unshare` itself heeds none
    battle.end()

    assert (str(orion.find(run).state), orion.find(run).attempt) == ("Completed", 2)
    assert battle.noted("done") == [f"{run}.2"], "who had slept went on"
    assert sorted(battle.noted("begun")) == [f"{run}.1", f"{run}.2"]
    assert len(runs_of(orion, "long")) == 1


def family(pid):
    """All processes that descend from this one, children first known first."""
    found = children(pid)
    return [*found, *(each for child in found for each in family(child))]
