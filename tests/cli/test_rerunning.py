"""`runs rerun --from-failed`: refused, with a list, where what a task made was not kept."""

from __future__ import annotations

from contextlib import closing

import pytest

from orion_nb import get_run
from orion_nb.api.orion import Orion
from orion_nb.deployments.files import Spec, run_folder
from orion_nb.errors import Conflict
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import Cancelled, Completed, Failed, Running

SAYS = "what these tasks made was not kept: load (it has no result)"


def failed(here: Orion, run: Run) -> Run:
    """The run has failed, after a task of it that completed and whose result was not kept."""
    task, _ = here.begin(here.new_run("task", "load", parent=run.id), Running())
    here.advance(task, Completed())
    return here.advance(run, Failed("no disk"), retriable=False)[0]


@pytest.fixture
def deployed(here: Orion, notebook) -> Run:
    here.create_deployment("daily", str(notebook("1")))
    here.run_deployment("daily")
    (taken,) = here.claim(1)
    return failed(here, here.judge(taken.id, Running(), session=here.session)[0])


def test_a_run_of_a_deployment_is_not_rerun_then(call, here, deployed):
    with pytest.raises(Conflict, match=r"not kept: load \(it has no result\)"):
        here.rerun(deployed.id, from_failed=True)
    done = call("runs", "rerun", deployed.id, "--from-failed")
    assert (done.code, here.find(deployed.id).state.name) == (1, "Failed")
    assert SAYS in done.err
    assert call("runs", "rerun", deployed.id).code == 0
    assert here.find(deployed.id).state.name == "Scheduled"


def test_nor_is_one_of_a_notebook(call, here, notebook):
    path = notebook("1")
    run, _ = here.begin(here.new_run("flow", path.stem, key=f"notebook:{path}"), Running())
    Spec(str(path)).write(run_folder(here.settings, run.id))
    failed(here, run)
    done = call("runs", "rerun", run.id, "--from-failed")
    assert (done.code, here.find(run.id).state.name) == (1, "Failed")
    assert SAYS in done.err


def test_a_retry_is_not_waited_for_any_longer(call, here):
    made = here.new_run("task", "load", policy=RunPolicy(1, (3600.0,)))
    run, _ = here.advance(here.begin(made, Running())[0], Failed("no disk"))
    done = call("runs", "retry", run.id, "--why", "it is back")
    assert (done.code, done.out) == (0, f"load {short(run.id)} is retried now.\n")
    assert here.find(run.id).state.message == "it is back"
    here.advance(here.find(run.id), Running())
    assert "it awaits no retry" in call("runs", "retry", run.id).err


def test_a_finished_run_is_deleted(call, here):
    gone, _ = here.begin(here.new_run("flow", "gone"), Running())
    assert "it has not ended; cancel it first" in call("runs", "rm", gone.id).err
    here.advance(gone, Failed("no disk"))
    here.begin(here.new_run("flow", "other"), Running())  # it has the newest event
    done = call("runs", "rm", short(gone.id), "--yes")
    assert (done.code, done.err) == (0, f"gone {short(gone.id)} is deleted.\n")
    assert call("runs", "show", gone.id).code == 2


def test_a_run_that_somebody_executes_is_not_rerun(call, here, notebook):
    here.create_deployment("daily", str(notebook("1")))
    run = here.run_deployment("daily")
    with closing(Orion(here.settings)) as other:
        other.claim(1)
        other.judge(run.id, Running(), session=other.session)
        done = call("runs", "rerun", run.id)
        assert (done.code, done.out) == (1, "")
        assert f"run {short(run.id)} can't be rerun" in done.err
        assert "wait for its end, or cancel the run" in done.err
        assert call("runs", "rerun", run.id, "--json").json["status"] == "ABORT"
        with pytest.raises(Conflict, match="can't be rerun: attempt 1 is executing"):
            get_run(run.id).rerun()
        now = here.find(run.id)
        assert (now.state.name, now.blocked) == ("Running", None)
        for command in ("ls", "why", "show"):
            assert "live session" not in call("runs", command, *[run.id][: command != "ls"]).out


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("runs", "cancel"), "the run has finished: "),
        (("runs", "resume"), "is not paused: it is "),
        (("runs", "retry"), "it awaits no retry"),
        (("runs", "rm", "--yes"), "it has the newest event"),
    ],
)
@pytest.mark.parametrize("end", [Completed, Cancelled])
def test_what_a_finished_run_refuses_says_why_and_advises_nothing_else(
    call, here, asked, says, end
):
    run, _ = here.begin(here.new_run("flow", "over"), Running())
    here.advance(run, end())
    done = call(*asked, run.id)
    assert done.code == 1
    assert says in done.out + done.err
    assert len((done.out + done.err).splitlines()) == 1


def test_who_wants_other_parameters_is_told_how(call, here, deployed):
    done = call("runs", "rerun", deployed.id, "-p", "day=x")
    assert done.code == 2
    assert f"`orion-nb replay {short(deployed.id)} -p NAME=VALUE`" in done.err
