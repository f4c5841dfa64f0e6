"""Several servers' worth of workers on one database, as processes: each due run starts once."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from orion_nb.store.listing import RunFilter

pytestmark = pytest.mark.slow

WORKER = """
    import sys
    from orion_nb.cli.app import app

    sys.argv = ["orion-nb", "worker", "--concurrency", "2"]
    app()
"""


def test_three_worker_processes_start_each_run_once_and_stop_well(
    orion, script, write_notebook, eventually
):
    note = "import os\nopen('ran', 'a').write(os.environ['ORION_NB_RUN_ID'] + '\\n')"
    path = write_notebook(note)
    orion.create_deployment("once", str(path))
    wanted = [orion.run_deployment("once").id for _ in range(6)]
    workers = [script(WORKER) for _ in range(3)]

    def all_ended():
        found = orion.list_runs(RunFilter(kind="flow"), 50)
        return len(found) == 6 and all(run.state.is_terminal for run in found)

    eventually(all_ended, "the runs", 90)
    told = eventually(lambda: len(orion.services()) == 9 and orion.services())
    assert {(each["name"], each["status"]) for each in told} == {
        ("worker", "ok"), ("upkeep", "ok"), ("teller", "ok"),
    }  # fmt: skip
    assert Counter((path.parent / "ran").read_text().split()) == Counter(wanted)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    for worker in workers:
        assert worker.wait(60) == 0
        assert "Traceback" not in worker.stderr.read()
    assert orion.services() == []
