"""A flow in a notebook shows a card that moves, and leaves a plain table behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("orion_nb_widgets.run_card", reason="the front end is not built (npm, node)")

WIDGET = "application/vnd.jupyter.widget-view+json"


STEP = """\
@task(retries=1, retry_delay=0.5)
def step(n, tries=[]):
    time.sleep(0.3 if n == 3 else 0.1)
    if n == 3 and not tries:
        tries.append(1)
        raise ValueError("once")
    print("step", n)
"""


@pytest.fixture
def kernel(kernel: Any) -> Any:
    """The shared one, with a task."""
    kernel.do(STEP)
    return kernel


def comms(ran: Any, kind: str) -> list[dict[str, Any]]:
    return [each["content"] for each in ran.messages if each["msg_type"] == kind]


def deltas(ran: Any) -> list[dict[str, Any]]:
    """What the card was told, message by message."""
    told = [each["data"] for each in comms(ran, "comm_msg")]
    return [each["content"] for each in told if each.get("method") == "custom"]


def test_a_card_moves_while_the_flow_runs_and_settles_to_a_table(kernel: Any) -> None:
    ran = kernel.do("""\
@flow
def stepping():
    for n in range(6): step(n)

stepping()
""")
    first, *rest = ran.shown
    assert set(first) == {WIDGET, "text/html", "text/plain"}
    assert "stepping" in first["text/plain"]
    (settled,) = rest
    assert set(settled) == {"text/html", "text/plain"}
    assert ran.displays == [settled]
    assert ran.texts[0].startswith("✔ Completed  stepping\n  ")
    assert ran.texts[0].count("✔ Completed  ") >= 6
    assert ran.html.count("<tr>") == 7
    assert "6 ✔ Completed" in ran.html

    states = [row[3] for delta in deltas(ran) for row in delta["tasks"] if row[1] == "step"]
    assert {"Running", "Completed", "AwaitingRetry", "Retrying"} <= set(states)
    done = [delta["seq"] for delta in deltas(ran)]
    assert done == list(range(1, len(done) + 1))
    assert len(done) >= 6, "it moved in as many steps as there were tasks"
    printed = [i for i, each in enumerate(ran.messages) if each["msg_type"] == "stream"]
    moved = [i for i, each in enumerate(ran.messages) if each["msg_type"] == "comm_msg"]
    assert moved[2] < printed[-1]
    # The model is open while the card is shown, and closed when it is not.
    models = {each["comm_id"] for each in comms(ran, "comm_open")}
    assert models == {each["comm_id"] for each in comms(ran, "comm_close")}
    assert first[WIDGET]["model_id"] in models


def test_the_last_word_of_the_card_is_the_end_of_the_run(kernel: Any) -> None:
    ran = kernel.do("""\
@flow
def ending():
    for n in range(3): step(n, [1])
ending()
""")
    updates = [each["data"].get("state", {}) for each in comms(ran, "comm_msg")]
    last = [json.loads(state["snapshot"]) for state in updates if state.get("snapshot")][-1]
    assert last["run"]["state"]["name"] == "Completed"
    assert last["counts"] == {"Completed": 3}
    assert last["run"]["ended"] is not None


def test_a_flow_that_raises_leaves_its_table_too(kernel: Any) -> None:
    ran = kernel.run("""\
@task
def misses(): return {}["price"]

@flow
def raising():
    step(0, [1])
    misses()

raising()
""")
    assert ran.error == "KeyError: 'price'"
    (bundle,) = ran.displays
    assert WIDGET not in bundle
    assert "✖ Failed  raising" in bundle["text/plain"]
    assert "KeyError: &#x27;price&#x27;" in bundle["text/html"]
    assert "1 ✔ Completed" in bundle["text/plain"]


def test_two_flows_in_a_cell_have_a_table_each_and_inner_ones_none(kernel: Any) -> None:
    ran = kernel.do("""\
@flow
def one_of_two(n):
    @flow
    def inner(): step(n, [1])
    inner()

one_of_two(1), one_of_two(2)
""")
    assert [text.split("\n")[0] for text in ran.texts] == ["✔ Completed  one_of_two"] * 2
    for text in ran.texts:
        assert "2 ✔ Completed" in text
        assert "inner" in text
        assert "step" in text
    assert len({run["id"] for run in kernel.orion.filter_runs(name="one_of_two")["runs"]}) == 2


def test_async_flows_at_once_do_not_mix(kernel: Any) -> None:
    ran = kernel.do("""\
