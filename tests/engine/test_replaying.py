"""A run that failed is at hand again, with its real inputs and its code."""

from __future__ import annotations

import importlib
import sqlite3
import sys
import textwrap

import pytest

from orion_nb import connect, flow, replay, task
from orion_nb.errors import InvalidInput, NotFound, ResultUnavailable
from orion_nb.schemas.states import COMPLETED


@task
def share(parts, whole, /, *rest, digits=2, **more):
    """Fails where the whole is nothing."""
    parts.append("seen")
    return round(len(parts) / whole, digits)


@task
def stored(connection, rows):
    connection.executemany("INSERT INTO t VALUES (?)", rows)


def test_its_inputs_are_as_they_were_before_its_code_changed_them(home):
    share.run([1, 2], 0, 5, 6, digits=3, extra="x")
    failed = replay("share")
    assert failed.run.state.name == "Failed"
    assert failed.error == "ZeroDivisionError: division by zero"
    assert failed.inputs == {
        "parts": [1, 2], "whole": 0, "rest": (5, 6), "digits": 3, "more": {"extra": "x"},
    }  # fmt: skip
    assert failed.fn is share.fn
    assert failed.source is not None
    assert failed.source.startswith("@task\ndef share(")


def test_its_code_is_called_with_them_and_with_what_is_changed(home):
    share.run([1, 2], 0)
    runs = connect().count_runs(kind="task")["counts"]
    failed = replay("share")
    with pytest.raises(ZeroDivisionError):
        failed.call()
    assert failed.inputs["parts"] == [1, 2]  # its code had a copy
    assert failed.call(whole=4, digits=1) == 0.8
    assert failed.call(parts=[1], whole=4) == 0.5
    with pytest.raises(InvalidInput, match="share takes no argument 'hole'"):
        failed.call(hole=3)
    assert connect().count_runs(kind="task")["counts"] == runs


def test_an_argument_that_could_not_be_kept_is_asked_for_and_the_others_are_there(home):
    database = sqlite3.connect(":memory:")
    stored.run(database, [(1,), (2,)])
    failed = replay("stored")
    assert failed.inputs == {"rows": [(1,), (2,)]}
    assert "sqlite3.Connection" in failed.missing["connection"]
    with pytest.raises(
        ResultUnavailable, match=r"connection was not kept .* call\(connection=\.\.\.\)"
    ):
        failed.call()
    database.execute("CREATE TABLE t (n)")
    failed.call(connection=database)
    assert database.execute("SELECT count(*) FROM t").fetchone() == (2,)
    database.close()
    with pytest.raises(ResultUnavailable, match="cannot pickle"):
        connect().inputs_of(failed.run.id)
    problems = connect().result_problems()["problems"]
    assert [(each["what"], each["run"]) for each in problems] == [("inputs", failed.run.id)]


def test_a_large_argument_does_not_cost_the_others(home):
    @task
    def wide(large, small):
        raise ValueError

    wide.run(b"x" * 2_000_000, small="kept")
    failed = replay("wide", fn=wide)
    assert (failed.inputs, failed.missing) == ({"small": "kept"}, {"large": "larger than 1 MiB"})


def test_a_flow_that_takes_nothing_is_replayed_too(home):
    @flow
    def bare():
        raise ValueError("as it is")

    bare.run()
    failed = replay("bare", fn=bare)
    assert (failed.inputs, failed.missing, failed.problem) == ({}, {}, None)
    with pytest.raises(ValueError, match="as it is"):
        failed.call()


def test_inputs_that_were_kept_with_another_secret_are_not_none(home):
    share.run([1, 2], 0, extra={3})
    run = connect().find("share")
    connect().close()
    (home / "results.key").write_text("0" * 64)
    failed = replay(run.id)
    assert failed.inputs == {}
    assert "not signed with the secret of this data folder" in (failed.problem or "")


def test_no_script_is_imported_to_find_the_function(home, tmp_path, monkeypatch):
    notes = "from pathlib import Path\nassert not Path('ran').exists()\nPath('ran').touch()\n"
    source = f"{notes}from orion_nb import task\n@task\ndef f(x):\n    1 / x\n"
    (tmp_path / "scripted.py").write_text(source, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import scripted  # type: ignore[import-not-found]

    scripted.f.run(0)
    assert replay("f").fn is scripted.f.fn
    monkeypatch.delitem(sys.modules, "scripted")
    failed = replay("f")
    assert failed.fn is None
    assert failed.inputs == {"0": 0}
    with pytest.raises(InvalidInput, match=r"scripted\.f, is not imported here"):
        failed.call()
    assert replay("f", fn=lambda x: x + 1).call() == 1


def test_the_flow_of_a_deployment_is_found_by_its_file(home, tmp_path, monkeypatch):
    (tmp_path / "deployed.py").write_text("import orion_nb\n@orion_nb.flow\ndef f(x): return x")
    orion = connect()
    run = orion.create_run("flow", "f", key=f"flow:{tmp_path / 'deployed.py'}:f")
    assert replay(run.id).fn is None
    monkeypatch.syspath_prepend(tmp_path)
    deployed = importlib.import_module("deployed")
    try:
        assert replay(run.id).fn is deployed.f.fn
    finally:
        del sys.modules["deployed"]


def test_a_method_that_is_a_task_is_found(home):
    class Till:
        def __init__(self, rate):
            self.rate = rate

        @task
        def pay(self, sum):
            return sum / self.rate

    Till.pay.run(Till(0), 4)
    assert "Till.pay" in (replay("pay").run.key or "")


def test_what_it_says_of_itself_and_of_a_run_that_is_not_there(home):
    share.run([1, 2], 0)
    told = textwrap.dedent(repr(replay("share")))
    assert "Failed, attempt 1: ZeroDivisionError: division by zero" in told
    assert "parts = [1, 2]" in told
    share.with_options(frames=True).run([1, 2], 0)
    run = connect().find("share")
    connect().propose(run.id, COMPLETED, force=True, why="it will do")
    told = replay(run.id).title
    assert told.endswith(
        "Completed, attempt 1; it had failed with ZeroDivisionError: division by zero"
    )
    with pytest.raises(NotFound, match="no run 'nothing'"):
        replay("nothing")
