"""`GET /events`: the events as server-sent events, and as a long poll."""

from __future__ import annotations

import time
from typing import Annotated, Any, cast

from orion_nb.api.routes import route
from orion_nb.api.wire import render
from orion_nb.errors import InvalidInput
from orion_nb_server.handlers import OrionHandler
from orion_nb_server.live import LIVE, Live, Log, begin, check_place, chosen_of, is_taken

LONGEST_WAIT = 60.0


@route("GET", "/events", action="read")
async def follow_events(
    handler: OrionHandler,
    after: int | None = None,
    root: str | None = None,
    run: str | None = None,
    deployment: str | None = None,
    kind: str | None = None,
    name: str | None = None,
    types: str | None = None,
    top_level: bool = False,
    wait: float | None = None,
) -> Annotated[None, "text/event-stream"]:
    """The states that runs enter, as they are committed by anybody: server-sent events.

    Each is an event `state` whose id is its number and whose data is a JSON object. Without `after`
    (or the header `Last-Event-ID`, which browsers send by themselves when they connect again) it
    begins with what comes next. Told are only events of the tree of `root` (a run), of one `run`,
    of the runs of one `deployment`, `kind` or `name`, with one of the `types` of state (by commas),
    of outermost runs with `top_level`; as far as these are given. A comment is sent
    every 15 seconds. A reader that takes nothing for long is let go, and resumes where it was.

    With `wait` (seconds, at most 60) it is a long poll instead: one JSON object
    `{"events": [...], "last": n}` as soon as there are events, or when the time is over; ask again
    with `after=n`.
    """
    live = cast(Live, handler.settings[LIVE])
    handler._track_activity = False  # somebody who only looks on keeps no idle server alive
    if wait is not None and not 0 <= wait <= LONGEST_WAIT:
        raise InvalidInput(f"wait: {wait:g} is not between 0 and {LONGEST_WAIT:g}", field="wait")
    listed = types.split(",") if types else ()
    chosen = chosen_of(root, run, deployment, kind, name, listed, top_level)
    place = _place(handler, after)
    with live.follower() as follower:
        handler.on_gone = follower.leave
        log = await begin(live, handler.services.read, follower, place, chosen)
        if wait is None:
            await _stream(handler, log, live.patience)
        else:
            await _poll(handler, log, wait)


async def _stream(handler: OrionHandler, log: Log, patience: float) -> None:
    handler.set_header("Content-Type", "text/event-stream")
    handler.set_header("Cache-Control", "no-store")
    handler.set_header("X-Accel-Buffering", "no")
    # An id without an event is none, but a browser that connects again gives it as its place. The
    # hello tells a client that nothing between us and it holds the stream back.
    handler.write(f'retry: 1000\nid: {log.n}\nevent: hello\ndata: {{"last":{log.n}}}\n\n')
    while await _is_taken(handler, patience) and not log.follower.gone:
        found = await log.next()
        if found:
            handler.write(b"".join(told.frame for told in found))
        elif not log.follower.gone:
            handler.write(f": nothing new\nid: {log.told}\n\n")


async def _is_taken(handler: OrionHandler, patience: float) -> bool:
    """What was written is on its way; a client that does not read is let go."""
    if await is_taken(handler.flush(), patience):
        return True
    handler.log.warning("a client has read no events for %g s and is let go", patience)
    connection: Any = handler.request.connection
    connection.stream.close()
    return False


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
    return after if told is None else check_place("Last-Event-ID", told)
