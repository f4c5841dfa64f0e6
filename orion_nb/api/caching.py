"""What is in the cache, and what the keys of a task were made of."""

from __future__ import annotations

from typing import Any

from orion_nb import clock
from orion_nb.api.proposals import Proposals
from orion_nb.api.routes import route
from orion_nb.store import caches


class CacheRoutes(Proposals):
    """The cache, read off the states."""

    @route("GET", "/cache/{key}", action="read")
    def read_cache(self, key: str) -> dict[str, Any]:
        """The run that computed what the cache has under a key, if there is one."""
        with self.database.read() as connection:
            found = caches.newest(connection, key)
        state = found.state.as_json() if found else None
        return {"key": key, "run": found.id if found else None, "state": state}

    @route("GET", "/cache", action="read")
    def cache_keys(self, task: str) -> dict[str, Any]:
        """The last keys of a task, newest first, and what each was made of."""
        with self.database.read() as connection:
            listed = caches.parts_of(connection, task)
        keys = [{"key": key, "parts": parts, "created": at} for key, parts, at in listed]
        return {"task": task, "keys": keys}

    def keep_cache_parts(self, key: str, task: str, parts: dict[str, str]) -> None:
        """What the key was made of is remembered."""
        now = clock.now()
        self.database.write(lambda tx: caches.keep_parts(tx, key, task, parts, now))
