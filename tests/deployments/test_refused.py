"""What a person asks of `run_notebook` and can't be done is refused before there is a run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orion_nb.deployments.runner import run_notebook
from orion_nb.errors import InvalidInput, KernelNotFound


@pytest.mark.parametrize(
    ("told", "error", "says"),
    [
        ({"timeout": 0}, InvalidInput, "timeout: 0 leaves no time at all"),
        ({"timeout": "0s"}, InvalidInput, "timeout: '0s' leaves no time at all"),
        ({"cell_timeout": timedelta(0)}, InvalidInput, "cell_timeout: .* leaves no time at all"),
        ({"start_timeout": 0}, InvalidInput, "start_timeout: 0 leaves no time at all"),
        ({"kernel": "klingon"}, KernelNotFound, "kernel 'klingon' not found; have: .*python3"),
        ({"kernel": 5}, InvalidInput, "kernel: expected a text, got 5"),
        ({"cwd": "nowhere"}, InvalidInput, "cwd: '.*nowhere' is no folder"),
        ({"retries": "two"}, InvalidInput, r"retries: expected 0\.\.100, got 'two'"),
        ({"retries": 101}, InvalidInput, r"retries: expected 0\.\.100, got 101"),
        ({"output_limit": "all"}, InvalidInput, r"output_limit: expected 1000\.\.100000000, got"),
        ({"path": None}, InvalidInput, "path: expected that of a notebook, got None"),
    ],
)
def test_it_is_refused_as_deploy_refuses_it(orion, write_notebook, told, error, says):
    told = {"path": write_notebook("1"), **told}
    with pytest.raises(error, match=says):
        run_notebook(**told, orion=orion)
    assert orion.filter_runs()["runs"] == []
