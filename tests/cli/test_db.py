"""`orion-nb db`, `runs pin` and `limits`: what they print, and their exit codes."""

from __future__ import annotations

import os

import pytest

from orion_nb.clock import SECOND
from orion_nb.schemas.states import Completed, Running


def ended(orion, name="f"):
    run, _ = orion.begin(orion.new_run("flow", name), Running())
    return orion.advance(run, Completed())[0]


def age(orion, days):
    """All that is in the database happened so many days ago."""
    by = days * 24 * 3600 * SECOND
    sql = "UPDATE runs SET end_time = end_time - ?"
    orion.database.write(lambda tx: tx.execute(sql, (by,)))


@pytest.fixture
def unused(here):
    """The database, after the process that wrote it has ended."""
    ended(here)
    here.close()
    return here.database.path


def test_info_says_what_there_is(call, here):
    ended(here)
    told = call("db", "info", "--json").json
    assert (told["path"], told["rows"]["runs"]) == (str(here.database.path), 1)
    assert told["size"] > 10_000
    shown = call("db", "info").out
    assert str(here.database.path) in shown
    assert "runs" in shown


def test_old_runs_are_forgotten_but_for_those_that_are_pinned(call, here):
    kept = ended(here, "kept")
    ended(here, "old")
    assert call("runs", "pin", kept.id, "--why", "the figures of May").code == 0
    age(here, 100)
    ended(here, "new")
    foreseen = call("db", "prune", "--dry-run")
    assert "1 run in 1 tree would be forgotten." in foreseen.err
    assert "1 tree stayed: pinned." in foreseen.err
    done = call("db", "prune", "--older-than", "90d", "--vacuum", "--json")
    assert (done.code, done.json["runs"], done.json["stayed"]) == (0, 1, {"pinned": 1})
    assert done.json["before"] > 0
    assert {run["name"] for run in here.filter_runs()["runs"]} == {"kept", "new"}
    assert call("runs", "unpin", "kept", "--json").json["was_pinned"] is True
    assert "was not pinned" in call("runs", "unpin", "kept").err
    said = call("db", "prune").err
    assert "1 run in 1 tree forgotten." in said
    assert "The database had" in said


def test_prune_refuses_what_it_cant_read(call, here):
    assert call("db", "prune", "--older-than", "soon").code == 2
    assert call("db", "prune", "--states", "running").code == 2


def test_a_backup_is_made_and_put_back(call, unused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = call("db", "backup", "--json").json
    assert made["runs"] == 1
    assert os.path.dirname(made["path"]) == str(tmp_path)
    assert call("db", "restore", made["path"], "--verify", "--json").json["aside"] is None
    done = call("db", "restore", made["path"])
    assert done.code == 0, done.err
    assert "has 1 run now." in done.err
    assert "What was there is" in done.err


def test_a_database_in_use_is_not_replaced(call, here, tmp_path, start):
    ended(here)
    copy = tmp_path / "b.db"
    assert call("db", "backup", copy).code == 0
    worker = start("worker")
    assert any("Ctrl-C" in line for line in iter(worker.stderr.readline, ""))
    here.close()
    done = call("db", "restore", copy)
    assert done.code == 1
    assert f"in use by worker (pid {worker.pid} on" in done.err


def test_restore_says_what_is_wrong_with_a_copy(call, tmp_path):
    missing = call("db", "restore", tmp_path / "none")
    assert (missing.code, "there is no file" in missing.err) == (2, True)
    (tmp_path / "x").write_text("x" * 1000)
    other = call("db", "restore", tmp_path / "x", "--verify")
    assert other.code == 2
    assert "x' is no backup, or a damaged one: file is not a database" in other.err
    assert "doctor" not in other.err


def test_an_older_database_is_upgraded(call, home, here):
    assert call("db", "upgrade").err.endswith("needs no upgrade.\n")
    here.close()
    here.database.path.unlink()
    _schema_1(here.database.path)
    refused = call("runs", "ls")
    assert refused.code == 6
    assert "run `orion-nb db upgrade`" in refused.err
    done = call("db", "upgrade", "--json").json
    assert done["upgraded"] is True
    assert done["copy"].startswith(str(here.database.path))
    assert call("runs", "ls").code == 0


def _schema_1(path):
    from alembic import command

    from orion_nb.store import migrate

    engine = migrate.engine_of(path)
    config = migrate._config(migrate.MIGRATIONS)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql("PRAGMA user_version=1")
    engine.dispose()


def test_a_limit_is_set_seen_and_removed(call, here):
    assert "No limits" in call("limits", "ls").err
    assert call("limits", "set", "db", 2).err == "db: 2 at once, 0 in use, 0 waiting.\n"
    assert call("limits", "set", "tag:gpu", 0, "--json").json["slots"] == 0
    assert [each["name"] for each in call("limits", "ls", "--json").json["limits"]] == [
        "db",
        "tag:gpu",
    ]
    assert "tag:gpu" in call("limits", "ls").out
    assert call("limits", "rm", "db").code == 0
    assert call("limits", "rm", "db").code == 2
    assert call("limits", "set", "db", -1).code == 2
