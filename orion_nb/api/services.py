"""How the servers and workers on this database are."""

from __future__ import annotations

from typing import Any

from orion_nb import clock
from orion_nb.api.core import Core
from orion_nb.store import services


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
