"""What the tests of this folder stand on: chance that can be replayed, children to be killed."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.deployed import Battle
from tests.chaos.nursery import Nursery


@pytest.fixture
def chance() -> random.Random:
    """Chance, by a printed seed; `ORION_SEED` replays it."""
    seed = int(os.environ.get("ORION_SEED") or random.SystemRandom().randrange(10**9))
    print(f"ORION_SEED={seed}")
    return random.Random(seed)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """One that forks children."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="session")
def other_nursery() -> Iterator[Nursery]:
    """A second one, for two children at a time."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def battle(home: Path, chance: random.Random) -> Iterator[Battle]:
    """Workers and servers on this test's data; none is left at the end."""
    scratch = Path(tempfile.mkdtemp(prefix="o-", dir="/tmp"))  # sockets need a short name
    made = Battle(home, scratch / "t", chance)
    yield made
    made.forsake()
    shutil.rmtree(scratch)
