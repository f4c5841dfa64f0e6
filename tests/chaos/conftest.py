"""What the tests of this folder stand on: chance that can be replayed, children to be killed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

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
