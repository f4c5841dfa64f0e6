"""Deployments over the API: made with checks, changed, paused, run now, shown and deleted."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from orion_nb.clock import SECOND
from orion_nb.errors import (
    DeploymentExists,
    DeploymentNotFound,
    DeploymentUnreadable,
    InvalidInput,
    InvalidNotebook,
    NotebookNotFound,
    OrionError,
    ParameterError,
    ScheduleError,
)
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import SCHEDULED

HOUR = 3600 * SECOND


def test_a_deployment_is_shown_with_its_next_times_in_words_and_its_runs(deploy, clock, notebook):
    told = deploy(
        schedules=[{"kind": "cron", "cron": "0 10 * * *"}], parameters={"x": 2}, retries=1,
        retry_delay="10s", timeout="1h", tags=["daily"],
    )  # fmt: skip
    assert (told["name"], told["path"], told["revision"]) == ("report", str(notebook), 1)
    assert told["schedules"][0]["cron"] == "0 10 * * *"
    assert (told["retry_delay"], told["timeout"], told["tags"]) == (10.0, 3600.0, ["daily"])
    assert told["next_due"] == clock.at + HOUR
    assert told["next_times"] == [clock.at + HOUR + day * 24 * HOUR for day in range(5)]
    assert len(told["words"]) == 1
    assert told["last_runs"] == []
    assert told["created"] == told["updated"] == clock.at


def test_schedules_are_written_as_people_say_them(deploy, clock):
    told = deploy(schedules=["0 10 * * *", "15m"])
    assert [schedule["kind"] for schedule in told["schedules"]] == ["cron", "interval"]
    assert told["next_times"] == sorted(set(told["next_times"]))


def test_one_without_a_schedule_runs_when_asked_to(deploy):
    told = deploy()
    assert (told["next_due"], told["next_times"]) == (None, [])


def test_one_whose_schedule_never_fires_is_never_due(deploy):
    told = deploy(schedules=["0 0 31 2 *"])
    assert (told["next_due"], told["next_times"]) == (None, [])


def test_a_relative_path_is_kept_absolute(orion, notebook, monkeypatch):
    monkeypatch.chdir(notebook.parent)
    assert orion.create_deployment("r", "report.ipynb")["path"] == str(notebook)


def test_it_is_read_by_name_and_by_id_and_listed_by_name(orion, deploy):
    made = [deploy(name) for name in ("b", "a", "c d.e-f_g")]
    assert orion.read_deployment("a") == made[1]
    assert orion.read_deployment(made[1]["id"]) == made[1]
    listed = orion.list_deployments()["deployments"]
    assert [each["name"] for each in listed] == ["a", "b", "c d.e-f_g"]


def test_deploying_again_keeps_what_is_not_given(orion, deploy, notebook):
    deploy("kept", schedules=["15m"], parameters={"x": 5}, retries=2, tags=["a"], paused=True)
    after = orion.create_deployment("kept", str(notebook), retries=3, update=True)
    assert after["retries"] == 3
    assert after["words"] == ["every 15 minutes"]
    assert (after["parameters"], after["tags"], after["paused"]) == ({"x": 5}, ["a"], True)
    after = orion.create_deployment("kept", str(notebook), paused=False, update=True)
    assert after["paused"] is False
    assert after["next_times"]


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"name": ""}, InvalidInput, "name: use 1 to 100 letters"),
        ({"name": "a/b"}, InvalidInput, "name: "),
        ({"name": "x" * 101}, InvalidInput, "use 1 to 100 letters"),
        ({"name": " x"}, InvalidInput, "name: "),
        ({"path": "nowhere.ipynb"}, NotebookNotFound, "nowhere.ipynb' is not there"),
        ({"path": "~nobody-here/x.ipynb"}, InvalidInput, "path: '~nobody-here/x.ipynb'"),
        ({"path": "\0"}, NotebookNotFound, "is not there"),
        ({"parameters": {"z": 1}}, ParameterError, "z"),
        ({"parameters": {"x": "many"}}, ParameterError, "x"),
        ({"schedules": ["whenever"]}, ScheduleError, "whenever"),
        ({"schedules": [{"kind": "moon"}]}, ScheduleError, "moon"),
        ({"retries": -1}, InvalidInput, "retries: "),
        ({"retries": 101}, InvalidInput, "retries: "),
        ({"retry_delay": "soon"}, InvalidInput, "soon"),
        ({"timeout": -5}, InvalidInput, "-5"),
        ({"timeout": 0}, InvalidInput, "timeout: "),
        ({"cell_timeout": "0s"}, InvalidInput, "cell_timeout: "),
        ({"cwd": "/no/such/folder"}, InvalidInput, "cwd: '/no/such/folder' is no folder"),
        ({"tags": [""]}, InvalidInput, "tags: 1 to 255 characters"),
        ({"tags": ["a\nb"]}, InvalidInput, "control character"),
        ({"parameters": {"name": "x" * 600_000}}, InvalidInput, "more than 512 KiB"),
    ],
)
@pytest.mark.parametrize("changing", [False, True])
def test_what_cant_be_accepted_is_named_and_changes_nothing(
    orion, deploy, notebook, wrong, error, says, changing
):
    """Neither a new deployment nor a change of one."""
    before = deploy("there")
    ask = partial(orion.create_deployment, **{"name": "new", "path": str(notebook), **wrong})
    if changing and "name" in wrong:
        ask = partial(ask, update=True)
    elif changing:
        ask = partial(orion.update_deployment, "there", **wrong)
    with pytest.raises(error, match=re.escape(says)) as refused:
        ask()
    assert isinstance(refused.value, OrionError)
    assert refused.value.status in (404, 422)
    assert [each["name"] for each in orion.list_deployments()["deployments"]] == ["there"]
    assert orion.read_deployment("there") == before


def test_a_close_name_is_suggested(orion, deploy, notebook):
    deploy("weekly")
    with pytest.raises(DeploymentNotFound, match=re.escape("(did you mean 'weekly'?)")):
        orion.read_deployment("weakly")
    with pytest.raises(NotebookNotFound, match=re.escape("(did you mean 'report.ipynb'?)")):
        orion.create_deployment("new", str(notebook.with_name("reprot.ipynb")))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"cells": 3}', "\xff", "null"])
def test_a_file_that_is_no_notebook_is_refused(orion, tmp_path, text):
    path = tmp_path / "odd.ipynb"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidNotebook, match="path: "):
        orion.create_deployment("odd", str(path))


def test_a_change_is_tried_out_and_nothing_is_written(orion, deploy):
    made = deploy(retries=2, timeout="1h", schedules=["1h"])
    would = orion.check_update("report", retries=None, cell_timeout="5m", schedules=["1d"])
    assert (would["retries"], would["timeout"], would["cell_timeout"]) == (0, 3600.0, 300.0)
    assert would["words"] == ["every day at 00:00 UTC"]
    assert orion.read_deployment("report") == made
    with pytest.raises(ParameterError):
        orion.check_update("report", parameters={"x": "many"})


def test_a_name_is_taken_once_unless_it_is_to_be_updated(orion, deploy, clock):
    first = deploy(parameters={"x": 1}, tags=["a"])
    with pytest.raises(DeploymentExists, match="'report' exists"):
        deploy()
    clock.advance(1)
    second = deploy(parameters={"x": 2}, update=True)
    assert (second["id"], second["created"]) == (first["id"], first["created"])
    assert (second["revision"], second["updated"]) == (2, clock.at)
    assert (second["parameters"], second["tags"]) == ({"x": 2}, ["a"])


def test_of_many_who_create_one_name_at_once_one_does(orion, other, notebook):
    def create(api):
        try:
            return api.create_deployment("same", str(notebook))
        except DeploymentExists:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [each for each in pool.map(create, [orion, other] * 4) if each]
    assert len(made) == 1


def test_a_change_leaves_the_rest_as_it_was(orion, deploy, clock):
    before = deploy(schedules=["0 10 * * *"], parameters={"x": 2}, retries=3, tags=["a"])
    clock.advance(1)
    after = orion.update_deployment("report", parameters={"x": 5})
    assert after["parameters"] == {"x": 5}
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"parameters", "revision", "updated"}
    again = orion.update_deployment("report", schedules=[])
    assert (again["schedules"], again["next_due"]) == ([], None)


def test_a_field_that_is_null_has_its_default_again(orion, notebook, tmp_path):
    given = {"timeout": "5m", "cwd": str(tmp_path), "tags": ["a"], "retries": 3}
    orion.create_deployment("report", str(notebook), schedules=["1h"], **given)
    after = orion.update_deployment("report", timeout=None, cwd=None, tags=None, schedules=None)
    assert (after["timeout"], after["cwd"], after["tags"]) == (None, None, [])
    assert (after["schedules"], after["next_times"], after["retries"]) == ([], [], 3)
    again = orion.update_deployment("report", retries=None)
    assert (again["retries"], again["path"]) == (0, after["path"])


def test_a_field_that_there_is_not_is_refused_with_the_nearest(orion, notebook):
    with pytest.raises(InvalidInput, match="retires: no field of a deployment; did you mean 'ret"):
        orion.create_deployment("report", str(notebook), retires=3)


def test_changes_made_at_once_are_all_made(orion, other, deploy):
    deploy()
    changes = [{"retries": 7}, {"tags": ["t"]}, {"timeout": 60}, {"parameters": {"x": 9}}]
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda api, change: api.update_deployment("report", **change),
                [orion, other] * 2,
                changes,
            )
        )
    told = orion.read_deployment("report")
    assert told["revision"] == 5
    assert {**told, "retries": 7, "tags": ["t"], "timeout": 60.0, "parameters": {"x": 9}} == told


def test_a_paused_one_makes_no_runs_until_it_is_resumed(orion, deploy, clock):
    deploy(schedules=["1h"])
    paused = orion.pause_deployment("report")
    assert (paused["paused"], paused["next_due"], paused["next_times"]) == (True, None, [])
    clock.advance(3 * 3600)
    assert orion.schedule_due() == []
    resumed = orion.resume_deployment("report")
    assert not resumed["paused"]
    assert resumed["next_due"] >= clock.at
    assert orion.schedule_due() == [] or resumed["next_due"] == clock.at


def test_what_was_missed_while_paused_is_not_made_up_for(orion, deploy, clock):
    deploy(schedules=["0 10 * * *"])
    orion.pause_deployment("report")
    clock.advance(90 * 60)  # it is half past ten
    orion.resume_deployment("report")
    assert orion.schedule_due() == []


def test_an_instant_that_has_come_is_not_lost_by_a_change(orion, deploy, clock):
    """The deployment is changed after its time has come, before the scheduler has looked."""
    due = deploy(schedules=["0 10 * * *"])["next_due"]
    clock.advance(3600.001)
    changed = orion.update_deployment("report", parameters={"x": 3})
    assert changed["next_due"] == due
    (run,) = orion.schedule_due()
    assert (run.scheduled_time, run.parameters) == (due, {"x": 3})
    assert orion.schedule_due() == []


def test_it_is_run_now_with_parameters_laid_over_its_own(orion, deploy, clock):
    made = deploy(parameters={"x": 2, "name": "b"}, retries=2, retry_delay=5, tags=["t"])
    run = orion.run_deployment("report", {"x": 7})
    assert orion.find(run.id) == run
    assert (run.kind, run.name, run.deployment) == ("flow", "report", made["id"])
    assert (run.parameters, run.tags) == ({"x": 7, "name": "b"}, ("t",))
    assert run.policy == RunPolicy(2, (5.0,), None)
    assert (run.state.type, run.scheduled_time) == (SCHEDULED, clock.at)
    assert [each["id"] for each in orion.read_deployment("report")["last_runs"]] == [run.id]
    assert orion.read_deployment("report")["parameters"] == {"x": 2, "name": "b"}


def test_it_is_not_run_with_what_its_notebook_does_not_take(orion, deploy):
    deploy()
    with pytest.raises(ParameterError, match="y"):
        orion.run_deployment("report", {"y": 1})
    assert orion.filter_runs()["runs"] == []


def test_it_is_not_run_when_its_notebook_has_gone(orion, deploy, notebook):
    deploy()
    notebook.unlink()
    with pytest.raises(NotebookNotFound):
        orion.run_deployment("report")


def test_when_it_is_deleted_its_runs_stay(orion, deploy):
    made = deploy()
    run = orion.run_deployment("report")
    assert orion.delete_deployment("report") == {"deleted": "report", "id": made["id"]}
    with pytest.raises(DeploymentNotFound):
        orion.read_deployment("report")
    assert orion.find(run.id) == run
    assert [each["id"] for each in orion.filter_runs(deployment=made["id"])["runs"]] == [run.id]
    assert deploy()["id"] != made["id"]


@pytest.mark.parametrize(
    "ask",
    ["read_deployment", "delete_deployment", "pause_deployment", "resume_deployment",
     "run_deployment", "update_deployment"],
)  # fmt: skip
@pytest.mark.parametrize("ref", ["nothing", "01a204b0c1d77f8982f00156337dbdc6", ""])
def test_one_that_is_not_there_is_said_not_to_be(orion, ask, ref):
    with pytest.raises(DeploymentNotFound, match="no deployment"):
        getattr(orion, ask)(ref)


def test_runs_are_filtered_by_deployment(orion, deploy):
    deploy("a")
    deploy("b")
    run = orion.run_deployment("a")
    orion.run_deployment("b")
    assert [each["id"] for each in orion.filter_runs(deployment="a")["runs"]] == [run.id]


@pytest.mark.parametrize("n", [0, 101, -1])
def test_a_preview_has_one_to_a_hundred_times(orion, n):
    with pytest.raises(InvalidInput, match=f"n: {n} is not between 1 and 100"):
        orion.preview_schedules(["1h"], n=n)


def test_a_notebook_is_inspected_without_being_run(orion, tmp_path):
    import json

    def cell(source, *tags):
        return {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}}

    path = tmp_path / "work.ipynb"
    found = [
        cell("limit: int = 10  # how many", "parameters"),
        cell("%%task load --retries 3\nx = 1"),
        cell("# first\n#| task: retries=3\ny = 2"),
    ]
    told = {"nbformat": 4, "metadata": {"kernelspec": {"name": "python3"}}, "cells": found}
    path.write_text(json.dumps(told), "utf-8")
    told = orion.inspect_notebook(str(path))
    assert (told["kernel"], told["language"], told["takes_any"]) == ("python3", "python", False)
    assert told["parameters"][0]["help"] == "how many"
    assert told["schema"]["properties"]["limit"]["type"] == "integer"
    assert told["tasks"] == [{"cell": 2, "name": "load"}, {"cell": 3, "name": None}]
    assert len(told["sha256"]) == 64
    assert orion.inspect_notebook(str(path), allow_untagged=True)["takes_any"] is False
    with pytest.raises(NotebookNotFound, match="did you mean 'work"):
        orion.inspect_notebook(str(path.with_name("wrok.ipynb")))


def test_deployments_are_listed_by_the_page(orion, notebook):
    for number in range(5):
        orion.create_deployment(f"d{number}", str(notebook))
    first = orion.list_deployments(limit=3)
    rest = orion.list_deployments(limit=3, cursor=first["cursor"])
    names = [each["name"] for each in first["deployments"] + rest["deployments"]]
    assert names == ["d0", "d1", "d2", "d3", "d4"]
    assert rest["cursor"] is None
    assert [each["name"] for each in orion.all_deployments()["deployments"]] == names
    for wrong in ({"limit": 0}, {"limit": 201}, {"cursor": "x"}, {"cursor": "é"}):
        with pytest.raises(InvalidInput, match=next(iter(wrong))):
            orion.list_deployments(**wrong)


def test_a_server_lists_so_many_deployments_as_it_has_time_for(orion, notebook):
    for number in range(3):
        orion.create_deployment(f"d{number}", str(notebook))
    orion.patience = 0.0
    first = orion.list_deployments()
    assert ([each["name"] for each in first["deployments"]], first["cursor"] is None) == (
        ["d0"],
        False,
    )
    assert [each["name"] for each in orion.all_deployments()["deployments"]] == ["d0", "d1", "d2"]


def _spoil(orion, name):
    """The time zone of its schedule was taken out of the system's."""
    spec = "UPDATE deployments SET spec = replace(spec, 'UTC', 'Mars/Olympus') WHERE name = ?"
    orion.database.write(lambda tx: tx.execute(spec, (name,)))


