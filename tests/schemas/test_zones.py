"""Zones are checked by name; times in a gap or fold name no instant or two."""

# ruff: noqa: DTZ001 - what a clock on the wall shows has no zone

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.errors import ScheduleError
from orion_nb.schemas import zones

BERLIN = ZoneInfo("Europe/Berlin")
NAMES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
    "America/St_Johns", "Pacific/Apia", "America/Sao_Paulo", "America/Havana", "Asia/Kathmandu",
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Berlin", "; did you mean 'Europe/Berlin'?"),
        ("CEST", "; did you mean 'Europe/Berlin'?"),
        ("Europe/Pargue", "; did you mean 'Europe/Prague'?"),
        ("europe/berlin", "; did you mean 'Europe/Berlin'?"),
        ("new york", "; did you mean 'America/New_York'?"),
        ("Europe", "; did you mean "),
        ("qqqq", " (try 'UTC' or an IANA name such as 'Europe/Prague')"),
        ("../../etc/passwd", " (try 'UTC'"),
        ("a\0b", " (try 'UTC'"),
        ("", " (try 'UTC'"),
        (5, " (try 'UTC'"),
        (None, " (try 'UTC'"),
    ],
)
def test_an_unknown_zone_is_refused_with_advice(name, advice):
    with pytest.raises(ScheduleError) as caught:
        zones.zone(name)
    assert str(caught.value).startswith(f"timezone: {name!r} is not a time zone{advice}")
    assert caught.value.field == "timezone"


def test_a_time_in_the_gap_names_no_instant_and_the_change_is_first_after_it():
    gap = datetime(2023, 3, 26, 2, 30)
    assert zones.occurrences(gap, BERLIN) == ()
    assert zones.first(gap, BERLIN) == datetime(2023, 3, 26, 1, tzinfo=UTC)


def test_a_time_in_the_fold_names_two_instants():
    fold = datetime(2023, 10, 29, 2, 30)
    first = datetime(2023, 10, 29, 0, 30, tzinfo=UTC)
    assert zones.occurrences(fold, BERLIN) == (first, first + timedelta(hours=1))
    assert zones.first(fold, BERLIN) == first


@given(
    st.sampled_from(NAMES).map(ZoneInfo),
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
)
def test_an_instant_is_among_those_its_wall_clock_time_names(zone, instant):
    assert instant in zones.occurrences(zones.wall(instant, zone), zone)
    assert zones.earliest_wall(instant, zone) <= zones.wall(instant, zone)


def test_where_there_are_no_zones_that_is_said(script, finish):
    source = """
        import sys, zoneinfo
        zoneinfo.reset_tzpath(to=["/nowhere"])
        sys.modules["tzdata"] = None
        from orion_nb.schemas.zones import zone
        try:
            zone("UTC")
        except Exception as error:
            print(error)
    """
    assert "no time zones on this system; pip install tzdata" in finish(script(source))
