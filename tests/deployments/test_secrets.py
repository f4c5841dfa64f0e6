"""A secret's value is nowhere in the data folder but in its own file, whatever a run does."""

from __future__ import annotations

import base64
import json

import pytest

from orion_nb import Secret, run_notebook, secret, secrets
from orion_nb.deployments.files import notebook_of
from orion_nb.deployments.runner import main
from orion_nb.errors import InvalidInput, ParameterError, SecretNotFound
from orion_nb.settings import Settings

CANARY = 'c4nary/"<&>é s3cret'

TELLS = """\
import base64, json, logging, sys, html
from orion_nb import flow, secret, task, get_logger
print(password, repr(str(password)), json.dumps(password), html.escape(password))
print(base64.b64encode(password.encode()).decode())
print(password, file=sys.stderr)
class Shows:
    def _repr_html_(self):
        return f"<b>{password}</b>"
display(Shows())
@task
def uses(password):
    print("with", password)
    get_logger().warning("again %s", password)
    return password
@flow
def asks(password):
    uses(password)
    try:
        fails(password)
    except ValueError:
        pass
@task
def fails(password):
    raise ValueError(f"not with {password}")
asks(password)
password
"""


@pytest.fixture
def canary(home):
    secrets.keep("DB", CANARY)
    yield
    secrets._values.clear()
    secrets._pattern = None


def holders(home):
    """The files of the data folder that the value is in, in any spelling."""
    plain = {CANARY, json.dumps(CANARY)[1:-1], json.dumps(CANARY, ensure_ascii=False)[1:-1]}
    spelled = {each.encode() for each in plain}
    spelled.add(base64.b64encode(CANARY.encode()).rstrip(b"="))
    files = [each for each in home.rglob("*") if each.is_file()]
    return {each.name for each in files if any(word in each.read_bytes() for word in spelled)}


@pytest.mark.slow
def test_no_file_holds_it_after_a_notebook_that_shows_it_everywhere(
    orion, home, canary, write_notebook, code
):
    cell = "from orion_nb import Secret, secret\npassword: Secret = secret('OTHER')"
    path = write_notebook(
        code("import os; os.environ['OTHER'] = 'something else'"), code(cell, "parameters"),
        TELLS, "raise ValueError(f'refused {password}')",
    )  # fmt: skip
    outcome = run_notebook(path, {"password": "DB"}, orion=orion)
    assert outcome.state.name == "Failed"
    assert outcome.state.message == "cell 5: ValueError: refused ********"
    told = notebook_of(orion.settings, outcome.run.id).read_text("utf-8")
    assert "_secret('DB')" in told
    assert told.count("********") >= 8
    lines = [line["message"] for line in orion.read_logs(outcome.run.id, tree=True)["lines"]]
    assert "with ********" in lines
    assert "again ********" in lines
    orion.database.write(lambda tx: None)
    assert holders(home) == {"DB"}


@pytest.mark.slow
def test_no_file_holds_it_after_a_flow_that_shows_it(orion, home, canary, tmp_path):
    path = tmp_path / "etl.py"
    body = """
from orion_nb import Secret, flow, task
import os, sys
@task
def uses(password):
    print("with", password)
    return password
@flow
def etl(password: Secret):
    os.write(1, f"raw {password}\\n".encode())
    uses(password)
    raise ValueError(f"not with {password}")
"""
    path.write_text(body, "utf-8")
    told = orion.create_deployment("etl", f"{path}:etl", parameters={"password": "DB"})
    assert told["parameters"] == {"password": "DB"}
    run = orion.run_deployment("etl")
    from orion_nb.deployments.files import Spec, run_folder

    Spec(str(path), flow="etl").write(run_folder(orion.settings, run.id))
    assert main([run.id]) == 0
    assert str(orion.find(run.id).state) == "Failed: ValueError: not with ********"
    assert holders(home) == {"DB"}


def test_a_deployment_names_a_secret_and_never_its_value(orion, canary, write_notebook, code):
    cell = "from orion_nb import Secret, secret\npassword: Secret = secret('DB')"
    path = str(write_notebook(code(cell, "parameters")))
    for value in ("hunter2", "not a name"):
        with pytest.raises(ParameterError) as caught:
            orion.create_deployment("x", path, parameters={"password": value})
        assert value not in str(caught.value)
        assert caught.value.field == "password"
    orion.create_deployment("x", path, parameters={"password": "DB"})


def test_a_secret_is_found_in_the_environment_and_in_a_file_of_ours_only(home, monkeypatch, canary):
    assert secret("DB") == CANARY
    assert isinstance(secret("DB"), Secret)
    assert repr(secret("DB")) == "Secret('DB')"
    path = home / "secrets" / "DB"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    monkeypatch.setenv("DB", "plain variable")
    assert secret("DB") == "plain variable"
    monkeypatch.setenv("ORION_NB_SECRET_DB", "our variable")
    assert secret("DB") == "our variable"
    monkeypatch.delenv("DB")
    monkeypatch.delenv("ORION_NB_SECRET_DB")
    path.chmod(0o644)
    with pytest.raises(InvalidInput, match="may be read by others: chmod 600 it"):
        secret("DB")
    with pytest.raises(SecretNotFound, match="no secret 'NONE'; `orion-nb secrets set NONE`"):
        secret("NONE")
    for name in ("../x", "a/b", "", "a b"):
        with pytest.raises(InvalidInput):
            secret(name)
    assert Settings.load().home == home
