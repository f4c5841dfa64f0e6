from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest

from orion_nb.settings import Settings


def sessions(home):
    """How the sessions in a database ended: None is one that has not."""
    connection = sqlite3.connect(home / "orion.db")
    try:
        return [
            row[0] for row in connection.execute("SELECT ended FROM sessions WHERE label='server'")
        ]
    finally:
        connection.close()


def test_jupyter_knows_the_extension():
    code = """if True:
        from jupyter_server.extension.manager import ExtensionPackage
        package = ExtensionPackage(name="orion_nb_server", enabled=True)
        print(package.version, [point.name for point in package.extension_points.values()])
        assert package.validate()
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("['orion_nb_server']")


def test_the_environment_says_where_the_data_is(tmp_path, start_server):
    other = tmp_path / "elsewhere"
    with start_server(tmp_path, "--OrionApp.home=", ORION_NB_HOME=str(other)) as server:
        assert server.call("GET", "/health").status == 200
    assert Settings.load(environ={}, home=str(other)).database_path.is_file()
    assert not (tmp_path / "home" / "orion.db").exists()


def test_a_database_that_can_not_be_opened_leaves_the_server_running(tmp_path, start_server):
    (tmp_path / "home").write_text("a file where the folder should be")
    with start_server(tmp_path) as server:
        assert server.send("GET", "/api/status").status == 200
        for path in ("/orion/", "/orion/api/v1/health"):
            answer = server.send("GET", path)
            assert (answer.status, answer.json["error"]) == (503, "StoreUnavailable")
            assert "set ORION_NB_HOME" in answer.json["message"]
            assert server.send("GET", path, token=None).status == 403
    assert "Traceback" not in server.log


def test_a_setting_that_can_not_be_accepted_is_told(tmp_path, start_server):
    option = "--OrionApp.database_url=mysql://localhost/orion"
    with start_server(tmp_path, option) as server:
        assert "mysql" in server.call("GET", "/health").json["message"]


@pytest.mark.slow
def test_a_server_runs_what_is_deployed_and_stops_cleanly(tmp_path, start_server, notebook, until):
    with start_server(tmp_path, "--OrionApp.scheduler=True") as server:
        notebook(server.root / "one.ipynb", "print('x is', x)", parameters="x = 1")
        told = {"name": "one", "path": "one.ipynb", "schedules": ["1h"]}
        assert server.call("POST", "/deployments", told).status == 201
        run = server.call("POST", "/deployments/one/runs", {"parameters": {"x": 7}}).json

        def ended():
            state = server.call("GET", f"/runs/{run['id']}").json["state"]
            return state if state["type"] in ("COMPLETED", "FAILED", "CRASHED") else None

        state = until(ended, "the run does not end", 90)
        assert state["type"] == "COMPLETED", server.log
        page = server.call("GET", f"/runs/{run['id']}/notebook.html")
        assert page.status == 200
        assert b"x is 7" in page.body
        assert None in sessions(server.home)
        assert server.stop() == 0
        assert None not in sessions(server.home)
    assert "Traceback" not in server.log
