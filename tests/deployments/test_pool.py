from __future__ import annotations

import logging
import os

import pytest

from orion_nb.deployments import pool
from orion_nb.deployments.pool import WarmRunners

pytestmark = pytest.mark.slow


@pytest.fixture
def warm(orion, monkeypatch):
    """Warm runners that are made without delay, and gone at the end."""
    monkeypatch.setattr(pool, "REST", 0.0)
    monkeypatch.setattr(pool, "LOOK", 0.0)
    made = []

    def make(size=1):
        made.append(WarmRunners(orion.settings, size, logging.getLogger(__name__)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_no_more_are_kept_than_wanted_and_each_is_given_away_once(warm):
    keeps = warm(2)
    for _ in range(4):
        keeps.tend(lambda: "python3")
    assert len(keeps.pids) == 2

    taken = [keeps.take("python3"), keeps.take("python3")]

    assert len({each.process.pid for each in taken}) == 2
    assert keeps.pids == []
    assert keeps.take("python3") is None
    for each in taken:
        each.drop()


def test_none_is_kept_where_none_is_wanted(warm):
    off = warm(0)
    off.tend(lambda: "python3")
    assert off.pids == []

    keeps = warm(1)
    keeps.tend(lambda: "python3")
    assert len(keeps.pids) == 1
    keeps.tend(lambda: None)  # the last deployment is gone
    assert keeps.pids == []


def test_one_that_waits_with_the_right_kernel_is_given_first(warm):
    keeps = warm(2)
    keeps.tend(lambda: "other")
    keeps.tend(lambda: "python3")

    taken = keeps.take("python3")
    rest = keeps.take("python3")

    assert (taken.kernel, rest.kernel) == ("python3", "other")  # better than none: its imports
    taken.drop()
    rest.drop()


@pytest.mark.parametrize("reason", ["age", "package", "death"])
def test_one_that_is_stale_is_replaced(warm, monkeypatch, tmp_path, reason, caplog):
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.setattr(pool.site, "getsitepackages", lambda: [str(packages)])
    keeps = warm(1)
    keeps.tend(lambda: "python3")
    (first,) = keeps.pids

    if reason == "age":
        passed = pool.time.monotonic() + pool.MAX_AGE + 1
        monkeypatch.setattr(pool.time, "monotonic", lambda: passed)
    elif reason == "package":
        (packages / "new").mkdir()
        os.utime(packages, (1, 1))
    else:
        os.kill(first, 9)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)

    assert keeps.take("python3") is None
    assert keeps.pids == []
    if reason != "death":  # then it is tried again after a while
        monkeypatch.setattr(keeps, "_next", 0.0)
        keeps.tend(lambda: "python3")
        assert keeps.pids != [first]
        assert len(keeps.pids) == 1
