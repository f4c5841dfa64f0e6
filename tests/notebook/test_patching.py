"""`%replay diff | commit | drop`: a failure is repaired by hand, and its flow goes on."""

from __future__ import annotations

from typing import Any

import pytest

from orion_nb.schemas.states import StateType
from tests.notebook.test_replaying import next_cell

PRICES = """
calls = []
@task
def prices_of(day):
    calls.append('prices_of')
    return [2, 3, 'n/a']

@task
def sum_up(prices):
    calls.append('sum_up')
    return sum(prices)

@task
def report_on(total):
    calls.append('report_on')
    return f'total {total}'

@flow
def patched(day):
    calls.append('patched')
    return report_on(sum_up(prices_of(day)))
"""
MENDED = ("sum(prices)", "sum(each for each in prices if each != 'n/a')")


@pytest.fixture
def failed(kernel: Any) -> Any:
    kernel.do(PRICES)
    kernel.do("of = patched.run('monday'); assert of.name == 'Failed'")
    yield kernel
    kernel.do("for name in ('day', 'prices', '_replay'): globals().pop(name, None)")


def test_a_repair_is_committed_and_the_flow_goes_on_with_it(failed: Any) -> None:
    code = next_cell(failed.do("%replay sum_up"))
    mended = failed.do(code.replace(*MENDED))
    assert mended.result == "5"
    run = failed.orion.find(failed.value("_replay.run.id"))
    replay = failed.orion.find(failed.value("_replay.tried.run_id"))
    assert (replay.state.type, replay.tags) == ("COMPLETED", (f"replay-of:{run.id}",))
    assert (replay.parent, replay.name, replay.kind) == (None, "replay of sum_up", "task")
    assert failed.orion.find(run.id) == run  # the replay has touched nothing
    assert failed.orion.find(run.root).state.type == "FAILED"

    told = failed.do("%replay diff").result
    assert "-    return sum(prices)\n+    return sum(each for each" in told
    assert "_replay.inputs" not in told  # the call was put into the cell, not recorded
    assert "the run made nothing: it is Failed\nthe replay made int 5" in told

    failed.do("calls.clear()")
    told = failed.do("%replay commit --resume --why 'n/a is no price'").result
    whole = f"completed by hand from replay {replay.id[-8:]}; its source differs: n/a is no price"
    assert f"sum_up {run.id[-8:]}: Completed, set by " in told
    assert whole in told
    assert "patched" in told.splitlines()[1]
    assert told.splitlines()[1].endswith(": Completed")
    assert failed.value("calls") == "['patched', 'report_on']"  # the rest is as it was kept
    flow = failed.orion.find(run.root)
    assert failed.orion.load(flow.state.result) == "total 5"
    line = failed.orion.read_states(run.id)["states"][-1]["report"]["rules"][0]
    assert line["rule"] == "set_by_hand"
    assert whole in line["reason"]
    assert "set by" in failed.do(f"%orion why {run.id}").result


def test_a_commit_is_refused_if_another_has_won_or_the_run_goes_on(failed: Any) -> None:
    code = next_cell(failed.do("%replay sum_up"))
    run = failed.orion.find(failed.value("_replay.run.id"))
    assert "was not run yet" in failed.run("%replay commit").stderr
    assert "was not run yet" in failed.run("%replay diff").stderr
    failed.run(code)
    assert "the replay failed (TypeError" in failed.run("%replay commit").stderr
    assert "the replay failed: TypeError" in failed.do("%replay diff").result
    failed.do(code.replace(*MENDED))
    other = {"force": True, "why": "I was here", "by": "ann"}
    failed.orion.propose(run.id, StateType.RUNNING, **other)
    assert "is Rerunning: wait for its end, or cancel it" in failed.run("%replay commit").stderr
    failed.orion.propose(run.id, StateType.COMPLETED, **other)
    before = failed.orion.find(run.id)
    told = failed.run("%replay commit").stderr
    assert "is Completed (by ann): it has moved on since it was taken up; `%replay" in told
    assert failed.orion.find(run.id) == before
    failed.do(f"%replay {run.id}")
    failed.do(code.replace(*MENDED))
    failed.do("%replay commit")
    assert failed.orion.load(failed.orion.find(run.id).state.result) == 5
    failed.do(code.replace(*MENDED))  # and again, as one knows what one has done
    failed.do("%replay commit")


