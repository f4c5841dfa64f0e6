"""Many proposals in one request: judged one by one, in order, and each counted once."""

from __future__ import annotations

import os

import pytest

from orion_nb import clock
from orion_nb.errors import InvalidInput
from orion_nb.schemas.runs import new_id
from orion_nb.schemas.states import COMPLETED, CRASHED, FAILED, RUNNING, Failed, Lost
from orion_nb.store import sessions


def session():
    return {"id": new_id(), "host": "elsewhere", "pid": os.getpid(), "label": "a client"}


def begin(run_id=None, **more):
    run = {"id": run_id or new_id(), "kind": "task", "name": "t", **more.pop("run", {})}
    told = {"op": "begin", "run": run, "state": {"type": "RUNNING"}, "secret": run["id"][-16:]}
    return told | {"transition_id": f"{run['id']}-1"} | more


def end(run_id, kind="COMPLETED", **more):
    told = {"op": "advance", "run": run_id, "state": {"type": kind}, "attempt": 1}
    return told | {"token": run_id[-16:], "transition_id": f"{run_id}-2"} | more


def names(orion, run_id):
    return [state["name"] for state in orion.read_states(run_id)["states"]]


def test_a_run_lives_in_one_request(orion):
    run_id, sender = new_id(), session()
    began, ended = orion.batch([begin(run_id), end(run_id)], session=sender)["answers"]
    assert began["report"]["token"] == run_id[-16:]
    assert began["run"]["session"] == sender["id"]
    assert ended["run"]["state"]["type"] is COMPLETED
    assert names(orion, run_id) == ["Pending", "Running", "Completed"]


def test_what_is_sent_again_gets_the_first_answer(orion):
    run_id = new_id()
    told = [begin(run_id), end(run_id)]
    first = orion.batch(told)["answers"]
    again = orion.batch(told)["answers"]
    assert [answer["report"].get("replayed") for answer in again] == [True, True]
    assert [a["report"]["rules"] for a in first] == [a["report"]["rules"] for a in again]
    assert names(orion, run_id) == ["Pending", "Running", "Completed"]


def test_a_begin_whose_answer_was_lost_hands_out_the_same_token(orion):
    run_id = new_id()
    orion.batch([begin(run_id)])
    (again,) = orion.batch([begin(run_id, secret="another-secret")])["answers"]
    assert again["report"]["token"] == run_id[-16:]


def test_one_that_is_refused_leaves_the_others(orion):
    first, second = new_id(), new_id()
    told = [
        begin(first), {"op": "zap"}, end(first, attempt=7), end(new_id()), begin(second),
        end(first),
    ]  # fmt: skip
    answers = orion.batch(told)["answers"]
    assert [answer.get("error") for answer in answers] == [
        None, "InvalidInput", "Fenced", "RunNotFound", None, None,
    ]  # fmt: skip
    assert (orion.find(first).state.type, orion.find(second).state.type) == (COMPLETED, RUNNING)


def test_a_joined_one_is_not_judged_after_an_error(orion):
    run_id, following = new_id(), new_id()
    orion.batch([begin(run_id)])
    answers = orion.batch([end(run_id, attempt=7), begin(following, joined=True)])["answers"]
    assert [answer["error"] for answer in answers] == ["Fenced", "Conflict"]
    assert orion.filter_runs(text=following[-8:])["runs"] == []


def test_children_are_put_into_the_tree_of_their_parent(orion):
    top, middle, leaf = new_id(), new_id(), new_id()
    told = [
        begin(top, run={"kind": "flow"}), begin(middle, run={"parent": top}),
        begin(leaf, run={"parent": middle}), begin(run={"parent": new_id()}),
    ]  # fmt: skip
    answers = orion.batch(told)["answers"]
    assert (orion.find(leaf).root, orion.find(leaf).parent) == (top, middle)
    assert answers[-1]["error"] == "RunNotFound"


def test_a_run_is_begun_by_whoever_was_first(orion):
    run_id = new_id()
    orion.batch([begin(run_id)])
    (other,) = orion.batch([begin(run_id, run={"name": "other"})])["answers"]
    assert other["error"] == "Conflict"


