"""Lines and artifacts of runs whose API is on a server, which may be away for a while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orion_nb import artifact, connect, flow, get_logger, task
from orion_nb.api.orion import Orion
from orion_nb.engine import lines
from orion_nb.settings import Settings
from tests.api.serving import TOKEN, Serving
from tests.waiting import until


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server for all tests of this module."""
    started = Serving(tmp_path_factory.mktemp("serving"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def there(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> Iterator[Orion]:
    """What the server has in its database; the runs of this process are told to it."""
    monkeypatch.setenv("ORION_NB_API_URL", serving.url)
    monkeypatch.setenv("ORION_NB_API_TOKEN", TOKEN)
    opened = Orion(Settings.load(environ={}, home=str(serving.home)))
    yield opened
    opened.close()


def messages(orion, name, **query):
    return [line["message"] for line in orion.filter_logs(run=name, limit=1000, **query)["lines"]]


@task
def load(n):
    print("load", n)


@flow
def whole():
    get_logger().info("begin")
    load(1)
    artifact({"n": 1}, key="n")
    print("end")


def test_lines_and_artifacts_reach_the_server(there):
    whole()
    assert messages(there, "whole", tree=True) == ["begin", "load 1", "end"]
    assert messages(connect(), "whole") == ["begin", "end"]
    assert connect().read_artifact("n")["data"] == there.read_artifact("n")["data"]


def test_what_writes_the_lines_adds_none_of_its_own(there):
    @flow
    def chatty():
        import logging

        logging.getLogger().setLevel(logging.DEBUG)
        try:
            for n in range(3):
                print(n)
                lines.waiting.write()
        finally:
            logging.getLogger().setLevel(logging.WARNING)

    chatty()
    assert messages(there, "chatty") == ["0", "1", "2"]


def test_of_a_large_artifact_what_a_request_can_carry_is_kept(there):
    class Large:
        def _repr_html_(self):
            return "x" * 1024 * 1024

        def __repr__(self):
            return "large"

    @flow
    def showing():
        artifact(Large(), key="large")

    showing()
    told = there.read_artifact("large")
    assert told["data"] == {"text/plain": "large"}
    assert told["notes"][0].startswith("text/html was left out: it has 1048576 bytes")


def test_while_the_server_is_away_lines_wait_and_arrive_once(serving, there):
    @flow
    def patient():
        print("before")
        lines.waiting.write()
        serving.stop()
        for n in range(5):
            print("away", n)
            lines.waiting.write()
        load(2)
        artifact("text", key="away")

    patient()
    serving.start()
    until(lambda: not connect().outbox.is_open, "the outbox is not empty")
    assert messages(there, "patient") == ["before", *(f"away {n}" for n in range(5))]
    assert messages(there, "load") == ["load 2"]
    assert there.read_artifact("away")["data"] == {"text/markdown": "text"}
