"""Moments are whole microseconds since 1970, UTC, and are exact both ways."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb import clock

MOMENTS = st.datetimes(timezones=st.just(UTC))


def test_now_is_now():
    assert abs(clock.now() - time.time() * 1e6) < 60e6  # noqa: TID251 - the clock under test


@given(MOMENTS)
def test_a_datetime_comes_back_exactly(moment):
    assert clock.utc(clock.micros(moment)) == moment


def test_a_datetime_of_any_zone_is_the_same_instant():
    east = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=3)))
    assert clock.utc(clock.micros(east)) == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_datetime_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        clock.micros(datetime(2026, 3, 1))  # noqa: DTZ001 - that is what is refused


@given(MOMENTS)
def test_iso_is_read_back_exactly(moment):
    told = clock.iso(clock.micros(moment))
    assert told.endswith("Z")
    assert datetime.fromisoformat(told) == moment


def test_a_frozen_clock_moves_when_it_is_told_to():
    with clock.frozen(5) as stopped:
        assert clock.now() == clock.now() == 5
        assert stopped.advance(1.5) == clock.now() == 1_500_005
        with clock.frozen(datetime(1970, 1, 2, tzinfo=UTC)):
            assert clock.now() == 86_400 * clock.SECOND
        assert clock.now() == 1_500_005
    assert clock.now() > 10**15
