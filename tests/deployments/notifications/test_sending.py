"""Commands that tell somebody: how they ended is what counts, and nothing of them is left."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from orion_nb.deployments.sending import _run
from orion_nb.deployments.webhooks import Undelivered

#: A child that holds the command's stderr, and goes on.
LEAVES = "sleep 60 & echo $! > {}; exit {}"


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_that_leaves_something_running_has_ended_as_it_says(
    orion, tmp_path, eventually, code
):
    said = tmp_path / "pid"
    command = ["sh", "-c", LEAVES.format(said, code)]
    delivery = SimpleNamespace(id="d")
    if code:
        with pytest.raises(Undelivered, match="exit code 3"):
            _run(orion.settings, command, b"{}", delivery, 1.0)
    else:
        _run(orion.settings, command, b"{}", delivery, 1.0)
    left = int(said.read_text("utf-8"))
    eventually(lambda: not _is_at_work(left), "the child is gone")


def test_one_that_takes_too_long_is_killed(orion):
    with pytest.raises(Undelivered, match=r"not done within 0\.2 s, and killed"):
        _run(orion.settings, ["sleep", "60"], b"{}", SimpleNamespace(id="d"), 0.2)


def _is_at_work(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
