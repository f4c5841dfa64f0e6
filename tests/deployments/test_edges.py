"""What becomes of runs whose deployment, file or clock changed between due and begun."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from orion_nb import clock as orion_clock
from orion_nb.deployments.files import run_folder
from orion_nb.store.listing import RunFilter

pytestmark = pytest.mark.slow

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
QUIET = {"catch_up": "latest", "overlap": "queue"}


def vanishes(path):
    path.unlink()


def becomes_a_folder(path):
    path.unlink()
    path.mkdir()


def is_torn(path):
    path.write_bytes(path.read_bytes()[:40])


def takes_another_type(path):
    path.write_text(path.read_text("utf-8").replace("word = 'x'", "word: int = 1"), "utf-8")


def takes_other_parameters(path):
    path.write_text(path.read_text("utf-8").replace("word = 'x'", "limit = 1"), "utf-8")


CHANGES = {
    vanishes: "path: '{path}' is not there",
    becomes_a_folder: "path: '{path}' is a folder",
    is_torn: "path: '{path}' is no notebook: Unterminated string starting at: line 1 column",
    takes_another_type: "word: Input should be a valid integer, got 'hello'",
    takes_other_parameters: "UnknownParameter: 'word' (notebook takes: limit = 1)",
}


def test_a_file_that_changed_after_its_run_was_due_fails_it_before_a_kernel_starts(
    orion, working, write_notebook, code, eventually
):
    runs = {}
    for change in CHANGES:
        name = change.__name__
        path = write_notebook(code("word = 'x'", "parameters"), "1 + 1", name=name)
        orion.create_deployment(name, str(path), parameters={"word": "hello"}, retries=3)
        runs[change] = path, orion.run_deployment(name)
        change(path)
    working(concurrency=2)
    for change, (path, run) in runs.items():
        after = eventually(lambda run=run: (now := orion.find(run.id)).state.is_terminal and now)
        assert str(after.state).startswith(f"Failed: {CHANGES[change].format(path=path)}")
        assert after.attempt == 1  # trying again can't help
        cells = run_folder(orion.settings, run.id) / "cells.json"
        assert not cells.exists() or "environment" not in json.loads(cells.read_text())["about"]


def test_what_is_done_to_a_deployment_while_its_run_is_due_or_at_work(
    orion, working, write_notebook, eventually, tmp_path
):
    waits = "import time\nfrom pathlib import Path\nPath('{0}').touch()\n" + (
        "while not Path('go').exists():\n    time.sleep(0.02)"
    )
    state = lambda run: orion.find(run.id).state  # noqa: E731
    names = ("deleted", "paused", "updated", "early")
    paths = {name: write_notebook(waits.format(name), name=name) for name in names}
    for name, path in paths.items():
        orion.create_deployment(name, str(path), schedules=["0 0 29 2 *"])
    early = orion.run_deployment("early")
    orion.delete_deployment("early")
    working(concurrency=4)
    runs = {name: orion.run_deployment(name) for name in names[:3]}
    for name in names[:3]:
        eventually((tmp_path / name).exists, name)
    orion.delete_deployment("deleted")
    orion.pause_deployment("paused")
    orion.update_deployment("updated", schedules=[])
    assert orion.read_deployment("updated")["next_due"] is None
    (tmp_path / "go").touch()
    # What is at work goes on to its end.
    for run in runs.values():
        eventually(lambda run=run: state(run).is_terminal)
        assert state(run).name == "Completed"
    assert state(early).name == "Cancelled"
    assert "deleted" in state(early).message
    chosen = RunFilter(deployment=orion.deployment_id("updated"))
    assert len(orion.list_runs(chosen, 10)) == 1


def test_a_live_worker_keeps_to_the_clock_that_is_set_forward_back_and_over_a_change_of_time(
    orion, other, working, write_notebook, eventually
):
    path = str(write_notebook("1 + 1"))
    with orion_clock.frozen(datetime(2026, 3, 28, 12, tzinfo=UTC)) as clock:
        cron = {"kind": "cron", "cron": "30 2 * * *", "timezone": "Europe/Prague"}
        orion.create_deployment("night", path, schedules=[cron], **QUIET)
        first, second = (working(on, concurrency=2, warm=0) for on in (orion, other))
        chosen = RunFilter(deployment=orion.deployment_id("night"))

        def times(least):
            """The instants that were run for, once there are so many and all have ended."""

            def all_ended():
                runs = orion.list_runs(chosen, 50)
                now = [run for run in runs if run.state.name != "Skipped"]  # of missed instants
                return len(now) >= least and all(run.state.is_terminal for run in now) and now

            found = eventually(all_ended)
            assert {run.state.name for run in found} == {"Completed"}
            told = [orion_clock.utc(run.scheduled_time) for run in found]
            return sorted(each.strftime("%m-%d %H:%M") for each in told)

        def moved(by):
            clock.advance(by)
            for worker in (first, second):
                worker.wake()

        moved(DAY)  # the clocks of Prague go from 2:00 to 3:00
        made = times(1)
        assert made == ["03-29 01:00"]
        moved(-12 * HOUR)  # somebody sets the clock back, over the instant
        moved(11 * HOUR)
        assert times(1) == made
        moved(30 * DAY)  # or forward: of what was missed the latest is made up for
        made = times(2)
        assert made == ["03-29 01:00", "04-28 00:30"]
        clock.at = int(datetime(2026, 10, 25, 12, tzinfo=UTC).timestamp()) * 1_000_000
        moved(0)  # half past two came twice that night
        made = times(3)
        assert len(made) == 3
        assert made[-1][:5] == "10-25"
        moved(23 * HOUR)
        assert times(4)[-1] == "10-26 01:30"
