"""Who gets in: every path of the server, asked in every way, on live servers.

The paths, methods and actions are read off the handlers that the extension installs; what each
request should be answered is computed from the declared action alone. A handler that declares none
fails `test_every_method_declares_its_action`, and one with a path that this module can't make an
example of fails `test_every_path_has_an_example`.
"""

from __future__ import annotations

import http.client
import inspect
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product

import pytest
from tornado.websocket import WebSocketHandler

from orion_nb_server.app import ALL_ROUTES, all_handlers
from orion_nb_server.handlers import DECLARED

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
SAFE = ("GET", "HEAD")
API = "/orion/api/v1"
#: What stands for a group of a pattern; without `wait` some answers have no end.
STATIC = "/orion/static/orion-dashboard.js"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


@dataclass(frozen=True)
class Place:
    """One path of the server: an example of it, and the declared action of each of its methods."""

    path: str
    actions: dict[str, str] = field(hash=False)
    is_api: bool
    is_socket: bool


def example(pattern):
    """A path that the pattern fits."""
    if pattern.startswith("/orion/static/"):
        return STATIC
    path = re.sub(r"\(\?P<\w+>[^()]*\)", "none", pattern).replace("(?:/.*)?", "/nothing")
    return path.replace("\\", "")


def actions_of(handler):
    """The action of each method that the handler has, by method; None where none is declared."""
    methods = {name: getattr(handler, name.lower()) for name in METHODS}
    return {
        name: getattr(method, DECLARED, None)
        for name, method in methods.items()
        if method.__name__ != "_unimplemented_method"
    }


def places():
    for pattern, handler, *_ in all_handlers():
        path = example(pattern)
        if any(has_wait(route) for route in ALL_ROUTES if API + route.path == path):
            path += "?wait=0"
        is_socket = issubclass(handler, WebSocketHandler)
        yield Place(path, actions_of(handler), pattern.startswith(API), is_socket)


def has_wait(route):
    return route.method == "GET" and "wait" in inspect.signature(route.function).parameters


PLACES = list(places())


def test_every_method_declares_its_action():
    undeclared = [
        (place.path, method)
        for place in PLACES
        for method, action in place.actions.items()
        if action not in ("read", "write", "execute")
    ]
    assert undeclared == []


def test_every_path_has_an_example():
    for pattern, *_ in all_handlers():
        path = example(pattern)
        assert re.fullmatch(pattern, path), f"no example of {pattern}: {path}"


def test_every_route_is_a_path_with_its_action():
    known = {
        (place.path.partition("?")[0], *pair) for place in PLACES for pair in place.actions.items()
    }
    for route in ALL_ROUTES:
        path = API + re.sub(r"{\w+}", "none", route.path)
        assert (path, route.method, route.action) in known


def test_what_changes_something_is_no_read():
    assert [route.name for route in ALL_ROUTES if route.method in ("PUT", "PATCH", "DELETE")
            and route.action == "read"] == []  # fmt: skip


#: Authorizers by what they allow.
ALLOWED = {
    "all": {"read", "write", "execute"},
    "none": set(),
    "read only": {"read"},
    "all but execute": {"read", "write"},
}


@dataclass
class Cookies:
    """What a browser that signed in sends along."""

    header: dict[str, str]
    xsrf: str


def ways(cookies, token):
    """Headers and query of each way to ask."""
    shown = {"Authorization": f"token {token}"}
    right = cookies.header | {"X-XSRFToken": cookies.xsrf}
    wrong = cookies.header | {"X-XSRFToken": "2|aaaaaaaa|bbbb|1"}
    return {
        "nothing": ({}, ""),
        "wrong token": ({"Authorization": "token wrong"}, ""),
        "wrong token in query": ({}, "token=wrong"),
        "token": (shown, ""),
        "token in query": ({}, f"token={token}"),
        "cookie": (cookies.header, ""),
        "wrong xsrf": (wrong, ""),
        "right xsrf": (right, ""),
        "evil origin": (right | {"Origin": "https://evil.example"}, ""),
        "evil host": (shown | {"Host": "evil.example"}, ""),
    }


def expected(place, method, way, allowed):
    """The statuses that are right; None for whatever comes of a request that got in."""
    if way == "evil host":
        return {403}
    if way in ("nothing", "wrong token", "wrong token in query"):
        if place.is_api or place.is_socket:
            return {403}
        return {302} if method in place.actions else {302, 403, 405}
    if way in ("cookie", "wrong xsrf") and method not in SAFE:
        return {403}
    if way == "evil origin" and (place.is_api or place.is_socket):
        return {403, 404}
    if place.actions.get(method) is None:
        return {405, 404}
    return None if place.actions[method] in allowed else {403}


def is_right(status, place, method, way, allowed):
    wanted = expected(place, method, way, allowed)
    if wanted is not None:
        return status in wanted
    unknown = place.path.endswith("/nothing")
    return status == 404 if unknown else status < 500 and status not in (401, 403, 405)


