from __future__ import annotations

import json
import random
import socket
import sqlite3
import threading
import time
from contextlib import closing

import pytest
import websocket

from orion_nb.schemas.states import Completed, Running
from tests.server.following import Live, closing_all, newest

API = "/orion/api/v1"


@pytest.fixture
def live(server, token):
    with closing_all() as opened:
        yield lambda **asked: opened(Live(server, token, **asked))


def test_states_are_told_as_they_are_entered(live, orion):
    following = live(after=...)
    following.say("subscribe")
    following.next("subscribed")
    run = orion.create_run("flow", "far-away")
    event = following.event()
    assert (event["run"], event["state_name"]) == (run.id, "Pending")
    orion.judge(run.id, Running())
    assert following.event()["type"] == "RUNNING"


def test_who_resumes_misses_nothing(live, orion, server):
    at = newest(server)
    runs = [orion.create_run("task", "missed").id for _ in range(1200)]
    following = live(after=at)
    assert [following.event()["run"] for _ in runs] == runs
    last = orion.create_run("task", "next").id
    assert following.event()["run"] == last


def test_another_subscription_goes_on_where_the_one_before_was(live, orion):
    following = live(name="one")
    orion.create_run("task", "two")
    first = orion.create_run("task", "one")
    assert following.event()["run"] == first.id
    following.say("subscribe", name="two")
    second = orion.create_run("task", "two")
    assert following.event()["run"] == second.id
    following.say("ping")
    assert following.next("pong")["last"] >= 3


def test_what_is_told_is_what_was_asked_for(live, orion, server):
    at = newest(server)
    flow = orion.create_run("flow", "tree")
    child = orion.create_run("task", "leaf", parent=flow.id)
    orion.judge(child.id, Running())
    orion.judge(child.id, Completed())
    orion.judge(flow.id, Running())
    everything = server.call("GET", f"/events?wait=0&after={at}").json["events"]
    asked = [
        ({"root": flow.id[-12:]}, everything),
        ({"run": child.id}, [each for each in everything if each["run"] == child.id]),
        ({"kind": "flow"}, [each for each in everything if each["kind"] == "flow"]),
        ({"name": "leaf"}, [each for each in everything if each["name"] == "leaf"]),
        ({"top_level": True}, [each for each in everything if each["parent"] is None]),
        ({"types": ["running", "COMPLETED"]},
         [each for each in everything if each["type"] in ("RUNNING", "COMPLETED")]),
    ]  # fmt: skip
    for chosen, wanted in asked:
        following = live(after=at, **chosen)
        assert [following.event() for _ in wanted] == wanted
        query = "&".join(
            f"{key}={','.join(value) if isinstance(value, list) else str(value).lower()}"
            for key, value in chosen.items()
        )
        polled = server.call("GET", f"/events?wait=0&after={at}&{query}").json
        assert polled["events"] == wanted
        assert polled["last"] >= everything[-1]["n"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ("{", "body"),
        ("[]", "body"),
        ("{}", "type"),
        ('{"type":"subscribe","after":"x"}', "after"),
        ('{"type":"subscribe","after":-1}', "after"),
        ('{"type":"subscribe","after":true}', "after"),
        ('{"type":"subscribe","types":["DONE"]}', "types"),
        ('{"type":"subscribe","types":"FAILED"}', "types"),
        ('{"type":"subscribe","root":7}', "root"),
        ('{"type":"subscribe","kind":"job"}', "kind"),
        ('{"type":"subscribe","top_level":1}', "top_level"),
        ('{"type":"subscribe","more":1}', "more"),
    ],
)
def test_what_can_not_be_read_is_refused_and_the_socket_stays(live, orion, said, field):
    following = live()
    following.socket.send(said)
    assert following.next()["field"] == field
    following.say("subscribe", root="0" * 32)
    assert following.next()["type"] == "error"
    following.say("subscribe")
    assert following.next()["type"] == "subscribed"


@pytest.mark.parametrize("query", ["types=DONE", "kind=job", "top_level=2", "run=" + "0" * 32])
def test_a_filter_that_can_not_be_is_refused(server, query):
    assert server.call("GET", f"/events?wait=0&{query}").status in (404, 422)


def test_a_message_that_is_too_long_ends_the_connection(live):
    following = live()
    following.socket.send(b"x" * 40_000)
    assert until_closed(following, 1009) == []


def handshake(server, **how):
    """The client leaves the socket of a handshake that is refused open: it is ours."""
    with socket.create_connection(("127.0.0.1", server.port), 60) as raw:
        url = f"ws://127.0.0.1:{server.port}{API}/live"
        websocket.create_connection(url, timeout=60, socket=raw, **how)


def test_nobody_follows_without_credentials(server, token):
    for headers in ([], ["Authorization: token wrong"]):
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            handshake(server, header=headers)
    cookies = server.send("GET", f"/orion/?token={token}", token=None).cookies
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    with pytest.raises(websocket.WebSocketBadStatusException, match=r"40[34]"):
        handshake(server, cookie=cookie, origin="https://evil.example")
    handshake(server, cookie=cookie, origin=f"http://127.0.0.1:{server.port}")


