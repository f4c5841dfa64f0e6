"""What holds for every command: help with examples, `--json`, one line for an error."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from orion_nb.cli.app import app
from orion_nb.cli.command import exit_code, remedy
from orion_nb.errors import DeploymentExists, InvalidInput, KernelNotFound, RunNotFound
from orion_nb.schemas.states import (
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Lost,
    Running,
    Skipped,
    State,
    TimedOut,
)

DOCS = Path(__file__).parents[2] / "docs"


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples_and_json(call, path):
    done = call(*path, "--help")
    assert done.code == 0
    assert "Examples" in done.out
    assert f"orion-nb {' '.join(path)}" in done.out
    assert any("--json" in each.opts for each in COMMANDS[path].params)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_is_for(path):
    assert [each.name for each in COMMANDS[path].params if not each.help] == []


def test_the_reference_is_what_the_help_says():
    page = runpy.run_path(str(DOCS / "generate_cli.py"))["page"]
    written = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    assert written == page(), "run: python docs/generate_cli.py"


def test_all_doors_have_what_the_table_of_doors_says():
    page = runpy.run_path(str(DOCS / "generate_doors.py"))["page"]
    written = (DOCS / "reference" / "doors.md").read_text(encoding="utf-8")
    assert written == page(), "run: python docs/generate_doors.py"


def test_help_needs_neither_pydantic_nor_jupyter():
    code = (
        "import sys; from orion_nb.cli.app import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'sqlalchemy', 'nbclient', 'nbformat', 'jupyter_client'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "doctor" in done.stdout
    assert done.stderr.strip() == "[]"


def test_the_version_is_told(call):
    assert call("--version").out.startswith("orion-nb ")


def test_a_typing_error_is_answered_with_a_suggestion(call):
    done = call("depoly")
    assert done.code == 2
    assert "deploy" in done.err


def test_an_error_is_one_line_and_a_remedy_and_no_traceback(call):
    done = call("runs", "show", "nowhere")
    assert done.code == 2
    assert done.out == ""
    assert done.err == ("error: no run 'nowhere'; `orion-nb runs ls` lists the runs there are\n")


def test_an_error_is_json_too(call):
    done = call("deployments", "show", "nowhere", "--json")
    assert done.code == 2
    assert done.json == {
        "error": "DeploymentNotFound",
        "message": "no deployment 'nowhere'",
        "field": None,
    }
    assert "error: no deployment 'nowhere'" in done.err


def test_a_database_that_cannot_be_opened_is_exit_code_6(call, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ORION_NB_HOME", str(tmp_path / "file" / "home"))
    done = call("runs", "ls", "--json")
    assert done.code == 6
    assert done.json["error"] == "StoreUnavailable"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (Completed(), 0),
        (Skipped(), 0),
        (Running(), 0),
        (Failed(), 1),
        (Cancelled(), 3),
        (Cancelling(), 3),
        (TimedOut(), 4),
        (Crashed(), 5),
        (Lost(), 5),
    ],
    ids=lambda value: value.name if isinstance(value, State) else str(value),
)
def test_the_exit_code_tells_how_a_run_ended(state, code):
    assert exit_code(state) == code


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (InvalidInput("limit: 0 is not between 1 and 200"), None),
        (RunNotFound("no run 'x'; `orion-nb runs ls` lists the runs there are"), None),
        (KernelNotFound("kernel 'x' not found; have: python3"), "Install the kernel"),
        (DeploymentExists("'x' exists; choose another name, or update it"), "Add --update"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_remedy_is_told_where_the_text_has_none(error, says):
    told = remedy(error)
    assert told is None if says is None else says in told


def test_messages_never_steer_the_terminal(call, here):
    run = here.create_run("flow", "evil [red]name[/red]")
    evil = "\x9b31m \x1b]8;;http://evil\x07click\x1b[2J [bold]me[/bold]"
    here.propose(run.id, "FAILED", message=evil)
    for words in (["runs", "ls"], ["runs", "show", run.id], ["explain", run.id]):
        shown = call(*words).out
        assert "\x1b]" not in shown
        assert "\x1b[2J" not in shown
        assert "\x9b" not in shown
        assert "[red]name[/red]" in shown
        assert "click" in shown
    assert json.loads(call("runs", "ls", "--json").out)["runs"][0]["id"] == run.id
