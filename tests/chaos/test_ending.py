"""Who starts runs is told to end: what is under way goes on to its own end, and nothing else."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.chaos.deployed import NOTE
from tests.waiting import until

#: It begins, works until it is let go, and is done.
HELD = (
    NOTE,
    "while not os.path.exists('go.txt'):\n    time.sleep(0.05)",
    "note('done.txt')",
)
#: How each is told: by a service manager, or by Ctrl-C, twice by somebody in a hurry.
TOLD = {"worker": [signal.SIGINT, signal.SIGINT], "server": [signal.SIGTERM]}
if os.environ.get("ORION_CHAOS"):
    TOLD = {**TOLD, "server ": [signal.SIGINT, signal.SIGINT], "worker ": [signal.SIGTERM]}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("who", TOLD)
def test_its_run_goes_on_and_ends_and_no_process_is_left(orion, battle, who):
    orion.create_deployment("held", str(battle.write_notebook(HELD)))
    process = battle.start(who.strip())
    run = orion.run_deployment("held").id
    until(lambda: battle.noted("begun"))
    (runner,) = battle.busy_runners()
    (kernel,) = battle.busy_kernels()

    for number in TOLD[who]:  # the whole group hears it, as in a terminal
        os.killpg(process.pid, number)
        time.sleep(0.5)

    # Jupyter itself ends at the first Ctrl-C here; the second may end what is left of its exit.
    assert process.wait(60) in ((0, -signal.SIGINT) if who == "server " else (0,))
    until(lambda: set(battle.processes()) == {runner, kernel}, "all others to be gone")
    assert orion.find(run).state.name == "Running"
    again = battle.start(who.strip())  # it finds a run under way that is none of its own
    time.sleep(2)
    assert orion.find(run).state.name == "Running"
    (battle.folder / "go.txt").touch()
    until(lambda: orion.find(run).state.is_terminal)
    assert (str(orion.find(run).state), orion.find(run).attempt) == ("Completed", 1)
    assert battle.noted("begun") == battle.noted("done") == [f"{run}.1"]
    assert again.poll() is None
    battle.end()
    until(lambda: list(battle.processes()) == [])
