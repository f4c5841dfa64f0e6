"""`orion-nb worker`: scheduled runs without a Jupyter server."""

from __future__ import annotations

import logging
import signal
from typing import Annotated, Any

import typer

from orion_nb.cli import output
from orion_nb.cli.command import OK, command
from orion_nb.cli.options import Json

EXAMPLES = ("orion-nb worker", "orion-nb worker --concurrency 4")


def register(app: typer.Typer) -> None:
    command(app, "worker", panel="Services", examples=EXAMPLES)(worker)


def worker(
    concurrency: Annotated[
        int, typer.Option(min=1, max=256, help="How many runs to execute at the same time.")
    ] = 2,
    warm: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=64,
            help="How many runners to keep ready, about 100 MB each; default: 1, "
            "or ORION_NB_WARM_RUNNERS.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Run what is scheduled, in the foreground, without a Jupyter server.

    It stays until Ctrl-C. Runs at work then go on to their end: each has a process of its own.
    As JSON: {"database", "concurrency", "left"}, when it has stopped; left are the runs at work.
    """
    from orion_nb.api.connect import connect
    from orion_nb.deployments.worker import Worker

    orion = connect(label="worker")
    made = Worker(orion, concurrency=concurrency, warm=warm, log=_log())
    told = {"database": str(orion.database.path), "concurrency": concurrency}
    _ = orion.session  # asked for now, so that `doctor` sees a worker that has no runs yet
    left: list[str] = []

    def stop(number: int, frame: Any) -> None:
        left[:] = made.active
        made.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    output.say(f"Worker on {told['database']}, {concurrency} runs at a time; Ctrl-C stops it.")
    made.run()
    left = [run_id for run_id in left if not orion.find(run_id).state.is_terminal]
    output.say(f"Stopped; runs that go on: {len(left)}.")
    if as_json:
        output.print_json({**told, "left": left})
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it is about to end well; a second Ctrl-C is late
    return OK


def _log() -> logging.Logger:
    """What the worker does, on stderr."""
    log = logging.getLogger("orion_nb.worker")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    return log
