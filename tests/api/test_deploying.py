"""`deploy` takes values of Python as they are, and refuses others in words that help."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

import orion_nb
from orion_nb.errors import InvalidInput
from orion_nb.schedules import Cron

NINE = datetime(2030, 1, 1, 9)  # noqa: DTZ001 - on the clock of the zone that is told with it


@pytest.fixture
def tried(orion, notebook):
    """What a deployment of the notebook would be."""
    return partial(orion_nb.deploy, notebook, dry_run=True, orion=orion)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"every": 300}, ["every 5 minutes"]),
        ({"every": timedelta(hours=1)}, ["every hour"]),
        ({"every": (0.5, "2h")}, ["every 500 milliseconds", "every 2 hours"]),
        ({"at": datetime(2030, 1, 1, tzinfo=UTC)}, ["once at 2030-01-01 00:00:00 UTC"]),
        ({"at": date(2030, 1, 1), "tz": "Asia/Tokyo"}, ["once at 2029-12-31 15:00:00 UTC"]),
        ({"at": [NINE], "tz": "Asia/Tokyo"}, ["once at 2030-01-01 00:00:00 UTC"]),
        ({"schedules": "0 7 * * *", "tz": "Asia/Tokyo"}, ["every day at 07:00 Asia/Tokyo"]),
        ({"schedules": Cron("@daily"), "tz": "Asia/Tokyo"}, ["every day at 00:00 UTC"]),
        ({"schedules": {"kind": "interval", "every": "15m"}}, ["every 15 minutes"]),
        ({"schedules": ["15m"], "every": 60}, ["every 15 minutes", "every minute"]),
    ],
)  # fmt: skip
def test_schedules_are_told_as_values_alone_or_several(tried, told, words):
    assert tried(**told)["words"] == words


def test_durations_and_tags_are_told_as_values(tried):
    made = tried(timeout=timedelta(hours=1), tags="db")
    assert (made["timeout"], made["tags"]) == (3600, ["db"])


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"every": True}, "every: expected a duration, got True"),
        ({"every": 0}, "every: 0 must be more than nothing"),
        ({"cron": 5}, "cron: expected a text, got 5"),
        ({"cron": ["@daily", None]}, "cron: expected a text, got None"),
        ({"cron": Cron("@daily")}, r"cron: expected a text \(`schedules=` takes"),
        ({"rrule": b"FREQ=DAILY"}, "rrule: expected a text, got "),
        ({"ics": Path("none.ics")}, "ics: 'none.ics' can't be read"),
        ({"at": 5}, "at: expected a date and time, got 5"),
        ({"schedules": 5}, "5 is not a schedule"),
        ({"tags": 5}, "tags: expected texts, got 5"),
        ({"params": 5}, "params: expected values by their names, got 5"),
        ({"evry": "5m"}, "evry: no field of a deployment; did you mean 'every'"),
        ({"retires": 2}, "retires: no field of a deployment; did you mean 'retries'"),
        ({"name": 5}, "name: expected a text, got 5"),
        ({"name": ""}, "name: use 1 to 100 letters"),
    ],
)
def test_what_can_not_be_meant_is_refused_by_its_name(tried, told, says):
    with pytest.raises(InvalidInput, match=says):
        tried(**told)


def test_a_target_is_a_path(orion):
    with pytest.raises(InvalidInput, match=r"target: expected a path, .*, got None"):
        orion_nb.deploy(None, orion=orion)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda api: api.find(5), "run: expected its name or its id, got 5"),
        (lambda api: api.find_deployment(5), "deployment: expected its name or its id, got 5"),
        (lambda api: api.create_deployment(5, "x.ipynb"), "name: expected a text, got 5"),
        (lambda api: api.set_limit("x", "two"), r"slots: limit 'x' has .*, got 'two'"),
        (lambda api: api.filter_runs(states=[5]), "states: expected a text, got 5"),
        (lambda api: api.filter_runs(states="FALED"), "'FALED' is no state .did you mean"),
    ],
)
def test_the_api_says_which_value_it_can_not_take(orion, call, says):
    with pytest.raises(InvalidInput, match=says):
        call(orion)


def test_one_schedule_or_state_is_a_list_of_one(orion, deploy):
    made = deploy(schedules="0 7 * * *", tags="db")
    assert (made["words"], made["tags"]) == (["every day at 07:00 UTC"], ["db"])
    assert orion.preview_schedules("0 7 * * *", n=1)["next_times"] == made["next_times"][:1]
    run = orion.run_deployment("report")
    assert [each["id"] for each in orion.filter_runs(states="SCHEDULED")["runs"]] == [run.id]


def test_who_waits_says_how_long_as_a_duration(orion, deploy, monkeypatch):
    monkeypatch.setattr("orion_nb.deployments.handles.connect", lambda: orion)
    deploy()
    run = orion_nb.get_run(orion.run_deployment("report").id)
    with pytest.raises(InvalidInput, match="timeout: 'soon' is not a duration"):
        run.wait(timeout="soon")
    for longest in ("1ms", timedelta(0), -1):
        with pytest.raises(TimeoutError):
            run.wait(timeout=longest)
