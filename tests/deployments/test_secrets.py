"""A secret's value is nowhere in the data folder but in its own file, whatever a run does."""

from __future__ import annotations

import base64
import json
import time

import pytest

from orion_nb import Secret, run_notebook, secret, secrets
from orion_nb.deployments.files import LOG, NOTEBOOK, Spec, notebook_of, run_folder
from orion_nb.deployments.launch import launch
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
def canary(home, monkeypatch):
    monkeypatch.setenv("ORION_NB_FRAMES", "1")  # nor in what names hold
    secrets.keep("DB", CANARY)
    yield
    secrets._values.clear()
    secrets._pattern = None


def kept_text(path):
    """What the cells of a notebook have printed."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    outputs = [each for cell in cells for each in cell.get("outputs", ())]
    return "".join("".join(each.get("text", "")) for each in outputs)


SPLITS = """\
import logging, os, sys, time
from pathlib import Path
from IPython.display import JSON, clear_output, display
from orion_nb import artifact, flow, get_logger, secret
password = str(secret("DB"))
n = len(password)

def prints(*parts, **how):
    for part in parts:
        print(part, end="", flush=True, **how)

for at in range(1, n):  # each is a message of its own
    prints("<", password[:at], password[at:], ">")
prints(*password)
prints(password[:3], password[3:9], password[9:], password[:5], "x", password, file=sys.stderr)
prints("x" * (512 * 1024 - n // 2 - 16 * n * 3), password * 60)  # where the head is cut off
os.write(1, password[:4].encode()); time.sleep(0.4); os.write(1, password[4:].encode())
shown = display(JSON({password: {"in": [password]}}), display_id=True)
shown.update(JSON({"again " + password: 1}))

@flow
def says():
    prints(password[:7], password[7:], "\\n")
    prints("y" * (32 * 1024 - 3), password[:9], password[9:])
    print("z" * (32 * 1024 - 60), password)
    get_logger().warning("%s", "z" * (32 * 1024 - 60) + password)
    artifact({password: [password]}, key="a", description=f"of {password}")
    artifact(f"# {password}", key="b")
    return "x" * 5000

says()
prints(password[:8])
Path("waits").touch()
while not Path("go").exists():
    time.sleep(0.05)
prints(password[8:])
raise ValueError("v" * 490 + password)
"""


def holders(home, least=None):
    """The files of the data folder that the value is in, in any spelling; or `least` of it."""
    if least is not None:
        files = [each for each in home.rglob("*") if each.is_file()]
        return {each.name for each in files if least.encode() in each.read_bytes()}
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


@pytest.mark.slow
def test_no_file_holds_one_that_is_printed_in_pieces_neither_meanwhile_nor_afterwards(
    orion, home, canary, write_notebook, tmp_path, eventually
):
    clears = "prints(password[:6]); clear_output(wait=True); prints(password[6:], password)"
    begin, shows = SPLITS.split("for at", 1)
    path = write_notebook(begin, clears, f"for at{shows}")
    run = orion.begin(orion.new_run("flow", "splits", key=f"notebook:{path}"))[0]
    process = launch(orion, run.id, Spec(str(path)))
    eventually((tmp_path / "waits").exists)
    folder = run_folder(orion.settings, run.id)
    eventually(lambda: (folder / "journal.jsonl").exists() and (folder / NOTEBOOK).exists())
    for _ in range(3):  # the notebook is saved, and the journal begins anew, meanwhile
        assert holders(home) == {"DB"}
        time.sleep(0.3)
    (tmp_path / "go").touch()
    assert process.wait(60) == 0
    assert orion.find(run.id).state.name == "Failed"
    told = kept_text(folder / NOTEBOOK)
    assert "<********>" * (len(CANARY) - 1) + "********" in told
    orion.database.write(lambda tx: None)
    assert holders(home) == {"DB"}
    # What is cut is blotted before: no half of it is left at an edge.
    assert holders(home, CANARY[:9]) == {"DB"}


@pytest.mark.slow
def test_no_file_holds_one_that_a_flow_writes_in_pieces(orion, home, canary, tmp_path):
    path = tmp_path / "etl.py"
    body = """
from orion_nb import Secret, flow
import os, sys, time
@flow
def etl(password: Secret):
    word = str(password).encode()
    for at in range(1, len(word)):
        os.write(1, word[:at]); time.sleep(0.005); os.write(2, word[at:])
    os.write(1, b"x" * (65536 - 5) + word + b"x" * (65536 - 5)); os.write(1, word)
    raise ValueError("v" * 990 + password)
"""
    path.write_text(body, "utf-8")
    orion.create_deployment("etl", f"{path}:etl", parameters={"password": "DB"})
    run = orion.run_deployment("etl")
    spec = Spec(str(path), flow="etl")
    assert launch(orion, run.id, spec).wait(60) == 0
    assert str(orion.find(run.id).state).startswith("Failed: ValueError: vvv")
    assert "********" * 10 in (run_folder(orion.settings, run.id) / LOG).read_text("utf-8")
    assert holders(home) == holders(home, CANARY[:9]) == {"DB"}


@pytest.mark.parametrize("text", ["", "no", "abcd", "abcdef", "xabcdefghix", "abab cabcde abcabcd"])
def test_pieces_of_a_text_are_passed_on_as_the_text_would_be(text, monkeypatch):
    monkeypatch.setattr(secrets, "_values", set())
    monkeypatch.setattr(secrets, "_pattern", None)
    monkeypatch.setattr(secrets, "_spelled", [])
    secrets.watch(["abcd", "abcdefg", "cabcde"])
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            pieces, said = secrets.Unbroken(), ""
            for piece in (text[:first], text[first:second], text[second:]):
                said += pieces.add(piece)
                assert not any(each in said for each in ("abcd", "cabcde"))
            assert said + pieces.rest() == secrets.redacted(text)


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
