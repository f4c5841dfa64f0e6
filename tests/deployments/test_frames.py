"""A deployment may have its failures keep what the names held, whatever the settings are."""

from __future__ import annotations

import pytest

from orion_nb import replay
from orion_nb.api.orion import Orion
from orion_nb.engine.snapshots import MIME
from orion_nb.settings import Settings
from tests.waiting import until

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


def test_a_deployment_may_keep_none_where_all_others_do(home, working, write_notebook, request):
    everywhere = Orion(Settings.load(home=home, frames=True))
    request.addfinalizer(everywhere.close)
    working(everywhere, concurrency=2)
    path = str(write_notebook("1 / 0"))
    everywhere.create_deployment("kept", path)
    everywhere.create_deployment("silent", path, env={"ORION_NB_FRAMES": "0"})
    kept = {}
    for name in ("kept", "silent"):
        run = everywhere.run_deployment(name)
        until(lambda id=run.id: everywhere.find(id).state.is_terminal, f"{name} does not end")
        kept[name] = len(everywhere.read_artifacts(run.id)["artifacts"])
    assert kept == {"kept": 1, "silent": 0}