def test_of_two_commits_at_the_same_time_one_is_too_late(failed: Any) -> None:
    code = next_cell(failed.do("%replay sum_up"))
    failed.do(code.replace(*MENDED))
    told = failed.do("""
from orion_nb.api.connect import connect
from orion_nb.engine import patching
from orion_nb.errors import Conflict
ask, said = patching._as_taken_up, []
def both(orion, found):
    run = ask(orion, found)  # at this moment somebody else commits
    orion.propose(run.id, 'COMPLETED', force=True, why='first', by='ann')
    return run
patching._as_taken_up = both
try:
    patching.complete(connect(), _replay, 5, replay=_replay.tried.run_id, differs=True)
except Conflict as error:
    print(error.status, error)
finally:
    patching._as_taken_up = ask
""").stdout
    assert told.startswith("409 run ")
    assert "has moved on: it is Completed now" in told


def test_what_can_not_be_committed_says_why(failed: Any) -> None:
    code = next_cell(failed.do("%replay sum_up"))
    failed.do("from threading import Lock")
    failed.do(code.replace("return sum(prices)", "return Lock()"))
    told = failed.run("%replay commit").stderr
    assert "what the replay made can't be kept: " in told
    assert "cannot pickle '_thread.lock'" in told
    failed.do(code.partition("\n\n")[0].replace(*MENDED))
    assert "the cell ends in no expression" in failed.run("%replay commit").stderr
    assert failed.value("type(sum_up).__name__") == "Task"  # the notebook's task is what it was
    failed.do(code.replace(*MENDED))
    run = failed.value("_replay.run.id")
    assert failed.do("%replay drop").result.startswith(f"sum_up {run[-8:]} is not replayed")
    assert "nothing is replayed here" in failed.run("%replay commit").stderr
    assert failed.orion.find(run).state.name == "Failed"


def test_a_flow_that_can_not_go_on_here_is_known_before_the_commit(failed: Any) -> None:
    failed.do("@task\ndef lonely(): 1 / 0\nlonely.run()")
    code = next_cell(failed.do("%replay lonely"))
    failed.do(code.replace("1 / 0", "return 1"))
    assert "in no flow that could go on" in failed.run("%replay commit --resume").stderr
    assert failed.orion.find("lonely").state.name == "Failed"
    code = next_cell(failed.do("%replay sum_up"))
    failed.do(code.replace(*MENDED))
    failed.do("del patched")
    assert "is not imported here" in failed.run("%replay commit --resume").stderr
    assert failed.orion.find("sum_up").state.name == "Failed"


def test_a_completed_run_is_compared_with_its_replay(kernel: Any) -> None:
    kernel.do("@task\ndef three(): return [2, 3, 'n/a']\nthree()")
    code = next_cell(kernel.do("%replay three"))
    kernel.do(code)
    told = kernel.do("%replay diff").result
    assert told == "the source is the recorded one\nthe replay made list of 3, as the run did"
    kernel.do(code.replace("'n/a'", "4"))
    assert "[2]: str 'n/a' is now int 4" in kernel.do("%replay diff").result
    kernel.do("%replay drop")


def test_what_awaits_is_replayed_and_a_failing_replay_is_not_the_newest_failure(
    kernel: Any,
) -> None:
    kernel.do("@task\nasync def waits(n):\n    await asyncio.sleep(0)\n    return 1 / n")
    kernel.do("_ = await waits.run(0)")
    code = next_cell(kernel.do("%replay"))
    assert code.rstrip().endswith("await waits(n=_replay.inputs['n'])")
    kernel.run(code)
    assert "task waits (" in kernel.do("%replay").result  # not the replay of it
    assert kernel.do(code.replace("1 / n", "n")).result == "0"
    kernel.do("%replay commit")
    assert kernel.orion.load(kernel.orion.find("waits").state.result) == 0
    kernel.do("%replay drop")
    assert "commit" in kernel.complete("%replay co")
    assert "--resume" in kernel.complete("%replay commit --r")
