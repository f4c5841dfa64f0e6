"""One Orion per process and settings, found by the environment, sound across forks and ends."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from orion_nb.api.connect import connect
from orion_nb.errors import InvalidInput, StoreUnavailable
from orion_nb.schemas.states import CRASHED, Completed, Running


def test_the_same_orion_is_answered_until_it_is_closed(home):
    first = connect()
    assert connect() is first
    assert first.database.path == home / "orion.db"
    first.close()
    second = connect()
    assert second is not first
    assert second.create_run("flow", "f")


def test_many_threads_that_connect_at_once_get_one(home):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: connect(), range(32)))
    assert len(found) == 1


def test_settings_can_be_given(tmp_path, home):
    elsewhere = connect(home=tmp_path / "elsewhere")
    assert elsewhere.database.path == tmp_path / "elsewhere" / "orion.db"
    assert elsewhere is not connect()
    by_url = connect(database_url=f"sqlite:///{tmp_path}/other.db")
    assert by_url.database.path == tmp_path / "other.db"


def test_the_environment_is_read_at_every_call(tmp_path, home, monkeypatch):
    before = connect()
    monkeypatch.setenv("ORION_NB_HOME", str(tmp_path / "moved"))
    assert connect().database.path == tmp_path / "moved" / "orion.db"
    assert connect() is not before


def test_disabled_decorators_are_no_reason_to_open_another(home, monkeypatch):
    before = connect()
    monkeypatch.setenv("ORION_NB_DISABLE", "1")
    assert connect() is before


def test_a_database_of_another_kind_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("ORION_NB_DATABASE_URL", "mysql://localhost/orion")
    with pytest.raises(InvalidInput, match="ORION_NB_DATABASE_URL: 'mysql://localhost/orion'"):
        connect()


def test_a_database_that_cant_be_opened_is_tried_again_the_next_time(home):
    home.mkdir()
    (home / "orion.db").write_text("no database at all")
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        connect()
    (home / "orion.db").unlink()
    assert connect().health()["status"] == "ok"


def test_a_session_is_one_row_per_process_written_when_it_is_first_needed(orion):
    def sessions():
        with sqlite3.connect(orion.database.path) as connection:
            rows = connection.execute("SELECT label, ended FROM sessions").fetchall()
        connection.close()
        return rows

    orion.create_run("flow", "f")
    assert sessions() == []
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: orion.session, range(32)))) == 1
    assert sessions() == [(None, None)]
    orion.close()
    ((_, ended),) = sessions()
    assert ended is not None


def test_a_script_that_just_ends_closes_its_session(script, finish, orion):
    source = """
        from orion_nb.api.connect import connect
        from orion_nb.schemas.states import Running

        orion = connect("a script")
        orion.begin(orion.new_run("task", "t"), Running())
    """
    finish(script(source))
    with orion.database.read() as connection:
        rows = connection.execute("SELECT label, ended IS NULL FROM sessions").fetchall()
    assert rows == [("a script", 0)]
    (run,) = orion.reap()
    assert run.state.type is CRASHED


def test_a_forked_process_has_a_session_of_its_own(script, finish, orion):
    source = """
        import os
        from orion_nb.api.connect import connect
        from orion_nb.schemas.states import Completed, Running

        orion = connect()
        run, _ = orion.begin(orion.new_run("task", "of the parent"), Running())
        child = os.fork()
        if child == 0:
            assert connect() is orion
            own, _ = orion.begin(orion.new_run("task", "of the child"), Running())
            assert own.session != run.session
            os._exit(0)
        os.waitpid(child, 0)
        assert [each.name for each in orion.reap()] == ["of the child"]
        orion.advance(run, Completed())
    """
    finish(script(source))
    told = {run["name"]: run["state"]["name"] for run in orion.filter_runs()["runs"]}
    assert told == {"of the parent": "Completed", "of the child": "Crashed"}


def test_what_one_orion_acknowledges_the_other_sees(orion, other):
    run, _ = orion.begin(orion.new_run("task", "t"), Running())
    assert other.find(run.id).state.name == "Running"
    orion.advance(run, Completed())
    assert other.find(run.id).state.name == "Completed"


def test_closing_twice_and_closing_what_is_gone_do_no_harm(orion, home):
    assert orion.session
    for path in home.iterdir():
        path.unlink()
    with suppress(StoreUnavailable):
        orion.close()
    orion.close()
    assert orion.database.is_closed


def test_the_runs_of_a_kernel_are_found_by_its_notebook(home, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "/somewhere/50% off/daily.ipynb")
    orion = connect()
    run, _ = orion.begin(orion.new_run("flow", "called"), Running())
    orion.close()
    monkeypatch.setenv("JPY_SESSION_NAME", "/somewhere/other.ipynb")
    other = connect()
    other.begin(other.new_run("flow", "elsewhere"), Running())
    deployed = other.create_run("flow", "daily", key="notebook:/somewhere/50% off/daily.ipynb")
    for path in (
        '"/somewhere/50% off/daily.ipynb"',
        "daily.ipynb",
        '"50% off/daily.ipynb"',
        "/s*/d*b",
    ):
        found = other.filter_runs(q=f"notebook:{path}")["runs"]
        assert {each["id"] for each in found} == {run.id, deployed.id}, path
    for path in ("aily.ipynb", "/daily.ipynb", '"/somewhere/50_ off/daily.ipynb"'):
        assert other.filter_runs(q=f"notebook:{path}")["runs"] == []
