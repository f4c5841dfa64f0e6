"""One run of a deployment in another kernel and with other variables; the next one has its own."""

from __future__ import annotations

import json
import sys

import pytest

from orion_nb.deployments.adhoc import run_notebook
from orion_nb.deployments.files import notebook_of

pytestmark = pytest.mark.slow

LOOK = (
    "import os\n"
    "print(*(os.environ.get(name) for name in ('WHICH', 'STAGE', 'TEAM')))\n"
    "assert os.environ.get('STAGE') != 'broken'"
)


@pytest.fixture
def other_kernel(tmp_path, monkeypatch):
    """The same Python as another kernel, which says so in its environment."""
    folder = tmp_path / "jupyter" / "kernels" / "another"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    told = {"argv": argv, "display_name": "Another", "language": "python", "env": {"WHICH": "2"}}
    (folder / "kernel.json").write_text(json.dumps(told))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    return "another"


@pytest.fixture
def printed(orion, kept):
    def read(run):
        (output,) = kept(notebook_of(orion.settings, run.id))[-1]["outputs"][:1]
        return output["text"].strip()

    return read


def test_a_run_is_executed_as_said_of_it_alone(
    orion, working, write_notebook, other_kernel, ended, printed, eventually
):
    path = write_notebook(LOOK)
    orion.create_deployment("looks", str(path), env={"STAGE": "live", "TEAM": "a"})
    worker = working(warm=1)
    eventually(lambda: worker._warm.pids)  # with a kernel of another name and environment

    own = ended(orion.run_deployment("looks", kernel=other_kernel, env={"STAGE": "test"}))
    plain = ended(orion.run_deployment("looks"))

    assert (own.state.name, printed(own)) == ("Completed", "2 test a")
    assert (plain.state.name, printed(plain)) == ("Completed", "None live a")


def test_it_holds_for_retries_and_reruns_until_said_anew(
    orion, worker, write_notebook, other_kernel, ended, printed
):
    orion.create_deployment("looks", str(write_notebook(LOOK)), retries=1)
    run = orion.run_deployment("looks", kernel=other_kernel, env={"STAGE": "broken", "TEAM": "b"})
    done = ended(run)
    assert (done.state.name, done.attempt, printed(run)) == ("Failed", 2, "2 broken b")
    orion.rerun(run.id, env={"STAGE": "mended"})
    assert (ended(run).state.name, printed(run)) == ("Completed", "2 mended None")


def test_a_notebook_is_run_with_variables(orion, write_notebook, other_kernel, printed):
    outcome = run_notebook(
        write_notebook(LOOK), kernel=other_kernel, env={"STAGE": "here"}, orion=orion
    )
    assert printed(outcome.run) == "2 here None"
    policy = orion.find(outcome.run.id).policy
    assert (policy.kernel, policy.env) == (other_kernel, (("STAGE", "here"),))