@task
async def astep(n):
    await asyncio.sleep(0.05)

@flow
async def aflow(n):
    await asyncio.gather(*(astep(i) for i in range(n)))

gathered = await asyncio.gather(aflow(2), aflow(3))
""")
    assert sorted("2 ✔ Completed" in text for text in ran.texts) == [False, True]
    assert sorted("3 ✔ Completed" in text for text in ran.texts) == [False, True]
    assert not any(WIDGET in bundle for bundle in ran.displays)


def test_an_idle_card_costs_nothing(kernel: Any) -> None:
    ran = kernel.do("""\
@flow
def idle(): time.sleep(1)
used = time.process_time()
idle()
print(time.process_time() - used)
""")
    assert float(ran.stdout) < 0.35, "of one second in which nothing happened"


def test_a_thousand_tasks_stay_far_below_the_message_limit(kernel: Any) -> None:
    ran = kernel.do("""\
many = task(lambda n: time.sleep(0.001), name="many")
@flow
def crowd(): many.map(range(1000))
began = time.monotonic()
crowd()
print(time.monotonic() - began)
""")
    took = float(ran.stdout)
    sent = comms(ran, "comm_msg")
    assert len(sent) <= 2 * 31 * took + 20, "Jupyter drops messages above 1,000 a second"
    assert "1000 ✔ Completed" in ran.texts[0]
    assert "<summary>the first 200 tasks</summary>" in ran.html
    assert len(ran.html) < 200_000
    assert len(ran.texts[0].splitlines()) < 25


def test_names_and_messages_are_text_and_nothing_else(kernel: Any) -> None:
    ran = kernel.run("""\
evil = "<img src=x onerror=alert(1)>"
@flow(name=evil)
def hostile():
    task(lambda: 1, name=evil)()
    raise ValueError(evil + "</td><script>alert(2)</script>")
hostile()
""")
    html = ran.displays[0]["text/html"]
    assert "<img" not in html
    assert "<script" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


@pytest.fixture
def deployed(new_kernel: Callable[..., Any], home: Any) -> Any:
    """A kernel such as the runner of a deployment starts, and the run it belongs to."""
    from orion_nb.api.orion import Orion
    from orion_nb.schemas.states import Running
    from orion_nb.settings import Settings

    orion = Orion(Settings.load(home=home))
    run, _ = orion.begin(orion.new_run("flow", "nightly"), Running())
    yield new_kernel(ORION_NB_RUN_ID=run.id, ORION_NB_HEADLESS="1"), run
    orion.close()


def test_headless_there_is_no_widget_but_the_table(deployed: Any) -> None:
    kernel, run = deployed
    assert kernel.do("%load_ext orion_nb").outputs == []
    ran = kernel.do("""\
import asyncio
from orion_nb import flow, task
@task
def step(n): return n
@flow
def nested(): step(2)
@flow
def counting():
    step(0); step(1); nested()
step(7)
counting()
""")
    assert comms(ran, "comm_open") == []
    (bundle,) = ran.shown
    assert "✔ Completed  counting" in bundle["text/plain"]
    assert bundle["text/plain"].count("step") == 3, "its own tasks, also in inner flows"
    ran = kernel.do("""\
@flow
async def beside(n):
    for _ in range(n):
        step(n)
        await asyncio.sleep(0.01)
both = await asyncio.gather(beside(2), beside(4))
""")
    assert sorted(text.count("step") for text in ran.texts) == [2, 4], "of one tree, yet apart"
    chip = kernel.do("%%task cell_task\nstep(3)\n")
    assert [text.split("  ")[0] for text in chip.texts] == ["✔ Completed"]
    assert len(chip.shown) == 1
    orion = kernel.orion
    for name in ("counting", "cell_task"):
        assert orion.find(name).parent == run.id
        assert orion.find(name).root == run.id


def test_the_run_of_a_deployed_notebook_is_not_the_kernels_to_end(deployed: Any) -> None:
    kernel, run = deployed
    kernel.do("%load_ext orion_nb")
    kernel.run("%%task fails\n1 / 0\n")
    kernel.manager.shutdown_kernel()
    assert kernel.orion.find(run.id).state.name == "Running"
    assert kernel.orion.filter_runs(name="notebook")["runs"] == []