def test_one_that_cant_be_read_is_listed_with_its_problem(orion, deploy):
    for name in ("broken", "sound"):
        deploy(name, schedules=["15m"], tags=["kept"])
    orion.run_deployment("broken")
    _spoil(orion, "broken")
    broken, sound = orion.list_deployments()["deployments"]
    assert "Mars/Olympus" in broken["problem"]
    assert (broken["tags"], broken["schedules"], broken["next_times"]) == (["kept"], [], [])
    assert len(broken["last_runs"]) == 1
    assert (sound["problem"], sound["words"]) == (None, ["every 15 minutes"])
    assert {*broken} == {*sound}
    told = orion.read_deployment("broken")
    assert {**told, "source": None} == {**broken, "source": None}
    assert {*told["source"]} == {*orion.read_deployment("sound")["source"]}
    with pytest.raises(DeploymentUnreadable, match="Mars/Olympus"):
        orion.run_deployment(broken["id"])


def test_one_that_cant_be_read_is_deployed_anew_or_removed(orion, deploy):
    made = {name: deploy(name, schedules=["15m"], tags=["old"]) for name in ("again", "gone")}
    for name in made:
        _spoil(orion, name)
    with pytest.raises(DeploymentExists):
        deploy("again")
    again = deploy("again", schedules=["1h"], update=True)
    assert (again["id"], again["problem"]) == (made["again"]["id"], None)
    assert (again["words"], again["tags"]) == (["every hour"], [])
    assert again["next_due"] == again["next_times"][0]
    assert again["revision"] == made["again"]["revision"] + 1
    assert orion.delete_deployment("gone") == {"deleted": "gone", "id": made["gone"]["id"]}
    assert [each["name"] for each in orion.list_deployments()["deployments"]] == ["again"]
