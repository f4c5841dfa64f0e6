"""Commands that tell somebody: how they ended is what counts, and nothing of them is left."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from orion_nb.deployments.sending import _run
from orion_nb.deployments.webhooks import Undelivered

#: A child that holds the command's stderr, and goes on.
LEAVES = "sleep 600 & echo $! > {}; exit {}"


def says(orion, command, timeout):
    """What is said of a command that has told nobody; nothing if it has ended well."""
    try:
        _run(orion.settings, command, b"{}", SimpleNamespace(id="d"), timeout)
    except Undelivered as error:
        return str(error)
    return ""


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_that_leaves_something_running_has_ended_as_it_says(
    orion, tmp_path, eventually, code
):
    said = tmp_path / "pid"
    command = ["sh", "-c", LEAVES.format(said, code)]
    told = says(orion, command, 0.5)
    if told.startswith("not done"):  # a busy machine held it up
        told = says(orion, command, 10.0)
    assert told == ("exit code 3" if code else "")
    left = int(said.read_text("utf-8"))
    eventually(lambda: not _is_at_work(left), "the child is gone")


def test_one_that_takes_too_long_is_killed(orion):
    assert says(orion, ["sleep", "60"], 0.2) == "not done within 0.2 s, and killed"


def _is_at_work(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
