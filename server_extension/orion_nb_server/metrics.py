"""`GET /metrics`: what Prometheus reads. Labels are states, kinds and routes: never users' data."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from orion_nb.api.orion import Orion
from orion_nb.api.routes import route
from orion_nb.clock import SECOND
from orion_nb.errors import OrionError
from orion_nb.schemas.reports import Report
from orion_nb.schemas.states import NAMES
from orion_nb.store.events import Event
from orion_nb_server.handlers import OrionHandler

#: The key of the metrics in the web application's settings.
METRICS = "orion_nb_metrics"
#: All runs are counted at most this often (seconds), and less often where that takes long.
APART = 5.0
SHARE = 20.0
_KNOWN = frozenset(name for names in NAMES.values() for name in names)
_LAGS = (0.01, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0, 600.0)

log = logging.getLogger(__name__)


class Metrics:
    """The numbers of one server, in a registry of their own."""

    def __init__(self, orion: Orion, lag: Callable[[], float]) -> None:
        self.orion = orion
        self.registry = CollectorRegistry()
        self._lag = lag
        self._lock = threading.Lock()
        self._count_at = 0.0
        on: dict[str, Any] = {"registry": self.registry}
        self.states = Counter(
            "orion_nb_states", "States entered by anybody, since start.", ["kind", "type"], **on
        )
        self.proposals = Counter(
            "orion_nb_proposals", "Proposals answered here.", ["proposed", "verdict"], **on
        )
        self.start_lag = Histogram(
            "orion_nb_start_lag_seconds", "From the time of a deployed run to Running.",
            buckets=_LAGS, **on,
        )  # fmt: skip
        self.requests = Histogram(
            "orion_nb_request_seconds", "Time on threads to answer a request.", ["route"], **on
        )
        self.runs = Gauge("orion_nb_runs", "Runs by state.", ["kind", "state"], **on)
        self.due = Gauge("orion_nb_due_runs", "Runs whose time has come.", **on)
        self.deliveries = Gauge("orion_nb_deliveries", "Deliveries.", ["status"], **on)
        self.size = Gauge("orion_nb_database_bytes", "The database with its log.", **on)
        self.late = Gauge("orion_nb_loop_lag_seconds", "The worst of the last minute.", **on)
        self.services = Gauge(
            "orion_nb_services", "Loops of all servers and workers.", ["name", "status"], **on
        )

    def observe(self, events: list[Event]) -> None:
        """States were entered; called on the thread that watches for them."""
        for event in events:
            self.states.labels(event.kind, event.type).inc()
            if event.type == "RUNNING" and event.deployment and event.parent is None:
                with suppress(OrionError):
                    at = self.orion.find(event.run).scheduled_time
                    if at is not None and event.attempt == 1:
                        self.start_lag.observe(max(0.0, (event.timestamp - at) / SECOND))

    def answered(self, name: str, answer: Any, took: float) -> None:
        """A route was answered within so many seconds."""
        self.requests.labels(name).observe(took)
        if isinstance(answer, Report):
            word = answer.proposed if answer.proposed in _KNOWN else "other"
            self.proposals.labels(word, answer.status).inc()

    def text(self) -> bytes:
        """All of it in the text format of Prometheus; it reads the database."""
        with self._lock:
            self._look()
            return generate_latest(self.registry)

    def _look(self) -> None:
        began = time.monotonic()
        if began >= self._count_at:
            counted = self.orion.count_all_runs()
            self.runs.clear()
            for (kind, state), number in counted.items():
                self.runs.labels(kind, state).set(number)
            took = time.monotonic() - began
            self._count_at = began + max(APART, SHARE * took)
        self.due.set(self.orion.count_due_runs())
        counts = self.orion.delivery_counts()
        for status in ("waiting", "delivered", "dead"):
            self.deliveries.labels(status).set(counts.get(status, 0))
        self.size.set(self.orion.database_size())
        self.late.set(self._lag())
        self.services.clear()
        for each in self.orion.services():
            self.services.labels(each["name"], each["status"]).inc()


@route("GET", "/metrics", action="read")
async def read_metrics(handler: OrionHandler) -> Annotated[None, "text/plain"]:
    """Numbers about runs, proposals, requests and this server, as Prometheus reads them."""
    metrics = cast(Metrics, handler.settings[METRICS])
    text = await handler.services.read(metrics.text)
    handler.finish(text, set_content_type="text/plain; version=0.0.4; charset=utf-8")
