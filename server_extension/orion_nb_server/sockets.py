"""`GET /live`: the events over a WebSocket; what it is told about can be changed while it is open.

Messages are JSON objects with a `type`. From the client:

- `{"type": "subscribe", "after": 12, "root": "…", "types": ["FAILED"], …}`: as `GET /events`; the
  subscription before it ends. Without `after` it goes on where that was, at first from now on.
- `{"type": "ping"}` is answered by `{"type": "pong", "last": 17}`.

From the server, always with the place to resume from as `last`: `subscribed`, `events` (with a list
of `events`), `nothing` (every 15 seconds without one), `error` (with `message` and `field`), and
`bye` before the server stops. A client that is too slow is let go with the code 1013.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, cast

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from orion_nb.api.wire import read_body, shown
from orion_nb.errors import InvalidInput, OrionError
from orion_nb_server.handlers import API, DECLARED, RESOURCE
from orion_nb_server.live import LIVE, Live, Log, begin, check_place, chosen_of, is_taken
from orion_nb_server.services import SERVICES, Services

#: The largest message that is taken (bytes).
MESSAGE_LIMIT = 16 * 1024
#: Codes of RFC 6455 and of its registry: the server goes away; try again later.
GOING_AWAY, TRY_AGAIN = 1001, 1013
TEXTS = ("root", "run", "deployment", "kind", "name")


class LiveSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One client that follows the events."""

    auth_resource = RESOURCE

    async def prepare(self, **options: Any) -> None:
        made = super().prepare(**options)
        if made is not None:
            await made
        if self.current_user is None:
            raise web.HTTPError(403)

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        allowed = self.authorizer.is_authorized(self, self.current_user, "read", RESOURCE)
        if not await ensure_async(allowed):
            raise web.HTTPError(403)
        await super().get(*args, **kwargs)

    @property
    def max_message_size(self) -> int:
        return MESSAGE_LIMIT

    def initialize(self) -> None:
        self._following: asyncio.Task[None] | None = None
        self._place: Log | None = None

    def open(self, *args: str, **kwargs: str) -> None:
        super().open(*args, **kwargs)
        self.live = cast(Live, self.settings[LIVE])
        self.services = cast(Services, self.settings[SERVICES])

    async def on_message(self, message: str | bytes) -> None:
        try:
            told = read_body(message.encode() if isinstance(message, str) else message)
            if told.get("type") == "ping":
                await self.tell("pong")
            elif told.get("type") == "subscribe":
                await self._subscribe(told)
            else:
                says = f"type: {shown(told.get('type'))} is neither subscribe nor ping"
                raise InvalidInput(says, field="type")
        except OrionError as error:
            await self.tell("error", message=str(error), field=error.field)

    def on_close(self) -> None:
        if self._following is not None:
            self._following.cancel()

    async def tell(self, kind: str, **more: Any) -> bool:
        """The client has taken a message; it is let go if it does not read."""
        told = {"type": kind, "last": self._place.told if self._place else None, **more}
        text = json.dumps(told, separators=(",", ":"))
        try:
            if await is_taken(self.write_message(text), self.live.patience):
                return True
        except WebSocketClosedError:
            return False
        patience = self.live.patience
        self.log.warning("a client has read no events for %g s and is let go", patience)
        self.close(TRY_AGAIN, "too slow: connect again, and resume after the last event")
        return False

    async def _subscribe(self, told: dict[str, Any]) -> None:
        known = {"type", "after", "types", "top_level", *TEXTS}
        if unknown := sorted(set(told) - known):
            raise InvalidInput(f"{shown(unknown[0])}: not known", field=unknown[0])
        for name in TEXTS:
            if not isinstance(told.get(name), str | None):
                raise InvalidInput(f"{name}: expected a text, got {shown(told[name])}", field=name)
        types, top_level = told.get("types") or [], told.get("top_level", False)
        if not isinstance(types, list) or not all(isinstance(each, str) for each in types):
            raise InvalidInput("types: expected a list of texts", field="types")
        if not isinstance(top_level, bool):
            raise InvalidInput("top_level: expected true or false", field="top_level")
        after = told.get("after")
        place = None if after is None else check_place("after", after)
        texts = {name: told.get(name) for name in TEXTS}
        chosen = chosen_of(**texts, types=types, top_level=top_level)
        await self._end()
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._following = asyncio.create_task(self._follow(place, chosen, ready))
        await ready

    async def _end(self) -> None:
        """The subscription there is ends."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    async def _follow(self, after: int | None, chosen: Any, ready: asyncio.Future[None]) -> None:
        try:
            with self.live.follower() as follower:
                if after is None and self._place is not None:
                    after = self._place.told
                log = await begin(self.live, self.services.read, follower, after, chosen)
                self._place = log
                goes_on = await self.tell("subscribed")
                if not ready.done():
                    ready.set_result(None)
                while goes_on:
                    found = await log.next()
                    if log.is_over:
                        break
                    events = [told.event.as_json() for told in found]
                    more = {"events": events} if events else {}
                    goes_on = await self.tell("events" if events else "nothing", **more)
                if log.is_over:
                    await self.tell("bye")
                    self.close(GOING_AWAY, "the server stops")
        except OrionError as error:
            if not ready.done():
                ready.set_exception(error)
        finally:
            if not ready.done():
                ready.cancel()


setattr(LiveSocket.get, DECLARED, "read")

#: The handler and its path.
SOCKETS: list[tuple[Any, ...]] = [(API + "/live", LiveSocket)]
