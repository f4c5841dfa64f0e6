"""What a notebook that the server executes gets to know of the server's secrets."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from orion_nb.deployments.environ import TOKENS

CANARY = "canary-{}-51f3c0"
LOOK = """
import json, os
from pathlib import Path
def told(pid):
    folder = Path(f"/proc/{pid}")
    return [(folder / name).read_bytes().decode() for name in ("environ", "cmdline")]
print(json.dumps({"environ": dict(os.environ), "processes": [told("self"), told(os.getppid())]}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory, start_server):
    folder = tmp_path_factory.mktemp("server")
    secrets = {name: CANARY.format(name) for name in (*TOKENS, "OAUTH_CLIENT_SECRET")}
    del secrets["JUPYTER_TOKEN"]  # it would be the token of this server
    with start_server(folder, "--OrionApp.scheduler=True", **secrets) as started:
        yield started
    assert "Traceback" not in started.log


@pytest.fixture(scope="module")
def finished(server, notebook, until):
    """A deployed run of a notebook that looks around, at its end."""
    notebook(server.root / "look.ipynb", LOOK)
    made = server.call("POST", "/deployments", {"name": "look", "path": "look.ipynb"})
    assert made.status == 201, made.body
    run = server.call("POST", "/deployments/look/runs", {}).json["id"]
    path = f"/runs/{run}"
    until(lambda: server.call("GET", path).json["end_time"], "the run to end", 60)
    assert server.call("GET", path).json["state"]["name"] == "Completed"
    return run


@pytest.fixture(scope="module")
def seen(server, finished):
    """What the notebook has seen: its environment, and its own and its runner's process."""
    told = json.loads(server.call("GET", f"/runs/{finished}/notebook.ipynb").body)
    outputs = [output for cell in told["cells"] for output in cell.get("outputs", ())]
    return json.loads("".join(outputs[0]["text"]))


def test_no_token_of_the_server_is_in_the_kernel(seen):
    assert set(seen["environ"]) & {*TOKENS, "OAUTH_CLIENT_SECRET"} == set()
    assert "ORION_NB_RUN_ID" in seen["environ"]


def test_no_token_is_in_the_environment_or_arguments_of_kernel_and_runner(seen, token):
    assert len(seen["processes"]) == 2
    for environ, arguments in seen["processes"]:
        assert "canary" not in environ
        assert "canary" not in arguments
        assert token not in environ + arguments


def test_the_secret_of_the_attempt_is_in_no_argument_url_or_notebook(server, finished, seen):
    with closing(server.orion()) as orion, orion.database.read() as connection:
        sql = "SELECT token FROM runs WHERE id=?"
        (secret,) = connection.execute(sql, (bytes.fromhex(finished),)).fetchone()
    told = json.dumps(seen) + server.log
    assert secret
    assert secret not in told


def test_nothing_secret_is_written_down(server, finished, token):
    files = [path for path in server.home.rglob("*") if path.is_file()]
    assert any(path.name == "notebook.ipynb" for path in files)
    written = {path.name: path.read_bytes() for path in files} | {"log": server.log.encode()}
    found = [
        (name, secret)
        for name, text in written.items()
        for secret in ("canary-", token)
        if secret.encode() in text
    ]
    assert found == []


def test_only_the_user_may_read_what_is_kept(server, finished):
    modes = {path: path.stat().st_mode & 0o777 for path in (server.home, *server.home.rglob("*"))}
    open_to_others = {str(path): oct(mode) for path, mode in modes.items() if mode & 0o077}
    assert open_to_others == {}
