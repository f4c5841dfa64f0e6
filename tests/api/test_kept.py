"""Deployments say how long their finished runs are kept; whoever looks after runs does so."""

from __future__ import annotations

import json
from functools import partial

import pytest

from orion_nb import clock
from orion_nb.deployments.upkeep import Upkeep
from orion_nb.errors import DeploymentNotFound, InvalidInput
from orion_nb.schemas.states import Completed, Running
from tests.waiting import until

DAY = 24 * 3600 * clock.SECOND


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "daily.ipynb"
    cells = [{"cell_type": "code", "source": "1", "metadata": {}}]
    told = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(told), "utf-8")
    return str(path)


@pytest.fixture
def ran(orion, notebook, monkeypatch):
    """Deploys with these fields; its runs ended so many days ago."""

    def make(name, *ages, **fields):
        made = orion.create_deployment(name, notebook, **fields) if name != "none" else None
        now = clock.now()
        with monkeypatch.context() as then:
            for age in sorted(ages, reverse=True):
                then.setattr(clock, "now", partial(int, now - age * DAY))
                run = orion.new_run("flow", name, deployment=made and made["id"], tags=[f"{age}"])
                orion.advance(orion.begin(run, Running())[0], Completed())
        return made

    return make


def kept(orion, name):
    return [float(run["tags"][0]) for run in orion.filter_runs(name=name, limit=200)["runs"]]


@pytest.fixture
def newest(orion, ran):
    """The run with the newest event stays whatever is said."""
    return lambda: ran("none", 0)


def test_runs_go_by_age_by_number_or_by_both(orion, ran, newest):
    ages = (1, 2, 3, 40, 50)
    ran("by age", *ages, keep="30d")
    ran("by number", *ages, keep_last=2)
    ran("by both", *ages, keep="2.5d", keep_last=4)
    ran("says nothing", *ages)
    newest()
    assert orion.forget_old(None) == 2 + 3 + 1
    assert kept(orion, "by age") == [1, 2, 3]
    assert kept(orion, "by number") == [1, 2]
    assert kept(orion, "by both") == [1, 2, 3, 40]
    assert kept(orion, "says nothing") == [1, 2, 3, 40, 50]
    assert orion.forget_old(None) == 0


def test_what_a_deployment_says_goes_before_what_all_are_told(orion, ran, newest):
    ran("long", 1, 100, 200, keep="150d")
    ran("short", 1, 10, keep="5d")
    ran("other", 1, 20, 40)
    newest()
    assert orion.forget_old("30d", only_kept=True) == 2
    assert kept(orion, "other") == [1, 20, 40]
    assert orion.forget_old("30d") == 1
    assert [kept(orion, name) for name in ("long", "short", "other")] == [[1, 100], [1], [1, 20]]


def test_what_is_pinned_or_unfinished_stays(orion, ran, newest):
    made = ran("daily", 1, 2, 3, keep_last=1)
    orion.pin(orion.filter_runs(name="daily")["runs"][1]["id"])
    orion.begin(orion.new_run("flow", "daily", deployment=made["id"], tags=["0"]), Running())
    newest()
    orion.forget_old(None)
    assert kept(orion, "daily") == [0, 1, 2]


def test_a_server_sees_to_it_by_itself(orion, ran, newest):
    ran("daily", 1, 2, 3, keep_last=1)
    newest()
    upkeep = Upkeep(orion)
    upkeep.look()
    until(lambda: kept(orion, "daily") == [1])
    upkeep.stop()


def test_one_deployment_is_pruned_by_hand(orion, ran, newest):
    ran("a", 1, 2, 40)
    ran("b", 1, 2, 40)
    newest()
    assert orion.prune(deployment="a", keep_last=1, dry_run=True)["runs"] == 2
    assert orion.prune(deployment="a", older_than="30d")["runs"] == 1
    assert (kept(orion, "a"), kept(orion, "b")) == ([1, 2], [1, 2, 40])
    with pytest.raises(DeploymentNotFound):
        orion.prune(deployment="c")


@pytest.mark.parametrize(
    "told", [{"keep": "0s"}, {"keep": "soon"}, {"keep_last": 0}, {"keep_last": "x"}]
)
def test_what_can_not_be_is_refused(orion, notebook, told):
    with pytest.raises(InvalidInput) as refused:
        orion.create_deployment("daily", notebook, **told)
    assert refused.value.field in told


def test_what_was_said_is_changed_and_taken_back(orion, notebook):
    made = orion.create_deployment("daily", notebook, keep="30d", keep_last=5)
    assert (made["keep"], made["keep_last"]) == (30 * 24 * 3600.0, 5)
    assert orion.keeps_by_deployment()
    orion.update_deployment("daily", keep=None, keep_last=None)
    assert not orion.keeps_by_deployment()
