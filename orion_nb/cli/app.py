"""The tree of commands, and what they have in common: `--version`, completion, short help."""

from __future__ import annotations

from typing import Annotated

import typer

from orion_nb.cli import (
    artifacts,
    cache,
    config,
    dashboard,
    db,
    demo,
    deploy,
    deployments,
    doctor,
    explain,
    limits,
    lineage,
    notifications,
    outbox,
    params,
    replay,
    results,
    rules,
    run,
    runs,
    schedule,
    secrets,
    server,
    worker,
)
from orion_nb.cli.command import paragraphs

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from orion_nb.api.orion import version

        typer.echo(f"orion-nb {version()}")
        raise typer.Exit


def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and end.",
            metavar="",
        ),
    ] = False,
) -> None:
    """Run notebooks and flows under rules that explain themselves.

    Exit codes: 0 ok, 1 the run failed, 2 usage, 3 cancelled, 4 timed out, 5 crashed, 6 the
    database or server can't be reached. With --json stdout is exactly one JSON value; progress
    and messages are on stderr.
    """


app.callback(help=paragraphs(root.__doc__ or ""))(root)


for module in (demo, run, deploy, deployments, runs, explain, lineage, results, cache, rules):
    module.register(app)
for module in (replay, artifacts, limits, schedule, params, secrets, notifications):
    module.register(app)
for module in (server, worker, dashboard, config, db, outbox, doctor):
    module.register(app)
