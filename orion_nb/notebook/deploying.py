"""`%orion params | deploy | run | ...`: this notebook's parameters, and deployments of it."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.getipython import get_ipython

from orion_nb import clock
from orion_nb.api.connect import connect
from orion_nb.errors import InvalidInput
from orion_nb.schemas.deploy_options import OPTIONS, Option
from orion_nb.schemas.runs import short

Told = tuple[list[str], str, Any]


class HelpShown(Exception):
    """`--help` was among the options: it has been printed, and there is nothing to do."""


class Parser(argparse.ArgumentParser):
    """The grammar of a `%orion` line; what is wrong with it is one line that names the option."""

    def __init__(self, prog: str, says: str) -> None:
        super().__init__(prog=prog, description=says, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        known = [flag for action in self._actions for flag in action.option_strings]
        wrong = re.search(r"--[\w-]+", message)
        close = difflib.get_close_matches(wrong[0], known, 1) if wrong else []
        hint = f" (did you mean {close[0]}?)" if close and wrong and wrong[0] not in known else ""
        raise UsageError(f"{self.prog}: {message}{hint}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise HelpShown

    def print_help(self, file: Any = None) -> None:
        print(self.format_help())  # noqa: T201 - asked for by the user


def params(words: Sequence[str]) -> Told:
    """The parameters of this notebook as it is saved, or of the one that is named."""
    from orion_nb.api.sources import inspect, target_of

    parser = Parser("%orion params", "What this notebook takes, or another, or file.py:flow.")
    parser.add_argument("target", nargs="?")
    target = parser.parse_args(words).target or str(this_notebook())
    found = inspect(*target_of(target)).parameters
    said = [f"{each}  {each.help}".rstrip() for each in found.fields]
    return said or ["no parameters"], Path(target).name, found.json_schema()


def deploy(words: Sequence[str]) -> Told:
    """This notebook gets a name, parameters and schedules."""
    from orion_nb.api.deploying import deploy_as_said

    parser = deploy_parser()
    told = vars(parser.parse_args(words))
    path, name = _named(parser, told)
    made = deploy_as_said(path or this_notebook(), name, told)
    said = [*made["words"], *(f"next: {at}" for at in times_of(made))]
    if told["dry_run"]:
        said.append("nothing was written: this is what it would be")
    return said or ["it runs when asked to"], f"{made['name']} runs {made['path']}", made


def _named(parser: Parser, told: dict[str, Any]) -> tuple[str | None, str | None]:
    """What is deployed, and its name: said as here, or as `orion-nb deploy TARGET --name NAME`."""
    path, name, first = told["path"], told["called"], told["name"]
    if first is None:
        return path, name
    if path is None and (name is not None or first.endswith(".ipynb") or ".py:" in first):
        return first, name
    if name is not None:
        parser.error(f"two names, {first!r} and {name!r}")
    return path, first


def run(words: Sequence[str]) -> Told:
    """A run of a deployment is scheduled for now; a server or a worker executes it."""
    from orion_nb.schemas.parameters import parse_pairs

    parser = Parser("%orion run", "Run a deployment now.")
    parser.add_argument("name")
    parser.add_argument("-p", action="append", default=[], metavar="NAME=VALUE")
    add_own(parser)
    told = parser.parse_args(words)
    made = connect().run_deployment(told.name, parse_pairs(told.p), **own_of(told))
    return [f"{made.name} {short(made.id)} is scheduled"], "", made.as_json()


def add_own(parser: argparse.ArgumentParser) -> None:
    """What can be said of one run of a deployment alone."""
    parser.add_argument("--kernel", metavar="NAME", help="the kernel of this run alone")
    says = "an environment variable for this run alone; can be given many times"
    parser.add_argument("--env", action="append", metavar="NAME=VALUE", help=says)


def own_of(told: argparse.Namespace) -> dict[str, Any]:
    """The same as the API takes it."""
    from orion_nb.schemas.parameters import parse_pairs

    return {"kernel": told.kernel, "env": parse_pairs(told.env, "--env") if told.env else None}


def pause(words: Sequence[str]) -> Told:
    """The schedules of a deployment create no runs until it is resumed."""
    parser = Parser("%orion pause", "Let the schedules of a deployment create no runs.")
    parser.add_argument("name")
    parser.add_argument("--until", metavar="TIME", help="resume by itself then: 2h, 2030-01-31T09Z")
    parser.add_argument("--why", metavar="TEXT", help="why; it is kept")
    told = parser.parse_args(words)
    made = connect().pause_deployment(told.name, told.until, told.why, by="notebook")
    until = made["pause"]["until"]
    ends = "until it is resumed" if until is None else f"until {clock.iso(until)[:19]}Z"
    return [f"{made['name']} is paused {ends}"], "", made


def resume(words: Sequence[str]) -> Told:
    """The schedules of a deployment create runs again."""
    parser = Parser("%orion resume", "Let the schedules of a deployment create runs again.")
    parser.add_argument("name")
    made = connect().resume_deployment(parser.parse_args(words).name, by="notebook")
    return [f"next: {at}" for at in times_of(made)], f"{made['name']} goes on", made


def deployments(words: Sequence[str]) -> Told:
    """All deployments, with their schedules and when they are next."""
    Parser("%orion deployments", "All deployments.").parse_args(words)
    found = connect().all_deployments()["deployments"]
    return [_line(each) for each in found] or ["no deployments yet"], "", found


def preview(words: Sequence[str]) -> Told:
    """The next times of a schedule, as it is written behind --schedule."""
    parser = Parser("%orion preview", "The next times of a schedule: '0 7 * * 1-5', 15m, a rule.")
    parser.add_argument("schedule")
    parser.add_argument("--tz", metavar="ZONE", help="the time zone it is read in")
    parser.add_argument("--starts", metavar="TIME", help="it runs from then on: 2030-01-31")
    parser.add_argument("--ends", metavar="TIME", help="it runs until then; a date is included")
    parser.add_argument("-n", type=int, default=5, help="how many times, 1 to 100")
    told = parser.parse_args(words)
    from orion_nb.schemas.deploy_options import read_schedule

    schedule = read_schedule(told.schedule, told.tz, told.starts, told.ends)
    found = connect().preview_schedules([schedule], told.n, told.tz)
    said = times_of(found) or ["it never runs again"]
    return said, found["schedules"][0]["words"], found


def times_of(told: dict[str, Any]) -> list[str]:
    """The next times on the clock that the schedules follow, with its offset from UTC."""
    zone = told["timezone"]
    shown = (at.replace("T", " ").replace("+00:00", "") for at in told["local_times"])
    return [f"{at} {zone}" for at in shown]


def _line(made: dict[str, Any]) -> str:
    if made["problem"]:
        return f"{made['name']}: can't be read: {made['problem']}"
    at = next(iter(times_of(made)), "never")
    when = "paused" if made["paused"] else f"next {at}" if made["words"] else "when asked to"
    return f"{made['name']}: {' · '.join(made['words']) or 'no schedule'}; {when}"


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


def deploy_parser() -> Parser:
    """The grammar of `%orion deploy`: the options of `orion-nb deploy`."""
    parser = Parser("%orion deploy", "This notebook gets a name, parameters and schedules.")
    parser.add_argument("name", nargs="?", metavar="NAME", help="default: that of the file")
    parser.add_argument("--path", metavar="FILE", help="another notebook, or file.py:flow")
    parser.add_argument("--name", "-n", dest="called", metavar="NAME", help="the same as NAME")
    for option in OPTIONS:
        _add(parser, option)
    return parser


def _add(parser: Parser, option: Option) -> None:
    default = f" (default: {option.default})" if option.default else ""
    told: dict[str, Any] = {"dest": option.name, "help": (option.help + default).replace("%", "%%")}
    if not option.metavar:
        told["action"] = "store_true"
    else:
        told |= {"metavar": option.metavar, "type": option.kind}
        if option.many:
            told["action"] = "append"
    parser.add_argument(*option.flags, **told)
