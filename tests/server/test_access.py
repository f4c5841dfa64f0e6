from __future__ import annotations

import pytest

from orion_nb_server.app import ALL_ROUTES

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
PAGES = ("/orion", "/orion/", "/orion/static/orion-dashboard.js")


def path_of(route):
    path = route.path.replace("{run_id}", "none").replace("{deployment}", "none")
    return f"{path}?wait=0" if path == "/events" else path  # without it, the answer has no end


@pytest.fixture(scope="module", params=[True, False], ids=["default", "closed"])
def server(request, tmp_path_factory, start_server):
    """A server with either setting of what unauthenticated requests to undecorated methods get."""
    option = f"--ServerApp.allow_unauthenticated_access={request.param}"
    with start_server(tmp_path_factory.mktemp("server"), option) as started:
        yield started
    assert "Traceback" not in started.log
    assert "without @allow_unauthenticated" not in started.log


@pytest.mark.parametrize("token", [None, "wrong"])
def test_no_path_answers_without_credentials(server, token):
    paths = {path_of(route) for route in ALL_ROUTES} | {"", "/nothing", "/runs/a/b"}
    answers = {
        (method, path): server.call(method, path, token=token).status
        for path in sorted(paths)
        for method in METHODS
    }
    assert {key: status for key, status in answers.items() if status != 403} == {}


@pytest.mark.parametrize("path", PAGES)
def test_who_is_not_signed_in_is_sent_to_the_login(server, path):
    answer = server.send("GET", path, token=None)
    assert answer.status == 302
    assert answer.headers["Location"].startswith("/login?next=%2Forion")


@pytest.mark.parametrize("path", PAGES)
def test_pages_take_no_other_method(server, path):
    assert server.send("POST", path, b"", token=None).status in (403, 405)
    assert server.send("DELETE", path).status == 405


def test_a_host_that_is_not_ours_is_refused(server):
    for path in ("/orion/", "/orion/api/v1/health"):
        assert server.send("GET", path, headers={"Host": "evil.example"}).status == 403


class Browser:
    """A client that signed in and sends its cookies, and no token."""

    def __init__(self, server, token):
        self.server = server
        self.cookies = server.send("GET", f"/orion/?token={token}", token=None).cookies
        assert server.send("GET", "/orion/", headers=self.headers, token=None).status == 200

    @property
    def headers(self):
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def call(self, method, path, told=None, **headers):
        return self.server.call(method, path, told, headers={**self.headers, **headers}, token=None)


@pytest.fixture
def browser(server, token):
    return Browser(server, token)


def test_a_cookie_alone_reads(browser):
    assert browser.call("GET", "/health").status == 200


def test_a_cookie_alone_changes_nothing(browser):
    told = {"kind": "task", "name": "a"}
    assert browser.call("POST", "/runs", told).status == 403
    wrong = browser.call("POST", "/runs", told, **{"X-XSRFToken": "2|aaaaaaaa|bbbb|1"})
    assert wrong.status == 403
    right = browser.call("POST", "/runs", told, **{"X-XSRFToken": browser.cookies["_xsrf"]})
    assert right.status == 201


def test_another_site_changes_nothing(browser):
    headers = {"X-XSRFToken": browser.cookies["_xsrf"], "Origin": "https://evil.example"}
    told = {"kind": "task", "name": "a"}
    assert browser.call("POST", "/runs", told, **headers).status == 404
    assert browser.call("GET", "/health", Origin="https://evil.example").status == 404


@pytest.fixture(scope="module")
def guard(tmp_path_factory, start_server):
    """A server whose authorizer writes down what it is asked; the folder of its files."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "asked").touch()
    (folder / "allowed").touch()
    environ = {
        "TEST_ASKED_ACTIONS": str(folder / "asked"),
        "TEST_ALLOWED_ACTIONS": str(folder / "allowed"),
    }
    option = "--ServerApp.authorizer_class=authorizers.Recording"
    with start_server(folder, option, **environ) as started:
        yield started
    assert "Traceback" not in started.log


def asked(guard, allowed, method, path, told=None):
    """What the authorizer was asked during a request, and the answer."""
    (guard.folder / "allowed").write_text(allowed)
    (guard.folder / "asked").write_text("")
    answer = guard.send(method, path) if told is None else guard.call(method, path, told)
    return (guard.folder / "asked").read_text().splitlines(), answer


@pytest.mark.parametrize("route", ALL_ROUTES, ids=lambda route: route.name)
def test_the_authorizer_is_asked_for_the_action_of_the_route(guard, route):
    told, answer = asked(guard, "", route.method, "/orion/api/v1" + path_of(route))
    assert told == [f"{route.action} orion_nb"]
    assert (answer.status, answer.json["error"]) == (403, "Forbidden")
    allowed, answer = asked(guard, route.action, route.method, "/orion/api/v1" + path_of(route))
    assert allowed == told
    assert answer.status != 403


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_read_only_by_who_may(guard, path):
    told, answer = asked(guard, "write execute", "GET", path)
    assert told == ["read orion_nb"]
    assert answer.status == 403


def test_who_may_write_may_not_make_code_run(guard):
    told, answer = asked(guard, "read write", "POST", "/deployments", {"name": "a", "path": "a"})
    assert (told, answer.status) == (["execute orion_nb"], 403)
    told, answer = asked(guard, "read write", "POST", "/runs", {"kind": "task", "name": "a"})
    assert (told, answer.status) == (["write orion_nb"], 201)
