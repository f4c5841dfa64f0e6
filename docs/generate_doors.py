"""Writes docs/reference/doors.md: what can be said and done through which of the five doors.

    python docs/generate_doors.py

It is read off the code: a word that a door does not have is an error here, or a dash in the table.
A test fails when the file is not what this would write.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from typer.main import get_command

from orion_nb.api.deploying import deploy
from orion_nb.api.orion import ROUTES, Orion
from orion_nb.cli.app import app
from orion_nb.notebook.deploying import deploy_parser
from orion_nb.notebook.magics import WORDS
from orion_nb.notebook.managing import WITHIN
from orion_nb.schemas.deploy_options import OPTIONS, PARAMETERS, SCHEDULES, described
from orion_nb.schemas.fields import DeploymentFields

TARGET = Path(__file__).parent / "reference" / "doors.md"
PAGE = Path(__file__).parents[1] / "widgets/src/dashboard/deployment.tsx"

OPENING = """\
<!-- Written by docs/generate_doors.py; it is read off the code. -->

# One model, five doors

A deployment is the same thing from Python (`orion_nb.deploy`, `orion_nb.connect()`), the magic
(`%orion`), the command line (`orion-nb`), REST (`/orion/api/v1`) and the page (`/orion/`). What is
said in one is seen in all.

## What can be said of a deployment

"""

#: What a field of a deployment is called by options, where that is not its own name.
CALLED = {
    "schedules": [each.name for each in SCHEDULES],
    "parameters": [each.name for each in PARAMETERS[:2]],
    "concurrency": ["limit"],
    "track": ["track", "pin"],
}

#: What stands in a line without an option, or with one of one door alone.
SAID = {"path": "`TARGET` or `--path`", "name": "`NAME` or `--name`"}

#: What can be done: the route's method, the command, the word of the magic, and on the page a call.
VERBS = (
    ("deploy", "create_deployment", "deploy", "deploy", "deploy"),
    ("try out what deploying would do", "check_deployment", "deploy --dry-run", "deploy", "check"),
    ("change", "update_deployment", "deploy --update", "deploy", "change"),
    ("list", "list_deployments", "deployments ls", "deployments", "deployments"),
    ("look at one", "read_deployment", "deployments show", "show", "deployment"),
    ("see what changed since it was pinned", "diff_deployment", "deployments diff", "diff", "diff"),
    ("pause, until when and why", "pause_deployment", "deployments pause", "pause", "pause"),
    ("resume", "resume_deployment", "deployments resume", "resume", "resume"),
    ("run now, with parameters", "run_deployment", "deployments run", "run", "runNow"),
    ("remove", "delete_deployment", "deployments rm", "rm", "remove"),
    ("see the next times of a schedule", "preview_schedules", "schedule preview", "preview",
     "preview"),
    ("see what a notebook takes", "inspect_notebook", "params", "params", "inspect"),
    ("see its runs", "filter_runs", "runs ls", "runs", "runs"),
    ("ask why", "why", "runs why", "why", "why"),
    ("read logs", "filter_logs", "runs logs", "logs", "logs"),
    ("cancel a run", "cancel", "runs cancel", "cancel", "cancel"),
    ("run once more", "rerun", "runs rerun", "rerun", "rerun"),
    ("delete a run", "delete_run", "runs rm", "delete", "deleteRun"),
    ("wait no longer for a retry", "retry_now", "runs retry", "retry", "retryNow"),
    ("list limits", "list_limits", "limits ls", "limits", "limits"),
    ("set limits", "set_limit", "limits set", "limits set", "setLimit"),
    ("remove a limit", "delete_limit", "limits rm", "limits rm", "removeLimit"),
    ("be notified", "add_notification", "notifications add", "notifications add", "notify"),
    ("try a notification", "test_notification", "notifications test", "notifications test",
     "testNotification"),
    ("see what was told", "list_deliveries", "notifications deliveries",
     "notifications deliveries", "deliveries"),
    ("tell once more", "retry_delivery", "notifications retry", "notifications retry",
     "retryDelivery"),
    ("keep a secret", "set_secret", "secrets set", "secrets set", "setSecret"),
    ("list secrets, by name", "list_secrets", "secrets ls", "secrets", "secrets"),
    ("remove a secret", "delete_secret", "secrets rm", "secrets rm", "removeSecret"),
)  # fmt: skip


def page() -> str:
    """Both tables, as Markdown."""
    return OPENING + "\n".join([*_fields(), "", *_verbs()]).rstrip() + "\n"


def _fields() -> Iterator[str]:
    yield "| field | Python | magic, command line | REST | page |"
    yield "| --- | --- | --- | --- | --- |"
    python = set(inspect.signature(deploy).parameters)
    rest = set(get_type_hints(DeploymentFields))
    cli = {flag for each in get_command(app).commands["deploy"].params for flag in each.opts}  # type: ignore[attr-defined]
    magic = set(deploy_parser()._option_string_actions)
    known = {each.name: each for each in OPTIONS}
    form = {"path", "name", *(each["field"] for each in described())}  # it is made of these
    for field in ("path", "name", *sorted(rest), "paused"):
        names = [known[name] for name in CALLED.get(field, [field]) if name in known]
        told = [flag for each in names for flag in each.flags if flag in cli and flag in magic]
        said = ", ".join(f"`{flag}`" for flag in told) or SAID.get(field, "-")
        own = [each.name for each in names if each.name in python and each.name != field]
        call = ", ".join(f"`{name}`" for name in (field, *own) if name in rest | python)
        call = call or "`target`"
        page = "in the form" if field in form else "shown"
        yield f"| {field} | {call} | {said} | `{field}` | {page} |"


def _verbs() -> Iterator[str]:
    yield "## What can be done\n"
    yield "| what | Python | magic | command line | REST | page |"
    yield "| --- | --- | --- | --- | --- | --- |"
    routes = {each.name: each for each in ROUTES}
    calls = (PAGE.parent / "api.ts").read_text(encoding="utf-8")
    for what, method, command, word, call in VERBS:
        route = routes[method]
        assert callable(getattr(Orion, method)), method
        _check_command(command)
        _check_word(word)
        assert call is None or f"  {call}: " in calls, call
        spoken = f"`%orion {word}{command.removeprefix('deploy') if word == 'deploy' else ''}`"
        python = "`deploy()`" if method == "create_deployment" else f"`connect().{method}()`"
        yield (
            f"| {what} | {python} | {spoken if word else '-'} | `orion-nb {command}` "
            f"| `{route.method} {route.path}` | {'yes' if call else '-'} |"
        )


def _check_word(words: str | None) -> None:
    if words is not None:
        word, *within = words.split()
        assert word in WORDS, words
        assert all(each in WITHIN[word] for each in within), words


def _check_command(words: str) -> None:
    found: Any = get_command(app)
    for word in words.split():
        if word.startswith("--"):
            assert any(word in each.opts for each in found.params), words
        else:
            found = found.commands[word]


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
