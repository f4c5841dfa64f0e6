"""Cron expressions are checked field by field, put into words and stepped through."""

# ruff: noqa: DTZ001 - what a clock on the wall shows has no zone

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orion_nb.errors import ScheduleError
from orion_nb.schemas import cron

START = datetime(2026, 11, 22, 8, 59, 30)  # a Sunday


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("0 9 * * 1-5", ["2026-11-23 09:00:00", "2026-11-24 09:00:00"]),
        ("0 9 * * mon", ["2026-11-23 09:00:00", "2026-11-30 09:00:00"]),
        ("0 0 * * 7", ["2026-11-29 00:00:00", "2026-12-06 00:00:00"]),
        ("*/20 8-9 * * *", ["2026-11-22 09:00:00", "2026-11-22 09:20:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("0 0 L * *", ["2026-11-30 00:00:00", "2026-12-31 00:00:00"]),
        ("0 0 */30 * *", ["2026-12-01 00:00:00", "2026-12-31 00:00:00"]),
        ("0 0 13 * 5", ["2026-11-27 00:00:00", "2026-12-04 00:00:00"]),
        ("0 0 * * fri#2", ["2026-12-11 00:00:00", "2027-01-08 00:00:00"]),
        ("@yearly", ["2027-01-01 00:00:00", "2028-01-01 00:00:00"]),
        ("* * * * * */20", ["2026-11-22 08:59:40", "2026-11-22 09:00:00"]),
        ("0 0 1 1 * 30 2030", ["2030-01-01 00:00:30"]),
    ],
)
def test_the_times_of_a_rule(expression, first):
    found = cron.walls(cron.check(expression), START, day_or=True)
    assert [str(wall) for wall in islice(found, 2)] == first


def test_a_start_that_agrees_is_included_and_a_microsecond_later_is_not():
    nine = datetime(2026, 11, 22, 9)
    assert next(cron.walls("0 9 * * *", nine, day_or=True)) == nine
    later = nine + timedelta(microseconds=1)
    assert next(cron.walls("0 9 * * *", later, day_or=True)) == nine + timedelta(days=1)
    assert next(cron.walls("0 9 * * * 0", nine, day_or=True)) == nine
    assert next(cron.walls("0 9 * * * 0", later, day_or=True)) == nine + timedelta(days=1)


def test_both_days_must_agree_when_day_or_is_false():
    found = cron.walls("0 0 13 * 5", START, day_or=False)
    assert next(found) == datetime(2027, 8, 13)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("60 * * * *", "minute '60' in '60 * * * *' can't be read: it takes 0-59, *, lists,"),
        ("0 24 * * *", "hour '24' in"),
        ("0 0 32 * *", "day of month '32' in"),
        ("0 0 1 13 *", "month '13' in"),
        ("0 0 * * 8", "day of week '8' in"),
        ("* * * * * 60", "second '60' in"),
        ("* * * * * * 1900", "year '1900' in"),
        ("*/0 * * * *", "minute '*/0' in"),
        ("0 0 * * mon,tue#6", "day of week 'mon,tue#6' in"),
        ("0\xa09 * * *", "has 4 fields"),
        ("0 30 9 * * 1-5", "of six fields the second is the last"),
        ("0 9 * *", "'0 9 * *' has 4 fields; it takes 5 (minute hour day month weekday)"),
        ("R * * * *", "minute 'R' in"),
        ("@reboot", "'@reboot' is not known (known are @hourly, @daily"),
        ("@every 1h30m", "'@every 1h30m' is an interval: give '1h30m'"),
        ("CRON_TZ=UTC 0 5 * * *", "the time zone is told apart from the expression"),
        ("TZ=UTC 0 5 * * *", "the time zone is told apart from the expression"),
        ("* " * 150, "is not a cron expression (try '0 9 * * 1-5')"),
        (None, "'None' is not a cron expression"),
    ],
)
def test_the_error_names_the_field_that_is_wrong(expression, message):
    with pytest.raises(ScheduleError) as caught:
        cron.check(expression)
    assert str(caught.value).startswith("cron: ")
    assert message in str(caught.value)
    assert caught.value.field == "cron"


@settings(deadline=None, max_examples=300)
@given(
    st.text(max_size=30)
    | st.lists(
        st.text("0123456789*/-,?LWlw#h@ar()jnsumo", min_size=1, max_size=6), min_size=5, max_size=7
    ).map(" ".join)
)
@example("l-l * * * *")
@example("* * * * 1#")
@example("* * 1-l * l")
@example("0 0 l1 * *")
@example("* * * * l#1")
def test_any_text_is_a_rule_or_a_clear_error(text):
    try:
        told = cron.check(text)
    except ScheduleError:
        return
    cron.words(told)
    next(cron.walls(told, START, day_or=True), None)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0 * * * *", "every hour"),
        ("30 * * * *", "every hour at :30"),
        ("* * * * * *", "every second"),
        ("* * * * * */5", "every 5 seconds"),
        ("0 */6 * * *", "every 6 hours"),
        ("@daily", "every day at 00:00"),
        ("0 9 * * 1-5", "every weekday at 09:00"),
        ("5 9,17 * * *", "every day at 09:05 and 17:05"),
        ("0 0 * * 6-7", "every Saturday and Sunday at 00:00"),
        ("0 7 * * mon,wed,fri", "every Monday, Wednesday and Friday at 07:00"),
        ("0 0 1 * *", "on day 1 of every month at 00:00"),
        ("0 0 L * *", "on the last day of every month at 00:00"),
        ("0 7 * * * 0 *", "every day at 07:00"),
    ],
)
def test_simple_rules_have_words(expression, words):
    assert cron.words(expression)[0] == words


@pytest.mark.parametrize(
    "expression",
    [
        "*/7 * * * *", "0,1 * * * *", "0 0 30 2 *", "5 4 * * sun#2", "0 0 15W * *", "0 0 1 * 1",
        "0 0 l,15 * *", "0 0 * * l5", "0 7 * * * 0 2027", "0 7 * * * 30", "*/7 * * * * *",
        "* * * * * */7", "* * * * * 1,2", "*/5 9 * * *", "0 9-17 * * *", "* * * * * */5 2030",
    ],
)  # fmt: skip
def test_other_rules_have_none(expression):
    assert cron.words(cron.check(expression)) is None
