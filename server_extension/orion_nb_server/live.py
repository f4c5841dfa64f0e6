"""Live events: one thread watches the database, and every connection follows what it sees."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from orion_nb.api.orion import Orion
from orion_nb.api.wire import shown
from orion_nb.errors import InvalidInput, StoreUnavailable
from orion_nb.schemas.states import StateType
from orion_nb.store.events import Event, EventFilter

Read = Callable[[Callable[[], Any]], Awaitable[Any]]

#: The key of the running `Live` in the web application's settings.
LIVE = "orion_nb_live"
#: A comment is sent after this many seconds of silence, so that proxies keep the connection open.
KEEP_ALIVE = 15.0
#: A follower with more events than this waiting is behind: it reads them from the database.
MOST_WAITING = 5000
PAGE = 500
#: So many events are sent at once: a client that reads slowly, but does, is not let go.
FEW = 100
#: No more connections than this follow at a time.
MOST_FOLLOWERS = 1000


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

    def __init__(self, orion: Orion, log: logging.Logger, patience: float = 30.0) -> None:
        self.orion = orion
        self.log = log
        #: A reader that takes nothing for so long (seconds) is let go: it can resume.
        self.patience = patience
        #: Called on the loop with the events that were just committed.
        self.listeners: list[Callable[[list[Event]], None]] = []
        #: Called on the watcher's thread with the same.
        self.observers: list[Callable[[list[Event]], None]] = []
        self._followers: set[Follower] = set()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def follower(self) -> Iterator[Follower]:
        """A new follower; it misses nothing that is committed after this, until it is left."""
        if len(self._followers) >= MOST_FOLLOWERS:
            says = f"{MOST_FOLLOWERS} connections follow already; try again later"
            raise StoreUnavailable(says)
        made = Follower()
        made.gone = self._stopped.is_set()
        self._followers.add(made)
        self.start()
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

    def start(self) -> None:
        """The watcher watches; to be called on the loop."""
        if self._thread is not None:
            return
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
                    # Who begins to follow after this look finds them in the database.
                    news = [tell(event) for event in events] if self._followers else []
                    loop.call_soon_threadsafe(self._hand_out, events, news)
                    for observe in self.observers:
                        observe(events)
            except Exception:
                if self._stopped.wait(1.0) or loop.is_closed():
                    return
                self.log.exception("The watcher of events failed and starts again")

    def _hand_out(self, events: list[Event], news: list[Told]) -> None:
        if news:
            for follower in self._followers:
                follower.give(news)
        for listen in self.listeners:
            try:
                listen(events)
            except Exception:
                self.log.exception("A listener to events failed")


def tell(event: Event) -> Told:
    """An event as a server-sent event."""
    data = json.dumps(event.as_json(), separators=(",", ":"))
    return Told(event, f"event: state\nid: {event.n}\ndata: {data}\n\n".encode())


class Log:
    """What a follower is told: from its place on, first out of the database, then as it happens.

    `read` calls a function on a thread for reading; `n` is the number of the last event that was
    seen, `told` that of the last one that was given out or passed over.
    """

    def __init__(
        self, orion: Orion, read: Read, follower: Follower, n: int, chosen: EventFilter
    ) -> None:
        self.orion = orion
        self.follower = follower
        self.n = self.told = n
        self._found: list[Told] = []
        self.chosen = chosen
        self._read_on_thread = read

    @property
    def is_over(self) -> bool:
        """Nobody follows any more: the client has gone, or the server stops."""
        return self.follower.gone

    async def more(self, patience: float) -> list[Told]:
        """The next events; none when there were none for `patience` seconds, or sooner."""
        if self.follower.behind:
            return await self._read()
        taken = await self.follower.take(patience)
        found = [told for told in taken if told.event.n > self.n]
        if found:
            self.n = found[-1].event.n
        return [told for told in found if self.chosen.fits(told.event)]

    async def next(self) -> list[Told]:
        """The next few events, as soon as there are some; none when nothing came for a while."""
        if not self._found:
            self._found = await self._next()
        few, self._found = self._found[:FEW], self._found[FEW:]
        self.told = few[-1].event.n if self._found else self.n
        return few

    async def _next(self) -> list[Told]:
        until = time.monotonic() + KEEP_ALIVE
        while not self.follower.gone and (left := until - time.monotonic()) > 0:
            if found := await self.more(left):
                return found
        return []

    async def _read(self) -> list[Told]:
        self.follower.behind = False  # what comes while we read waits for us
        newest = await self._read_on_thread(self.orion.last_event)
        found, seen = await self._read_on_thread(
            functools.partial(self.orion.events_through, self.n, PAGE, self.chosen)
        )
        if seen < newest:
            self.follower.fall_behind()
        self.n = max(self.n, seen)
        return [tell(event) for event in found]


async def is_taken(written: Awaitable[Any], patience: float) -> bool:
    """What was written is on its way; False if the client has not read for `patience` seconds.

    The writing is not cancelled then: it ends with the connection.

    Raises:
        StreamClosedError, WebSocketClosedError: the client has gone.
    """
    writing = asyncio.ensure_future(written)
    # Who waits here may be cancelled, or go on: asyncio would tell of an error that nobody saw.
    writing.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    done, _ = await asyncio.wait({writing}, timeout=patience)
    if done:
        await writing
        return True
    return False


async def begin(
    live: Live, read: Read, follower: Follower, after: int | None, chosen: EventFilter
) -> Log:
    """The log for a follower, from after number `after`, else from now on.

    Raises:
        RunNotFound, DeploymentNotFound: what it is to be about is not there.
    """
    orion = live.orion
    n = await read(orion.last_event)
    told: dict[str, Any] = {}
    if chosen.root is not None:
        told["root"] = (await read(functools.partial(orion.find, chosen.root))).root
    if chosen.run is not None:
        told["run"] = (await read(functools.partial(orion.find, chosen.run))).id
    if chosen.deployment is not None:
        found = await read(functools.partial(orion.find_deployment, chosen.deployment))
        told["deployment"] = found.id
    # A place beyond the end is one in another database: there is nothing after it to tell.
    place = n if after is None else min(after, n)
    return Log(orion, read, follower, place, replace(chosen, **told))


def chosen_of(
    root: str | None = None,
    run: str | None = None,
    deployment: str | None = None,
    kind: str | None = None,
    name: str | None = None,
    types: Sequence[str] = (),
    top_level: bool = False,
) -> EventFilter:
    """Which events are asked for.

    Raises:
        InvalidInput: a type of state or a kind of run that there is not.
    """
    wanted = tuple(each.strip().upper() for each in types)
    for each in wanted:
        if each not in StateType.__members__:
            known = ", ".join(StateType.__members__)
            raise InvalidInput(f"types: {shown(each)} is none of {known}", field="types")
    if kind not in (None, "flow", "task"):
        raise InvalidInput(f"kind: {shown(kind)} is neither flow nor task", field="kind")
    return EventFilter(root, run, deployment, kind, name, wanted, top_level)


def check_place(field: str, told: Any) -> int:
    """The number of an event.

    Raises:
        InvalidInput: it is none.
    """
    text = str(told)
    if isinstance(told, bool) or not (text.isascii() and text.isdecimal() and len(text) < 19):
        says = f"{field}: expected the number of an event, got {shown(told)}"
        raise InvalidInput(says, field=field)
    return int(text)
