"""Deployments, limits, notifications and secrets are looked after from within a notebook."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.states import Failed, Pending, Running


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "managed.ipynb"
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
    told = {"cells": [{**cell, "source": "1"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(told), "utf-8")
    return path


def test_a_deployment_is_shown_compared_rerun_and_removed(kernel: Any, saved: Path) -> None:
    kernel.do(f"%orion deploy managed --path {saved} --cron '0 7 * * *' --pin --timeout 5m")
    shown = kernel.do("%orion show managed").result
    assert "schedule: every day at 07:00 UTC" in shown
    assert "timeout: 5m" in shown
    assert "the file is what is pinned" in kernel.do("%orion diff managed").result
    saved.write_text(saved.read_text("utf-8").replace('"1"', '"2"'), "utf-8")
    changed = kernel.do("%orion diff managed").result.splitlines()
    assert {"-1", "+2"} <= set(changed)
    orion = kernel.orion
    run = orion.run_deployment("managed")
    for state in (Pending(), Running(), Failed("no")):
        orion.advance(orion.find(run.id), state)
    again = kernel.do(f"%orion rerun {run.id} --why 'it is back'")
    assert "Scheduled" in again.result
    assert orion.find(run.id).state.message == "it is back"
    kernel.do("%orion run managed --kernel python3 --env STAGE=test --env MORE=1")
    newest = orion.filter_runs(deployment="managed")["runs"][0]
    assert newest["policy"]["kernel"] == "python3"
    assert newest["policy"]["env"] == {"STAGE": "test", "MORE": "1"}
    assert "kernel 'r-4' not found" in kernel.run("%orion run managed --kernel r-4").stderr
    orion.cancel(newest["id"])
    kernel.do(f"%orion rerun {newest['id']} --env STAGE=two")
    assert dict(orion.find(newest["id"]).policy.env) == {"STAGE": "two"}
    made = orion.new_run("task", "hurried", policy=RunPolicy(1, (3600.0,)))
    waits, _ = orion.advance(orion.begin(made, Running())[0], Failed("no"))
    assert kernel.do(f"%orion retry {waits.id}").result.startswith("hurried ")
    assert orion.find(waits.id).state.message == "retried at once, on request"
    assert "awaits no retry" in kernel.run(f"%orion retry {newest['id']}").stderr
    assert "is a name; a run is deleted by its id" in kernel.run("%orion delete hurried").stderr
    orion.cancel(waits.id)
    orion.begin(orion.new_run("task", "newest"), Running())
    assert "is deleted; runs that went: 1" in kernel.do(f"%orion delete {waits.id}").result
    assert "its runs stay" in kernel.do("%orion rm managed").result
    assert "no deployment 'managed'" in kernel.run("%orion show managed").stderr


def test_limits_notifications_and_secrets_are_changed_in_a_line(kernel: Any) -> None:
    assert "managed-db: 3 at once, 0 in use" in kernel.do("%orion limits set managed-db 3").result
    assert "managed-db: 3 at once" in kernel.do("%orion limits").result
    kernel.do("%orion notifications add managers --on failed,late --command 'echo \"a b\"'")
    assert kernel.orion.find_notification("managers").command == ("echo", "a b")
    assert "managers: on failed, late, to echo 'a b'" in kernel.do("%orion notifications").result
    hook = kernel.do("%orion notifications add hooked --webhook https://example.com/hook").result
    assert "whsec_" not in hook
    file = kernel.orion.settings.home / "signing" / "hooked.txt"
    assert f"the secret that signs it is in {file}, which only you may read" in hook
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert kernel.orion.find_notification("hooked").secret == file.read_text("utf-8").strip()
    assert "whsec_…" in kernel.do("_.data['secret']").result
    kernel.do("%orion notifications rm hooked")
    kernel.do("%orion notifications test managers")
    told = kernel.do("%orion notifications deliveries managers").result
    assert "managers: test, waiting after 0 tries" in told
    assert kernel.do("%orion notifications retry --all").result == "to be tried again: 0"
    kernel.orion.set_secret("MANAGED", "hunter2 it is")
    listed = kernel.do("%orion secrets").result
    assert "MANAGED: file" in listed
    assert "hunter2" not in listed
    for line, expected in (
        ("%orion limits ", "set"),
        ("%orion limits rm man", "managed-db"),
        ("%orion notifications pau", "pause"),
        ("%orion notifications pause man", "managers"),
        ("%orion notifications add x --web", "--webhook"),
        ("%orion secrets rm MAN", "MANAGED"),
        ("%orion rerun 4f2a9c01 --fr", "--from-failed"),
        ("%orion run managed --ke", "--kernel"),
        ("%orion rerun 4f2a9c01 --e", "--env"),
    ):
        assert expected in kernel.complete(line), line
    assert "removed" in kernel.do("%orion secrets rm MANAGED").result
    assert "removed" in kernel.do("%orion notifications rm managers").result
    assert "removed" in kernel.do("%orion limits rm managed-db").result
    assert "did you mean 'set'" in kernel.run("%orion limits sett x").stderr
    assert "nobody can be asked here" in kernel.run("%orion secrets set NEW").stderr


def test_a_run_that_another_process_executes_is_not_rerun(kernel: Any, saved: Path) -> None:
    kernel.do(f"%orion deploy executed --path {saved}")
    orion = kernel.orion
    run = orion.run_deployment("executed")
    orion.judge(run.id, Pending())
    orion.judge(run.id, Running(), session=orion.session)
    told = kernel.run(f"%orion rerun {run.id}").stderr
    assert "can't be rerun: attempt 1 is executing in a live session" in told
    now = orion.find(run.id)
    assert (now.state.name, now.blocked) == ("Running", None)