class Ways:
    """Follows by one way for some events, and is cut off; the next way resumes."""

    def __init__(self, server, token, seed):
        self.server, self.token = server, token
        self.random = random.Random(seed)
        self.events = []

    @property
    def last(self):
        return self.events[-1]["n"] if self.events else 0

    def some(self):
        getattr(self, self.random.choice(["poll", "stream", "live"]))(self.random.randint(1, 40))

    def poll(self, most):
        told = self.server.call("GET", f"/events?wait=0.2&after={self.last}").json
        self.events += told["events"][:most]

    def stream(self, most):
        connection = self.server.connect()
        shown = {"Authorization": f"token {self.token}", "Last-Event-ID": str(self.last)}
        connection.request("GET", f"{API}/events", headers=shown)
        answer = connection.getresponse()
        connection.sock.settimeout(0.3)
        try:
            while most:
                line = answer.readline()
                if line.startswith(b'data: {"n"'):
                    self.events.append(json.loads(line[6:]))
                    most -= 1
        except TimeoutError:
            pass
        raw = connection.sock
        answer.close()
        cut(raw)

    def live(self, most):
        following = Live(self.server, self.token, timeout=0.5)
        try:
            following.say("subscribe", after=self.last)
            for _ in range(most):
                self.events.append(following.event())
        except websocket.WebSocketTimeoutException:
            pass
        cut(following.socket.sock)
        following.socket.shutdown()


def cut(raw):
    """The connection is gone without a word: what was on its way is lost."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    raw.close()


@pytest.mark.parametrize("seed", range(2))
def test_all_ways_tell_the_same_whatever_is_cut_off(server, token, orion, seed):
    following = Ways(server, token, seed)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            run = orion.create_run("task", f"seed {seed}")
            orion.judge(run.id, Running())
            orion.judge(run.id, Completed())
            stop.wait(0.002)

    following.events = server.call("GET", f"/events?wait=0&after={newest(server) - 1}").json[
        "events"
    ]
    first = following.last
    writing = threading.Thread(target=write)
    writing.start()
    try:
        rounds = 0
        while rounds < 25 or len(following.events) < 110:  # whoever writes may be slow
            following.some()
            rounds += 1
    finally:
        stop.set()
        writing.join()
    end = newest(server)
    while following.last < end:
        following.some()
    with closing(sqlite3.connect(server.home / "orion.db")) as raw:
        sql = "SELECT n FROM states WHERE n >= ? ORDER BY n"
        wanted = [row[0] for row in raw.execute(sql, (first,))]
    assert [each["n"] for each in following.events] == wanted
    assert len(wanted) > 100


def flood(server, orion, count):
    """So many states are in the log, with long messages; none of them could be entered so."""
    run = orion.create_run("task", "flood")
    row = "SELECT ?, run, ?, type, name, timestamp, attempt, ? FROM states WHERE n = ?"
    columns = "n, run, seq, type, name, timestamp, attempt, message"
    n = orion.find(run.id).state.n
    with closing(sqlite3.connect(server.home / "orion.db", timeout=60)) as raw, raw:
        raw.executemany(
            f"INSERT INTO states ({columns}) {row}",
            [(n + each, each + 1, "x" * 4000, n) for each in range(1, count + 1)],
        )
    return n


def until_closed(following, code):
    """The numbers of the events that come before the connection is closed with this code."""
    found = []

    def read():
        while True:
            found.extend(each["n"] for each in following.next().get("events", ()))

    with pytest.raises(ConnectionError, match=str(code)):
        read()
    return found


def memory(pid):
    with open(f"/proc/{pid}/status") as told:
        return next(int(line.split()[1]) for line in told if line.startswith("VmRSS")) / 1024


def test_who_does_not_read_is_let_go_and_can_resume(tmp_path, start_server, token, until):
    with start_server(tmp_path, "--OrionApp.slow_reader=3") as server:
        orion = server.orion()
        n = flood(server, orion, 8_000)
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", server.port))
        shown = f"Host: 127.0.0.1:{server.port}\r\nAuthorization: token {token}\r\n\r\n"
        raw.sendall(f"GET {API}/events?after={n - 1} HTTP/1.1\r\n{shown}".encode())
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(("127.0.0.1", server.port))
        following = Live(server, token, raw=small)
        before = memory(server.process.pid)
        following.say("subscribe", after=n - 1)
        until(lambda: server.log.count("is let go") == 2, "both to be let go")
        assert memory(server.process.pid) - before < 60
        got = until_closed(following, 1013)
        again = Live(server, token, after=got[-1] if got else n - 1)
        while len(got) < 8_001:
            got.append(again.event()["n"])
        assert got == list(range(n, n + 8_001))
        again.close()
        following.close()
        raw.close()
        orion.close()
    assert "Traceback" not in server.log


def test_a_server_that_stops_says_so(tmp_path, start_server, token):
    with start_server(tmp_path) as server:
        following = Live(server, token)
        following.say("subscribe")
        following.next("subscribed")
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 60  # it waits for nobody
        assert following.next("bye")["last"] == 0
        assert until_closed(following, 1001) == []
        following.close()
    assert "Traceback" not in server.log
    assert "Task was destroyed" not in server.log
    assert "never retrieved" not in server.log
