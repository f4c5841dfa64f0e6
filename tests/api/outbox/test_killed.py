"""What a killed process has left is delivered, once, and nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time

import pytest

from orion_nb.api.client import Client
from orion_nb.api.delivery import deliver, deliver_left
from orion_nb.schemas.states import CRASHED, RUNNING, Completed, Running
from orion_nb.store.listing import RunFilter
from orion_nb.store.outbox import Box, outboxes, peek
from tests.api.outbox.telling import names_of
from tests.api.serving import TOKEN
from tests.waiting import until


def test_what_a_killed_process_left_is_delivered_by_the_next(ever, there, script, point, home):
    """Its runs are told of, each once; the one it was executing is Crashed."""
    ever.stop()
    process = script(
        """
        import os, sys
        os.environ["ORION_NB_API_URL"], os.environ["ORION_NB_API_TOKEN"] = sys.argv[1:3]
        from orion_nb import flow, task

        @task
        def square(x):
            return x * x

        @flow(name="left-behind")
        def total():
            values = [square(x) for x in range(10)]
            print("done", flush=True)
            os.kill(os.getpid(), 9)

        total()
        """,
        ever.url,
        TOKEN,
    )
    assert process.stdout.readline() == "done\n"
    assert process.wait(60) == -signal.SIGKILL
    (path,) = outboxes(home / "outbox")
    ever.start()
    api = point(ever.url)
    found = [deliver_left(api.client, home / "outbox") for _ in range(2)]
    assert found == [21 - found[1], 0] or found[0] >= 20
    assert outboxes(home / "outbox") == []
    run = there.find("left-behind")
    tasks = there.list_runs(RunFilter(root=run.id, kind="task"))
    assert [each.state.name for each in tasks] == ["Completed"] * 10
    assert run.state.type in (RUNNING, CRASHED)
    until(lambda: there.find(run.id).state.type is CRASHED, "it stays open")
    assert not path.exists()


def test_two_who_deliver_the_same_deliver_it_once(ever, serving, point, there, home):
    """A process that is killed between the delivery and its note of it delivers again."""
    api = point(serving.url)
    serving.kill()
    run, _ = api.begin(api.new_run("flow", "twice"), Running())
    api.advance(run, Completed())
    (path,) = outboxes(home / "outbox")
    _, session, waiting, _ = peek(path)
    again = Box.make(home / "again", "again", ever.url, session)
    for letter in waiting:
        again.put(letter.run, json.dumps(letter.told), letter.written)
    serving.start()
    until(lambda: not api.outbox.is_open, "the outbox is not delivered")
    assert deliver(api.client, again) == 2
    assert again.refused() == []
    again.close()
    assert names_of(there, run.id) == ["Pending", "Running", "Completed"]


WORKLOAD = """
import os, sys, threading, time
os.environ["ORION_NB_API_URL"], os.environ["ORION_NB_API_TOKEN"] = sys.argv[1:3]
from orion_nb.api.client import Client
from orion_nb.api.connect import connect
from orion_nb.schemas.states import Completed, Running
from orion_nb.schemas.values import evolve

api = connect()
flow, _ = api.begin(api.new_run("flow", sys.argv[3]), Running())
print(flow.id, "Running", flush=True)

def work():
    # Not more than can be delivered soon, however long the server takes to start.
    for _ in range(400):
        time.sleep(0.005)
        made = evolve(api.new_run("task", "t"), parent=flow.id, root=flow.id)
        run, _ = api.begin(made, Running())
        os.write(1, f"{run.id} Running\\n".encode())
        api.advance(run, Completed())
        os.write(1, f"{run.id} Completed\\n".encode())

for _ in range(4):
    threading.Thread(target=work).start()
threading.Event().wait()
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6 if os.environ.get("ORION_SOAK") else 2))
def test_nothing_acknowledged_is_lost_whoever_is_killed(ever, there, script, home, seed):
    """The server is killed and started again, and then the client is killed, at random moments."""
    chance = random.Random(seed)
    if ever.process is None:
        ever.start()
    process = script(WORKLOAD, ever.url, TOKEN, f"killed-{seed}")
    told: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: told.extend(process.stdout))
    reader.start()
    until(lambda: len(told) > 20, "the client does not work")
    for _ in range(3):
        time.sleep(chance.uniform(0.1, 0.6))
        ever.kill()
        time.sleep(chance.uniform(0.1, 0.6))
        if chance.random() < 0.7:
            ever.start()
    process.kill()
    process.wait(60)
    reader.join(60)
    if ever.process is None:
        ever.start()
    client = Client(ever.url, TOKEN)
    deliver_left(client, home / "outbox")
    client.close()
    assert outboxes(home / "outbox") == []
    whole = [line.split() for line in told if line.endswith("\n")]
    assert len(whole) > 20
    for run_id, name in whole:
        names = names_of(there, run_id)
        assert name in names, (run_id, name, names)
        # What its process did before it was found dead is entered all the same.
        assert names in (
            ["Pending", "Running"], ["Pending", "Running", "Completed"],
            ["Pending", "Running", "Crashed"],
            ["Pending", "Running", "Crashed", "Running", "Completed"],
        ), names  # fmt: skip
    flow_id = whole[0][0]
    assert len({run_id for run_id, _ in whole}) <= 1 + len(there.children(flow_id, flow_id))
    until(lambda: there.find(flow_id).state.type is CRASHED, "it stays open")
