"""Hostile text in every field of every route: refused, or stored and given back as it was."""

from __future__ import annotations

import http.client
import json
import os
import re
from urllib.parse import quote, urlencode

import pytest

from orion_nb_server.app import ALL_ROUTES

API = "/orion/api/v1"
TEXTS = {
    "script": "<script>window.__pwned=1</script>",
    "attribute": "\"' onerror=window.__pwned=1 x='",
    "template": "{{7*7}}${7*7}{x.__class__}%s%(a)s%n",
    "climb": "../../../../etc/passwd",
    "encoded climb": "..%2f..%2f%2e%2e/etc/passwd%00",
    "nul": "a\0b",
    "header": "a\r\nSet-Cookie: pwned=1\r\n\r\n<b>",
    "terminal": "\x1b]8;;https://evil.example\x07here\x1b]8;;\x07\x1b[2J",
    "terminal, one letter": "a\x9b2Jb\x7f",
    "half a pair": "a\ud800b",
    "right to left": "\u202egnp.exe\u2066",
    "wide": "\uff0e\uff0e\uff0f\U0001f4a5e\u0301",
    "quote": "'; DROP TABLE runs; --",
    "like": "%_\\%' OR 1=1 --",
    "url": "javascript:alert(1)//https://evil.example",
    "empty": "",
    "spaces": " \t ",
    "long": "x" * 300,
}
#: 300 characters is more than a name has; a megabyte is more than any field has.
MEGABYTE = "y" * (1024 * 1024 - 200)
SOME = list(TEXTS) if os.environ.get("ORION_SOAK") else [*TEXTS][:9]


class Client:
    """One connection; what is sent is bytes as they are given."""

    def __init__(self, server, token):
        self.connection = server.connect()
        self.headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}

    def send(self, method, path, told=None):
        body = None if told is None else json.dumps(told).encode()
        for _ in range(2):
            try:
                self.connection.request(method, path, body, self.headers)
                answer = self.connection.getresponse()
                return answer.status, answer.headers, answer.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                self.connection.close()
        raise AssertionError(f"{method} {path[:200]}: no answer")


@pytest.fixture(scope="module")
def client(server, token):
    made = Client(server, token)
    yield made
    made.connection.close()


@pytest.fixture(scope="module")
def known(server, notebook):
    """Values that routes take, by the name of the argument."""
    notebook(server.root / "work.ipynb", "1 + 1")
    told = {"name": "work", "path": "work.ipynb"}
    assert server.call("POST", "/deployments", told).status == 201
    run = server.call("POST", "/runs", {"kind": "task", "name": "a"}).json["id"]
    return {
        "run_id": run, "run": run, "deployment": "work", "name": "a", "kind": "task",
        "type": "RUNNING", "path": "work.ipynb", "lines": [{"run": run, "message": "a"}],
        "schedules": ["1h"], "proposals": [], "key": "a", "parts": {}, "slots": 1,
        "until": 2**50, "wait": 0, "session_id": "0" * 32, "artifact_id": "0" * 32,
    }  # fmt: skip


def values(text):
    """The shapes that a text may have in a body: as it is, in a list, as a name, as a value."""
    return (text, [text], {text: text}, [{"run": text, "message": text}])


def requests(route, known, text):
    """Requests to a route with the text in one of its arguments, the others as they should be."""
    names = [each.name for each in route.parameters]
    needed = {
        each.name: known.get(each.name, "x")
        for each in route.parameters
        if each.default is each.empty or each.name == "wait"
    }
    for name in names:
        shapes = values(text) if route.place(name) == "body" else (text,)
        for shape in shapes:
            yield request_of(route, needed | {name: shape})


def request_of(route, given):
    def encoded(value):
        return quote(str(value).encode("utf-8", "surrogatepass"), safe="")

    path = re.sub(r"{(\w+)}", lambda found: encoded(given[found[1]]) or "%20", route.path)
    query = {
        name: str(value).encode("utf-8", "surrogatepass")
        for name, value in given.items()
        if route.place(name) == "query"
    }
    body = {name: value for name, value in given.items() if route.place(name) == "body"}
    tail = f"?{urlencode(query)}" if query else ""
    return route.method, API + path + tail, None if route.method in ("GET", "DELETE") else body


