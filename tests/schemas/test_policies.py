"""Policies: what they grant, how they are told, and which delay comes before a retry."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.schemas.policies import (
    DEFAULT_POLICY,
    OVERLAPS,
    SLA_ACTIONS,
    TRIGGERS,
    RunPolicy,
)

durations = st.floats(0, 1e6)
policies = st.builds(
    RunPolicy,
    retries=st.integers(0, 100),
    retry_delay=st.lists(durations, min_size=1, max_size=3).map(tuple),
    timeout=st.none() | durations,
    trigger=st.sampled_from(TRIGGERS),
    retry_backoff=st.floats(1, 100),
    retry_delay_max=st.none() | durations,
    retry_jitter=st.floats(0, 1),
    retry_crashes=st.integers(0, 100),
    cache_expires=st.none() | durations,
    cache_refresh=st.booleans(),
    concurrency=st.dictionaries(
        st.text(min_size=1, max_size=5), st.none() | st.integers(0, 9), max_size=3
    ).map(lambda limits: tuple(limits.items())),
    sla=st.none() | durations,
    sla_start=st.none() | durations,
    sla_action=st.sampled_from(SLA_ACTIONS),
    overlap=st.sampled_from(OVERLAPS),
    rerun_from=st.none() | st.text(max_size=5),
    rerun_max=st.integers(1, 100),
    kernel=st.none() | st.text(min_size=1, max_size=5),
    env=st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=3).map(
        lambda env: tuple(env.items())
    ),
)


@given(policies)
def test_what_is_told_of_a_policy_is_enough_to_have_it_again(policy):
    for told in (policy.told(), policy.as_json()):
        assert RunPolicy.of(json.loads(json.dumps(told))) == policy


@given(policies)
def test_only_what_differs_from_the_default_is_told(policy):
    default = DEFAULT_POLICY.as_json()
    told = policy.told()
    assert told == {name: v for name, v in policy.as_json().items() if v != default[name]}
    assert (told == {}) == (policy == DEFAULT_POLICY)


def test_what_a_newer_orion_nb_grants_is_left_out():
    assert RunPolicy.of({"retries": 2, "luck": 7}) == RunPolicy(2)


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        (RunPolicy(9, (1.0,), retry_backoff=2.0), [1, 2, 4, 8]),
        (RunPolicy(9, (1.0, 5.0), retry_backoff=2.0), [1, 5, 10, 20]),
        (RunPolicy(9, (1.0,), retry_backoff=3.0, retry_delay_max=10.0), [1, 3, 9, 10]),
        (RunPolicy(9, (30.0, 5.0), retry_delay_max=10.0), [10, 5, 5, 5]),
        (RunPolicy(9, (), retry_backoff=2.0), [0, 0, 0, 0]),
        (RunPolicy(9, (0.0,), retry_backoff=2.0, retry_jitter=1.0), [0, 0, 0, 0]),
    ],
)
def test_delays_are_those_given_then_grow_up_to_the_maximum(policy, waits):
    assert [policy.delay_before(retry) for retry in (1, 2, 3, 4)] == waits


@pytest.mark.parametrize(
    ("jitter", "most", "bounds"),
    [
        (0.0, None, (100, 100)),
        (0.5, None, (50, 150)),
        (1.0, None, (0, 200)),
        (0.5, 90.0, (30, 90)),  # those that reach the maximum vary below it
    ],
)
def test_jitter_places_a_delay_around_what_it_would_be(jitter, most, bounds):
    policy = RunPolicy(9, (100.0,), retry_jitter=jitter, retry_delay_max=most)
    least, greatest = bounds
    assert policy.delay_before(1, 0.0) == pytest.approx(least)
    assert policy.delay_before(1, 1.0) == pytest.approx(greatest)
    assert policy.delay_before(1, 0.5) == pytest.approx((least + greatest) / 2)
