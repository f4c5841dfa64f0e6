"""Scheduled runs of notebooks of every kind end as they should, each with a notebook to read.

`ORION_ACCEPTANCE=200` makes two hundred of the twenty.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from pathlib import Path

import nbformat
import pytest

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.deployments.files import notebook_of
from orion_nb.deployments.worker import Worker
from orion_nb.errors import InvalidNotebook
from orion_nb.schemas.runs import Run
from orion_nb.store.listing import RunFilter
from tests.acceptance.table import REFUSED, Case, chosen

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 * 60)]

#: Seconds that one run may take, on a machine that is busy with others.
PATIENCE = 30.0


def deploy(orion: Orion, folder: Path, place: int, case: Case) -> str:
    folder = folder / f"{place}"
    folder.mkdir()
    name = f"n{place}"
    at = clock.utc(clock.now() + 5 * clock.SECOND).isoformat()  # it is deployed by then
    once = {"kind": "once", "at": at}
    path = case.write(folder, case.before)
    orion.create_deployment(name, str(path), schedules=[once], **case.deploy)
    case.write(folder)
    return name


def all_ended(orion: Orion, names: list[str]) -> dict[str, Run]:
    worker = Worker(orion, concurrency=2)
    thread = threading.Thread(target=worker.run)
    thread.start()
    deadline = time.monotonic() + PATIENCE * len(names)
    try:
        while len(ended := runs_that_ended(orion)) < len(names):
            assert time.monotonic() < deadline, set(names) - set(ended)
            time.sleep(0.2)
    finally:
        assert worker.stop(timeout=60)
        thread.join(60)
    return ended


def runs_that_ended(orion: Orion) -> dict[str, Run]:
    found = orion.list_runs(RunFilter(kind="flow", top_level=True), 10_000)
    return {run.name: run for run in found if run.state.is_terminal}


def complaints(orion: Orion, case: Case, run: Run) -> list[str]:
    """What is not as it should be with this run, and with its notebook."""
    found = []
    if not re.match(case.state, str(run.state)) or (case.state == "Completed" != str(run.state)):
        found.append(f"ended as {str(run.state)!r}, not {case.state!r}")
    path = notebook_of(orion.settings, run.id)
    if path is None:
        return [*found, "no notebook was kept"]
    nb = nbformat.read(path, as_version=4)
    nbformat.validate(nb)
    outputs = json.dumps([cell.get("outputs") for cell in nb.cells], ensure_ascii=False)
    if case.shows and case.shows not in outputs:
        found.append(f"its outputs don't show {case.shows!r}")
    if case.missing and case.missing in outputs:
        found.append(f"its outputs show {case.missing!r}")
    if run.state.type != "COMPLETED" and "orion-failure" not in nb.cells[0].metadata.tags:
        found.append("it has no banner")
    if path.stat().st_size > 4 * 1024 * 1024:
        found.append(f"its notebook has {path.stat().st_size:,} bytes")
    return found


def left_over(home: Path) -> list[str]:
    """The processes that work on the test's data folder, or that it has started."""
    wanted, found = f"ORION_NB_HOME={home}".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(f"{entry.name}: {(entry / 'cmdline').read_bytes()!r:.200}")
        except OSError:
            continue
    return [each for each in found if not each.startswith(f"{os.getpid()}:")]


def test_each_scheduled_notebook_ends_as_it_should(orion: Orion, home: Path, tmp_path: Path):
    cases = {deploy(orion, tmp_path, place, case): case for place, case in enumerate(chosen())}

    ended = all_ended(orion, list(cases))

    found = {name: complaints(orion, case, ended[name]) for name, case in cases.items()}
    assert {(name, cases[name].name): told for name, told in found.items() if told} == {}
    deadline = time.monotonic() + 60
    while left_over(home) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_over(home) == []


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_is_no_notebook_is_refused(orion: Orion, tmp_path: Path, case: Case):
    with pytest.raises(InvalidNotebook, match=case.state):
        orion.create_deployment("it", str(case.write(tmp_path)))
