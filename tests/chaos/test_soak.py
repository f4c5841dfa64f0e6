"""Sixteen processes write to one file for a while; `ORION_SOAK` says for how long (seconds)."""

from __future__ import annotations

import os

import pytest

from tests.chaos.checker import check, operations, read, read_history
from tests.chaos.workload import shared_ids

SECONDS = float(os.environ.get("ORION_SOAK") or 4)
PROCESSES = 16
MOST = 5.0  # seconds that any call may wait, on a machine with other work


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sixteen_processes_write_and_one_reads(nursery, home, tmp_path):
    """Nobody is told that the file is locked, no count is lost, and no answer is out of date."""
    history, shared = tmp_path / "history.jsonl", shared_ids(1)
    status = nursery.run(
        "tests.chaos.workload:crowd", home=home, history=history, seconds=SECONDS,
        size=PROCESSES, shared=shared,
    )  # fmt: skip
    assert status == 0
    assert check(home / "orion.db", history) == []
    ops = operations(read_history(history))
    assert all(op.told is not None for op in ops)
    waits = sorted((op.told["t"] - op.asked["t"]) / 1e9 for op in ops)
    entered = sum(op.entered for op in ops)
    counted = read(home / "orion.db").runs[shared[0]]["seq"] - 1
    refused = sum(op.told["what"] == "fail" for op in ops)
    print(f"{PROCESSES} processes, {SECONDS:g} s: {entered} transitions acknowledged, ", end="")
    print(f"{entered / SECONDS:.0f}/s; {len(ops)} calls; counted to {counted}, ", end="")
    print(
        f"{refused} were too late; waits: median {waits[len(waits) // 2] * 1000:.1f} ms, ", end=""
    )
    print(f"p99 {waits[len(waits) * 99 // 100] * 1000:.0f} ms, worst {waits[-1] * 1000:.0f} ms")
    assert len({op.asked["op"].partition("-")[0] for op in ops}) == PROCESSES + 1
    assert counted > PROCESSES
    assert waits[-1] < MOST
