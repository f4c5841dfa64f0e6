"""What waits at the same time is done at once, by one for all, and each is told its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from orion_nb.api.together import Together


def test_one_alone_is_done_on_its_own_thread():
    seen = []

    def work(items):
        seen.append((threading.get_ident(), list(items)))
        return [item * 2 for item in items]

    assert Together(work, 10).do(4) == 8
    assert seen == [(threading.get_ident(), [4])]


def test_each_is_told_its_own_and_no_more_than_allowed_go_at_once():
    sizes = []

    def work(items):
        sizes.append(len(items))
        return [item * 2 for item in items]

    together = Together(work, 5)
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(together.do, range(500))) == [n * 2 for n in range(500)]
    assert sum(sizes) == 500
    assert max(sizes) <= 5


def test_all_that_were_done_at_once_fail_at_once_and_later_ones_do_not():
    fails = [True]

    def work(items):
        if fails[0]:
            raise ValueError("away")
        return items

    together = Together(work, 5)
    with pytest.raises(ValueError, match="away"):
        together.do(1)
    fails[0] = False
    assert together.do(2) == 2


def test_an_interrupt_of_one_is_not_the_others():
    entered, go_on = threading.Event(), threading.Event()
    calls = []

    def work(items):
        calls.append(list(items))
        if len(calls) == 1:
            entered.set()
            go_on.wait(60)
            raise KeyboardInterrupt
        return items

    together = Together(work, 5)
    told = []

    def first():
        try:
            together.do("first")
        except KeyboardInterrupt:
            told.append("interrupted")

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(60)
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(together.do, "second")
        while len(together._waiting) < 2:
            threading.Event().wait(0.001)
        go_on.set()
        assert second.result(10) == "second"
    thread.join(60)
    assert told == ["interrupted"]
    assert "second" in calls[-1]