class Asking:
    """A connection that is kept; the status of each request."""

    def __init__(self, server):
        self.connection = server.connect()

    def __call__(self, place, method, headers, query):
        path = place.path
        if query:
            path += ("&" if "?" in path else "?") + query
        body = None if method in (*SAFE, "DELETE") else b"{}"
        if place.is_socket and method == "GET":
            headers = {**UPGRADE, **headers}
        elif body:
            headers = {"Content-Type": "application/json", **headers}
        for _ in range(3):
            try:
                return self.send(method, path, body, headers)
            except (http.client.RemoteDisconnected, ConnectionError):
                self.connection.close()  # the server closes one now and then
        raise AssertionError(f"{method} {path}: no answer")

    def send(self, method, path, body, headers):
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        if answer.status == 101:
            self.connection.close()
        else:
            answer.read()
        return answer.status


def wrong_answers(server, cases):
    """The cases that are answered otherwise than they should be; a few connections ask at once."""

    def ask(some):
        asking = Asking(server)
        for place, method, way, allowed, headers, query in some:
            status = asking(place, method, headers, query)
            if not is_right(status, place, method, way, allowed):
                yield f"{method} {place.path} with {way}, allowed {sorted(allowed)}: {status}"
        asking.connection.close()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: list(ask(cases[n::4])), range(4)))
    return sorted(line for lines in found for line in lines)


@pytest.fixture(scope="module", params=[True, False], ids=["default", "closed"])
def server(request, tmp_path_factory, start_server):
    """A server with either setting of what unauthenticated requests to undecorated methods get.

    Its authorizer allows the actions that a file names, and writes down what it is asked for.
    """
    folder = tmp_path_factory.mktemp("server")
    (folder / "asked").touch()
    (folder / "allowed").write_text("read write execute")
    environ = {
        "TEST_ASKED_ACTIONS": str(folder / "asked"),
        "TEST_ALLOWED_ACTIONS": str(folder / "allowed"),
    }
    options = (
        f"--ServerApp.allow_unauthenticated_access={request.param}",
        "--ServerApp.authorizer_class=authorizers.Recording",
    )
    with start_server(folder, *options, **environ) as started:
        yield started
    assert "Traceback" not in started.log
    assert "without @allow_unauthenticated" not in started.log


@pytest.fixture(scope="module")
def cookies(server, token):
    (server.folder / "allowed").write_text("read")
    found = server.send("GET", f"/orion/?token={token}", token=None).cookies
    header = {"Cookie": "; ".join(f"{name}={value}" for name, value in found.items())}
    assert server.send("GET", "/orion/", headers=header, token=None).status == 200
    return Cookies(header, found["_xsrf"])


@pytest.mark.parametrize("who", ALLOWED)
def test_every_request_is_answered_as_its_action_says(server, cookies, token, who):
    (server.folder / "allowed").write_text(" ".join(ALLOWED[who]))
    cases = [
        (place, method, way, ALLOWED[who], headers, query)
        for place, method in product(PLACES, METHODS)
        for way, (headers, query) in ways(cookies, token).items()
        # A method that is not there is asked for in the two ways that differ.
        if method in place.actions or (way in ("nothing", "token") and who == "none")
    ]
    assert len(cases) > 600
    assert wrong_answers(server, cases) == []


def asked(server, allowed, method, path, told=None):
    """What the authorizer was asked during a request, and the answer."""
    (server.folder / "allowed").write_text(allowed)
    (server.folder / "asked").write_text("")
    answer = server.send(method, path) if told is None else server.call(method, path, told)
    return (server.folder / "asked").read_text().splitlines(), answer


def test_the_authorizer_is_asked_for_the_action_and_orion(server):
    for place, method in product(PLACES, METHODS):
        if action := place.actions.get(method):
            headers = UPGRADE if place.is_socket else {}
            (server.folder / "allowed").write_text("")
            (server.folder / "asked").write_text("")
            answer = server.send(method, place.path, headers=headers)
            assert answer.status == 403
            assert (server.folder / "asked").read_text().splitlines() == [f"{action} orion_nb"]


def test_a_refusal_says_so_in_json(server):
    _, answer = asked(server, "", "GET", API + "/health")
    assert (answer.status, answer.json["error"]) == (403, "Forbidden")


def test_who_may_write_may_not_make_code_run(server):
    told, answer = asked(server, "read write", "POST", "/deployments", {"name": "a", "path": "a"})
    assert (told, answer.status) == (["execute orion_nb"], 403)
    told, answer = asked(server, "read write", "POST", "/runs", {"kind": "task", "name": "a"})
    assert (told, answer.status) == (["write orion_nb"], 201)


def test_who_is_not_signed_in_is_sent_to_the_login(server):
    answer = server.send("GET", "/orion/", token=None)
    assert answer.status == 302
    assert answer.headers["Location"].startswith("/login?next=%2Forion")


def test_a_cookie_with_its_xsrf_token_changes_things(server, cookies):
    (server.folder / "allowed").write_text("read write")
    told = {"kind": "task", "name": "a"}
    headers = cookies.header | {"X-XSRFToken": cookies.xsrf}
    assert server.call("POST", "/runs", told, headers=headers, token=None).status == 201
    assert server.call("POST", "/runs", told, headers=cookies.header, token=None).status == 403


def test_no_other_site_is_told_that_it_may_read(server, cookies):
    """The header that lets scripts of other sites read answers is sent to holders of a token."""
    headers = cookies.header | {"Origin": "https://evil.example"}
    answer = server.call("GET", "/health", headers=headers, token=None)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (404, None)
