"""A deployed notebook whose task cell failed is repaired in a kernel, and goes on from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orion_nb.api.orion import Orion
from tests.notebook.conftest import Kernel
from tests.notebook.test_replaying import next_cell
from tests.waiting import until

LOG = "with Path('log').open('a') as file: file.write('{} ')"
CELLS = (
    f"%%task load\nfrom pathlib import Path\n{LOG.format('load')}\nrows = [1, 2, 'n/a']",
    f"%%task add --frames\n{LOG.format('add')}\ntotal, count = sum(rows), len(rows)",
    f"%%task tell\n{LOG.format('tell')}\nprint('total', total, 'of', count)",
)


@pytest.fixture
def kernel(home: Path) -> Any:
    started = Kernel(home)
    yield started
    started.close()


def test_a_failed_cell_is_committed_and_the_notebook_goes_on(
    orion: Orion, worker: Any, write_notebook: Any, ended: Any, kernel: Kernel, kept: Any
) -> None:
    path = write_notebook(*CELLS)
    orion.create_deployment("nightly", str(path))
    run = ended(orion.run_deployment("nightly"))
    assert run.state.name == "Failed"
    kernel.do("%load_ext orion_nb")
    code = next_cell(kernel.do("%replay add --overwrite"))
    kernel.do("from pathlib import Path")
    mended = code.replace("sum(rows)", "sum(rows[:2])")
    kernel.do(mended.replace(", count", "").replace(", len(rows)", ""))
    assert "did not make count, which the recorded one makes" in kernel.run("%replay commit").stderr
    kernel.do(mended)
    told = kernel.do("%replay commit --resume").result or ""
    assert "set by " in told
    assert f"nightly {run.id[-8:]}: " in told
    assert told.endswith(", a server or a worker executes it")

    def went_on() -> Any:
        now = orion.find(run.id)
        return now.attempt == 2 and now.state.is_terminal and now

    assert until(went_on).state.name == "Completed"
    # What failed was tried twice in the kernel, and is not executed again; neither is the first.
    assert (path.parent / "log").read_text() == "load add add add tell "
    outputs = kept(orion.settings.notebooks / run.id / "notebook.ipynb")[2]["outputs"]
    assert "total 3 of 3\n" in [each.get("text") for each in outputs]
