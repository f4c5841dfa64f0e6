"""`orion-nb runs`: list them, look at one, ask why, keep one."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb import clock
from orion_nb.cli import actions, answers, cancel, logs, output
from orion_nb.cli.command import OK, RUN_FAILED, command, group
from orion_nb.cli.options import Json, RunRef, Watch, flag
from orion_nb.cli.watching import watch as watched
from orion_nb.errors import NotFound
from orion_nb.schemas.filters import completions, parse_filter
from orion_nb.schemas.runs import short

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion


def register(app: typer.Typer) -> None:
    runs = group(
        app, "runs", "List runs, look at one, ask why; cancel, pause, rerun it.", panel="Runs"
    )
    listing = (
        "orion-nb runs ls",
        "orion-nb runs ls state:failed,crashed since:24h",
        "orion-nb runs ls -- '-state:completed tag:db dur>5m'",
        "orion-nb runs ls --all --json",
    )
    command(runs, "ls", examples=listing)(ls)
    command(runs, "show", examples=("orion-nb runs show 4f2a9c01",))(show)
    asked = ("orion-nb runs why 4f2a9c01", "orion-nb runs why daily")
    command(runs, "why", examples=asked)(why)
    for module in (logs, cancel, answers, actions):
        module.register(runs)
    command(runs, "pin", examples=("orion-nb runs pin 4f2a9c01 --why 'the figures of May'",))(pin)
    command(runs, "rm", examples=("orion-nb runs rm 4f2a9c01",))(rm)
    command(runs, "unpin", examples=("orion-nb runs unpin 4f2a9c01",))(unpin)


def ls(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILTER",
            help="Only runs that match, in quotes: 'state:failed,crashed tag:db since:24h dur>5m'; "
            "after --, '-state:completed' leaves out.",
            autocompletion=_filter_words,
        ),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE",
            help="Only runs in this state: failed, late, AwaitingRetry ... Can be repeated.",
        ),
    ] = None,
    deployment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only runs of this deployment.")
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only runs with this in their name or ending their id."),
    ] = None,
    limit: Annotated[int, typer.Option(help="How many to list: 1 to 200.")] = 20,
    cursor: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Go on where the last page ended.")
    ] = None,
    everything: Annotated[bool, flag("--all", help="List task runs too.")] = False,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """List flow runs, newest first.

    As JSON: {"runs": ..., "cursor": ...}; the cursor asks for the next page, null on the last.
    """
    from orion_nb.cli.lookout import connect_and_look
    from orion_nb.cli.looks import runs_table

    orion, q = connect_and_look(), " ".join(words or ())

    def ask() -> Any:
        return orion.filter_runs(
            q=q or None, kind=None if everything or _names_kind(q) else "flow", states=state,
            deployment=deployment, text=text, limit=limit, cursor=cursor,
        )  # fmt: skip

    if watch:
        return watched(orion, lambda: runs_table(ask()["runs"]), as_json=as_json)
    found = ask()
    if as_json:
        return output.print_json(found)
    if not found["runs"]:
        chosen = any((q, state, deployment, text, cursor))
        return output.say("No run matches." if chosen else "No runs yet; try `orion-nb demo`.")
    output.console().print(runs_table(found["runs"]))
    return output.say(f"More: --cursor {found['cursor']}") if found["cursor"] else None


def _names_kind(q: str) -> bool:
    """The filter itself says whether it is about task runs."""
    return any(term.key in ("kind", "task") for term in parse_filter(q, clock.now()))


def _filter_words(incomplete: str) -> list[tuple[str, str]]:
    """The words of a filter, for the shell's completion."""
    return completions(incomplete)


def show(run: RunRef, watch: Watch = False, as_json: Json = False) -> None:
    """Show a run: its times, parameters and tasks, and each state it entered."""
    from orion_nb.cli.lookout import connect_and_look

    orion = connect_and_look()
    told = _with_cells(orion, run)
    if watch:
        from orion_nb.cli.stories import run_story

        run_id = told["run"]["id"]
        return watched(
            orion,
            lambda: run_story(_with_cells(orion, run_id)),
            as_json=as_json,
            until=lambda: orion.find(run_id).state.is_terminal,
        )
    if as_json:
        more = {name: told[name] for name in ("states", "tasks", "cells") if name in told}
        return output.print_json({**told["run"], **more})
    from orion_nb.cli.stories import run_story

    return output.console().print(run_story(told))


def _with_cells(orion: Orion, run: str) -> dict[str, Any]:
    """What is known of a run; of a notebook's, what its cells do, too."""
    told = orion.why(run)
    if str(told["run"]["key"]).startswith("notebook:") and told["run"]["kind"] == "flow":
        with suppress(NotFound):
            told["cells"] = orion.read_cells(told["run"]["id"])
    return told


def why(run: RunRef, as_json: Json = False) -> None:
    """Say what happened to a run, a sentence for each state; `explain` shows the rules too."""
    from orion_nb.cli.lookout import connect_and_look

    told = connect_and_look().why(run)
    if as_json:
        return output.print_json(told)
    from orion_nb.cli.stories import summary

    return output.console().print(summary(told))


def pin(
    run: RunRef,
    why: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; kept with the run.")] = None,
    as_json: Json = False,
) -> None:
    """Keep a run, and the tree of runs it belongs to, however old it gets."""
    from orion_nb.api.connect import connect

    told = connect().pin(run, why=why)
    return output.print_json(told) if as_json else output.say(f"{short(told['run'])} is pinned.")


def rm(
    run: RunRef,
    yes: Annotated[bool, flag("--yes", "-y", help="Do not ask whether you are sure.")] = False,
    as_json: Json = False,
) -> int:
    """Delete a finished run, with the runs in it, its logs, artifacts, results and notebook.

    In a terminal you are asked whether you are sure. As JSON: {"deleted", "runs", "results",
    "errors"}.
    """
    from orion_nb.api.connect import connect

    orion = connect()
    found = orion.find(run)
    if not yes and not as_json and sys.stdin.isatty():
        named = f"{output.plain(found.run_name or found.name)} {short(found.id)}"
        if not typer.confirm(f"Delete {named} ({found.state.name})? It can't be undone."):
            output.say("Nothing was done.")
            return RUN_FAILED
    told = orion.delete_run(found.id)
    if as_json:
        output.print_json(told)
    else:
        inside = f", with {told['runs'] - 1} runs in it" if told["runs"] > 1 else ""
        output.say(f"{output.plain(found.name)} {short(found.id)} is deleted{inside}.")
        for each in told["errors"]:
            output.error(each)
    return OK


def unpin(run: RunRef, as_json: Json = False) -> None:
    """Let a run be forgotten with others of its age."""
    from orion_nb.api.connect import connect

    told = connect().unpin(run)
    if as_json:
        return output.print_json(told)
    word = "is no longer pinned" if told["was_pinned"] else "was not pinned"
    return output.say(f"{short(told['run'])} {word}.")
