"""What the shell offers: runs, deployments, files that are run, parameters, values of options."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

from orion_nb.errors import OrionError
from orion_nb.schemas.deploy_options import Option

Completes = Callable[[str], list[str]]
#: The files that can be run.
RUN = (".ipynb", ".py")
#: The words of the command that is typed, as bash, zsh and fish say them (see click).
TYPED = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")


def of(option: Option) -> Completes | None:
    """What completes the option's value; None leaves it to the shell, which knows files."""
    if option.words:
        return _beginning(lambda: list(option.words))
    if option.completes in ("", "files"):
        return None
    return _beginning(lambda: _names(option.completes))


def deployments(incomplete: str) -> list[str]:
    """The deployments there are."""
    return [each for each in _names("deployments") if each.startswith(incomplete)]


def runs(incomplete: str) -> list[tuple[str, str]]:
    """The names of the newest flow runs, and their ids."""
    from orion_nb.api.connect import connect
    from orion_nb.schemas.runs import short

    try:
        found = connect().filter_runs(kind="flow")["runs"]
    except (OrionError, OSError):
        return []
    named: dict[str, str] = {}
    for run in found:
        named.setdefault(run["run_name"] or run["name"], f"the newest, {run['state']['name']}")
    ids = {short(run["id"]): f"{run['name']}, {run['state']['name']}" for run in found}
    told = {**ids, **named}
    return [(word, says) for word, says in told.items() if word.startswith(incomplete)]


def targets(incomplete: str) -> list[str]:
    """What can be run: deployments, and notebooks, Python files and folders that lead to them."""
    folder, _, begun = incomplete.rpartition("/")
    before = f"{folder}/" if "/" in incomplete else ""
    try:
        inside = sorted(Path(before or ".").expanduser().iterdir())
    except OSError:
        inside = []
    shown = [each for each in inside if not each.name.startswith(".") or begun.startswith(".")]
    paths = [
        f"{before}{each.name}{'/' if each.is_dir() else ''}"
        for each in shown
        if each.name.startswith(begun) and (each.suffix in RUN or each.is_dir())
    ]
    return [*deployments(incomplete), *paths]


def parameters(incomplete: str) -> list[str]:
    """`NAME=` for each parameter of the deployment, notebook or flow that is to be run."""
    for word in _typed()[2:]:
        if found := _parameters_of(word):
            return [f"{name}=" for name in found if f"{name}=".startswith(incomplete)]
    return []


def _parameters_of(target: str) -> list[str]:
    """The names; none of what is no target."""
    from orion_nb.api.connect import connect
    from orion_nb.api.sources import absolute, inspect

    path, _, flow = target.partition(":")
    try:
        if path.endswith(RUN):
            known = inspect(absolute(path), flow or None)
        elif target.startswith("-") or target not in _names("deployments"):
            return []
        else:
            deployed = connect().find_deployment(target)
            known = inspect(deployed.path, deployed.flow)
    except (OrionError, OSError):
        return []
    return [each.name for each in known.parameters.fields]


def _typed() -> list[str]:
    """The words of the command that is being completed."""
    text = next(filter(None, map(os.environ.get, TYPED)), "")
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed yet
        return text.split()


def _names(of: str) -> list[str]:
    from orion_nb.api.naming import names

    return names(of)


def _beginning(known: Callable[[], list[str]]) -> Completes:
    def complete(incomplete: str) -> list[str]:
        return [each for each in known() if each.lower().startswith(incomplete.lower())]

    return complete
