from __future__ import annotations

import threading
import time

import pytest

from orion_nb.schemas.states import Completed, Running
from orion_nb_server.live import MOST_WAITING, Follower, Told
from tests.server.following import Stream, closing_all, newest


@pytest.fixture
def stream(server, token):
    with closing_all() as opened:
        yield lambda query="", **headers: opened(Stream(server, token, query, **headers))


def test_a_state_entered_by_another_process_is_told_at_once(stream, orion):
    following = stream()
    assert following.answer.headers["Content-Type"] == "text/event-stream"
    assert following.answer.headers["Cache-Control"] == "no-store"
    began = time.monotonic()
    run = orion.create_run("flow", "far-away")
    event = following.next()
    assert time.monotonic() - began < 10  # a few ms on a machine that is idle
    assert (event["run"], event["root"], event["state_name"]) == (run.id, run.id, "Pending")
    orion.judge(run.id, Running())
    assert following.next()["type"] == "RUNNING"


def test_a_state_entered_through_the_server_is_told_too(stream, server, run):
    following = stream()
    server.call("POST", f"/runs/{run['id']}/state", {"type": "RUNNING"})
    assert following.next()["run"] == run["id"]


def test_who_comes_back_misses_nothing(stream, orion):
    following = stream()
    first = orion.create_run("task", "one")
    place = following.next()["n"]
    following.close()
    missed = [orion.create_run("task", "two").id for _ in range(1100)]
    again = stream(**{"Last-Event-ID": str(place)})
    assert [again.next()["run"] for _ in missed] == missed
    last = orion.create_run("task", "three")
    assert again.next()["run"] == last.id
    assert first.id not in missed


def test_the_opening_names_the_place_even_before_the_first_event(stream, server):
    assert stream().opening["id"] == str(newest(server))


def test_the_header_is_newer_than_the_url(stream, orion, server):
    run = orion.create_run("task", "one")
    at = newest(server)
    again = stream("?after=0", **{"Last-Event-ID": str(at)})
    orion.judge(run.id, Running())
    assert again.next()["n"] == at + 1


def test_a_place_beyond_the_end_is_the_end(stream, orion):
    following = stream("?after=1000000000")
    run = orion.create_run("task", "one")
    assert following.next()["run"] == run.id


@pytest.mark.parametrize("place", ["", "-1", "x", "1.5", "9" * 30])
def test_a_place_that_is_none_is_refused(server, place):
    answer = server.call("GET", "/events", headers={"Last-Event-ID": place})
    assert (answer.status, answer.json["field"]) == (422, "Last-Event-ID")


def test_one_tree_can_be_followed(stream, orion):
    flow = orion.create_run("flow", "tree")
    following = stream(f"?root={flow.id}")
    orion.create_run("flow", "another")
    child = orion.create_run("task", "leaf", parent=flow.id)
    orion.create_run("flow", "another")
    orion.judge(child.id, Running())
    events = [following.next(), following.next()]
    assert [(event["run"], event["type"]) for event in events] == [
        (child.id, "PENDING"),
        (child.id, "RUNNING"),
    ]


def test_everybody_is_told_the_same(stream, orion):
    followers = [stream() for _ in range(5)]
    runs = [orion.create_run("task", "seen").id for _ in range(20)]
    for follower in followers:
        assert [follower.next()["run"] for _ in runs] == runs


def test_a_poll_is_answered_as_soon_as_there_is_news(server, orion):
    after = newest(server)
    answers = []
    ask = f"/events?wait=30&after={after}"
    waiting = threading.Thread(target=lambda: answers.append(server.call("GET", ask)))
    waiting.start()
    run = orion.create_run("task", "polled")
    waiting.join(60)
    told = answers[0].json
    assert [event["run"] for event in told["events"]] == [run.id]
    assert told["last"] == told["events"][-1]["n"] == after + 1


def test_a_poll_without_news_ends_when_its_time_is_over(server):
    last = newest(server)
    began = time.monotonic()
    assert server.call("GET", "/events?wait=0.2").json == {"events": [], "last": last}
    assert time.monotonic() - began >= 0.2
    assert server.call("GET", f"/events?wait=0&after={last}").json["events"] == []


def test_a_poll_goes_on_while_there_is_only_other_news(server, orion):
    answers = []
    ask = f"/events?wait=60&after={newest(server)}&name=awaited"
    waiting = threading.Thread(target=lambda: answers.append(server.call("GET", ask)))
    waiting.start()
    for _ in range(20):
        orion.create_run("task", "something else")
        waiting.join(0.05)
    run = orion.create_run("task", "awaited")
    waiting.join(120)
    assert [event["run"] for event in answers[0].json["events"]] == [run.id]


def test_a_poll_for_what_is_rare_says_how_far_it_has_looked(server, orion):
    for _ in range(20):
        orion.create_run("task", "frequent")
    rare = orion.create_run("task", "rare")
    n, found = 0, []
    while not found:
        told = server.call("GET", f"/events?wait=0&after={n}&name=rare").json
        assert told["last"] > n
        n, found = told["last"], told["events"]
    assert [event["run"] for event in found] == [rare.id]


def test_a_poll_tells_at_once_what_was_missed(server, orion):
    after = newest(server)
    run = orion.create_run("task", "missed")
    orion.judge(run.id, Running())
    orion.judge(run.id, Completed())
    told = server.call("GET", f"/events?wait=30&after={after}").json
    assert [event["type"] for event in told["events"]] == ["PENDING", "RUNNING", "COMPLETED"]


def test_a_follower_that_is_too_slow_reads_the_database_instead():
    follower = Follower()
    follower.behind = False
    for n in range(MOST_WAITING):
        follower.give([Told(None, str(n).encode())])
    assert not follower.behind
    follower.give([Told(None, b"")])
    assert follower.behind
    assert follower.waiting == []


def test_a_server_that_stops_lets_its_followers_go(tmp_path, start_server, token):
    with start_server(tmp_path) as server:
        following = Stream(server, token)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 60  # it waits for nobody
        assert following.answer.read() == b""  # an end, and no broken connection
        following.close()
    assert "Traceback" not in server.log
