"""Ties a flow run to its card: one thread reads the states table and tells the card."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.notebook import render
from orion_nb.notebook.render import Row
from orion_nb.notebook.session import is_headless
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import LOOKS, RUNNING, TERMINAL
from orion_nb.store.events import Event

#: Pushes to the card are at least this far apart (seconds): far below Jupyter's message limit.
BEAT = 1 / 30
#: While nothing happens, it looks this often whether anything has (seconds).
LOOK = 0.01
WIDGET = "application/vnd.jupyter.widget-view+json"


@contextmanager
def show_live(orion: Orion, run: Run) -> Iterator[None]:
    """Within the block a card follows the run; afterwards a plain table stands in its place.

    Where nobody watches, or there are no widgets, only the table is shown.
    """
    display = _display()
    if display is None:
        yield
        return
    model = Model(run, orion.last_event())
    card = None if is_headless() else _card(model)
    handle = display(_bundle(model, card), raw=True, display_id=True) if card else None
    pump = Pump(orion, model, card) if card else None
    try:
        yield
    finally:
        if pump is not None:
            pump.stop()
        model.read(orion)
        if card is None or handle is None:
            display(_bundle(model, None), raw=True)
        else:
            card.settle(model.as_run(), model.take_changed())
            handle.update(_bundle(model, None), raw=True)
            card.close()


class Model:
    """A flow run and all runs below it, as last read from the states table."""

    def __init__(self, run: Run, n: int) -> None:
        self.id = run.id
        self.root = run.root
        self.n = n
        self.title = Row(run.name, run.state.type, run.state.name)
        self.rows: list[Row] = []
        self._index: dict[str, int] = {}
        self._changed: dict[int, None] = {}

    def read(self, orion: Orion) -> bool:
        """What was entered since the last time is taken in; something was."""
        news = False
        while found := orion.events_after(self.n, self.root):
            news = True
            for event in found:
                self.take(event)
        return news

    def take(self, event: Event) -> None:
        self.n = event.n
        if event.run == self.id:
            self.title = _moved(self.title, event)
            return
        index = self._index.get(event.run)
        if index is None:
            if event.parent != self.id and event.parent not in self._index:
                return  # in a deployed notebook, other flows and cells have the same root
            index = self._index[event.run] = len(self.rows)
            self.rows.append(Row(event.name, event.type, event.state_name))
        self.rows[index] = _moved(self.rows[index], event)
        self._changed[index] = None

    def take_changed(self) -> list[list[Any]]:
        """The rows that changed since this was last asked, as the card wants them."""
        changed, self._changed = list(self._changed), {}
        return [[index, *_cells(self.rows[index])] for index in changed]

    def as_run(self) -> dict[str, Any]:
        title = self.title
        return {
            "id": self.id,
            "short": short(self.id),
            "name": title.name,
            "state": {"type": title.type, "name": title.state, "message": title.message},
            "started": _millis(title.start),
            "ended": _millis(title.end),
            "now": _millis(clock.now()),
        }


class Pump:
    """The one thread that sends to a card."""

    def __init__(self, orion: Orion, model: Model, card: Any) -> None:
        self._orion, self._model, self._card = orion, model, card
        self._seq = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="orion-card", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Nothing is sent any more when this returns."""
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        for changed in self._orion.changes(self._stopping.is_set):
            if changed and self._model.read(self._orion):
                self._push()
                self._stopping.wait(BEAT)
            else:
                self._card.catch_up()
                self._stopping.wait(LOOK)

    def _push(self) -> None:
        self._seq += 1
        self._card.push(self._seq, self._model.take_changed(), self._model.as_run())


def _moved(row: Row, event: Event) -> Row:
    start, end = row.start, None
    if event.type == RUNNING and start is None:
        start = event.timestamp
    if event.type in TERMINAL:
        end = event.timestamp
    return replace(
        row,
        type=event.type,
        state=event.state_name,
        attempt=event.attempt,
        start=start,
        end=end,
        message=event.message,
    )


def _cells(row: Row) -> list[Any]:
    started, ended = _millis(row.start), _millis(row.end)
    said = render.first_line(row.message, 300)
    return [row.name, str(row.type), row.state, row.attempt, started, ended, said]


def _millis(micros: int | None) -> float | None:
    return None if micros is None else micros / 1000


def _bundle(model: Model, card: Any) -> dict[str, Any]:
    html, text = render.run_tables(model.title, model.id, model.rows, clock.now())
    bundle: dict[str, Any] = {"text/html": html, "text/plain": text}
    if card is not None:
        view = {"version_major": 2, "version_minor": 0, "model_id": card.model_id}
        bundle[WIDGET] = view
    return bundle


def _card(model: Model) -> Any:
    """A card for the run; None where widgets can't be had."""
    try:
        from orion_nb_widgets import RunCard
    except ImportError:
        return None
    looks = {name: asdict(look) for name, look in LOOKS.items()}
    return RunCard(model.as_run(), url=_dashboard_url(model.id), looks=looks)


def _display() -> Any:
    """IPython's display function in a kernel; None elsewhere, also outside the kernel's threads."""
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    return display if hasattr(get_ipython(), "kernel") else None


def _dashboard_url(run_id: str) -> str:
    """The run's page on the Jupyter server that started this kernel; "" where there is none."""
    from jupyter_core.paths import jupyter_runtime_dir

    file = Path(jupyter_runtime_dir()) / f"jpserver-{os.getppid()}.json"
    try:
        base = json.loads(file.read_text(encoding="utf-8"))["base_url"]
    except (OSError, ValueError, KeyError):
        return ""
    return f"{base}orion/#/runs/{run_id}"
