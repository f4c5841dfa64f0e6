"""`orion-nb deployments`: list, show, pause, resume, run now, remove."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb import clock
from orion_nb.api.plainly import diff_lines, facts_of, pause_of
from orion_nb.cli import output
from orion_nb.cli.command import command, group
from orion_nb.cli.options import (
    DeploymentRef,
    Json,
    Kernel,
    Parameters,
    ParametersFile,
    Variables,
    Watch,
    flag,
    variables_of,
)
from orion_nb.cli.watching import watch as watched
from orion_nb.schemas.targets import joined

PAUSES = (
    "orion-nb deployments pause daily",
    "orion-nb deployments pause daily --until 2030-01-07T06:00Z --why 'the source is down'",
)
if TYPE_CHECKING:
    from rich.table import Table

DeploymentJson = Mapping[str, Any]


def register(app: typer.Typer) -> None:
    told = "List deployments, look at one, pause it, run it now."
    made = group(app, "deployments", told, panel="Deployments")
    command(made, "ls", examples=("orion-nb deployments ls",))(ls)
    command(made, "show", examples=("orion-nb deployments show daily --json",))(show)
    command(made, "diff", examples=("orion-nb deployments diff daily",))(diff)
    command(made, "pause", examples=PAUSES)(pause)
    command(made, "resume", examples=("orion-nb deployments resume daily",))(resume)
    now = ("orion-nb deployments run daily -p day=2026-01-31",)
    command(made, "run", examples=now)(run)
    command(made, "rm", examples=("orion-nb deployments rm daily",))(rm)


def ls(watch: Watch = False, as_json: Json = False) -> None:
    """List all deployments with their schedules, their next time and how the last runs ended."""
    from orion_nb.api.connect import connect

    orion = connect()
    if watch:
        return watched(orion, lambda: _table(orion.all_deployments()), as_json=as_json)
    found = orion.all_deployments()
    if as_json:
        return output.print_json(found)
    if not found["deployments"]:
        return output.say("No deployments yet; `orion-nb deploy NOTEBOOK --name NAME` makes one.")
    return output.console().print(_table(found))


def _table(found: DeploymentJson) -> Table:
    from orion_nb.cli.looks import cut, plain_table, relative

    now = clock.now()
    columns = ("name", "schedule", "next", "last runs", "runs what")
    table = plain_table(*columns, cuttable=["schedule"])
    for each in found["deployments"]:
        due = "paused" if each["paused"] else relative(next(iter(each["next_times"]), None), now)
        due = "unreadable" if each["problem"] else due or ("never" if each["words"] else "")
        none = "?" if each["problem"] else "no schedule"
        words = cut(output.plain(" · ".join(each["words"]) or none))
        last = _last_runs(each)
        path = cut(output.plain(joined(each["path"], each["flow"])))
        table.add_row(output.plain(each["name"]), words, due, last, path)
    return table


def show(deployment: DeploymentRef, as_json: Json = False) -> None:
    """Show a deployment: what it runs, its next times and last runs."""
    from orion_nb.api.connect import connect

    told = connect().read_deployment(deployment)
    if as_json:
        return output.print_json(told)
    describe(told)
    if told["last_runs"]:
        from orion_nb.cli.looks import runs_table

        output.console().print(runs_table(told["last_runs"]))
    return None


def diff(deployment: DeploymentRef, as_json: Json = False) -> None:
    """Show how the file on disk differs from the pinned version that is run."""
    from orion_nb.api.connect import connect

    told = connect().diff_deployment(deployment)
    if as_json:
        return output.print_json(told)
    if told["says"] is None:
        return output.say("The file on disk is what is pinned.")
    _print_lines(diff_lines(told))
    return output.say(told["says"])


def _print_lines(lines: Iterable[str]) -> None:
    from rich.text import Text

    styles = {"+": "green", "-": "red", "@": "dim"}
    for line in lines:
        output.console().print(Text(output.plain(line), style=styles.get(line[:1], "")))


def pause(
    deployment: DeploymentRef,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Resume by itself then: 2030-01-31T09:00Z, or after 2h or 3d."
        ),
    ] = None,
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; it is kept.")] = None,
    as_json: Json = False,
) -> None:
    """Let its schedules create no runs until it is resumed, by hand or by itself."""
    from orion_nb.api.connect import connect

    told = connect().pause_deployment(deployment, until=until, why=why, by="cli")
    return output.print_json(told) if as_json else output.say(pause_of(told))


def resume(deployment: DeploymentRef, as_json: Json = False) -> None:
    """Let its schedules create runs again, from now on."""
    from orion_nb.api.connect import connect

    told = connect().resume_deployment(deployment, by="cli")
    return output.print_json(told) if as_json else describe(told)


def run(
    deployment: DeploymentRef,
    param: Parameters = None,
    params_file: ParametersFile = None,
    kernel: Kernel = None,
    env: Variables = None,
    wait: Annotated[bool, flag("--wait/--no-wait", help="Wait for the run to end.")] = False,
    as_json: Json = False,
) -> int:
    """Run a deployment now; `orion-nb run DEPLOYMENT` does so and waits for it."""
    from orion_nb.api.connect import connect
    from orion_nb.api.parameter_files import read_parameters
    from orion_nb.cli.waiting import run_deployed

    values, own = read_parameters(param, params_file), {"kernel": kernel, "env": variables_of(env)}
    return run_deployed(connect(), deployment, values, own, wait=wait, as_json=as_json)


def rm(deployment: DeploymentRef, as_json: Json = False) -> None:
    """Remove a deployment; its runs stay."""
    from orion_nb.api.connect import connect

    told = connect().delete_deployment(deployment)
    return output.print_json(told) if as_json else output.say(f"{told['deleted']} is removed.")


def describe(told: DeploymentJson, *, zone: str | None = None) -> None:
    """A deployment is printed with its next five times; stderr says if it is to have none."""
    from rich.table import Table
    from rich.text import Text

    from orion_nb.cli.looks import times_table

    table = Table.grid(padding=(0, 2))
    for name, value in facts_of(told).items():
        table.add_row(Text(name, style="dim"), Text(output.plain(value)))
    console = output.console()
    console.print(Text(output.plain(told["name"]), style="bold"))
    console.print(table)
    if told["problem"]:
        says = f"It can't be read any more, and nothing of it is run: {told['problem']}"
        output.error(says, "Deploy it anew with --update, or remove it.")
        return
    if told["paused"]:
        output.say(pause_of(told))
        output.say(f"`orion-nb deployments resume {told['name']}` resumes it.")
    if told["next_times"]:
        console.print(times_table(told["next_times"], zone=zone or told["timezone"]))
        if not told["paused"]:
            output.say(_attendance())
    elif told["words"] and not told["paused"]:
        output.say("Its schedule names no time to come: it runs only when asked to.")


def _attendance() -> str:
    """Who will start what is scheduled, and when it was heard of; or that nobody is there."""
    from orion_nb.api.connect import connect
    from orion_nb.cli.looks import relative

    found = connect().attendants()
    if not found:
        return "Nobody is there to run it: start `orion-nb server` or `orion-nb worker`."
    now = clock.now()
    names = [
        f"{each['process']} (pid {each['pid']} on {each['host']}), "
        f"heard of {relative(min(each['heard'], now), now)}"
        for each in found
    ]
    return f"It is run while one of these is: {'; '.join(names)}."


def _last_runs(told: DeploymentJson) -> Any:
    """The last runs as glyphs, newest last."""
    from rich.text import Text

    from orion_nb.cli.looks import STYLES
    from orion_nb.schemas.states import look

    line = Text()
    for run in reversed(told["last_runs"]):
        state = run["state"]
        line.append(look(state["type"], state["name"]).glyph, style=STYLES[state["type"]])
    return line
