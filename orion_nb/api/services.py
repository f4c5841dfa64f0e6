"""How the servers and workers on this database are."""

from __future__ import annotations

from typing import Any

from orion_nb import clock
from orion_nb.api.core import Core
from orion_nb.store import health, services


class Services(Core):
    """What servers and workers tell of themselves, and what is known of it."""

    def note_service(self, name: str, status: str, error: str | None, failures: int) -> None:
        """A loop of this process is like this now."""
        session, now = self.session, clock.now()
        self.database.write(
            lambda tx: services.put(tx, session, name, status, error, failures, now)
        )

    def services(self) -> list[dict[str, Any]]:
        """The loops of all servers and workers that live, and how each is."""
        with self.database.read() as connection:
            return services.living(connection)

    def attendants(self) -> list[dict[str, Any]]:
        """The servers and workers that start what is scheduled; each was `heard` of then (µs)."""
        with self.database.read() as connection:
            found = services.attending(connection)
        return [
            {"process": of.label, "host": of.host, "pid": of.pid, "heard": of.beat or of.started}
            for of in found
        ]

    def count_all_runs(self) -> dict[tuple[str, str], int]:
        """How many runs there are, by kind and type of state; it looks at every run."""
        with self.database.read() as connection:
            return services.runs_by_state(connection)

    def count_due_runs(self) -> int:
        """How many outermost runs wait though their time has come."""
        with self.database.read() as connection:
            return services.due(connection, clock.now())

    def database_size(self) -> int:
        """The bytes of the database, with its log."""
        return health.size(self.database.path)
