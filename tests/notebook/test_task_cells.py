"""A %%task cell in a real kernel: as if the magic line were not there, and on record."""

from __future__ import annotations

import re
from typing import Any

import pytest

WIDGET = "application/vnd.jupyter.widget-view+json"


def names(kernel: Any, task: str) -> list[str]:
    """The names of the states of the newest run of a task cell."""
    run = kernel.orion.find(task)
    return [state["name"] for state in kernel.orion.read_states(run.id)["states"]]


def test_the_body_runs_as_if_there_were_no_magic(kernel: Any) -> None:
    kernel.do("globals().pop('_', None)")  # whose loop has taken the name gets no results in it
    ran = kernel.do("""\
%%task plain --tags one,two
print("hello", flush=True)
plain_x, plain_where = 41, threading.current_thread() is threading.main_thread()
plain_x + 1
""")
    assert (ran.stdout, ran.result) == ("hello\n", "42")
    shown = f"plain_x, plain_where, _ == 42, Out[{ran.reply['execution_count']}]"
    assert kernel.value(shown) == "(41, True, True, 42)"
    run = kernel.orion.find("plain")
    assert (run.kind, run.tags, run.state.name) == ("task", ("one", "two"), "Completed")
    assert run.key == "notebook:notebook:plain"
    assert names(kernel, "plain") == ["Pending", "Running", "Completed"]


def test_the_chip_changes_in_place_and_is_no_widget(kernel: Any) -> None:
    ran = kernel.do("%%task chipped\nprint('after the chip')\n")
    assert [output["kind"] for output in ran.outputs] == ["display_data", "stream"]
    (chip,) = ran.texts
    run_id = kernel.orion.find("chipped").id[-8:]
    assert re.fullmatch(rf"✔ Completed  chipped  \S+ (ms|µs|s)  run {run_id}", chip)
    assert [data["text/plain"].split("  ")[0] for data in ran.shown] == [
        "◐ Running",
        "✔ Completed",
    ]
    assert all(set(data) == {"text/html", "text/plain"} for data in ran.shown)


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("1 + 1", "2"),
        ("1 + 1;", None),
        ("semi = 1", None),
        ("print('x')", None),
        ("", None),
        ("for i in range(3): i", None),
        ("%time 7", "7"),
        ("import math; math.floor(2.5)", "2"),
    ],
)
def test_the_last_expression_is_shown(kernel: Any, body: str, result: str | None) -> None:
    assert kernel.do(f"%%task last\n{body}\n").result == result


def test_without_a_name_it_is_called_after_what_it_assigns(kernel: Any) -> None:
    kernel.do("%%task\nimport math\nfirst_named, other = 1, 2\n")
    assert kernel.orion.find("first_named").kind == "task"
    count = kernel.do("%%task\nprint(1)\n").reply["execution_count"]
    assert kernel.orion.find(f"cell-{count}").kind == "task"
    kernel.do("%%task\nprint(1)\n", cellId="0a1b2c3d-4e5f")
    assert kernel.orion.find("cell-0a1b2c3d").kind == "task"


def test_a_cell_that_awaits(kernel: Any) -> None:
    ran = kernel.do("""\
%%task awaited
!true
await asyncio.sleep(0.01)
awaited_x = await asyncio.sleep(0, "slept")
async with asyncio.Lock():
    print(threading.current_thread() is threading.main_thread())
awaited_x
""")
    assert (ran.stdout, ran.result) == ("True\n", "'slept'")
    assert names(kernel, "awaited") == ["Pending", "Running", "Completed"]
    assert kernel.value("awaited_x") == "slept"


def test_below_another_magic(kernel: Any) -> None:
    below = kernel.do("%%time\n%%task timed\ntimed_x = 1\n")
    assert "Wall time" in below.stdout
    assert kernel.value("timed_x") == "1"
    ran = kernel.run("get_ipython().run_cell_magic('task', 'late', 'await asyncio.sleep(0)')")
    assert "%%task: put %%task first in a cell that awaits" in ran.stderr


