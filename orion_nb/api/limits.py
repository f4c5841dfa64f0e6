"""Concurrency limits over the API: read, set, removed."""

from __future__ import annotations

from typing import Any

from orion_nb import clock
from orion_nb.api.checks import check_slots, check_text
from orion_nb.api.core import Core
from orion_nb.api.lists import LONGEST_PAGE, check_limit
from orion_nb.api.routes import route
from orion_nb.errors import NotFound
from orion_nb.schemas import cursors
from orion_nb.store import limits

#: What cursors of the list of limits are for.
LIMITS = {"list": "limits"}


class LimitRoutes(Core):
    """How many runs may execute at once.

    A limit counts the runs that name it (`concurrency`); `tag:NAME` counts those with this tag,
    `task:NAME` and `flow:NAME` those of this name.
    """

    @route("GET", "/limits", action="read")
    def list_limits(self, limit: int = LONGEST_PAGE, cursor: str | None = None) -> dict[str, Any]:
        """The limits by name, each with its slots, those in use, and the runs that wait for one.

        `limit` is 1 to 200; `cursor` asks for the page behind the one it came with.
        """
        check_limit(limit, LONGEST_PAGE)
        after = "" if cursor is None else cursors.unseal(cursor, LIMITS).decode("utf-8", "replace")
        with self.database.read() as connection:
            found = limits.read_page(connection, after, limit + 1)
        more = None
        if len(found) > limit:
            more = cursors.seal(found[limit - 1].name.encode(), LIMITS)
        return {"limits": [each.as_json() for each in found[:limit]], "cursor": more}

    def all_limits(self) -> dict[str, Any]:
        """All of them, as they are listed page by page."""
        told = self.list_limits()
        while told["cursor"] is not None:
            page = self.list_limits(cursor=told["cursor"])
            told = {**page, "limits": told["limits"] + page["limits"]}
        return told

    @route("GET", "/limits/{name}", action="read")
    def read_limit(self, name: str) -> dict[str, Any]:
        """One limit: its slots, how many are in use, and how many runs wait for one."""
        with self.database.read() as connection:
            found = limits.read(connection, name)
        if found is None:
            raise _unknown(name)
        return found.as_json()

    @route("PUT", "/limits/{name}", action="execute")
    def set_limit(self, name: str, slots: int) -> dict[str, Any]:
        """From now on so many runs that the limit counts may execute at once; 0 lets none start.

        Runs that execute already go on, also when they are more.
        """
        check_text("name", name)
        check_slots(name, slots)
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
