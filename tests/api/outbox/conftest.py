"""A server that comes and goes, and this process pointed to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orion_nb.api.connect import connect
from orion_nb.api.orion import Orion
from orion_nb.api.remote import RemoteOrion
from orion_nb.settings import Settings
from tests.api.serving import TOKEN, Serving


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serving")


@pytest.fixture(scope="module")
def ever(folder: Path) -> Iterator[Serving]:
    """The server of these tests, on one port and one database, whether it runs or not."""
    made = Serving(folder)
    yield made
    made.stop()


@pytest.fixture
def serving(ever: Serving) -> Serving:
    """The server, running."""
    if ever.process is None:
        ever.start()
    return ever


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch, home: Path) -> Callable[[str], RemoteOrion]:
    """Points this process to a URL, and answers its API."""

    def make(url: str) -> RemoteOrion:
        monkeypatch.setenv("ORION_NB_API_URL", url)
        monkeypatch.setenv("ORION_NB_API_TOKEN", TOKEN)
        found = connect()
        assert isinstance(found, RemoteOrion)
        return found

    return make


@pytest.fixture
def there(ever: Serving) -> Iterator[Orion]:
    """The server's database, looked at directly."""
    opened = Orion(Settings.load({}, home=str(ever.home)))
    yield opened
    opened.close()