@pytest.mark.parametrize("what", SOME)
def test_no_text_breaks_a_route(client, server, known, what):
    trouble = []
    for route in ALL_ROUTES:
        if route.name in ("prune",) or route.name.startswith("follow"):
            continue
        for method, path, body in requests(route, known, TEXTS[what]):
            status, headers, answer = client.send(method, path, body)
            if status >= 500 or "pwned" in str(headers) or not is_whole(headers, answer):
                trouble.append((status, method, path, str(body)[:200], answer[:200]))
    assert trouble == []
    assert "Traceback" not in server.log


def is_whole(headers, answer):
    """JSON says it is JSON and can be read; no answer is a page that runs scripts."""
    if headers.get_content_type() == "application/json":
        json.loads(answer)
    return headers.get_content_type() != "text/html" or "sandbox" in str(headers)


def test_a_megabyte_in_any_field_is_refused_or_kept(client, server, known):
    for route in ALL_ROUTES:
        names = [each.name for each in route.parameters if route.place(each.name) == "body"]
        needed = {
            each.name: known.get(each.name, "x")
            for each in route.parameters
            if each.default is each.empty
        }
        for name in names[:4]:
            status, _, answer = client.send(*request_of(route, needed | {name: MEGABYTE}))
            assert status < 500, (route.name, name, answer[:200])
            assert len(answer) < 3_000_000
    assert "Traceback" not in server.log


def only(names):
    (name,) = names
    return name


#: What is stored of a run: how it is sent, and where it comes back.
STORED = {
    "name": (lambda text: {"name": text}, lambda run: run["name"]),
    "run_name": (lambda text: {"run_name": text}, lambda run: run["run_name"]),
    "key": (lambda text: {"key": text}, lambda run: run["key"]),
    "tags": (lambda text: {"tags": [text]}, lambda run: run["tags"][0]),
    "parameters": (lambda text: {"parameters": {"a": text}}, lambda run: run["parameters"]["a"]),
    "a name of one": (lambda text: {"parameters": {text: 1}}, lambda run: only(run["parameters"])),
}  # fmt: skip


@pytest.mark.parametrize("field", STORED)
def test_what_a_run_is_told_comes_back_as_it_was(client, field):
    tell, find = STORED[field]
    for what, text in TEXTS.items():
        told = {"kind": "task", "name": "a", **tell(text)}
        status, _, body = client.send("POST", API + "/runs", told)
        if status == 201:
            made = json.loads(body)
            _, _, body = client.send("GET", f"{API}/runs/{made['id']}")
            assert find(json.loads(body)) == text, what
        else:
            assert status in (400, 413, 422), (what, status, body)
            assert json.loads(body)["field"], what


@pytest.mark.parametrize("what", TEXTS)
def test_a_message_and_a_log_line_come_back_as_they_were(client, what):
    text = TEXTS[what]
    _, _, body = client.send("POST", API + "/runs", {"kind": "task", "name": "a"})
    run = json.loads(body)["id"]
    told = {"type": "FAILED", "message": text, "force": True, "why": text or "x", "by": text}
    status, _, body = client.send("POST", f"{API}/runs/{run}/state", told)
    if status == 200:
        _, _, body = client.send("GET", f"{API}/runs/{run}")
        assert json.loads(body)["state"]["message"] in (text, text or None)
    assert status in (200, 400, 422), body
    line = {"run": run, "message": text, "level": 20}
    status, _, _ = client.send("POST", f"{API}/logs", {"lines": [line]})
    if status == 201:
        _, _, body = client.send("GET", f"{API}/runs/{run}/logs")
        assert [each["message"] for each in json.loads(body)["lines"]] == [text]
    assert status in (201, 400, 422)


def test_the_log_of_the_server_has_a_line_for_a_line(server, client):
    before = len(server.log)
    client.send("GET", f"{API}/runs/" + quote("a\r\n[C 2026] forged"))
    client.send("GET", f"{API}/runs/" + quote("\x1b[31mred"))
    written = server.log[before:]
    assert not re.search(r"^\[C 2026\] forged", written, re.MULTILINE)
    assert "\x1b[31mred" not in written


@pytest.mark.parametrize("depth", [65, 5_000, 100_000])
def test_deep_json_is_refused(client, depth):
    body = (
        b'{"kind": "task", "name": "a", "parameters": {"a": ' + b"[" * depth + b"]" * depth + b"}}"
    )
    client.connection.request("POST", API + "/runs", body, client.headers)
    answer = client.connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"]) == (400, "BadRequest")
