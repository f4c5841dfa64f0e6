"""`orion-nb runs rerun`, `retry` and `set-state`: a run goes on, or is put into a state by hand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb.cli import output
from orion_nb.cli.command import OK, RUN_FAILED, command
from orion_nb.cli.options import (
    Json,
    Kernel,
    ParametersFile,
    RunRef,
    Variables,
    Wait,
    flag,
    suggestion,
    variables_of,
)
from orion_nb.errors import InvalidInput
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import NAMES, RUNNING, SCHEDULED, StateType

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

Why = Annotated[str | None, typer.Option(metavar="TEXT", help="Why; kept with the run.")]
CodeParameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--param",
        metavar="NAME=VALUE",
        help="With --code: a parameter, a JSON value or else text; others with `replay -p`.",
    ),
]
StateWord = Annotated[
    str, typer.Argument(metavar="STATE", help="A type or a name: completed, failed, Skipped ...")
]


def register(runs: typer.Typer) -> None:
    again = (
        "orion-nb runs rerun 4f2a9c01",
        "orion-nb runs rerun 4f2a9c01 --from-failed --wait",
        "orion-nb runs rerun 4f2a9c01 --code etl.py:nightly",
    )
    command(runs, "rerun", examples=again)(rerun)
    command(runs, "retry", examples=("orion-nb runs retry 4f2a9c01",))(retry)
    by_hand = (
        "orion-nb runs set-state 4f2a9c01 completed --why 'data was loaded by hand'",
        "orion-nb runs set-state 4f2a9c01 completed --name Skipped --why 'no data today' --yes",
    )
    command(runs, "set-state", examples=by_hand)(set_state)


def rerun(
    run: RunRef,
    code: Annotated[
        str | None,
        typer.Option(metavar="FILE.py:FLOW", help="Where the code of the run is: it runs here."),
    ] = None,
    param: CodeParameters = None,
    params_file: ParametersFile = None,
    kernel: Kernel = None,
    env: Variables = None,
    why: Why = None,
    from_failed: Annotated[
        bool,
        flag("--from-failed", help="Refuse if what a completed task made was not kept."),
    ] = False,
    wait: Wait = False,
    as_json: Json = False,
) -> int:
    """Run a finished run once more, in a new attempt; what completed in it is not executed again.

    A run of a deployment is scheduled for now, and executed by a server or a worker. That of a
    notebook that no deployment knows is executed here. One of a flow of your own is executed
    here, with --code; without -p it is given the parameters it had. In a notebook it is task cells
    that are not executed again, down to the first one that changed or failed.
    A run that was left waiting for a retry by a process that died is picked up in the same way.

    The run of a deployment keeps the kernel and the variables that were said of it; --kernel and
    --env say others.

    With --code or --wait the exit code is that of the run; else it is 1 if it can't be rerun.
    """
    from orion_nb.cli.lookout import connect_and_look

    orion = connect_and_look()
    found = orion.find(run)
    own: dict[str, Any] = {"kernel": kernel, "env": variables_of(env)}
    if code is not None:
        from orion_nb.cli.flows import rerun_flow

        taken = {**own, "why": why, "wait": wait or None, "from-failed": from_failed or None}
        _takes_none_of(taken, "it is run here, at once, with --code")
        return rerun_flow(found, code, param, params_file, as_json=as_json)
    if found.deployment is None and _is_notebook(orion, found):
        given = {"param": param, "params-file": params_file, **own, "why": why}
        _takes_none_of(given, "the rerun of a notebook has those it had")
        return _rerun_notebook(orion, found, from_failed, as_json=as_json)
    if found.deployment is None:
        raise InvalidInput(_where_is_its_code(found), field="code")
    says = f"a rerun has those it had; `orion-nb replay {short(found.id)} -p NAME=VALUE` has others"
    _takes_none_of({"param": param, "params-file": params_file}, says)
    own |= {"why": why, "from_failed": from_failed}
    return _rerun_deployed(orion, found, own, wait=wait, as_json=as_json)


def retry(run: RunRef, why: Why = None, as_json: Json = False) -> None:
    """Wait no longer for the retry that a run awaits, nor for those of runs in it.

    As JSON: {"retried": [{"id", "name"}]}.
    """
    from orion_nb.api.connect import connect

    told = connect().retry_now(run, why=why, by="cli")
    if as_json:
        return output.print_json(told)
    for each in told["retried"]:
        output.console().print(f"{output.plain(each['name'])} {short(each['id'])} is retried now.")
    return None


def set_state(
    run: RunRef,
    state: StateWord,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the run's report.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name of the state, within its type.")
    ] = None,
    message: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The message of the new state.")
    ] = None,
    yes: Annotated[bool, flag("--yes", "-y", help="Do not ask whether you are sure.")] = False,
    as_json: Json = False,
) -> int:
    """Set a run's state by hand: no rule is asked, and the report says who did it and why.

    Code that is executing is not stopped by it: what it comes to is refused. To stop it, cancel
    the run. In a terminal you are asked whether you are sure.
    """
    from orion_nb.api.connect import connect

    kind, named = state_named(state)
    if name is not None:
        named = _name_within(kind, name)
    orion = connect()
    found = orion.find(run)
    if not yes and not as_json and sys.stdin.isatty() and not _is_sure(found, named):
        output.say("Nothing was done.")
        return RUN_FAILED
    report = orion.propose(
        found.id, kind, name=named, message=message, force=True, why=why, by="cli"
    )
    tell(found, report, as_json)
    return OK


def state_named(word: str) -> tuple[StateType, str]:
    """The type and name that a word stands for, in capitals or not.

    Raises:
        InvalidInput: it is no state; the closest one is named.
    """
    known: dict[str, tuple[StateType, str]] = {}
    for kind, names in NAMES.items():
        known |= {name.lower(): (kind, name) for name in names}
        known[kind.value.lower()] = (kind, names[0])
    try:
        return known[word.lower()]
    except KeyError:
        hint = suggestion(word.lower(), list(known)) or f"; there are {', '.join(sorted(known))}"
        raise InvalidInput(f"state: {word!r} is no state{hint}", field="state") from None


def tell(run: Run, report: Report, as_json: bool) -> None:
    """What came of a proposal is printed."""
    if as_json:
        return output.print_json(as_answer(run, report))
    return print_line(run, report.state.as_json(), report.reason)


def as_answer(run: Run, report: Report) -> dict[str, Any]:
    """A report as JSON, without the token that RUNNING hands out."""
    return {"run_id": run.id, **report.as_json(), "token": None}


def print_line(run: Run, state: dict[str, Any], reason: str | None) -> None:
    """A run with the state it is in, and why, on one line."""
    from rich.text import Text

    from orion_nb.cli.looks import state_text

    line = Text(f"{output.plain(run.name)} {short(run.id)}  ")
    line.append_text(state_text(state))
    if reason:
        line.append(f"  {output.first_line(reason)}", style="dim")
    output.console().print(line)


# -- rerun -----------------------------------------------------------------------------------------


def _is_notebook(orion: Orion, run: Run) -> bool:
    """It is the run of a notebook that was executed on this machine."""
    from orion_nb.deployments.files import SPEC

    is_here = (orion.settings.notebooks / run.id / SPEC).is_file()
    return run.kind == "flow" and (run.key or "").startswith("notebook:") and is_here


def _rerun_notebook(orion: Orion, run: Run, from_failed: bool, *, as_json: bool) -> int:
    from orion_nb.cli.command import exit_code
    from orion_nb.cli.waiting import print_end
    from orion_nb.deployments.adhoc import rerun_notebook

    outcome = rerun_notebook(run.id, from_failed=from_failed, orion=orion)
    if as_json:
        output.print_json(outcome.as_json())
    else:
        print_end(outcome.run, outcome.notebook)
    return exit_code(outcome.state)


def _rerun_deployed(
    orion: Orion, run: Run, said: dict[str, Any], *, wait: bool, as_json: bool
) -> int:
    from orion_nb.cli.waiting import report as report_end
    from orion_nb.cli.waiting import wait_for

    before = orion.last_event()
    report = orion.rerun(run.id, by="cli", **said)
    if report.state.type is not SCHEDULED:
        if as_json:
            tell(run, report, as_json)
        else:
            output.error(f"run {short(run.id)} can't be rerun: {report.reason or report.state}")
        return RUN_FAILED
    if not wait:
        tell(run, report, as_json)
        return OK
    wait_for(orion, orion.find(run.id), before)
    return report_end(orion, run.id, None, as_json=as_json)


def _where_is_its_code(run: Run) -> str:
    """What to say to somebody who wants to rerun a run whose code is not known here."""
    from orion_nb.api.words import code_of

    told = f"code: run {short(run.id)} is of no deployment; say where its code is"
    key = run.key or ""
    if run.kind == "task":
        return f"code: {run.name} is a task; rerun the flow around it: {short(run.root)}"
    if key.startswith("notebook:"):
        path = key.removeprefix("notebook:")
        return f"code: a notebook that no deployment knows is run anew: `orion-nb run {path}`"
    return f"{told}, as in `--code {code_of(run)}`"


def _takes_none_of(given: dict[str, Any], why: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise InvalidInput(f"--{name}: {why}", field=name)


# -- set-state -------------------------------------------------------------------------------------


def _name_within(kind: StateType, name: str) -> str:
    known = {each.lower(): each for each in NAMES[kind]}
    if name.lower() not in known:
        says = f"name: {name!r} is no name of {kind.value}; there are {', '.join(NAMES[kind])}"
        raise InvalidInput(says, field="name")
    return known[name.lower()]


def _is_sure(run: Run, name: str) -> bool:
    what = f"{output.plain(run.name)} {short(run.id)} is {run.state.name}"
    if run.state.type is RUNNING:
        what += "; its code is not stopped by this"
    return typer.confirm(f"{what}. Set it to {name} without asking any rule?")