def test_what_is_told_late_is_as_it_was(orion):
    """The rules were asked there: here it is only asked whose the run is, and what came first."""
    run_id, at = new_id(), clock.now() - 60 * clock.SECOND
    report = {"status": "ACCEPT", "proposed": "Running", "rules": ["fence_stale_attempts"]}
    late = [begin(run_id, at=at, report=report), end(run_id, at=at + clock.SECOND)]
    answers = orion.batch(late)["answers"]
    assert [answer["report"]["status"] for answer in answers] == ["ACCEPT", "ACCEPT"]
    known = orion.find(run_id)
    assert (known.created, known.start_time, known.end_time) == (at, at, at + clock.SECOND)
    assert known.total_time == clock.SECOND
    states = orion.read_states(run_id)["states"]
    assert [line["rule"] for line in states[1]["report"]["rules"]] == ["fence_stale_attempts"]


def test_only_the_owner_tells_late(orion):
    run_id = new_id()
    orion.batch([begin(run_id)])
    (anybody,) = orion.batch([end(run_id, attempt=None, token=None, at=1)])["answers"]
    assert anybody["error"] == "InvalidInput"
    (stale,) = orion.batch([end(run_id, token="of-somebody-else", at=1)])["answers"]
    assert stale["error"] == "Fenced"
    assert orion.find(run_id).state.type is RUNNING


def test_the_same_is_foreseen_and_nothing_written(orion):
    run_id = new_id()
    orion.batch([begin(run_id)])
    (seen,) = orion.batch([{**end(run_id), "op": "foresee"}])["answers"]
    assert seen["report"]["status"] == "ACCEPT"
    assert names(orion, run_id) == ["Pending", "Running"]


def test_a_session_that_is_heard_of_lives(orion):
    sender = session()
    run_id = new_id()
    orion.batch([begin(run_id)], session=sender)
    assert orion.beat(sender["id"])["lease"] == 10.0
    assert orion.reap() == []
    orion.end_session(sender["id"])
    assert [run.id for run in orion.reap()] == [run_id]
    assert orion.find(run_id).state.type is CRASHED


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"id": "x", "host": "h", "pid": 1}, "session.id"),
        ({"id": "0" * 32, "host": "h"}, "session"),
        ({"id": "0" * 32, "host": "h", "pid": "1"}, "session"),
        ({"id": "0" * 32, "host": "h", "pid": True}, "session"),
        ({"id": "0" * 32, "host": "h", "pid": -1}, "session"),
        ({"id": "0" * 32, "host": "h", "pid": 1, "more": 1}, "session"),
        ({"id": "0" * 32, "host": "h\n", "pid": 1}, "session.host"),
    ],
)
def test_a_session_is_checked(orion, told, field):
    with pytest.raises(InvalidInput) as raised:
        orion.batch([], session=told)
    assert raised.value.field == field


ID = "01a204b0c1d77f8982f00156337dbdc6"
ODD = [
    {"op": None}, {"run": "x"}, {"run": []}, {"state": []}, {"state": {"type": "Running"}},
    {"state": {"type": "RUNNING", "name": "Jogging"}}, {"state": {"type": "RUNNING", "more": 1}},
    {"state": {"type": "RUNNING", "message": 1}}, {"state": {"type": "RUNNING", "n": 2**70}},
    {"state": {"type": "SCHEDULED", "scheduled_time": -1}}, {"upstream": "x"},
    {"upstream": [["x", "y"]]}, {"upstream": [[ID]]}, {"upstream": {}}, {"owned": 1},
    {"pulled": "yes"}, {"attempt": "1"}, {"attempt": True}, {"attempt": 2**63}, {"token": 1},
    {"transition_id": ""}, {"transition_id": "a\nb"}, {"secret": "s" * 256}, {"at": -1},
    {"at": 1.5}, {"report": []}, {"report": {"status": "MAYBE"}}, {"report": {"rules": 1}},
    {"report": {"status": "ACCEPT", "rules": [{"x": 1}]}}, {"more": 1}, {"seq": "1"},
    {"run": {"id": ID, "kind": "job", "name": "t"}},
    {"run": {"id": ID, "kind": "task", "name": ""}},
    {"run": {"id": ID, "kind": "task", "name": "a" * 256}},
    {"run": {"id": ID, "kind": "task"}},
    {"run": {"id": "0", "kind": "task", "name": "t"}},
    {"run": {"id": ID, "kind": "task", "name": "t", "parent": "p"}},
    {"run": {"id": ID, "kind": "task", "name": "t", "tags": [1]}},
    {"run": {"id": ID, "kind": "task", "name": "t", "tags": ["a"] * 51}},
    {"run": {"id": ID, "kind": "task", "name": "t", "policy": {"retries": -1}}},
    {"run": {"id": ID, "kind": "task", "name": "t", "policy": {"zap": 1}}},
    {"run": {"id": ID, "kind": "task", "name": "t", "state": {"type": "COMPLETED"}}},
    {"run": {"id": ID, "kind": "task", "name": "t", "parameters": []}},
    {"run": {"id": ID, "kind": "task", "name": "t", "key": 1}},
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd)[:60])
def test_each_is_checked(orion, odd):
    good = new_id()
    answers = orion.batch([{**begin(), **odd}, begin(good)])["answers"]
    assert answers[0]["status"] == 422, answers[0]
    assert answers[0]["field"]
    assert "error" not in answers[1]
    assert orion.count_runs()["counts"] == {"RUNNING": 1}


