"""The API in this process and over HTTP: what holds of one has to hold of the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orion_nb.api.connect import connect
from orion_nb.api.orion import Orion
from orion_nb.api.remote import RemoteOrion
from orion_nb.schemas.reports import Status
from orion_nb.schemas.runs import new_id
from orion_nb.schemas.states import Running
from tests.api.serving import TOKEN, Serving


@pytest.fixture(scope="package")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One server for all of these tests; none of them makes it fail on a request."""
    started = Serving(tmp_path_factory.mktemp("serving"))
    started.start()
    try:
        yield started
    finally:
        started.stop()
    assert "Traceback" not in started.log


@pytest.fixture(params=["local", "remote"])
def api(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Orion:
    """The API of this process, in it or on a server: as `connect()` gives it to a user."""
    if request.param == "remote":
        serving = request.getfixturevalue("serving")
        monkeypatch.setenv("ORION_NB_API_URL", serving.url)
        monkeypatch.setenv("ORION_NB_API_TOKEN", TOKEN)
    found = connect()
    assert isinstance(found, RemoteOrion) is (request.param == "remote")
    return found


@pytest.fixture
def name() -> str:
    """A name that no other test uses: the server is one for all of them."""
    return f"flow-{new_id()}"


def begun(api: Orion, name: str, kind: Any = "flow", **fields: Any) -> Any:
    run, report = api.begin(api.new_run(kind, name, **fields), Running())
    assert report is not None
    assert report.status is Status.ACCEPT
    return run
