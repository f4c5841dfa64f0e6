"""Jupyter's own events: each state of an outermost run is one, for whoever listens to those."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from orion_nb.store.events import Event

SCHEMA = Path(__file__).with_name("schemas") / "run_state.yaml"
SCHEMA_ID = "https://events.orion-nb.dev/run_state/v1"
FIELDS = "n run kind name deployment seq type state_name timestamp attempt message".split()


def emitter(event_logger: Any) -> Callable[[list[Event]], None]:
    """A listener to events that emits them; it costs nothing while nobody listens to Jupyter's."""
    event_logger.register_event_schema(SCHEMA)

    def emit(events: list[Event]) -> None:
        for event in events:
            if event.parent is None:
                data = {name: getattr(event, name) for name in FIELDS}
                event_logger.emit(schema_id=SCHEMA_ID, data=data)

    return emit
