"""Schedules are tried out, and their times told, without and with a deployment."""

from __future__ import annotations

from orion_nb.clock import SECOND

HOUR = 3600 * SECOND


def test_schedules_are_previewed_without_a_deployment(orion, clock):
    told = orion.preview_schedules(["0 10 * * *", "0 11 * * *"], n=3)
    assert told["next_times"] == [clock.at + HOUR, clock.at + 2 * HOUR, clock.at + 25 * HOUR]
    assert [each["kind"] for each in told["schedules"]] == ["cron", "cron"]
    assert (told["timezone"], told["local_times"][0][11:]) == ("UTC", "10:00:00+00:00")


def test_times_are_told_on_the_clock_of_the_schedule(orion, deploy):
    """Both half past two of the night in which clocks go back."""
    said = {
        "kind": "cron", "cron": "30 2 * * *", "timezone": "Europe/Berlin", "dst": "both",
        "starts": "2040-10-28", "ends": "2040-10-28",
    }  # fmt: skip
    nights = ["2040-10-28T02:30:00+02:00", "2040-10-28T02:30:00+01:00"]
    for told in (orion.preview_schedules([said]), deploy(schedules=[said])):
        assert (told["timezone"], told["local_times"]) == ("Europe/Berlin", nights)
    told = orion.preview_schedules(["2040-10-28T02:30"], timezone="Europe/Berlin")
    assert (told["timezone"], told["local_times"]) == ("Europe/Berlin", nights[:1])
    told = orion.preview_schedules([{**said, "timezone": "UTC"}], timezone="Europe/Berlin")
    assert told["local_times"] == ["2040-10-28T03:30:00+01:00"]
    assert all(each["words"] for each in told["schedules"])


def test_a_start_and_end_for_all_are_on_the_clock_of_each(orion):
    late = {"kind": "cron", "cron": "0 22 * * *", "timezone": "America/New_York"}
    told = orion.preview_schedules([late, "0 1 * * *"], starts="2040-03-01", ends="2040-03-01")
    assert told["local_times"] == ["2040-02-29T20:00:00-05:00", "2040-03-01T22:00:00-05:00"]
    told = orion.preview_schedules(["0 1 * * *"], timezone="Asia/Tokyo", starts="2040-03-01", n=1)
    assert told["local_times"] == ["2040-03-01T01:00:00+09:00"]