def test_not_too_many_at_once(orion):
    with pytest.raises(InvalidInput, match="at most 1000"):
        orion.batch([{}] * 1001)


def test_a_process_that_was_taken_for_dead_is_told_so_once(orion):
    """It tells then of its runs that they go on; what has ended since stays so."""
    sender, going, ended = session(), new_id(), new_id()
    orion.batch([begin(going), begin(ended)], session=sender)
    lost = Lost("nothing was heard of it")
    for run_id in (going, ended):
        orion.force(run_id, lost, by="reaper", why="a test")
    orion.database.write(lambda tx: sessions.settle(tx, sender["id"], clock.now()))
    assert orion.beat(sender["id"])["missed"] is True
    assert orion.beat(sender["id"])["missed"] is False
    orion.force(ended, Failed("by hand"), by="somebody", why="a test")
    still = [
        {"op": "advance", "run": run_id, "attempt": 1, "token": run_id[-16:], "at": clock.now()}
        for run_id in (going, ended)
    ]
    orion.batch(still, session=sender)
    assert (orion.find(going).state.type, orion.find(ended).state.type) == (RUNNING, FAILED)
    orion.database.write(lambda tx: sessions.settle(tx, sender["id"], clock.now()))
    assert orion.batch([], session=sender)["missed"] is True


def test_what_it_says_first_counts_though_it_was_taken_for_dead(orion):
    sender, above, inner = session(), new_id(), new_id()
    orion.batch([begin(above, run={"kind": "flow"})], session=sender)
    orion.force(above, Lost("nothing was heard of it"), by="reaper", why="a test")
    orion.database.write(lambda tx: sessions.settle(tx, sender["id"], clock.now()))
    told = [begin(inner, run={"parent": above}), end(inner), end(above)]
    answers = orion.batch(told, session=sender)["answers"]
    assert [answer["report"]["status"] for answer in answers] == ["ACCEPT"] * 3
    assert names(orion, above) == ["Pending", "Running", "Lost", "Running", "Completed"]


def test_what_is_refused_midway_is_undone_and_the_others_stay(orion):
    """Its first state was written before it was seen that there is such a run."""
    known = new_id()
    orion.batch([begin(known, run={"name": "first"})])
    others = [new_id(), new_id()]
    clash = {"op": "begin", "run": {"id": known, "kind": "task", "name": "other"}}
    before = orion.last_event()
    told = orion.batch([begin(others[0]), clash, begin(others[1])])["answers"]
    assert [each.get("status") for each in told] == [None, 409, None]
    found = orion.events_after(before)
    assert [event.run for event in found] == [others[0]] * 2 + [others[1]] * 2
    assert names(orion, known) == ["Pending", "Running"]
    with orion.database.read() as connection:
        (written,) = connection.execute("SELECT count(*) FROM states").fetchone()
    assert written == 6  # nothing of the one that was refused
