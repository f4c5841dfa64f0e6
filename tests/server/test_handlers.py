from __future__ import annotations

import json
import socket

import pytest

RUN = "/runs/{run}"
NO_RUN = "/runs/00000000000000000000000000000000"
RUNNING = {"type": "RUNNING"}

WRONG = [
    # method, path, body, status, what the message says
    ("GET", "/nothing", None, 404, "no such route"),
    ("GET", "", None, 404, "no such route"),
    ("GET", "/runs/", None, 404, "no such route"),
    ("POST", "/runs/a/b/c", {}, 404, "no such route"),
    ("GET", NO_RUN, None, 404, "no run"),
    ("GET", "/runs/%00", None, 404, "no run"),
    ("GET", "/runs/..%2f..%2fetc%2fpasswd", None, 404, "no run"),
    ("GET", "/runs/%ff", None, 400, "unicode"),
    ("GET", NO_RUN + "/states", None, 404, "no run"),
    ("GET", NO_RUN + "/why", None, 404, "no run"),
    ("GET", NO_RUN + "/notebook.ipynb", None, 404, "no run"),
    ("GET", NO_RUN + "/notebook.html", None, 404, "no run"),
    ("POST", NO_RUN + "/state", RUNNING, 404, "no run"),
    ("POST", NO_RUN + "/cancel", {}, 404, "no run"),
    ("GET", RUN + "?full=1", None, 422, "not known in the query"),
    ("GET", RUN, {"a": 1}, 422, "put the values into the query"),
    ("POST", "/runs", {}, 422, "kind: missing"),
    ("POST", "/runs", {"kind": "task", "name": ""}, 422, "name: 1 to 255 characters"),
    ("POST", "/runs", {"kind": "task", "name": "a\n"}, 422, "control character"),
    ("POST", "/runs", {"kind": "task", "name": "a", "parent": "0" * 32}, 404, "no run"),
    ("POST", "/runs", {"kind": "task", "name": "a", "policy": {"retry": 1}}, 422, "policy.retry"),
    ("POST", "/runs", {"kind": "task", "name": "a", "state": "FAILED"}, 422, "state: "),
    ("POST", RUN + "/state", {}, 422, "type: missing"),
    ("POST", RUN + "/state", {"type": "running"}, 422, "type: input should be 'SCHEDULED'"),
    ("POST", RUN + "/state", {**RUNNING, "name": "Failed"}, 422, "no name of RUNNING"),
    ("POST", RUN + "/state", {**RUNNING, "atempt": 1}, 422, "did you mean 'attempt'?"),
    ("POST", RUN + "/state", {**RUNNING, "attempt": 7}, 409, "attempt 7 is over"),
    ("POST", RUN + "/state", {**RUNNING, "token": "a"}, 422, "give both"),
    ("POST", RUN + "/state", {**RUNNING, "force": True}, 422, "why: say why"),
    ("POST", RUN + "/state?explain=maybe", RUNNING, 422, "got 'maybe'"),
    ("POST", RUN + "/state", {"type": "SCHEDULED", "scheduled_time": "noon"}, 422, "ISO 8601"),
    ("POST", "/runs/filter", {"limit": 201}, 422, "limit: 201"),
    ("POST", "/runs/filter", {"limit": 0}, 422, "limit: 0"),
    ("POST", "/runs/filter", {"states": ["sleepy"]}, 422, "'sleepy' is no state"),
    ("POST", "/runs/filter", {"cursor": "a"}, 422, "cursor: 'a'"),
    ("POST", "/runs/filter", {"deployment": "none"}, 404, "no deployment"),
    ("POST", "/runs/count-by", {"root": "none"}, 404, "no run"),
    ("GET", "/deployments/none", None, 404, "no deployment"),
    ("PATCH", "/deployments/none", {"tags": []}, 404, "no deployment"),
    ("DELETE", "/deployments/none", None, 404, "no deployment"),
    ("POST", "/deployments/none/pause", None, 404, "no deployment"),
    ("POST", "/deployments/none/resume", {}, 404, "no deployment"),
    ("POST", "/deployments/none/runs", {}, 404, "no deployment"),
    ("POST", "/deployments", {"name": "a"}, 422, "path: missing"),
    ("POST", "/deployments", {"name": "a", "path": "none.ipynb"}, 404, "is not there"),
    ("POST", "/schedules/preview", {"schedules": ["often"]}, 422, "often"),
    ("POST", "/schedules/preview", {"schedules": ["1h"], "n": 101}, 422, "n: 101"),
    ("GET", "/events?after=-", None, 422, "after: "),
    ("GET", "/events?wait=61", None, 422, "between 0 and 60"),
    ("GET", "/events?wait=nan", None, 422, "finite"),
    ("GET", "/events?root=none&wait=0", None, 404, "no run"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"), WRONG, ids=lambda value: str(value)[:40]
)
def test_a_wrong_request_is_refused_in_json(server, run, method, path, body, status, message):
    answer = server.call(method, path.replace("{run}", run["id"]), body)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/json")
    assert set(answer.json) == {"error", "message", "field"}
    assert message in answer.json["message"]


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"kind=task", "application/x-www-form-urlencoded", 415),
        (b"kind=task", "", 415),
        (b"{}", "text/plain", 415),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b'{"parameters": ' + b"[" * 70 + b"]" * 70 + b"}", "application/json", 400),
        (b"[" * 500_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b" " * (1024 * 1024 + 1), "application/json", 413),
        (b'{"name": "' + b"x" * 3_000_000 + b'"}', "application/json; charset=utf-8", 413),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_body_that_can_not_be_read_is_refused(server, body, media, status):
    answer = server.send("POST", "/orion/api/v1/runs", body, {"Content-Type": media})
    assert (answer.status, set(answer.json)) == (status, {"error", "message", "field"})


