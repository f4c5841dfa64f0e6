"""A deployment may have its failures keep what the names held, whatever the settings are."""

from __future__ import annotations

import pytest

from orion_nb import replay
from orion_nb.engine.snapshots import MIME

pytestmark = pytest.mark.slow

FLOW = """
from orion_nb import flow
@flow
def etl(day):
    number = len(day)
    return 1 / (number - 3)
"""


def test_a_deployment_says_whether_frames_are_kept(
    orion, home, worker, write_notebook, tmp_path, ended
):
    path = write_notebook("day = 'mon'\nnumber = 3", "shown = number * 2\n1 / (number - 3)")
    (tmp_path / "etl.py").write_text(FLOW, "utf-8")
    env = {"ORION_NB_FRAMES": "1"}
    orion.create_deployment("cells", str(path), env=env)
    orion.create_deployment("silent", str(path))
    orion.create_deployment("etl", f"{tmp_path / 'etl.py'}:etl", parameters={"day": "mon"}, env=env)
    runs = {name: orion.run_deployment(name) for name in ("cells", "silent", "etl")}
    for run in runs.values():
        assert ended(run).state.name == "Failed"
    assert replay(runs["cells"].id).frames[0].locals.kept() == {"shown": 6, "number": 3}
    assert replay(runs["etl"].id).frames[-1].locals.kept() == {"day": "mon", "number": 3}
    assert not any(
        MIME in each["types"] for each in orion.read_artifacts(runs["silent"].id)["artifacts"]
    )
