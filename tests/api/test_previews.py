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
