"""The API over HTTP from the client's side: how it is reached, what is asked, what kept quiet."""

from __future__ import annotations

import http.server
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from orion_nb.api.client import Client, error_of
from orion_nb.api.connect import connect
from orion_nb.api.orion import Orion
from orion_nb.api.remote import RemoteOrion
from orion_nb.errors import (
    AccessDenied,
    Conflict,
    InvalidInput,
    OrionError,
    RunNotFound,
    ServerUnreachable,
    StoreUnavailable,
)
from orion_nb.schemas.states import COMPLETED, Completed, Running
from orion_nb.settings import Settings
from tests.api.serving import free_port

SECRET = "a-token-that-nobody-may-see"


class Answering(http.server.ThreadingHTTPServer):
    """Answers what it is told to, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, answer: Callable[[str, Any], tuple[int, Any]]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Answering

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def _do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        status, told = self.server.answer(self.path, body)
        text = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = _do  # noqa: N815 - as the base class names them

    def log_message(self, *_: Any) -> None:
        """Tests print what they want to see."""


@contextmanager
def answering(answer: Callable[[str, Any], tuple[int, Any]]) -> Iterator[Answering]:
    server = Answering(answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_connections_are_kept():
    with answering(lambda *_: (200, {"status": "ok"})) as server:
        client = Client(server.url, SECRET)
        for _ in range(5):
            client.ask("GET", "/health")
        client.close()
        assert (len(server.asked), server.connections) == (5, 1)


def test_the_token_is_in_the_header_and_nowhere_else(caplog):
    caplog.set_level(logging.DEBUG)
    with answering(lambda *_: (200, {})) as server:
        settings = Settings.load({}, api_url=f"{server.url}/lab?token={SECRET}")
        client = Client(settings.api_url or "", settings.api_token)
        client.ask("POST", "/runs", {"a": 1})
        client.close()
        _, path, headers, body = server.asked[0]
    assert headers["Authorization"] == f"token {SECRET}"
    assert SECRET not in path + json.dumps(body) + caplog.text + repr(settings) + repr(client)
    with pytest.raises(ServerUnreachable) as raised:
        client.ask("GET", "/health")
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "told", "kind", "says"),
    [
        (404, {"error": "RunNotFound", "message": "no run"}, RunNotFound, "no run"),
        (422, {"error": "InvalidInput", "message": "x: bad", "field": "x"}, InvalidInput, "x: bad"),
        (503, {"error": "StoreUnavailable", "message": "disk"}, StoreUnavailable, "disk"),
        (503, b"<html>", ServerUnreachable, "503"),
        (502, b"", ServerUnreachable, "502"),
        (403, {"error": "Forbidden", "message": "no"}, AccessDenied, "does not know the token"),
        (302, b"", AccessDenied, "token"),
        (404, b"<html>", InvalidInput, "there is no Orion"),
        (200, b"<html>", InvalidInput, "there is no Orion"),
        (500, {"error": "InternalServerError", "message": "oh"}, OrionError, "500: oh"),
        (500, {"error": "print", "message": "oh"}, OrionError, "500"),
        (500, {"error": "annotations", "message": "oh"}, OrionError, "500"),
    ],
)
def test_refusals_are_errors_of_ours(status, told, kind, says):
    with answering(lambda *_: (status, told)) as server:
        client = Client(server.url, SECRET)
        with pytest.raises(kind, match=says) as raised:
            client.ask("GET", "/x")
        client.close()
    assert type(raised.value) is kind


def test_an_error_of_one_proposal_is_of_its_class():
    made = error_of({"error": "Conflict", "message": "faster", "field": None, "status": 409})
    assert (type(made), str(made)) == (Conflict, "faster")
    assert error_of({"error": "SystemExit", "message": ""}) is None


def test_a_page_that_the_server_cut_short_is_filled(tmp_path):
    """It looked for its 25 ms and found nothing yet: its cursor leads on to what there is."""
    pages = {None: ([], "a"), "a": (["1", "2"], "b"), "b": ([], "c"), "c": (["3"], "d")}

    def answer(_, body):
        runs, cursor = pages[body.get("cursor")]
        return 200, {"runs": [{"id": each} for each in runs], "cursor": cursor}

    with answering(answer) as server:
        api = RemoteOrion(Settings.load({}, api_url=server.url, home=tmp_path))
        page = api.filter_runs(q="tag:rare", limit=3)
        api.close()
        asked = [body["limit"] for *_, body in server.asked]
    assert [run["id"] for run in page["runs"]] == ["1", "2", "3"]
    assert page["cursor"] == "d"
    assert asked == [3, 3, 1, 1]


def test_a_server_that_is_not_there_is_asked_once_in_a_while():
    client = Client(f"http://127.0.0.1:{free_port()}", SECRET)
    with pytest.raises(ServerUnreachable, match="refused"):
        client.ask("GET", "/health")
    assert client.is_away()
    with pytest.raises(ServerUnreachable, match="a moment ago"):
        client.ask("GET", "/health")
    with pytest.raises(ServerUnreachable, match="refused"):
        client.ask("GET", "/health", anyway=True)


def test_what_changes_something_carries_a_key(tmp_path):
    with answering(lambda *_: (200, {"deleted": "x"})) as server:
        api = RemoteOrion(Settings.load({}, api_url=server.url, home=tmp_path))
        api.delete_deployment("a/b c")
        api.list_deployments()
        api.pause_deployment("x")
        api.close()
        asked = [
            (method, path, "Idempotency-Key" in headers)
            for method, path, headers, _ in server.asked
        ]
    assert asked == [
        ("DELETE", "/orion/api/v1/deployments/a%2Fb%20c", True),
        ("GET", "/orion/api/v1/deployments", False),
        ("POST", "/orion/api/v1/deployments/x/pause", True),
    ]


def test_what_waits_at_the_same_time_goes_in_one_request(tmp_path):
    """While the first request is under way the proposals of others gather."""
    first, rest = threading.Event(), threading.Event()

    def answer(path: str, body: Any) -> tuple[int, Any]:
        if path.endswith("/batch"):
            if not first.is_set():
                first.set()
                rest.wait(60)
            state = {"type": "PENDING", "name": "Pending", "seq": 1}
            return 200, {"answers": [{"run": {"state": state}} for _ in body["proposals"]]}
        return 200, {}

    with answering(answer) as server:
        api = RemoteOrion(Settings.load({}, api_url=server.url, home=tmp_path))
        made = [api.new_run("task", f"t{n}") for n in range(9)]
        threads = [threading.Thread(target=api.begin, args=(run,)) for run in made]
        threads[0].start()
        assert first.wait(60)
        for thread in threads[1:]:
            thread.start()
        while len(api._together._waiting) < 9:
            threading.Event().wait(0.001)
        rest.set()
        for thread in threads:
            thread.join(60)
        api.close()
        sizes = [len(body["proposals"]) for _, path, _, body in server.asked if "batch" in path]
    assert sizes == [1, 8]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8888", "http://localhost:8888"),
        ("http://localhost:8888/", "http://localhost:8888"),
        ("https://hub.example/user/jo/lab/tree/a.ipynb", "https://hub.example/user/jo"),
        ("http://localhost:8888/tree?token=abc", "http://localhost:8888"),
        ("http://h/orion/api/v1", "http://h"),
        ("http://h/base/orion/", "http://h/base"),
        ("http://[::1]:8888", "http://[::1]:8888"),
    ],
)
def test_an_address_is_read_as_a_browser_shows_it(url, expected):
    assert Settings.load({"ORION_NB_API_URL": url}).api_url == expected


@pytest.mark.parametrize(
    "url", ["localhost:8888", "ftp://h", "http://", "http://u:p@h", "http://h:x", "file:///x"]
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(InvalidInput, match=r"ORION_NB_API_URL: .*is no address") as raised:
        Settings.load({"ORION_NB_API_URL": url})
    assert "u:p" not in str(raised.value)


def test_a_token_has_no_line_ends():
    env = {"ORION_NB_API_URL": "http://h", "ORION_NB_API_TOKEN": "a\r\nX-Evil: 1"}
    with pytest.raises(InvalidInput, match="visible ASCII"):
        Settings.load(env)


def test_a_database_that_is_named_is_used(tmp_path, monkeypatch):
    """The variable says what is used when nothing is said; a server and tests say it."""
    monkeypatch.setenv("ORION_NB_API_URL", "http://localhost:1")
    assert type(connect(home=tmp_path)) is Orion
    assert type(connect(api_url="")) is Orion
    assert isinstance(connect(), RemoteOrion)
    env = connect().settings.as_environ()
    assert Settings.load(env) == connect().settings
    assert Settings.load(connect(home=tmp_path).settings.as_environ()).api_url is None


def test_what_needs_the_database_says_so(tmp_path):
    api = RemoteOrion(Settings.load({}, api_url="http://127.0.0.1:1", home=tmp_path))
    with pytest.raises(InvalidInput, match="this needs the database itself; unset the variable"):
        api.claim(1)
    assert not hasattr(api, "no_such_thing")
    assert list(tmp_path.iterdir()) == []
    api.close()


def test_a_flow_goes_on_though_it_may_tell_nobody(tmp_path, capsys):
    """A token that was never right is an error; one that the server has forgotten is not."""
    with answering(lambda *_: (403, {"error": "Forbidden", "message": "no"})) as server:
        api = RemoteOrion(Settings.load({}, api_url=server.url, home=tmp_path))
        with pytest.raises(AccessDenied, match="does not know the token"):
            api.begin(api.new_run("flow", "f"), Running())
        api.close()
    known = {"answers": [{"run": {"state": {"type": "RUNNING", "name": "Running", "seq": 2},
                                  "attempt": 1},
                          "report": {"status": "ACCEPT", "attempt": 1, "token": "t"}}]}  # fmt: skip
    told = [(200, known)]
    with answering(lambda *_: told[0]) as server:
        api = RemoteOrion(Settings.load({}, api_url=server.url, home=tmp_path))
        run, _ = api.begin(api.new_run("flow", "f"), Running())
        told[0] = (403, {"error": "Forbidden", "message": "no"})
        ended, _ = api.advance(run, Completed())
        assert ended.state.type is COMPLETED
        assert "does not know the token" in capsys.readouterr().err
        api.client.close()
        api.outbox.close()
        api.close()
