"""Live events: one thread watches the database, and every connection follows what it sees."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NamedTuple, cast

from orion_nb.api.orion import Orion
from orion_nb.api.routes import route
from orion_nb.api.wire import render, shown
from orion_nb.errors import InvalidInput
from orion_nb.store.events import Event
from orion_nb_server.handlers import OrionHandler

#: The key of the running `Live` in the web application's settings.
LIVE = "orion_nb_live"
#: A comment is sent after this many seconds of silence, so that proxies keep the connection open.
KEEP_ALIVE = 15.0
#: A follower with more events than this waiting is behind: it reads them from the database.
MOST_WAITING = 5000
PAGE = 1000
LONGEST_WAIT = 60.0


class Told(NamedTuple):
    """An event, and how the stream tells it; that is written once for all who follow."""

    event: Event
    frame: bytes


class Follower:
    """One connection's place in the log: what waits to be sent to it. Used on the loop alone."""

    def __init__(self) -> None:
        self.waiting: list[Told] = []
        #: There is more in the database than what waits here; at first that is so for everybody.
        self.behind = True
        self.gone = False
        self._news = asyncio.Event()

    def give(self, news: list[Told]) -> None:
        if len(self.waiting) + len(news) > MOST_WAITING:
            self.fall_behind()
        elif not self.behind:
            self.waiting += news
        self._news.set()

    def fall_behind(self) -> None:
        self.waiting.clear()
        self.behind = True

    def leave(self) -> None:
        self.gone = True
        self._news.set()

    async def take(self, patience: float) -> list[Told]:
        """What waits, as soon as there is something; nothing after `patience` seconds."""
        try:
            await asyncio.wait_for(self._news.wait(), patience)
        except TimeoutError:
            return []
        self._news.clear()
        taken, self.waiting = self.waiting, []
        return taken


class Live:
    """The server's one watcher, and all who follow it."""

    def __init__(self, orion: Orion, log: logging.Logger) -> None:
        self.orion = orion
        self.log = log
        self._followers: set[Follower] = set()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def follower(self) -> Iterator[Follower]:
        """A new follower; it misses nothing that is committed after this, until it is left."""
        made = Follower()
        made.gone = self._stopped.is_set()
        self._followers.add(made)
        if self._thread is None:
            self._start()
        try:
            yield made
        finally:
            self._followers.discard(made)

    def stop(self) -> None:
        """Every follower is told to leave, and the watcher ends."""
        self._stopped.set()
        for follower in self._followers:
            follower.leave()

    def join(self) -> None:
        """The watcher's thread has ended; to be called off the loop, after `stop`."""
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        # The place in the log is taken here, before anybody reads up to it: nothing is skipped.
        place = (asyncio.get_running_loop(), self.orion.last_event())
        self._thread = threading.Thread(target=self._watch, args=place, name="orion-live")
        self._thread.daemon = True
        self._thread.start()

    def _watch(self, loop: asyncio.AbstractEventLoop, n: int) -> None:
        while not self._stopped.is_set():
            try:
                for events in self.orion.watch(n, until=self._stopped.is_set):
                    n = events[-1].n
                    loop.call_soon_threadsafe(self._hand_out, [tell(event) for event in events])
            except Exception:
                if self._stopped.wait(1.0) or loop.is_closed():
                    return
                self.log.exception("The watcher of events failed and starts again")

    def _hand_out(self, news: list[Told]) -> None:
        for follower in self._followers:
            follower.give(news)


def tell(event: Event) -> Told:
    """An event as a server-sent event."""
    data = json.dumps(event.as_json(), separators=(",", ":"))
    return Told(event, f"event: state\nid: {event.n}\ndata: {data}\n\n".encode())


