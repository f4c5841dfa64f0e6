"""The facts of a proposal are those of the moment, and only those that a rule can ask for."""

from __future__ import annotations

import pytest

from orion_nb import clock as orion_clock
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import (
    CANCELLING,
    Completed,
    Failed,
    Paused,
    Pending,
    Running,
    Scheduled,
    state,
)
from orion_nb.store import facts

QUEUE = RunPolicy(overlap="queue")
DEPLOYMENT = "0" * 31 + "d"


def gathered(orion, run, proposed=None, **told):
    with orion.database.read() as connection:
        now = orion_clock.now()
        return facts.gather(connection, orion.find(run.id), proposed or Running(), now, **told)


def begun(orion, proposed=None, upstream=(), **fields):
    made = orion.new_run(fields.pop("kind", "task"), "work", **fields)
    return orion.begin(made, proposed or Running(), upstream)[0]


def test_a_run_that_nothing_concerns_has_no_facts(orion):
    run = orion.create_run("task", "alone")
    t = gathered(orion, run)
    assert (t.parent, t.upstream, t.cached, t.filling, t.places, t.siblings) == (
        None, (), None, None, (), (),
    )  # fmt: skip
    assert (t.held, t.token_matches, t.claims, t.rerun) == (False, True, None, False)


@pytest.mark.parametrize("proposed", [Completed(), Failed()])
def test_what_decides_on_starts_is_not_read_for_an_end(orion, proposed):
    parent = begun(orion, kind="flow")
    above = begun(orion)
    policy = RunPolicy(concurrency=(("db", 1),), overlap="queue")
    run = begun(
        orion, parent=parent.id, policy=policy, deployment=DEPLOYMENT, upstream=[(above.id, "x")]
    )
    t = gathered(orion, run, proposed)
    assert (t.parent, t.upstream, t.places, t.siblings) == (None, (), (), ())
    t = gathered(orion, run)
    assert (t.parent.name, len(t.upstream), len(t.places)) == ("Running", 1, 1)


def test_the_parent_is_told_by_its_state(orion):
    parent = begun(orion, kind="flow")
    run = orion.create_run("task", "inner", parent=parent.id)
    orion.advance(parent, Paused())
    assert gathered(orion, run).parent.name == "Paused"


def test_upstream_runs_are_told_once_each_as_they_are_now(orion):
    up, other = begun(orion), begun(orion)
    run = begun(orion, upstream=[(up.id, "a"), (up.id, "b[0]"), (other.id, "c")])
    assert sorted(each.id for each in gathered(orion, run).upstream) == sorted([up.id, other.id])
    orion.advance(up, Completed())
    states = {each.id: each.state.name for each in gathered(orion, run).upstream}
    assert states == {up.id: "Completed", other.id: "Running"}
    assert gathered(orion, run, waits=False).upstream == ()


def test_what_is_streamed_or_may_fail_is_told_by_its_path(orion):
    """`~` before a path: its items are taken while it goes on; `?`: it may fail."""
    streams, may_fail, mixed = begun(orion), begun(orion), begun(orion)
    run = begun(
        orion,
        upstream=[(streams.id, "~x"), (may_fail.id, "?y"), (mixed.id, "?z"), (mixed.id, "z")],
    )
    found = {each.id: each.may_fail for each in gathered(orion, run).upstream}
    assert found == {may_fail.id: True, mixed.id: False}


def test_a_run_is_held_while_the_session_lives_that_executes_it(orion, other):
    run = begun(other)
    assert gathered(orion, run, Completed()).held
    assert gathered(orion, run, Completed(), claims=run.attempt).held  # its number is no secret
    assert not gathered(orion, run, Completed(), claims=run.attempt, token=run.token).held
    assert gathered(orion, run, Completed(), claims=run.attempt, token="guessed").held
    other.close()
    assert not gathered(orion, run, Completed()).held


@pytest.mark.parametrize(("token", "matches"), [("right", True), (None, True), ("wrong", False)])
def test_a_token_is_compared(orion, token, matches):
    run = begun(orion)
    shown = run.token if token == "right" else token
    t = gathered(orion, run, Completed(), claims=run.attempt, token=shown)
    assert t.token_matches == matches


def test_siblings_are_runs_of_the_deployment_that_are_under_way(orion):
    ways = [
        (Running(), []),
        (Running(), [Paused()]),
        (Running(), [state(CANCELLING)]),
        (state("PENDING", "Submitting"), []),
        (Running(), [Completed()]),
        (Pending(), []),
    ]
    made = []
    for first, rest in ways:
        run = begun(orion, first, kind="flow", deployment=DEPLOYMENT)
        for proposed in rest:
            run, _ = orion.advance(run, proposed)
        made.append(run.id)
    begun(orion, kind="flow", deployment="0" * 31 + "e")
    run = orion.begin(orion.new_run("flow", "f", deployment=DEPLOYMENT, policy=QUEUE))[0]
    assert [each.id for each in gathered(orion, run).siblings] == made[:4]
    allowed = orion.begin(orion.new_run("flow", "f", deployment=DEPLOYMENT))[0]
    assert gathered(orion, allowed).siblings == ()


def test_the_cache_is_asked_only_for_a_start_with_a_key(orion):
    run = begun(orion)
    orion.advance(run, Completed(result="1", cache_key="key"))
    asker = orion.create_run("task", "asker")
    assert gathered(orion, asker, Running(cache_key="key")).cached.id == run.id
    assert gathered(orion, asker, Running(cache_key="other")).cached is None
    assert gathered(orion, asker, Completed(cache_key="key")).cached is None
    assert gathered(orion, asker, Scheduled(1)).cached is None
