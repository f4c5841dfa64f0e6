"""What a cached call costs: one that the cache answers, one that fills it, and one without a cache.

Each is a call of a task in one flow, its states in the file before the next line runs; the key is
made of the source and one small argument. The ratio is that to a call without a cache.

    python benchmarks/cache_hit.py [--calls 500] [--rounds 5] [--json]
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

from _measure import Figure, in_turn, median, options, show


def plain(n: int) -> dict[str, int]:
    return {"n": n}


def milliseconds(call: Callable[[int], Any], numbers: list[int]) -> float:
    """What one call costs, in a flow that makes them all."""
    from orion_nb import flow

    @flow
    def many() -> None:
        for n in numbers:
            call(n)

    started = time.perf_counter()
    many()
    return (time.perf_counter() - started) * 1000 / len(numbers)


def main() -> None:
    """Measures in turn and prints medians."""
    parser = options(__doc__, rounds=5)
    parser.add_argument("--calls", type=int, default=500)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ORION_NB_HOME"] = folder
        from orion_nb import connect, task

        without, cached = task(plain), task(cache=True)(plain)
        cached(-1)
        without(-1)
        fresh = iter(range(1_000_000))
        ways = {
            "no cache": lambda: milliseconds(without, [0] * told.calls),
            "fills the cache": lambda: milliseconds(cached, [next(fresh) for _ in numbers]),
            "cache hit": lambda: milliseconds(cached, [-1] * told.calls),
        }
        numbers = range(told.calls)
        found = {name: median(values) for name, values in in_turn(told.rounds, ways).items()}
        kept = connect().count_runs(states=["Cached"])["counts"]
        assert kept == {"COMPLETED": told.calls * told.rounds}, kept
        connect().close()
    figures = [
        Figure(name, value, "ms/call", value / found["no cache"]) for name, value in found.items()
    ]
    show(f"{told.calls} calls: medians of {told.rounds} rounds", figures, told.json)


if __name__ == "__main__":
    main()
