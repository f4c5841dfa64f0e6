"""`orion-nb doctor`: what is wrong is found, and what to do about it is said."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orion_nb.cli import doctor
from orion_nb.clock import SECOND
from orion_nb.schemas.states import Running
from orion_nb.store import filesystems, health, kept
from orion_nb.store.outbox import Box
from orion_nb.store.schema import SCHEMA_VERSION

LEFT = """
import os
from orion_nb import connect
from orion_nb.schemas.states import Running

orion = connect(label="kernel")
orion.begin(orion.new_run("flow", "left alone"), Running())
os._exit(0)
"""


def found(done) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in done.json["checks"]}


def test_on_a_healthy_machine_nothing_fails(call, home):
    done = call("doctor", "--json")
    assert (done.code, done.json["ok"]) == (0, True), done.out
    checks = found(done)
    assert str(home) in checks["data folder"]["says"]
    assert f"schema {SCHEMA_VERSION}" in checks["database"]["says"]
    assert checks["schedules"]["says"] == "nothing is scheduled"
    assert checks["kernel"]["status"] == "ok"
    assert "✔ database" in call("doctor").out


def test_what_is_not_well_has_a_remedy(call):
    checks = found(call("doctor", "--json")).values()
    assert [each["name"] for each in checks if each["status"] != "ok" and not each["remedy"]] == []


def test_a_folder_that_can_not_be_written_fails(call, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ORION_NB_HOME", str(tmp_path / "file" / "home"))
    done = call("doctor", "--json")
    assert (done.code, done.json["ok"]) == (1, False)
    assert found(done)["database"]["status"] == "fail"


def test_a_file_that_is_no_database_fails(call, home):
    home.mkdir()
    (home / "orion.db").write_text("not a database " * 100, encoding="utf-8")
    done = call("doctor")
    assert done.code == 1
    assert "✖ database" in done.out


def test_a_setting_that_can_not_be_read_fails(call, monkeypatch):
    monkeypatch.setenv("ORION_NB_DATABASE_URL", "postgresql://somewhere")
    done = call("doctor", "--json")
    assert done.code == 1
    assert "ORION_NB_DATABASE_URL" in found(done)["settings"]["says"]


def test_runs_of_a_process_that_died_are_found(call, script, finish):
    finish(script(LEFT))
    check = found(call("doctor", "--json"))["lost runs"]
    assert check["status"] == "warn"
    assert "1 unfinished run of processes that died: kernel (pid " in check["says"]


def test_schedules_that_nobody_keeps_are_found(call, notebook, here):
    call("deploy", notebook("1"), "--name", "work", "--every", "1h")
    assert found(call("doctor", "--json"))["schedules"]["status"] == "warn"
    call("deployments", "pause", "work")
    assert found(call("doctor", "--json"))["schedules"]["status"] == "ok"


def test_a_worker_that_lives_is_seen(call, start, notebook, here):
    call("deploy", notebook("1"), "--name", "work", "--every", "1h")
    worker = start("worker")
    assert any("Ctrl-C" in line for line in iter(worker.stderr.readline, ""))
    assert f"worker (pid {worker.pid} on" in found(call("doctor", "--json"))["schedules"]["says"]


def test_a_process_that_cant_be_seen_and_is_silent_is_named(call, here):
    here.begin(here.new_run("flow", "afar"), Running())
    sql = "UPDATE sessions SET host = 'afar.example', pid_start = 'x.1-1', beat = 5"
    here._heartbeat.stop()
    here.database.write(lambda tx: tx.execute(sql))
    check = found(call("doctor", "--json"))["sessions"]
    assert check["status"] == "warn"
    assert "afar.example" in check["says"]


def test_times_that_have_not_come_yet_are_named(call, here):
    here.begin(here.new_run("flow", "f"), Running())
    sql = "UPDATE states SET timestamp = timestamp + ?"
    here.database.write(lambda tx: tx.execute(sql, (3600 * SECOND,)))
    check = found(call("doctor", "--json"))["clock"]
    assert check["status"] == "warn"
    assert "later than now" in check["says"]


def test_a_clock_that_is_moved_is_named(here, monkeypatch):
    facts = health.examine(here.database)
    times = iter([0, 3600 * SECOND])
    monkeypatch.setattr(doctor.clock, "now", lambda: next(times))
    assert "was moved by 3599.9 s" in doctor._clock(facts).says


def test_a_slow_disk_is_named(here):
    facts = health.examine(here.database)
    assert 0 < facts.sync < 10
    assert doctor._sync(replace(facts, sync=0.2)).status == "warn"
    assert doctor._sync(replace(facts, sync=0.001)).status == "ok"


def test_a_server_that_is_away_is_named(call, home, monkeypatch):
    monkeypatch.setenv("ORION_NB_API_URL", "http://127.0.0.1:9")
    done = call("doctor", "--json")
    assert done.code == 1
    assert found(done)["server"]["status"] == "fail"
    assert "database" not in found(done)


def test_results_that_could_not_be_kept_are_counted(call, here):
    run, _ = here.begin(here.new_run("flow", "f"), Running())
    here.database.write(lambda tx: kept.put_problem(tx, run.id, "result", "full", None, 5))
    assert "1 result could not be kept" in found(call("doctor", "--json"))["results"]["says"]


def test_messages_that_wait_for_a_server_are_counted(call, home):
    assert found(call("doctor", "--json"))["outbox"]["status"] == "ok"
    box = Box.make(home / "outbox", "b", "http://localhost:1", {"id": "1"})
    box.put(None, "{}", 5)
    check = found(call("doctor", "--json"))["outbox"]
    assert check["status"] == "warn"
    assert "1 message for a server not delivered, 0 refused" in check["says"]


@pytest.mark.parametrize(
    ("version", "status"), [((3, 40, 1), "warn"), ((3, 51, 2), "warn"), ((3, 51, 3), "ok")]
)
def test_sqlite_with_the_wal_reset_bug_is_named(here, monkeypatch, version, status):
    monkeypatch.setattr(health.sqlite3, "sqlite_version_info", version)
    assert doctor._sqlite(health.examine(here.database)).status == status


def test_a_network_file_system_is_named(here, monkeypatch):
    monkeypatch.setattr(filesystems, "filesystem", lambda path: "nfs4")
    monkeypatch.setattr(health, "filesystem", lambda path: "nfs4")
    check = doctor._journal(health.examine(here.database))
    assert check.status == "warn"
    assert "nfs4" in check.says


def test_a_disk_that_is_nearly_full_is_named(monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)
    for free, status in ((100 * 1024**2, "warn"), (1024**2, "fail"), (2 * 1024**3, "ok")):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, n=free: usage._replace(free=n))
        assert doctor._disk(tmp_path / "not" / "there").status == status


@pytest.mark.parametrize(
    ("written", "status"), [(True, "ok"), (False, "warn"), (None, "warn")], ids=str
)
def test_jupyters_configuration_of_the_extension_is_read(monkeypatch, tmp_path, written, status):
    folder = tmp_path / "jupyter_server_config.d"
    folder.mkdir()
    if written is not None:
        told = {"ServerApp": {"jpserver_extensions": {"orion_nb_server": written}}}
        Path(folder, "orion.json").write_text(json.dumps(told), encoding="utf-8")
    monkeypatch.setattr("jupyter_core.paths.jupyter_config_path", lambda: [str(tmp_path)])
    assert doctor._extension().status == status
