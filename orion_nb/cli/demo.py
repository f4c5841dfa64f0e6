"""`orion-nb demo`: a notebook on a schedule, its tasks live, one tried again by the rules."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb.cli import output
from orion_nb.cli.command import OK, RUN_FAILED, command
from orion_nb.cli.options import Json, flag
from orion_nb.errors import OrionError
from orion_nb.schemas.durations import show
from orion_nb.schemas.states import COMPLETED, TERMINAL, AwaitingRetry, StateType

if TYPE_CHECKING:
    from rich.console import Console

    from orion_nb.cli.follow import Follower
    from orion_nb.cli.jupyter import Address
    from orion_nb.cli.stage import Stage
    from orion_nb.store.events import Event

EXAMPLES = ("orion-nb demo", "orion-nb demo --once")
SAMPLE = "weather.ipynb"
NAME = "weather"
#: How often the notebook runs: during the show, and afterwards while somebody looks around.
EVERY, LATER = "6s", "30s"
#: How many scheduled runs have to complete, and how long `--once` waits for them (seconds).
WANTED = 2
PATIENCE = 75.0
SHOWN = 3
RETRY = AwaitingRetry(0).name


def register(app: typer.Typer) -> None:
    command(app, "demo", panel="Start here", examples=EXAMPLES)(demo)


def demo(
    once: Annotated[
        bool, flag("--once", help="End after two runs, as it does where there is no terminal.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The server's port, instead of any that is free."),
    ] = None,
    as_json: Json = False,
) -> int:
    """See the whole of it at work: a notebook runs on a schedule in a private Jupyter server.

    A task in it fails and is tried again, and you are told why. Then look around in the dashboard
    and in JupyterLab, until Ctrl-C. Everything is in a temporary folder that goes with the demo.
    """
    from orion_nb.cli.jupyter import ServerUnreachable, interrupted_by_signals, undisturbed
    from orion_nb.cli.stage import staged

    console = output.console(err=as_json)
    stays = console.is_terminal and sys.stdin.isatty() and not once and not as_json
    with interrupted_by_signals(), staged(port) as stage:
        show = Show(stage, console)
        try:
            _play(show, stays=stays)
        except KeyboardInterrupt:
            pass
        except (ServerUnreachable, ShowFailed):
            output.say(stage.last_words())
            raise
        finally:
            with (
                undisturbed(output.say),
                _saying(console, "Ending the demo", "The demo is over, nothing is left of it"),
            ):
                stage.strike()
    if as_json:
        output.print_json(show.as_json())
    return OK if show.is_complete or stays else RUN_FAILED


class ShowFailed(OrionError):
    """Run `orion-nb demo --once` again; on a slow or busy machine it may need more time."""


@dataclass
class Show:
    """What the demo shows, and what has been seen of it so far."""

    stage: Stage
    console: Console
    started: float = field(default_factory=time.monotonic)
    runs: list[str] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    retried: str | None = None
    why: list[str] | None = None

    @property
    def is_complete(self) -> bool:
        """Two scheduled runs have completed, and a retry was seen to its end and explained."""
        return len(self.completed) >= WANTED and self.why is not None

    def note(self, events: list[Event]) -> None:
        """What these states say about the show."""
        for event in events:
            kind = StateType(event.type)
            if event.run == event.root and event.run not in self.runs:
                self.runs.append(event.run)
            if event.run == event.root and kind is COMPLETED:
                self.completed.append(event.run)
            if event.state_name == RETRY and event.kind == "task" and self.retried is None:
                self.retried = event.run
            if event.run == self.retried and kind in TERMINAL and self.why is None:
                self.explain(self.retried)

    def explain(self, run_id: str) -> None:
        """Why the task was tried again, as `orion-nb explain` tells it."""
        from rich.padding import Padding
        from rich.text import Text

        from orion_nb.cli.stories import indented, report_table, sentences

        told = self.stage.orion.why(run_id)
        self.why = sentences(told)
        retry = next(state for state in told["states"] if state["name"] == RETRY)
        name = output.plain(told["run"]["name"])
        print = self.console.print
        print(Text(f"\n  Why was {name} tried again?", style="bold"))
        for line in self.why:
            print(indented(line))
        print(Text("  The rules that were asked, in their order:", style="dim"))
        print(Padding(report_table(retry["report"]), (0, 0, 1, 4), expand=False))

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.is_complete,
            "runs": self.runs,
            "completed": self.completed,
            "retried": self.retried,
            "why": self.why,
            "seconds": round(time.monotonic() - self.started, 1),
        }


def _play(show: Show, *, stays: bool) -> None:
    """The server is started, the notebook deployed, and what happens is shown."""
    stage, console = show.stage, show.console
    console.print(TITLE, style="bold")
    notebook = stage.copy(SAMPLE)
    kind = "JupyterLab" if stage.has_lab else "a Jupyter server"
    with _saying(
        console, f"Starting {kind} with Orion", f"{kind[0].upper()}{kind[1:]} with Orion is ready"
    ):
        address = stage.start()
    orion = stage.orion
    after = orion.last_event()
    made = orion.create_deployment(NAME, str(notebook), schedules=[EVERY])
    _tick(console, f"{SAMPLE} is deployed as {NAME!r}, {', '.join(made['words'])}")
    console.print()
    from orion_nb.cli.follow import Follower

    follower = Follower(
        orion, console, lambda root: root.deployment == made["id"], after=after, shown=SHOWN
    )
    deadline = None if stays else show.started + PATIENCE
    with follower.showing(table=console.is_terminal):
        _watch(show, follower, deadline)
        _invite(show, address, stays=stays)
        if stays:
            orion.update_deployment(made["id"], schedules=[LATER])
            _watch_on(show, follower)


def _watch(show: Show, follower: Follower, deadline: float | None) -> None:
    """What happens is shown until all that was promised has been seen.

    Raises:
        ShowFailed: it was not, in time.
    """
    from orion_nb.cli.follow import LOOK

    while not show.is_complete:
        show.note(follower.look())
        show.stage.check()
        if deadline is not None and time.monotonic() > deadline:
            raise ShowFailed(
                f"in {PATIENCE:.0f} s {len(show.completed)} of {WANTED} runs completed, and "
                f"{'a' if show.retried else 'no'} task was tried again"
            )
        time.sleep(LOOK)


def _watch_on(show: Show, follower: Follower) -> None:
    """Until Ctrl-C."""
    from orion_nb.cli.follow import LOOK

    while True:
        show.note(follower.look())
        show.stage.check()
        time.sleep(LOOK)


def _invite(show: Show, address: Address, *, stays: bool) -> None:
    """Where to look around, if there will be anything to look at."""
    from rich.text import Text

    print = show.console.print
    print(f"\n  {len(show.completed)} scheduled runs have completed.")
    if not stays:
        return print("  In a terminal, without --once, the server stays for you to look around.\n")
    links = {"Dashboard": address.dashboard}
    if show.retried is not None:
        run = show.stage.orion.find(show.retried)
        links["This retry"] = f"{address.dashboard}#/runs/{run.root}?task={run.id}"
    if show.stage.has_lab:
        links["JupyterLab"] = address.page(f"lab/tree/{SAMPLE}")
    links["Terminal"] = f"ORION_NB_HOME={show.stage.home} orion-nb runs ls"
    print(Text("\n  Look around", style="bold"))
    for name, link in links.items():
        # The terminal wraps what is too long, so that a link stays whole.
        print(Text(f"    {name:12}").append(link, style="cyan"), soft_wrap=True)
    print(f"\n  The notebook goes on running every {LATER}. Ctrl-C ends the demo.\n")
    return None


@contextmanager
def _saying(console: Console, doing: str, done: str) -> Iterator[None]:
    """Within the block something is done that takes a while; afterwards it is said how long."""
    started = time.monotonic()
    if console.is_terminal:
        with console.status(f" {doing} ..."):
            yield
    else:
        console.print(f"  {doing} ...")
        yield
    _tick(console, f"{done} ({show(time.monotonic() - started)})")


def _tick(console: Console, done: str) -> None:
    from rich.text import Text

    console.print(Text("  ").append("✔", style="green").append(f" {done}"))


TITLE = """
  Orion at work: a notebook on a schedule, its tasks live, one of them tried again by the rules.
"""