def test_a_body_in_chunks_is_limited_too(server):
    chunks = (b"x" * 65536 for _ in range(40))
    headers = {"Content-Type": "application/json"}
    assert server.send("POST", "/orion/api/v1/runs", chunks, headers).status == 413


def test_a_huge_body_is_not_read(server, token):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(
            b"POST /orion/api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Authorization: token " + token.encode() + b"\r\n"
            b"Content-Type: application/json\r\nContent-Length: 400000000\r\n\r\n"
        )
        told = b"".join(iter(lambda: connection.recv(65536), b""))
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"larger than" in told


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/runs", "GET, HEAD, POST, OPTIONS"),
        ("PUT", "/runs", "GET, HEAD, POST, OPTIONS"),
        ("TRACE", "/runs", "GET, HEAD, POST, OPTIONS"),
        ("BREW", "/health", "GET, HEAD, OPTIONS"),
        ("GET", "/runs/filter", "POST, OPTIONS"),
        ("POST", "/runs/{run}", "DELETE, GET, HEAD, OPTIONS"),
        ("PUT", "/deployments/none", "DELETE, GET, HEAD, PATCH, OPTIONS"),
        ("POST", "/events", "GET, OPTIONS"),
        ("HEAD", "/events", "GET, OPTIONS"),
    ],
)
def test_a_wrong_method_is_told_which_there_are(server, run, method, path, allowed):
    answer = server.call(method, path.replace("{run}", run["id"]))
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    assert method == "HEAD" or answer.json["error"] == "MethodNotAllowed"


def test_head_is_get_without_a_body(server):
    answer = server.call("HEAD", "/health")
    assert (answer.status, answer.body) == (200, b"")


def test_a_post_without_a_body_needs_no_content_type(server, run):
    answer = server.send("POST", f"/orion/api/v1/runs/{run['id']}/cancel")
    assert (answer.status, answer.json["state"]["name"]) == (200, "Cancelled")


def test_what_jupyter_adds_to_a_query_is_no_error(server, run):
    answer = server.call("GET", f"/runs/{run['id']}?no_track_activity=1&1700000000000")
    assert answer.status == 200


def test_times_may_be_iso_8601(server):
    told = {"kind": "task", "name": "later", "scheduled_time": "2100-01-01T01:00:00+01:00"}
    run = server.call("POST", "/runs", told).json
    assert run["state"]["scheduled_time"] == 4_102_444_800_000_000
    assert server.call("POST", "/runs/filter", {"since": "2100-01-01T00:00Z"}).json["runs"] == []


def test_answers_are_those_of_the_api_in_process(server, run):
    orion = server.orion()
    assert server.call("GET", f"/runs/{run['id']}").json == orion.read_run(run["id"]).as_json()
    orion.close()


def test_an_answer_from_before_the_request_was_read_says_that_it_closes(server):
    for path, more, status in ((NO_RUN, {"token": None}, 403), ("/nothing", {}, 404)):
        answer = server.call("GET", path, **more)
        assert (answer.status, answer.headers["Connection"]) == (status, "close")
    assert server.call("GET", NO_RUN).headers["Connection"] is None


def test_a_connection_is_kept_for_many_requests(server, run, token):
    connection = server.connect()
    ports = set()
    for body in (RUNNING, {"type": "BAD"}, {"type": "COMPLETED"}):
        headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        path = f"/orion/api/v1/runs/{run['id']}/state"
        connection.request("POST", path, json.dumps(body), headers)
        connection.getresponse().read()
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1
