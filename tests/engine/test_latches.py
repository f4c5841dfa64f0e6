"""What a future's waiters wait at: all of them are woken, and go on once it is so."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from orion_nb import flow, task
from orion_nb.engine.latches import Latch

MANY = 5


def test_all_who_wait_are_woken(until: Any) -> None:
    latch, open_, waiting = Latch(), [False], []

    def wait() -> bool:
        with latch:
            waiting.append(1)  # whoever has the lock next finds it waiting
            return latch.wait_for(lambda: open_[0], 60)

    with ThreadPoolExecutor(MANY) as pool:
        woken = [pool.submit(wait) for _ in range(MANY)]
        until(lambda: len(waiting) == MANY)
        with latch:
            open_[0] = True
            latch.notify_all()
        assert [each.result(30) for each in woken] == [True] * MANY


def test_who_waits_in_vain_is_told_so_and_nobody_need_wait() -> None:
    latch = Latch()
    with latch:
        latch.notify_all()  # nobody is there
        assert not latch.wait(0.01)
        assert not latch.wait_for(lambda: False, 0.01)
        assert latch.wait_for(lambda: True, 0.01)


def test_many_threads_get_the_result_of_one_task(until: Any) -> None:
    gate, asking = threading.Event(), []

    @task
    def slow() -> int:
        assert gate.wait(60)
        return 7

    @flow
    def outer() -> list[int]:
        future = slow.submit()

        def ask() -> int:
            asking.append(1)
            return future.result(timeout=30)

        with ThreadPoolExecutor(MANY) as pool:
            answers = [pool.submit(ask) for _ in range(MANY)]
            until(lambda: len(asking) == MANY)
            gate.set()
            return [each.result() for each in answers]

    assert outer() == [7] * MANY
