"""Loading, loading twice, unloading, reloading, and what is left when the kernel ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def own(new_kernel: Callable[..., Any]) -> Any:
    """A kernel in which nothing is loaded yet."""
    return new_kernel()


def test_it_loads_quietly_twice_and_goes_away_without_a_trace(own: Any) -> None:
    assert "UsageError: Cell magic `%%task` not found" in own.run("%%task x\n1\n").stderr
    assert own.do("%load_ext orion_nb").outputs == []
    assert own.do("import orion_nb; orion_nb.load_ipython_extension(get_ipython())").outputs == []
    own.do("from orion_nb import flow; import threading")
    ran = own.do("%%task loaded\nloaded_x = 1\n")
    assert len(ran.displays) == 1
    assert own.value("len(get_ipython().input_transformers_cleanup)") == "5"

    own.do("%unload_ext orion_nb")
    session = own.orion.find(own.orion.find("loaded").parent)
    assert (session.state.name, session.name) == ("Completed", "notebook")
    assert "UsageError: Cell magic `%%task` not found" in own.run("%%task x\n1\n").stderr
    assert "UsageError: Line magic function `%orion` not found" in own.run("%orion").stderr
    assert own.do("#| task: commented\ncommented = 2\n").displays == []
    assert own.do("flow(lambda: 1, name='cardless')()").displays == []
    assert own.value("len(get_ipython().input_transformers_cleanup)") == "4"
    assert own.value("threading.active_count() < 10") == "True"

    own.do("%load_ext orion_nb")
    assert own.do("%reload_ext orion_nb").outputs == []
    assert len(own.do("%%task again\n1\n").displays) == 1
    assert own.value("len(get_ipython().input_transformers_cleanup)") == "5"
    assert own.orion.find("again").parent != session.id


def test_a_kernel_that_shuts_down_ends_its_run(new_kernel: Callable[..., Any]) -> None:
    for body, state, message in (
        ("fine = 1", "Completed", None),
        ("1 / 0", "Failed", "did not complete: cell"),
    ):
        kernel = new_kernel(JPY_SESSION_NAME=f"/home/ana/{state} café.ipynb")
        kernel.do("%load_ext orion_nb")
        kernel.run("%%task redone\n1 / 0\n")
        kernel.do("%%task redone\nfixed = 1\n")
        kernel.run(f"%%task cell\n{body}\n")
        kernel.manager.shutdown_kernel()
        run = kernel.orion.find(f"{state} café")
        assert (run.state.name, run.state.message) == (state, message)
        assert {each.state.is_terminal for each in kernel.orion.reap()} <= {True}
        assert kernel.orion.find("cell").parent == run.id


def test_a_child_of_the_kernel_does_not_end_its_run(own: Any) -> None:
    own.do("%load_ext orion_nb")
    own.do("""\
%%task forks
import os
child = os.fork()
if child == 0:
    get_ipython().orion_nb_magics.session.end()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""")
    assert own.orion.find("notebook").state.name == "Running"


def test_a_kernel_that_is_killed_leaves_runs_that_are_found(own: Any) -> None:
    own.do("%load_ext orion_nb")
    own.do("%%task before\nimport os\n")
    own.send("%%task kills\nprint('going', flush=True)\nos.kill(os.getpid(), 9)\n")
    while own.manager.is_alive():
        pass
    names = {run.name: run for run in own.orion.reap()}
    assert set(names) == {"notebook", "kills"}
    assert {run.state.name for run in names.values()} == {"Crashed"}
    assert own.orion.find("before").state.name == "Completed"


def test_disabled_everything_is_as_if_it_were_not_there(new_kernel: Callable[..., Any]) -> None:
    kernel = new_kernel(ORION_NB_DISABLE="1")
    kernel.do("%load_ext orion_nb")
    for cell in ("%%task plain --retries 3\nx = 1\nx\n", "#| task: noted\nx = 1\nx\n"):
        ran = kernel.do(cell)
        assert (ran.result, ran.displays) == ("1", [])
    assert kernel.do("%%task awaits\nimport asyncio\nawait asyncio.sleep(0, 3)\n").result == "3"
    assert kernel.do("%%time\n%%task timed\n4\n").result == "4"
    kernel.do("from orion_nb import flow\nassert flow(lambda: 2, name='f')() == 2")
    assert not (kernel.home / "orion.db").exists()


def test_a_database_that_cant_be_written_is_said_where_it_is_needed(
    new_kernel: Callable[..., Any], home: Any
) -> None:
    home.parent.joinpath("file").write_text("no folder")
    kernel = new_kernel(ORION_NB_DATABASE_URL=f"sqlite:///{home.parent}/file/orion.db")
    assert kernel.do("%load_ext orion_nb").outputs == []
    ran = kernel.run("%%task needs\nnever_ran = 1\n")
    assert ran.error.startswith("StoreUnavailable: database ")
    assert "set ORION_NB_HOME to a folder on a local disk that you may write" in ran.error
    assert kernel.value("'never_ran' in globals()") == "False"
    assert kernel.run("%orion").stderr.startswith("UsageError: %orion runs: database ")
