"""A request with an Idempotency-Key is done once, however often it is sent, and by how many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from orion_nb import clock, secrets
from orion_nb.api.shapes import EXAMPLES
from orion_nb.api.wire import arguments
from orion_nb.schemas.runs import new_id
from orion_nb.store import requests
from orion_nb.store.requests import KEPT, Answered
from orion_nb_server.app import ALL_ROUTES

FLOW = {"kind": "flow", "name": "once"}


@pytest.fixture
def keyed(server):
    """Sends a request with a key: by default one that creates a run."""

    def send(key, path="/runs", told=None, method="POST"):
        headers = {"Idempotency-Key": key}
        return server.call(method, path, FLOW if told is None else told, headers=headers)

    return send


def test_the_same_request_gets_the_first_answer_again(keyed):
    key = new_id()
    first, again = keyed(key), keyed(key)
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    assert first.headers["Idempotency-Replayed"] is None
    assert again.headers["Idempotency-Replayed"] == "true"


def test_other_keys_are_other_requests(keyed):
    assert keyed(new_id()).json["id"] != keyed(new_id()).json["id"]


def test_many_at_once_make_one(server, keyed):
    key, name = new_id(), f"once-{new_id()}"
    told = {"kind": "flow", "name": name}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: keyed(key, told=told), range(16)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert sum(answer.headers["Idempotency-Replayed"] is None for answer in answers) == 1
    with closing(server.orion()) as orion:
        assert len(orion.filter_runs(name=name)["runs"]) == 1


def test_many_with_keys_of_their_own_are_all_done(server, keyed):
    """They are committed together, those that are refused with those that are not."""
    runs = [server.call("POST", "/runs", FLOW).json["id"] for _ in range(24)]

    def move(n):
        run, kind = runs[n % 12] if n % 3 == 2 else runs[n], "RUNNING" if n % 4 else "NONSENSE"
        return keyed(new_id(), f"/runs/{run}/state", {"type": kind})

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(move, range(24)))
    assert {answer.status for answer in answers[0::4]} == {422}
    good = [answer for n, answer in enumerate(answers) if n % 4]
    assert {answer.status for answer in good} == {200}
    with closing(server.orion()) as orion:
        for answer in good:
            if answer.json["status"] == "ACCEPT":
                n = answer.json["state"]["n"]
                assert [event.n for event in orion.events_after(n - 1, limit=1)] == [n]


@pytest.mark.parametrize(
    ("path", "told", "field"),
    [
        ("/runs", {"kind": "flow", "name": "other"}, "name"),
        ("/runs", {"kind": "flow", "name": "once", "tags": ["x"]}, "tags"),
        ("/results/flush", {}, "Idempotency-Key"),
    ],
)
def test_another_request_with_the_same_key_is_refused(keyed, path, told, field):
    key = new_id()
    assert keyed(key).status == 201
    refused = keyed(key, path, told)
    assert refused.status == 422
    assert refused.json["error"] == "IdempotencyKeyReuse"
    assert refused.json["field"] == field
    assert "POST /runs" in refused.json["message"]
    assert field in refused.json["message"]


def test_the_same_request_may_be_written_in_another_way(server, keyed):
    key = new_id()
    first = keyed(key)
    text = b'{ "name":"once",\n "kind":"flow" }'
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    again = server.send("POST", "/orion/api/v1/runs", text, headers)
    assert again.body == first.body
    assert keyed(key, told={**FLOW, "name": "another"}).json["field"] == "name"


CHANGING = [route for route in ALL_ROUTES if route.action != "read" and not route.hides]


@pytest.mark.parametrize("route", CHANGING, ids=lambda route: route.name)
def test_every_request_that_changes_something_is_done_once(server, keyed, subjects, route):
    """What was done is answered again; what was refused is asked again, and refused again."""
    path = route.path
    for name, value in subjects(route).items():
        path = path.replace("{" + name + "}", value)
    told = {**EXAMPLES.get(route.name, {}), **BODIES.get(route.name, {})}
    body = None if route.method == "DELETE" else told
    key = new_id()
    headers = {"Idempotency-Key": key}
    first = server.call(route.method, path, body, headers=headers)
    again = server.call(route.method, path, body, headers=headers)
    assert first.status == again.status < 500
    if any(each.required for each in arguments(route)["body"].values()):
        assert route.name in EXAMPLES, "orion_nb/api/shapes.py lacks an example for it"
    assert first.status == route.status or route.name in REFUSED, first.body
    if first.status == route.status:
        assert first.headers["Idempotency-Replayed"] is None
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.body == first.body


def test_of_a_secret_no_digest_is_kept_and_the_last_value_holds(server, orion):
    headers = {"Idempotency-Key": new_id()}
    for value in ("first value", "second value"):
        told = server.call("PUT", "/secrets/TWICE", {"value": value}, headers=headers)
        assert (told.status, told.headers["Idempotency-Replayed"]) == (200, None)
    assert secrets.find("TWICE", orion.settings.home) == "second value"
    assert orion.database.write(lambda tx: requests.recall(tx, headers["Idempotency-Key"])) is None


#: Bodies for this server, where the example of the documents is about another one.
BODIES = {
    "create_deployment": {"path": "daily.ipynb", "parameters": {}},
    "check_deployment": {"name": "checked", "path": "daily.ipynb"},
    "run_deployment": {"parameters": {}},
    "replay_run": {"parameters": {}},
    "resume": {"input": None},
    "batch": {"proposals": []},
    "write_logs": {"lines": []},
}
#: What can't be done to a run, a deployment, or a delivery as they are here.
REFUSED = {"delete_run", "resume", "rerun", "retry_now", "retry_delivery"}


@pytest.fixture
def subjects(server, notebook):
    """What a route is about: made anew, and told by the names in its path."""
    notebook(server.root / "daily.ipynb", "1")

    def make(route):
        made = {}
        if "{deployment}" in route.path or route.name == "replay_run":
            told = {"name": new_id(), "path": "daily.ipynb"}
            made["deployment"] = server.call("POST", "/deployments", told).json["name"]
        if route.name == "replay_run":
            run = server.call("POST", f"/deployments/{made['deployment']}/runs", {}).json
            made["run_id"] = run["id"]
        elif "{run_id}" in route.path:
            told = {"kind": "flow", "name": "f", "state": "RUNNING"}
            if route.name == "propose":
                told = {"kind": "flow", "name": "f"}
            made["run_id"] = server.call("POST", "/runs", told).json["id"]
        if "{notification}" in route.path or "{delivery}" in route.path:
            told = {"name": new_id(), "on": ["failed"], "command": ["true"]}
            made["notification"] = server.call("POST", "/notifications", told).json["name"]
            tested = server.call("POST", f"/notifications/{made['notification']}/test", {})
            made["delivery"] = tested.json["id"]
        if "{session_id}" in route.path:
            made["session_id"] = new_id()
            told = {"id": made["session_id"], "host": "h", "pid": 4711}
            assert server.call("POST", "/sessions", told).status == 201
        if "{name}" in route.path:
            made["name"] = f"n{new_id()}"
            if route.method == "DELETE":
                told = {"value": "hunter2"} if "/secrets/" in route.path else {"slots": 1}
                server.call("PUT", route.path.replace("{name}", made["name"]), told)
        return made

    return make


def test_a_run_in_another_kernel_or_environment_is_another_request(server, keyed, subjects):
    path = f"/deployments/{subjects(_route('run_deployment'))['deployment']}/runs"
    key, told = new_id(), {"kernel": "python3", "env": {"STAGE": "test"}}
    first, again = keyed(key, path, told), keyed(key, path, told)
    assert (first.status, first.json["policy"]["env"]) == (201, {"STAGE": "test"})
    assert again.body == first.body
    for other, field in (({**told, "env": {}}, "env"), ({**told, "kernel": None}, "kernel")):
        refused = keyed(key, path, other)
        assert (refused.status, refused.json["field"]) == (422, field)
    wrong = server.call("POST", path, {"kernel": "r-4"})
    assert (wrong.status, wrong.json["message"].split(";")[0]) == (404, "kernel 'r-4' not found")
    for env in ({"ORION_NB_HOME": "/"}, {"A": 1}, "A=1"):
        wrong = server.call("POST", path, {"env": env})
        assert (wrong.status, wrong.json["field"]) == (422, "env"), env


def _route(name):
    return next(route for route in ALL_ROUTES if route.name == name)


def test_an_attempt_begins_once(keyed):
    run = keyed(new_id(), told={"kind": "task", "name": "t"}).json
    key, path = new_id(), f"/runs/{run['id']}/state"
    first = keyed(key, path, {"type": "RUNNING"})
    again = keyed(key, path, {"type": "RUNNING"})
    assert (first.status, first.json["attempt"]) == (200, 1)
    assert again.json["token"] == first.json["token"]


def test_what_was_refused_may_be_sent_again(keyed):
    """Nothing was done: once the reason is gone, the same request is done."""
    key, name = new_id(), f"later-{new_id()}"
    told = {"kind": "task", "name": "t", "parent": name}
    assert keyed(key, told=told).status == 404
    keyed(new_id(), told={"kind": "flow", "name": name})
    assert keyed(key, told=told).status == 201


def test_a_late_message_is_noted_though_it_is_refused(server, keyed):
    run = keyed(new_id(), told={"kind": "task", "name": "t"}).json
    path = f"/runs/{run['id']}/state"
    keyed(new_id(), path, {"type": "RUNNING"})
    late = keyed(new_id(), path, {"type": "COMPLETED", "attempt": 7, "token": "x"})
    assert (late.status, late.json["error"]) == (409, "Fenced")
    why = server.call("GET", f"/runs/{run['id']}/why").json
    assert "too late" in str(why)


@pytest.mark.parametrize("key", ["", "two words", "k" * 256, "ключ".encode().decode("latin-1")])
def test_a_key_that_is_none_is_refused(keyed, key):
    refused = keyed(key)
    assert refused.status == 422
    assert refused.json["field"] == "Idempotency-Key"


def test_reading_needs_no_key(server):
    for _ in range(2):
        told = server.call("POST", "/runs/filter", {}, headers={"Idempotency-Key": "read"})
        assert told.status == 200
        assert told.headers["Idempotency-Replayed"] is None


def test_answers_are_forgotten_after_a_week(orion):
    now = clock.now()
    old = now - (KEPT + 1) * clock.SECOND
    answered = Answered("POST /runs", "digest", 201, "{}")
    orion.database.write(lambda tx: requests.keep(tx, "old", answered, old))
    orion.database.write(lambda tx: requests.keep(tx, "new", answered, now))
    with orion.database.read() as connection:
        assert requests.recall(connection, "old") is None
        assert requests.recall(connection, "new") == answered
