"""A scheduler sees of a deployment what its model would tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from orion_nb.clock import SECOND
from orion_nb.errors import OrionError
from orion_nb.schemas.deployments import Deployment
from orion_nb.schemas.due import read_due
from orion_nb.schemas.policies import DEFAULT_POLICY, RunPolicy

ALL: dict[str, Any] = {
    "path": "/reports/daily.ipynb", "parameters": {"x": 1, "names": ["a", "ü"]}, "tags": ["a", "b"],
    "schedules": ["0 9 * * 1-5", "15m", "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9", "2030-01-31T09:00Z"],
    "timeout": "10m", "retries": 2, "retry_delay": "5s", "retry_crashes": 1, "overlap": "skip",
    "retry_backoff": 2.0, "retry_delay_max": "1m", "retry_jitter": 0.5, "jitter": "30s",
    "catch_up": "all", "catch_up_max": 7, "concurrency": {"db": 3, "api": None}, "sla": "1h",
    "sla_start": "1m", "sla_action": "cancel",
}  # fmt: skip


@pytest.mark.parametrize(
    "told", [ALL, {"path": "/reports/daily.ipynb"}, {"path": "/reports/f.py", "flow": "nightly"}]
)
@pytest.mark.parametrize("kept", [Deployment.spec, Deployment.kept])
def test_it_is_what_the_model_says(
    told: dict[str, Any], kept: Callable[[Deployment], dict[str, Any]]
) -> None:
    known = Deployment(**told, id="0" * 32, name="report", revision=3, next_due=5)
    due = read_due(known.id, known.name, json.dumps(kept(known)), 3, 5)
    assert Deployment(**kept(known), id=known.id, name="report", revision=3, next_due=5) == known
    assert (due.key, due.policy, due.timing) == (known.key, known.policy, known.timing)
    assert (due.tags, due.parameters, due.jitter) == (
        known.tags, known.parameters, known.jitter * SECOND
    )  # fmt: skip
    assert (due.policy is DEFAULT_POLICY) == (told is not ALL)


def test_of_what_is_kept_only_what_says_nothing_is_left_out() -> None:
    known = Deployment(path="/a.ipynb", grace=0.0, id="0" * 32, name="report")
    kept = known.kept()
    assert kept["grace"] == 0.0  # not the default
    assert kept["overlap"] == "allow"  # a default that may change
    assert not {"timeout", "retries", "env", "isolated"} & kept.keys()


def test_nothing_that_a_policy_takes_from_a_spec_is_left_out() -> None:
    made, plain = Deployment(**ALL, id="0" * 32, name="report").policy, RunPolicy()
    of_a_spec = Deployment.model_fields.keys() & plain.as_json().keys()
    same = {name for name in of_a_spec if made.as_json()[name] == plain.as_json()[name]}
    assert same == {"kernel", "env"}  # said of one run alone; what is new belongs above, too


def test_runs_wait_up_to_the_jitter_and_as_long_whoever_asks() -> None:
    known = Deployment(**ALL, id="1" * 32, name="report")
    text = json.dumps(known.spec())
    due = read_due(known.id, known.name, text, 1, 5)
    slots = range(0, 1000 * SECOND, SECOND)
    waits = [(due.run(slot, 0).scheduled_time or 0) - slot for slot in slots]
    again = read_due(known.id, known.name, text, 1, 5).run(0, 9)
    other = read_due("2" * 32, known.name, text, 1, 5).run(0, 9)
    assert 0 <= min(waits) < SECOND < 29 * SECOND < max(waits) <= 30 * SECOND
    assert waits[0] == again.scheduled_time == again.state.scheduled_time != other.scheduled_time


@pytest.mark.parametrize(
    "spec",
    [
        {}, {"path": 1}, {"path": "/a", "parameters": []}, {"path": "/a", "overlap": "both"},
        {"path": "/a", "schedules": [{"kind": "cron", "cron": "* * *"}]}, {"path": "/a", "new": 1},
        {"path": "/a", "schedules": [{"kind": "cron", "cron": "* * * * *", "timezone": "Mars"}]},
    ],
)  # fmt: skip
def test_one_that_cant_be_read_says_so(spec: dict[str, Any]) -> None:
    with pytest.raises((OrionError, ValueError, TypeError, LookupError)):
        read_due("0" * 32, "report", json.dumps(spec), 1, 5)
