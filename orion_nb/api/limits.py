"""Concurrency limits over the API: read, set, removed."""

from __future__ import annotations

from typing import Any

from orion_nb import clock
from orion_nb.api.checks import check_text
from orion_nb.api.core import Core
from orion_nb.api.routes import route
from orion_nb.errors import InvalidInput, NotFound
from orion_nb.store import limits

MOST = 1_000_000


class LimitRoutes(Core):
    """How many runs may execute at once.

    A limit counts the runs that name it (`concurrency`); `tag:NAME` counts those with this tag,
    `task:NAME` and `flow:NAME` those of this name.
    """

    @route("GET", "/limits", action="read")
    def list_limits(self) -> dict[str, Any]:
        """All limits by name, each with its slots, those in use, and the runs that wait for one."""
        with self.database.read() as connection:
            return {"limits": [each.as_json() for each in limits.read_all(connection)]}

    @route("GET", "/limits/{name}", action="read")
    def read_limit(self, name: str) -> dict[str, Any]:
        """One limit: its slots, how many are in use, and how many runs wait for one."""
        with self.database.read() as connection:
            found = limits.read_all(connection)
        for each in found:
            if each.name == name:
                return each.as_json()
        raise _unknown(name)

    @route("PUT", "/limits/{name}", action="execute")
    def set_limit(self, name: str, slots: int) -> dict[str, Any]:
        """From now on so many runs that the limit counts may execute at once; 0 lets none start.

        Runs that execute already go on, also when they are more.
        """
        check_text("name", name)
        if not 0 <= slots <= MOST:
            raise InvalidInput(f"slots: {slots} is not between 0 and {MOST}", field="slots")
        now = clock.now()
        self.database.write(lambda tx: limits.put(tx, name, slots, now))
        return self.read_limit(name)

    @route("DELETE", "/limits/{name}", action="execute")
    def delete_limit(self, name: str) -> dict[str, Any]:
        """The limit is gone; a run that names it has the slots that its own policy gives."""
        if not self.database.write(lambda tx: limits.remove(tx, name)):
            raise _unknown(name)
        return {"deleted": name}


def _unknown(name: str) -> NotFound:
    return NotFound(f"no limit {name!r}; `orion-nb limits ls` lists the limits there are")
