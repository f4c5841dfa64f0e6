"""`orion-nb outbox`: what waits for a server is listed, delivered, and forgotten when refused."""

from __future__ import annotations

import json

import pytest

from orion_nb import clock
from orion_nb.schemas.runs import new_id
from orion_nb.store.outbox import Box

SENDER = {"id": "0" * 32, "host": "laptop", "pid": 4711}


@pytest.fixture
def left(home):
    """An outbox that a process left: two transitions wait, one was refused."""
    box = Box.make(home / "outbox", "left", "http://127.0.0.1:9", SENDER)
    for name in ("Running", "Completed", "Failed"):
        told = {"op": "advance", "state": {"type": name.upper(), "name": name}}
        box.put(None if name == "Failed" else new_id(), json.dumps(told), clock.now())
    box.refuse(None, 3, "the run has finished: Completed", clock.now())
    box.close()
    return box.path


def test_what_waits_and_what_was_refused_is_listed(call, left):
    told = call("outbox", "ls", "--json").json["outboxes"]
    assert [(each["server"], each["host"], each["pid"], each["waiting"]) for each in told] == [
        ("http://127.0.0.1:9", "laptop", 4711, 2)
    ]
    assert told[0]["refused"][0]["what"] == "Failed"
    done = call("outbox", "ls")
    assert done.code == 0
    assert "laptop 4711" in done.out
    assert "Failed: the run has finished: Completed" in done.err


def test_nothing_waits(call):
    assert call("outbox", "ls", "--json").json == {"outboxes": []}
    assert "Nothing waits" in call("outbox", "ls").err
    assert call("outbox", "clear", "--json").json == {"forgotten": 0}


def test_what_was_refused_is_forgotten(call, left):
    assert call("outbox", "clear", "--json").json == {"forgotten": 1}
    (told,) = call("outbox", "ls", "--json").json["outboxes"]
    assert (told["waiting"], told["refused"]) == (2, [])


def test_a_server_has_to_be_named(call, left):
    done = call("outbox", "flush", "--json")
    assert done.code == 2
    assert done.json["field"] == "ORION_NB_API_URL"


def test_a_server_that_is_away_is_exit_code_6(call, left, monkeypatch):
    monkeypatch.setenv("ORION_NB_API_URL", "http://127.0.0.1:9")
    done = call("outbox", "flush", "--json")
    assert done.code == 6
    assert done.json["error"] == "ServerUnreachable"
    assert call("runs", "ls").code == 6
