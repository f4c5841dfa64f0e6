"""Runs and policies as values, and ids that sort by time."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb import clock as orion_clock
from orion_nb.schemas.policies import DEFAULT_POLICY, RunPolicy
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run, new_id, short
from orion_nb.schemas.states import Failed, Pending, Running


@pytest.mark.parametrize(
    ("delays", "waits"),
    [
        ((), [0, 0, 0]),
        ((5,), [5, 5, 5]),
        ((1, 10), [1, 10, 10]),
        ((1, 10, 100), [1, 10, 100]),
    ],
)
def test_the_last_delay_repeats(delays, waits):
    policy = RunPolicy(3, delays)
    assert [policy.delay_before(n) for n in (1, 2, 3)] == waits


def test_the_default_policy_grants_nothing():
    granted = DEFAULT_POLICY.as_json()
    assert list(granted)[:4] == ["retries", "retry_delay", "timeout", "trigger"]
    assert (granted["retries"], granted["retry_crashes"], granted["concurrency"]) == (0, 0, {})
    assert {granted[name] for name in ("timeout", "sla", "sla_start", "cache_expires")} == {None}
    assert DEFAULT_POLICY.told() == {}


def test_an_id_is_a_uuid_of_version_7_that_tells_its_moment(clock):
    made = uuid.UUID(new_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == clock.at // 1000


@given(st.lists(st.integers(0, 2**47 * 1000), min_size=2, unique=True))
def test_ids_sort_by_the_microsecond_they_were_made_in(moments):
    made = []
    for at in moments:
        with orion_clock.frozen(at):
            made.append((at, new_id()))
    assert [at for at, _ in sorted(made, key=lambda each: each[1])] == sorted(moments)


def test_ids_made_at_one_moment_by_many_threads_are_all_different(clock):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id(), range(5000)))
    assert len(set(made)) == 5000
    assert {len(each) for each in made} == {32}


def test_people_see_the_last_eight_digits():
    assert short("0123456789abcdef0123456789abcdef") == "89abcdef"


def test_a_run_never_shows_its_token():
    report = Report(Status.ACCEPT, Running(), token="secret", attempt=1)
    run = Run("1" * 32, "task", "t", Running(), "1" * 32, token="secret", report=report)
    assert "secret" not in repr(run)
    assert "secret" not in repr(report)
    shown = run.as_json()
    assert "token" not in shown
    # Whoever has just started it is told: that report is in the answer to that request alone.
    assert shown["report"]["token"] == "secret"


def test_what_a_cell_ends_in_is_one_short_line():
    failed = Failed("KeyError: 'price'")
    assert repr(failed) == "<Failed: KeyError: 'price'>"
    run = Run("0123456789abcdef0123456789abcdef", "task", "load", failed, "1" * 32)
    assert repr(run) == "<Failed: KeyError: 'price' · task load · run 89abcdef>"
    assert repr([Pending()]) == "[<Pending>]"
    assert repr(Report(Status.ACCEPT, Pending())) == "<Pending · ACCEPT>"
    assert repr(Report(Status.WAIT, Pending(), "full")) == "<Pending · WAIT: full>"


def test_a_run_as_json_is_json():
    blocked = Report(Status.WAIT, Pending(), "waits", 1.5, 7)
    run = Run("1" * 32, "flow", "f", Pending(), "1" * 32, tags=("a",), blocked=blocked)
    told = json.loads(json.dumps(run.as_json()))
    assert told["state"]["type"] == "PENDING"
    assert told["tags"] == ["a"]
    assert told["blocked"]["retry_after"] == 1.5
    assert "report" not in told
