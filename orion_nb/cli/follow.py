"""What happens to flow runs, shown while it happens: a live table, or a line for each new state."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from orion_nb import clock
from orion_nb.cli import looks
from orion_nb.cli.output import first_line, plain
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import State, StateType
from orion_nb.store.events import Event
from orion_nb.store.listing import RunFilter

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    from orion_nb.api.orion import Orion

#: Which flow runs to follow; asked once for each that has no parent.
Choose = Callable[[Run], bool]

#: How often a look is taken (seconds), and how many runs of one tree a live table shows.
LOOK = 0.1
MOST_ROWS = 16

#: Columns of a live table keep their width while it changes.
WIDTHS = {"run": 18, "state": 16, "attempt": 7, "took": 8}


class Follower:
    """Follows the flow runs that `choose` says, from the events after number `after` on.

    `look` reads what is new and shows it. In a terminal that is a table of the last `shown` flow
    runs with what runs in them; elsewhere a line for each state that was entered.
    """

    def __init__(
        self, orion: Orion, console: Console, choose: Choose, *, after: int, shown: int = 1
    ) -> None:
        self.orion = orion
        self.console = console
        self.roots: list[str] = []
        self._choose = choose
        self._shown = shown
        self._after = after
        self._others: set[str] = set()
        self._trees: dict[str, list[Run]] = {}
        self._live: Live | None = None

    @contextmanager
    def showing(self, *, table: bool) -> Iterator[Follower]:
        """Within the block `look` shows what it finds; afterwards the last table stays."""
        from rich.live import Live

        if not table:
            yield self
            self._look_at_the_rest()
            return
        with Live(
            console=self.console, auto_refresh=False, get_renderable=self.table
        ) as self._live:
            yield self
            self._look_at_the_rest()
        self._live = None

    @contextmanager
    def looking(self, *, table: bool) -> Iterator[Follower]:
        """Within the block a thread looks again and again, while this one is at work."""
        stop = threading.Event()

        def work() -> None:
            while not stop.wait(LOOK):
                self.look()

        with self.showing(table=table):
            thread = threading.Thread(target=work, name="orion-follow", daemon=True)
            thread.start()
            try:
                yield self
            finally:
                stop.set()
                thread.join()

    def look(self) -> list[Event]:
        """What is new is read, shown and given."""
        found = self.orion.events_after(self._after)
        if found:
            self._after = found[-1].n
        new = [event for event in found if self._is_ours(event)]
        for root in {event.root for event in new}:
            self._trees[root] = self.tree(root)
        if self._live is not None:
            self._live.refresh()
        else:
            for event in new:
                if event.state_name != "Pending":
                    self.console.print(event_line(event), soft_wrap=True)
        return new

    def _look_at_the_rest(self) -> None:
        """What came last is shown too: one look takes a limited number of events."""
        while self.look():
            pass

    def tree(self, root: str) -> list[Run]:
        """A flow run and the newest of what ran in it, oldest first."""
        found = self.orion.list_runs(RunFilter(root=root), MOST_ROWS)
        if all(run.id != root for run in found):
            found.append(self.orion.find(root))
        return found[::-1]

    def table(self) -> Table | Text:
        """The last flow runs, and indented below each what runs in it."""
        if not self.roots:
            from rich.text import Text

            return Text("  Waiting for the run to begin ...", style="dim")
        now = clock.now()
        table = looks.plain_table(
            "run", "state", "attempt", ("took", "right"), "", cuttable=["run"], widths=WIDTHS
        )
        for root in self.roots[-self._shown :]:
            for run in self._trees.get(root, ()):
                _add(table, run, now)
        return table

    def _is_ours(self, event: Event) -> bool:
        if event.root in self._others:
            return False
        if event.root not in self.roots:
            root = self.orion.find(event.root)
            if not self._choose(root):
                self._others.add(event.root)
                return False
            self.roots.append(event.root)
        return True


def event_line(event: Event) -> Any:
    """A state that was entered, as one line: when, what state, of which run, and its message."""
    from rich.text import Text

    state = State(StateType(event.type), event.state_name, scheduled_time=event.timestamp)
    line = Text(looks.clock_time(event.timestamp), style="dim")
    shown = looks.state_text(state.as_json(), now=event.timestamp)
    shown.pad_right(max(0, 16 - len(shown)))
    line.append("  ").append_text(shown)
    indent = "" if event.run == event.root else "  "
    line.append(f"{indent}{plain(event.name)} ", style="bold" if not indent else "")
    line.append(short(event.run), style="dim")
    if event.message:
        line.append(f"  {first_line(event.message)}")
    return line


def _add(table: Table, run: Run, now: int) -> None:
    told = run.as_json()
    if run.id == run.root:
        name = (
            looks.cut("").append(plain(run.name), style="bold").append(f" {short(run.id)}", "dim")
        )
    else:
        name = looks.cut(f"  {plain(run.name)}")
    table.add_row(
        name,
        looks.state_text(told["state"], now=now, moving=True),
        looks.attempts(told),
        looks.took(told, now),
        looks.cut(looks.note(told, now)),
    )
