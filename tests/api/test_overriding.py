"""A kernel and variables that are said of one run of a deployment: checked, kept, said anew."""

from __future__ import annotations

import pytest

from orion_nb.errors import Conflict, InvalidInput, KernelNotFound
from orion_nb.schemas.states import Failed, Pending, Running

KERNEL = {"kernel": "python3", "env": {"STAGE": "test"}}


def failed(orion, run):
    for state in (Pending(), Running(), Failed("no")):
        run = orion.advance(orion.find(run.id), state)[0]
    return run


def said_of(orion, run):
    policy = orion.find(run.id).policy
    return policy.kernel, dict(policy.env)


def test_it_is_kept_with_the_run_and_not_with_its_deployment(orion, deploy):
    deploy(env={"STAGE": "live", "TEAM": "a"}, retries=2)
    run = orion.run_deployment("report", **KERNEL)
    assert said_of(orion, run) == ("python3", {"STAGE": "test"})
    shown = orion.read_run(run.id).as_json()["policy"]
    assert (shown["kernel"], shown["env"], shown["retries"]) == ("python3", {"STAGE": "test"}, 2)
    told = orion.read_deployment("report")
    assert (told["kernel"], told["env"]) == (None, {"STAGE": "live", "TEAM": "a"})
    assert said_of(orion, orion.run_deployment("report")) == (None, {})


def test_a_rerun_keeps_it_or_is_told_anew(orion, deploy):
    deploy()
    run = failed(orion, orion.run_deployment("report", **KERNEL))
    orion.rerun(run.id)
    assert said_of(orion, run) == ("python3", {"STAGE": "test"})
    failed(orion, run)
    orion.rerun(run.id, env={"STAGE": "two", "MORE": "1"})
    assert said_of(orion, run) == ("python3", {"STAGE": "two", "MORE": "1"})
    failed(orion, run)
    orion.rerun(run.id, env={})
    assert said_of(orion, run) == ("python3", {})
    failed(orion, run)
    orion.rerun(run.id, kernel="")
    assert said_of(orion, run) == (None, {})


def test_a_rerun_that_is_refused_changes_nothing(orion, deploy):
    deploy()
    run = orion.run_deployment("report", **KERNEL)
    for state in (Pending(), Running()):
        orion.advance(orion.find(run.id), state)
    report = orion.rerun(run.id, env={"STAGE": "two"})
    assert report.status.value != "ACCEPT"
    assert said_of(orion, run) == ("python3", {"STAGE": "test"})


@pytest.mark.parametrize(
    ("said", "error", "says"),
    [
        ({"kernel": "r-4"}, KernelNotFound, "kernel 'r-4' not found; have: .*python3"),
        ({"kernel": "a\n"}, InvalidInput, "kernel: 'a.*has a control character"),
        ({"env": {"ORION_NB_HOME": "/"}}, InvalidInput, "env: 'ORION_NB_HOME' is not to be set"),
        ({"env": {"JPY_PARENT_PID": "1"}}, InvalidInput, "env: 'JPY_PARENT_PID' is not to be set"),
        ({"env": {"ORION_NB_SECRET_KEY": "x"}}, InvalidInput, "env: a secret is kept with"),
        ({"env": {"A B": "x"}}, InvalidInput, "env: 'A B' can't be an environment variable"),
        ({"env": {"A": "x\0y"}}, InvalidInput, "env: 'A' can't be an environment variable"),
        ({"env": {"A": "\ud800"}}, InvalidInput, "env: 'A' can't be an environment variable"),
        ({"env": {"A": "x" * 65_536}}, InvalidInput, "env: at most 65536 bytes .*, got 65539"),
        ({"env": {"A": "€" * 30_000}}, InvalidInput, "env: at most 65536 bytes .*, got 90003"),
        ({"env": {"A": 1}}, InvalidInput, "env: the value of 'A' is to be a text, got 1"),
    ],
)
def test_what_a_run_cant_be_executed_with_is_refused(orion, deploy, said, error, says):
    deploy()
    with pytest.raises(error, match=says):
        orion.run_deployment("report", **said)
    assert orion.filter_runs()["runs"] == []
    run = failed(orion, orion.run_deployment("report"))
    with pytest.raises(error, match=says):
        orion.rerun(run.id, **said)
    assert orion.find(run.id).state.name == "Failed"


def test_a_kernel_that_is_elsewhere_is_allowed_where_the_deployment_says_so(orion, deploy):
    deploy(allow_missing_kernel=True)
    run = orion.run_deployment("report", kernel="r-4")
    assert said_of(orion, run) == ("r-4", {})


def test_frames_can_be_asked_for_of_one_run(orion, deploy):
    deploy()
    run = orion.run_deployment("report", env={"ORION_NB_FRAMES": "1"})
    assert said_of(orion, run) == (None, {"ORION_NB_FRAMES": "1"})


def test_a_flow_has_no_kernel(orion, tmp_path):
    path = tmp_path / "etl.py"
    path.write_text("from orion_nb import flow\n\n\n@flow\ndef load():\n    pass\n")
    orion.create_deployment("etl", f"{path}:load")
    with pytest.raises(InvalidInput, match="'etl' is a flow, which is run in no kernel"):
        orion.run_deployment("etl", kernel="python3")
    assert said_of(orion, orion.run_deployment("etl", env={"A": "1"})) == (None, {"A": "1"})


def test_a_run_that_the_api_executes_nothing_for_is_told_neither(orion):
    for policy in ({"kernel": "python3"}, {"env": {"A": "1"}}):
        with pytest.raises(InvalidInput, match="said of a run of a deployment"):
            orion.create_run("flow", "f", policy=policy)
    run = failed(orion, orion.create_run("flow", "f"))
    with pytest.raises(Conflict, match="no run of a deployment"):
        orion.rerun(run.id, kernel="python3")