@pytest.mark.parametrize("awaits", ["", "await asyncio.sleep(0)\n"])
def test_a_failed_attempt_leaves_no_names_behind(kernel: Any, awaits: str) -> None:
    kernel.do("tries = []; kept = 'before'; gone = 'here'; undone = ['still']")
    ran = kernel.do(f"""\
%%task retried --retries 2 --retry-delay 10ms
{awaits}there = set("new also fn Cl os_ w m_ kept".split()) & set(globals())
tries.append([*sorted(there), kept, gone])
new = kept = "after"
def fn(): pass
class Cl: pass
import os as os_
[w := 1 for _ in [1]]
match [1]:
    case [m_]: pass
for also in range(2): pass
del gone
undone = undone + [len(tries)]
if len(tries) < 3:
    raise ValueError(f"try {{len(tries)}}")
""")
    assert kernel.value("tries") == str([["kept", "before", "here"]] * 3)
    assert kernel.value("(new, kept, undone, 'gone' in globals())") == (
        "('after', 'after', ['still', 3], False)"
    )
    assert ran.texts[0].startswith("✔ Completed  retried  attempt 3 of 3  ")
    said = [data["text/plain"] for data in ran.shown]
    assert any(text.startswith("↻ AwaitingRetry  retried  attempt 1 of 3") for text in said)
    assert names(kernel, "retried") == [
        "Pending", "Running", "AwaitingRetry", "Retrying", "AwaitingRetry", "Retrying", "Completed",
    ]  # fmt: skip
    kernel.do("del there, new, fn, Cl, os_, w, m_, also")


def test_names_are_also_undone_after_a_timeout(kernel: Any) -> None:
    kernel.do("slow_tries = []")
    kernel.do("""\
%%task slow_once --retries 1 --timeout 300ms
slow_tries.append("half_made" in globals())
half_made = True
if len(slow_tries) == 1: time.sleep(30)
""")
    assert kernel.value("slow_tries") == "[False, False]"
    assert names(kernel, "slow_once")[2] == "AwaitingRetry"


def test_a_failure_is_the_cells_own(kernel: Any) -> None:
    ran = kernel.run("""\
%%task broken --retries 1
def inner():
    return {}["price"]

before_it = "kept"
inner()
""")
    assert not ran.ok
    assert (ran.reply["ename"], ran.reply["evalue"]) == ("KeyError", "'price'")
    assert ran.error == "KeyError: 'price'"
    run = kernel.orion.find("broken")
    lines = ran.traceback.splitlines()
    assert "orion_nb" not in ran.traceback
    assert lines[-1] == f"orion: %orion why {run.id[-8:]}"
    number = kernel.do("1").reply["execution_count"] - 1
    assert next(line for line in lines if "Cell " in line).startswith(f"Cell In[{number}], line 5")
    assert "----> 5 inner()" in ran.traceback
    assert "return {}[" in ran.traceback
    assert ran.texts[0].startswith("✖ Failed  broken  attempt 2 of 2  ")
    assert "KeyError: 'price'" in ran.texts[0]
    assert kernel.value("before_it") == "kept"
    assert run.state.message == "KeyError: 'price'"


def test_an_error_in_an_awaiting_cell_is_shown_once(kernel: Any) -> None:
    ran = kernel.run("%%task abroken\nawait asyncio.sleep(0)\n1 / 0\n")
    assert ran.error == "ZeroDivisionError: division by zero"
    assert ran.traceback.count("Traceback (most recent call last)") == 1
    assert "orion_nb" not in ran.traceback
    assert "----> 2 1 / 0" in ran.traceback
    assert len([each for each in ran.outputs if each["kind"] == "error"]) == 1


def test_a_syntax_error_is_the_cells_own_and_no_run(kernel: Any) -> None:
    ran = kernel.run("%%task unparsed\nif True print(1)\n")
    assert ran.error.startswith("SyntaxError: ")
    assert "line 2" in ran.traceback, "it is the cell's second line"
    assert "orion_nb" not in ran.traceback
    assert kernel.orion.filter_runs(name="unparsed")["runs"] == []


def test_a_timeout_stops_it(kernel: Any) -> None:
    ran = kernel.run("%%task overslept --timeout 100ms\ntime.sleep(60)\n")
    assert ran.error == "TaskTimeout: 'overslept' exceeded 0.1 s"
    assert "----> 1 time.sleep(60)" in ran.traceback
    assert names(kernel, "overslept")[-1] == "TimedOut"
    ran = kernel.run("%%task aoverslept --timeout 100ms\nawait asyncio.sleep(60)\n")
    assert ran.error == "TaskTimeout: 'aoverslept' exceeded 0.1 s"


