"""`%orion params | deploy | run`: this notebook's parameters, and deployments from within it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.getipython import get_ipython

from orion_nb import clock
from orion_nb.api.connect import connect
from orion_nb.errors import InvalidInput
from orion_nb.schemas.runs import short

Told = tuple[list[str], str, Any]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise UsageError(self.format_usage().strip())


def params(words: Sequence[str]) -> Told:
    """The parameters of this notebook as it is saved, or of the one that is named."""
    from orion_nb.api.sources import inspect, target_of

    parser = _Parser(prog="%orion params", add_help=False)
    parser.add_argument("target", nargs="?")
    target = parser.parse_args(words).target or str(this_notebook())
    found = inspect(*target_of(target)).parameters
    said = [f"{each}  {each.help}".rstrip() for each in found.fields]
    return said or ["no parameters"], Path(target).name, found.json_schema()


def deploy(words: Sequence[str]) -> Told:
    """This notebook gets a name, parameters and schedules."""
    from orion_nb.api.deploying import deploy as made_of
    from orion_nb.schemas.parameters import parse_pairs

    told = _deploy_parser().parse_args(words)
    path = told.path or this_notebook()
    fields = {
        "kernel": told.kernel, "timeout": told.timeout, "retries": told.retries,
        "overlap": told.overlap, "catch_up": told.catch_up, "parameters": parse_pairs(told.p),
        "track": "pinned" if told.pin else None,
    }  # fmt: skip
    given: Any = {name: value for name, value in fields.items() if value not in (None, {})}
    made = made_of(
        path, told.name, cron=told.cron, every=told.every, at=told.at, tz=told.tz,
        paused=told.paused or None, update=told.update, **given,
    )  # fmt: skip
    said = [*made["words"], *(f"next: {clock.iso(at)}" for at in made["next_times"][:3])]
    return said or ["it runs when asked to"], f"{made['name']} runs {made['path']}", made


def run(words: Sequence[str]) -> Told:
    """A run of a deployment is scheduled for now; a server or a worker executes it."""
    from orion_nb.schemas.parameters import parse_pairs

    parser = _Parser(prog="%orion run", add_help=False)
    parser.add_argument("name")
    parser.add_argument("-p", action="append", default=[], metavar="NAME=VALUE")
    told = parser.parse_args(words)
    made = connect().run_deployment(told.name, parse_pairs(told.p))
    return [f"{made.name} {short(made.id)} is scheduled"], "", made.as_json()


def this_notebook() -> Path:
    """The file of the notebook that this kernel belongs to.

    Raises:
        InvalidInput: the front end doesn't say which it is.
    """
    shell = get_ipython()
    named = shell.user_ns.get("__vsc_ipynb_file__") if shell is not None else None
    told = named or os.environ.get("JPY_SESSION_NAME") or ""
    for path in (Path(told), Path.cwd() / Path(told).name):
        if told.endswith(".ipynb") and path.is_file():
            return path.absolute()
    says = "which notebook this is can't be known here: name it, --path FILE.ipynb"
    raise InvalidInput(says, field="path")


def _deploy_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="%orion deploy", add_help=False, allow_abbrev=False)
    parser.add_argument("name", nargs="?")
    parser.add_argument("--path", metavar="FILE")
    parser.add_argument("-p", action="append", default=[], metavar="NAME=VALUE")
    for option in ("--cron", "--every", "--at"):
        parser.add_argument(option, action="append", metavar="WHEN")
    parser.add_argument("--tz", default="UTC", metavar="ZONE")
    for option in ("--kernel", "--timeout", "--overlap"):
        parser.add_argument(option)
    parser.add_argument("--catch-up", dest="catch_up")
    parser.add_argument("--retries", type=int)
    for flag in ("--pin", "--paused", "--update"):
        parser.add_argument(flag, action="store_true")
    return parser