@route("GET", "/events", action="read")
async def follow_events(
    handler: OrionHandler,
    after: int | None = None,
    root: str | None = None,
    wait: float | None = None,
) -> Annotated[None, "text/event-stream"]:
    """The states that runs enter, as they are committed by anybody: server-sent events.

    Each is an event `state` whose id is its number and whose data is a JSON object. Without `after`
    (or the header `Last-Event-ID`, which browsers send by themselves when they connect again) it
    begins with what comes next. `root` is a run: only events of its tree are told.

    With `wait` (seconds, at most 60) it is a long poll instead: one JSON object
    `{"events": [...], "last": n}` as soon as there are events, or when the time is over; ask again
    with `after=n`.
    """
    live = cast(Live, handler.settings[LIVE])
    handler._track_activity = False  # somebody who only looks on keeps no idle server alive
    if wait is not None and not 0 <= wait <= LONGEST_WAIT:
        raise InvalidInput(f"wait: {wait:g} is not between 0 and {LONGEST_WAIT:g}", field="wait")
    with live.follower() as follower:
        handler.on_gone = follower.leave
        place = _place(handler, after)
        n = await handler.services.read(live.orion.last_event)
        if root is not None:
            root = (await handler.services.read(live.orion.find, root)).root
        # A place beyond the end is one in another database: there is nothing after it to tell.
        log = Log(live.orion, handler, follower, n if place is None else min(place, n), root)
        await (_stream(handler, log) if wait is None else _poll(handler, log, wait))


class Log:
    """What a follower is told: from its place on, first out of the database, then as it happens."""

    def __init__(
        self, orion: Orion, handler: OrionHandler, follower: Follower, n: int, root: str | None
    ) -> None:
        self.orion = orion
        self.handler = handler
        self.follower = follower
        self.n = n
        self.root = root

    async def more(self, patience: float) -> list[Told]:
        """The next events; none when there were none for `patience` seconds, or sooner."""
        if self.follower.behind:
            found = await self._read()
        else:
            found = [told for told in await self.follower.take(patience) if told.event.n > self.n]
        if found:
            self.n = found[-1].event.n
        return [told for told in found if self.root in (None, told.event.root)]

    async def _read(self) -> list[Told]:
        self.follower.behind = False  # what comes while we read waits for us
        read = self.handler.services.read
        found = await read(self.orion.events_after, self.n, self.root, PAGE)
        if len(found) == PAGE:
            self.follower.fall_behind()
        return [tell(event) for event in found]


async def _stream(handler: OrionHandler, log: Log) -> None:
    handler.set_header("Content-Type", "text/event-stream")
    handler.set_header("Cache-Control", "no-store")
    handler.set_header("X-Accel-Buffering", "no")
    # An id without data is no event, but a browser that connects again gives it as its place.
    handler.write(f"retry: 1000\nid: {log.n}\n\n")
    await handler.flush()
    silent_since = time.monotonic()
    while not log.follower.gone:
        found = await log.more(KEEP_ALIVE - (time.monotonic() - silent_since))
        if found:
            handler.write(b"".join(told.frame for told in found))
        elif time.monotonic() - silent_since >= KEEP_ALIVE:
            handler.write(b": nothing new\n\n")
        else:
            continue
        await handler.flush()
        silent_since = time.monotonic()


async def _poll(handler: OrionHandler, log: Log, wait: float) -> None:
    until = time.monotonic() + wait
    found = await log.more(0)
    while not found and not log.follower.gone and (left := until - time.monotonic()) > 0:
        found = await log.more(left)
    told = {"events": [told.event.as_json() for told in found], "last": log.n}
    handler.finish(render(told))


def _place(handler: OrionHandler, after: int | None) -> int | None:
    """Where a follower left off: the header is newer than the URL it connects to again."""
    told = handler.request.headers.get("Last-Event-ID")
    if told is None:
        return after
    if not (told.isascii() and told.isdecimal() and len(told) < 19):
        says = f"Last-Event-ID: expected the number of an event, got {shown(told)}"
        raise InvalidInput(says, field="Last-Event-ID")
    return int(told)
