"""Schedules are paused and resumed: by whom, why and until when is kept, and it holds."""

from __future__ import annotations

import pytest

from orion_nb.clock import SECOND, iso
from orion_nb.errors import InvalidInput

HOUR = 3600 * SECOND


def test_a_pause_with_an_end_is_over_by_itself(orion, other, deploy, clock):
    deploy(schedules=["0 * * * *"])
    clock.advance(60)
    end = clock.at + 2 * HOUR  # one past eleven
    told = orion.pause_deployment("report", until=iso(end), why="the source is down", by="ada")
    assert told["paused"] is True
    assert told["pause"] == {
        "at": clock.at, "until": end, "by": "ada", "why": "the source is down", "resumed": None,
        "resumed_by": None,
    }  # fmt: skip
    assert told["next_times"][0] == told["next_due"] == clock.at - 60 * SECOND + 3 * HOUR
    clock.advance(2 * 3600 - 1)
    assert orion.schedule_due() == []
    assert orion.read_deployment("report")["paused"] is True
    clock.advance(1)
    assert other.read_deployment("report")["paused"] is False
    assert orion.schedule_due() == []  # eleven was in the pause
    clock.advance(3600)
    (run,) = other.schedule_due()
    assert run.scheduled_time == told["next_due"]


@pytest.mark.parametrize("until", ["2h", 2 * HOUR])
def test_an_end_is_also_a_duration_or_an_instant(orion, deploy, clock, until):
    deploy(schedules=["15m"])
    given = until if isinstance(until, str) else clock.at + until
    assert orion.pause_deployment("report", until=given)["pause"]["until"] == clock.at + 2 * HOUR


def test_who_resumed_it_is_kept_and_it_goes_on_from_now(orion, deploy, clock):
    deploy(schedules=["0 * * * *"])
    clock.advance(60)
    orion.pause_deployment("report", until="1d", by="ada")
    clock.advance(2 * 3600)
    told = orion.resume_deployment("report", by="bob")
    assert told["paused"] is False
    assert (told["pause"]["resumed"], told["pause"]["resumed_by"]) == (clock.at, "bob")
    assert orion.schedule_due() == []
    clock.advance(3600)
    assert len(orion.schedule_due()) == 1


def test_a_change_does_not_end_a_pause(orion, deploy, notebook, clock):
    deploy(schedules=["0 * * * *"])
    orion.pause_deployment("report", until="1d")
    told = orion.update_deployment("report", schedules=["30 * * * *"])
    assert told["paused"] is True
    assert told["next_due"] == clock.at + 24 * HOUR + HOUR // 2
    told = orion.create_deployment("report", str(notebook), paused=False, update=True)
    assert (told["paused"], told["next_due"]) == (False, clock.at + HOUR // 2)


def test_changed_schedules_leave_the_runs_that_were_made(orion, deploy, clock):
    deploy(schedules=["0 * * * *"])
    (made,) = orion.schedule_due()
    told = orion.update_deployment("report", schedules=["30 * * * *", "FREQ=DAILY;BYHOUR=9"])
    assert orion.find(made.id).scheduled_time == made.scheduled_time
    assert told["next_times"][:2] == [clock.at, clock.at + HOUR // 2]
    assert orion.schedule_due() == []  # the instant has its run


@pytest.mark.parametrize(
    ("until", "message"),
    [
        ("yesterday", "until: 'yesterday' is no time with an offset and no duration (try"),
        ("2030-01-01T09:00", "until: '2030-01-01T09:00' is no time with an offset and no duration"),
        ("2020-01-01T00:00Z", "until: '2020-01-01T00:00Z' is not in the future"),
        (5, "until: 5 is not in the future"),
        ("0s", "until: '0s' is not in the future"),
    ],
)
def test_an_end_that_is_none_is_refused(orion, deploy, until, message):
    deploy(schedules=["15m"])
    with pytest.raises(InvalidInput) as caught:
        orion.pause_deployment("report", until=until)
    assert str(caught.value).startswith(message)
    assert orion.read_deployment("report")["paused"] is False


EVENT = (
    "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260302T090000Z\nRRULE:FREQ=HOURLY\n"
    "EXDATE:20260302T110000Z\nEND:VEVENT\nEND:VCALENDAR"
)


@pytest.mark.parametrize(
    "schedule",
    [
        "0 * * * *",
        "1h",
        "DTSTART:20260302T090000Z RRULE:FREQ=HOURLY RDATE:20260302T093000Z",
        {"kind": "ics", "ics": EVENT},
    ],
    ids=["cron", "interval", "rrule", "ics"],
)
def test_what_was_missed_is_made_up_for_by_every_kind(orion, deploy, clock, schedule):
    deploy("latest", schedules=[schedule])
    deploy("all", schedules=[schedule], catch_up="all", catch_up_max=3)
    clock.advance(4 * 3600 + 1)
    made = {}
    for run in orion.schedule_due():
        made.setdefault(run.name, []).append(run.scheduled_time - clock.at + SECOND)
    assert made == {"latest": [0], "all": [-2 * HOUR, -HOUR, 0]} or (
        isinstance(schedule, dict) and made == {"latest": [0], "all": [-3 * HOUR, -HOUR, 0]}
    )
    assert orion.schedule_due() == []


def test_a_schedule_of_every_microsecond_does_not_stop_the_others(orion, deploy, clock):
    deploy("fast", schedules=["1us"])
    deploy("slow", schedules=["0 * * * *"])
    clock.advance(3600)
    assert {run.name for run in orion.schedule_due()} == {"fast", "slow"}


def test_a_preview_reads_texts_in_a_zone_and_every_kind(orion, clock):
    told = orion.preview_schedules(
        ["0 12 * * *", "FREQ=DAILY;BYHOUR=13", "2026-03-02T14:00", {"kind": "ics", "ics": EVENT}],
        n=4,
        timezone="Asia/Tokyo",
    )
    assert [each["kind"] for each in told["schedules"]] == ["cron", "rrule", "once", "ics"]
    assert told["schedules"][0]["words"] == "every day at 12:00 Asia/Tokyo"
    assert told["next_times"][:2] == [clock.at, clock.at + HOUR]
