"""A database of the test's own."""

from __future__ import annotations

import pytest

from orion_nb.store.database import Database


@pytest.fixture
def database(home):
    opened = Database(home / "orion.db")
    yield opened
    opened.close()