@pytest.mark.parametrize(
    ("name", "body", "ename"),
    [
        ("stopped", "for _ in range(3000): time.sleep(0.02)", "KeyboardInterrupt"),
        # ipykernel itself notices the interrupt when its loop does anything at all.
        ("astopped", "for _ in range(3000): await asyncio.sleep(0.02)", "CancelledError"),
    ],
)
def test_interrupting_the_kernel_cancels_it(kernel: Any, name: str, body: str, ename: str) -> None:
    request = kernel.send(f"%%task {name} --retries 5\nprint('begun', flush=True)\n{body}\n")
    kernel.hear("begun")
    kernel.manager.interrupt_kernel()
    ran = kernel.wait(request)
    assert ran.reply["ename"] == ename
    assert "orion_nb" not in ran.traceback
    assert names(kernel, name) == ["Pending", "Running", "Cancelled"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("'1 x'", "UsageError: %%task: bad task name '1 x': use letters, digits, _ . -"),
        ("--retries two", "UsageError: %%task: --retries: expected 0..100, got 'two'"),
        ("--timeout 0s", "UsageError: %%task: timeout: 0.0 leaves no time at all"),
        ("--tags 'a\tb'", "UsageError: %%task: tags: 'a\\tb' has a control character"),
    ],
)
@pytest.mark.parametrize("body", ["never_ran = 1", "never_ran = await asyncio.sleep(0)"])
def test_a_wrong_line_is_a_usage_error_and_the_body_does_not_run(
    kernel: Any, line: str, says: str, body: str
) -> None:
    ran = kernel.run(f"%%task {line}\n{body}\n")
    assert not ran.ok
    assert ran.reply["ename"] == "UsageError"
    assert says in ran.stderr
    assert kernel.value("'never_ran' in globals()") == "False"


@pytest.mark.parametrize("body", ["", "never_ran = 1\n", "await asyncio.sleep(0)\n"])
def test_help_is_printed_and_the_body_does_not_run(kernel: Any, body: str) -> None:
    ran = kernel.do(f"%%task never --help\n{body}")
    assert ran.stdout.startswith("usage: %%task [NAME] [options]")
    assert kernel.value("'never_ran' in globals()") == "False"
    assert kernel.orion.filter_runs(name="never")["runs"] == []


def test_braces_and_dollars_are_not_python_here(kernel: Any) -> None:
    ran = kernel.run("%%task {asyncio}\nx = 1\n")
    assert "bad task name '{asyncio}'" in ran.stderr


def test_the_same_in_a_comment(kernel: Any) -> None:
    kernel.do("noted = []")
    ran = kernel.do("""\
# a note above
#| label: whatever
#| task: commented retries=1
noted.append(1)
if len(noted) == 1: raise ValueError("once")
len(noted)
""")
    assert ran.result == "2"
    assert names(kernel, "commented")[-2:] == ["Retrying", "Completed"]


def test_quiet_shows_only_what_did_not_complete(kernel: Any) -> None:
    assert kernel.do("%%task hushed --quiet\nprint(1)\n").displays == []
    ran = kernel.run("%%task hushed --quiet\n1 / 0\n")
    assert [text.split("  ")[0] for text in ran.texts] == ["✖ Failed"]


def test_tasks_and_flows_called_in_a_task_cell_belong_to_it(kernel: Any) -> None:
    kernel.do("""\
%%task parent_cell
@task
def in_a_cell(n): return n

@flow
def flow_in_a_cell(): return in_a_cell.submit(2).result()

in_a_cell(1), flow_in_a_cell()
""")
    parent = kernel.orion.find("parent_cell")
    assert kernel.orion.find("flow_in_a_cell").parent == parent.id
    session = kernel.orion.find(parent.parent)
    assert (session.kind, session.name, session.state.name) == ("flow", "notebook", "Running")
    kernel.do("in_a_cell(3)")
    assert kernel.orion.find("in_a_cell").parent is None


def test_an_async_task_submitted_by_a_cells_sync_flow_does_not_lock_up(kernel: Any) -> None:
    ran = kernel.do("""\
@task
async def atask(n):
    await asyncio.sleep(0.01)
    return n

@flow
def sync_flow():
    return atask.submit(1).result() + sum(each.result() for each in atask.map([2, 3]))

sync_flow()
""")
    assert ran.result == "6"
    assert kernel.do("await atask(4) + await atask.submit(5)").result == "9"
    stuck = kernel.run("atask.submit(6).result()")
    assert "runs on this thread's event loop: await its future" in stuck.error


def test_a_cancelled_session_ends_and_the_next_cell_begins_another(kernel: Any) -> None:
    kernel.do("%%task before_cancel\n1\n")
    first = kernel.orion.find("before_cancel").parent
    kernel.orion.cancel(first)
    kernel.do("%%task after_cancel\n1\n")
    second = kernel.orion.find("after_cancel").parent
    assert second != first
    assert kernel.orion.find(first).state.name == "Cancelled"
