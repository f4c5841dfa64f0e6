"""Memory: the limit that holds for a kernel, and the end of one that took too much."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orion_nb.deployments.cgroups import MOUNT, MemoryGroup
from orion_nb.deployments.runner import run_notebook

MIB = 1024 * 1024


@pytest.fixture
def grouped(tmp_path):
    """Writes what a system says of process 7, and answers its group."""

    def write(line: str, **files: str) -> MemoryGroup:
        (tmp_path / "proc/7").mkdir(parents=True)
        (tmp_path / "proc/7/cgroup").write_text(line + "\n")
        for name, text in files.items():
            path = tmp_path / "cgroup" / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        return MemoryGroup.of(7, tmp_path / "proc", tmp_path / "cgroup")

    return write


def test_the_smallest_limit_of_the_groups_above_holds(grouped):
    group = grouped(
        "0::/user.slice/lab.service/run",
        cgroup_dot_controllers="cpu memory",
        **{
            "user.slice__memory_dot_max": "1000000",
            "user.slice__lab.service__memory_dot_max": "max",
            "user.slice__lab.service__run__memory_dot_max": "2000000",
        },
        **{"user.slice__lab.service__run__memory_dot_events": "low 0\noom 4\noom_kill 3"},
    )
    assert (group.version, group.limit, group.kills()) == (2, 1_000_000, 3)


def test_a_system_of_version_1_tells_the_same(grouped):
    group = grouped(
        "4:cpu,memory:/jobs",
        memory__memory_dot_limit_in_bytes=str((1 << 63) - 4096),
        memory__jobs__memory_dot_limit_in_bytes="2000000",
        memory__jobs__memory_dot_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 1",
    )
    assert (group.version, group.limit, group.kills()) == (1, 2_000_000, 1)


def test_a_container_sees_its_own_group_at_the_root(grouped):
    group = grouped("0::/docker/0a1b", cgroup_dot_controllers="memory", memory_dot_max="3000000")
    assert (group.limit, group.kills()) == (3_000_000, 0)


@pytest.mark.parametrize("line", ["0::/", "1:name=systemd:/", "no such line"])
def test_where_no_group_counts_memory_there_is_no_limit(grouped, line):
    assert grouped(line) == MemoryGroup()


@pytest.fixture
def group_of_300_mib(tmp_path) -> Iterator[Path]:
    """A real group of the system that takes 300 MiB and no more."""
    version = MemoryGroup.of(os.getpid()).version
    root = MOUNT if version == 2 else MOUNT / "memory"
    folder = root / f"orion_nb_{os.getpid()}"
    limit = folder / ("memory.max" if version == 2 else "memory.limit_in_bytes")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"needs to make control groups: {error}")
    try:
        if not limit.exists():
            pytest.skip("needs control groups that count memory")
        limit.write_text(str(300 * MIB))
        yield folder
    finally:
        folder.rmdir()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("kept = []\nwhile True: kept.append(bytearray(b'x' * 8_000_000))", "kernel killed by sig"),
        (
            "import subprocess, sys\n"
            "subprocess.run([sys.executable, '-c', 'k = []\\nwhile True: k += [b\"x\" * 8_000_000]'"
            "], check=True)",
            "cell 2: CalledProcessError",
        ),
    ],
)
def test_what_the_system_kills_for_want_of_memory_is_told_so(
    group_of_300_mib, write_notebook, kept, home, cell, told
):
    path = write_notebook("before = 1", cell)
    command = f"echo $$ > {group_of_300_mib}/cgroup.procs; exec {sys.executable} -m orion_nb run"
    ended = subprocess.run(
        ["sh", "-c", f"{command} {path} --json"], capture_output=True, text=True, check=False
    )
    answer = json.loads(ended.stdout)
    message = answer["state"]["message"]
    assert message.startswith(told)
    assert "of 300 MiB" in message
    assert "out of memory" in message
    assert "raise the limit, or load less at once" in message
    *_, last = kept(Path(answer["notebook"]))
    assert last["outputs"][-1]["output_type"] == "error"


@pytest.mark.slow
def test_a_cell_that_got_no_memory_is_told_how_much_it_had(orion, write_notebook):
    outcome = run_notebook(write_notebook("kept = bytearray(1 << 60)"), orion=orion)
    assert str(outcome.state).startswith("Failed: cell 1: MemoryError (peak memory ")
