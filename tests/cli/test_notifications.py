from __future__ import annotations

import json
import logging
import sys

import pytest
from typer.testing import CliRunner

from orion_nb.cli.app import app
from orion_nb.deployments.duties import Duties
from orion_nb.schemas.states import Failed, Running


def run(*words, code=0):
    done = CliRunner().invoke(app, ["notifications", *words])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if "--json" in words else done.output


def test_a_notification_from_added_to_removed(home):
    added = run("add", "team", "--webhook", "https://example.com/h", "--on", "late,any", "--json")
    assert added["on"] == ["late", "any"]
    assert added["secret"].startswith("whsec_")
    assert "whsec_" not in run("ls")
    run("add", "desk", "--command", "notify-send 'a b'", "--retries", "2", "--timeout", "5s")
    listed = {each["name"]: each for each in run("ls", "--json")["notifications"]}
    assert listed["desk"]["command"] == ["notify-send", "a b"]
    assert (listed["desk"]["retries"], listed["desk"]["timeout"]) == (2, 5.0)
    assert run("pause", "team", "--json")["paused"]
    assert not run("resume", "team", "--json")["paused"]
    run("rm", "team")
    assert [each["name"] for each in run("ls", "--json")["notifications"]] == ["desk"]


@pytest.mark.parametrize(
    "words",
    [
        ("add", "a"),
        ("add", "a", "--webhook", "x"),
        ("add", "a", "--call", "m:f", "--on", "never"),
        ("add", "a", "--webhook", "https://x/", "--header", "nothing"),
        ("rm", "none"),
        ("retry",),
        ("retry", "none"),
        ("deliveries", "--dead", "--waiting"),
    ],
)
def test_what_can_not_be_is_refused(home, words):
    assert "error:" in run(*words, code=2)


def test_deliveries_are_listed_and_retried(orion):
    orion.add_notification("one", call="a:b")
    made = orion.begin(orion.new_run("flow", "f"), Running(), owned=False)[0]
    orion.judge(made.id, Failed())
    orion.note_states()
    (delivery,) = run("deliveries", "one", "--json")["deliveries"]
    assert (delivery["condition"], delivery["run"]) == ("failed", made.id)
    known = orion.claim_delivery(orion.find_delivery(delivery["id"]), "{}", 1.0)
    orion.settle_delivery(known, "dead", "no luck", 0.0)
    assert "no luck" in run("deliveries", "--dead")
    assert run("retry", "--all", "--json") == {"retried": [delivery["id"]]}
    assert "waiting" in run("deliveries", "--waiting")


@pytest.mark.parametrize(
    ("way", "then"),
    [
        ({"webhook": "http://127.0.0.1:9/"}, "given up"),
        ({"command": [sys.executable, "-c", "1 / 0"]}, "tried again later"),
    ],
)
def test_a_try_says_what_becomes_of_what_could_not_be_delivered(orion, way, then):
    orion.add_notification("team", **way)
    duties = Duties(orion, logging.getLogger())
    duties.start()
    try:
        told = run("test", "team", code=1)
    finally:
        duties.stop()
    assert then in told
    assert "127.0.0.1: 127" not in told
