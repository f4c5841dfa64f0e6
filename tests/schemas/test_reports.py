"""Reports as values: all that was said, as JSON, without what is secret in a repr."""

from __future__ import annotations

import json

from orion_nb.schemas.reports import Abort, Line, Reject, Report, Status, Wait
from orion_nb.schemas.states import Pending, Running


def test_a_report_as_json_says_all_that_was_said():
    lines = (
        Line("one", "One is asked.", "pass"),
        Line("two", "Two is asked.", "wait", "not yet", {"due": 7}),
    )
    report = Report(
        Status.WAIT, Pending(), "not yet", 1.25, 1_250_000, rules=lines, proposed="Running"
    )
    told = json.loads(json.dumps(report.as_json()))
    assert told["status"] == "WAIT"
    assert told["state"]["name"] == "Pending"
    assert (told["reason"], told["retry_after"], told["until"]) == ("not yet", 1.25, 1_250_000)
    assert (told["proposed"], told["replayed"]) == ("Running", False)
    assert told["rules"] == [
        {"rule": "one", "says": "One is asked.", "verdict": "pass", "reason": None, "facts": {}},
        {
            "rule": "two", "says": "Two is asked.", "verdict": "wait", "reason": "not yet",
            "facts": {"due": 7},
        },
    ]  # fmt: skip
    assert (told["attempt"], told["token"]) == (None, None)


def test_verdicts_do_not_share_their_facts():
    for make in (lambda: Reject(None, "r"), lambda: Wait("w"), lambda: Abort("a")):
        assert make().facts == {}
        assert make().facts is not make().facts


def test_reports_are_equal_when_they_say_the_same():
    assert Report(Status.ACCEPT, Running()) == Report(Status.ACCEPT, Running())
    assert Report(Status.ACCEPT, Running()) != Report(Status.ACCEPT, Running(), "why")
