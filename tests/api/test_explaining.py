"""What is foreseen is what happens, and foreseeing writes nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orion_nb import clock as orion_clock
from orion_nb.api.orion import Orion
from orion_nb.errors import Fenced, InvalidInput
from orion_nb.schemas.reports import Status
from orion_nb.schemas.states import RUNNING, StateType
from orion_nb.settings import Settings

# -- explain ---------------------------------------------------------------------------------------


def test_explaining_writes_nothing(orion):
    run = orion.create_run("task", "t")
    before, last = orion.find(run.id), orion.last_event()
    for kind in StateType:
        orion.propose(run.id, kind, explain=True)
        orion.propose(run.id, kind, explain=True, force=True, why="what if")
    assert orion.find(run.id) == before
    assert orion.last_event() == last


def test_explaining_hands_out_no_token(orion):
    run = orion.create_run("task", "t")
    report = orion.propose(run.id, RUNNING, explain=True)
    assert report.status is Status.ACCEPT
    assert (report.attempt, report.token) == (None, None)


steps = st.fixed_dictionaries(
    {"type": st.sampled_from(list(StateType))},
    optional={
        "message": st.text(max_size=5),
        "scheduled_time": st.integers(0, 2_000_000_000_000_000),
        "attempt": st.integers(0, 2),
        "token": st.sampled_from(["wrong", "right"]),
        "transition_id": st.sampled_from(["1", "2"]),
        "retriable": st.booleans(),
        "force": st.booleans(),
        "why": st.text(max_size=3),
        "by": st.text(max_size=3),
    },
)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    opened = Orion(Settings.load(home=tmp_path_factory.mktemp("lasting")))
    yield opened
    opened.close()


def asked(orion, run, step, **more):
    """What is answered, without what explaining does not hand out."""
    step = dict(step)
    if step.get("token") == "right":
        step["token"] = orion.find(run.id).token or "none"
    try:
        report = orion.propose(run.id, **step, **more)
    except Fenced as fenced:
        return ("fenced", str(fenced))
    except InvalidInput as refused:
        return ("refused", str(refused))
    if report.fenced:
        return ("fenced", report.reason)
    return (
        report.status, report.state, report.reason, report.retry_after, report.until,
        report.replayed, report.rules, report.proposed,
    )  # fmt: skip


@given(
    steps=st.lists(steps, max_size=6),
    kind=st.sampled_from(["flow", "task"]),
    retries=st.integers(0, 2),
    scheduled=st.none() | st.just(5_000_000),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_explained_is_what_happens(lasting, steps, kind, retries, scheduled):
    """On an unchanged database, at the same moment, explaining and proposing answer the same."""
    with orion_clock.frozen(1_000_000) as now:
        run = lasting.create_run(
            kind, "t", policy={"retries": retries, "retry_delay": 3}, scheduled_time=scheduled
        )
        seq = 1
        for step in steps:
            foreseen = asked(lasting, run, step, explain=True)
            assert asked(lasting, run, step) == foreseen
            now.advance(1)
            told = lasting.read_states(run.id)["states"]
            assert [state["seq"] for state in told] == list(range(1, len(told) + 1))
            assert lasting.find(run.id).state.seq == len(told)
            assert len(told) - seq <= 1
            seq = len(told)
