"""One handler for all routes: HTTP in, a method of Orion, HTTP out. It decides nothing."""

from __future__ import annotations

import inspect
import re
from asyncio import Future
from collections.abc import Awaitable, Callable, Iterable
from http.client import responses
from typing import Any, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError

from orion_nb.api.once import HEADER, check_key, digest
from orion_nb.api.routes import Action, Route
from orion_nb.api.wire import read_arguments, render
from orion_nb.errors import (
    InvalidInput,
    OrionError,
    StoreUnavailable,
    TooLarge,
    UnsupportedMediaType,
)
from orion_nb_server.services import SERVICES, SHORT, Services

#: The key, in the web application's settings, of the reason why Orion could not start.
TROUBLE = "orion_nb_trouble"
#: What Jupyter's authorizer is asked about.
RESOURCE = "orion_nb"
#: The attribute of a handler's method that holds the action it declares.
DECLARED = "__orion_action__"
#: Where the routes are, under the server's base URL.
API = "/orion/api/v1"
#: The largest body that is taken, in bytes.
BODY_LIMIT = 1024 * 1024
#: One that is larger than this too is not even read to its end: the connection is closed.
PATIENCE_LIMIT = 16 * BODY_LIMIT


def guarded(action: Action, method: Callable[..., Awaitable[None]]) -> Any:
    """The method answers only who is signed in and may do this.

    Jupyter's decorator keeps what it was asked about first: it must be given both, and never be
    inherited, so each method of each handler is decorated by itself.
    """
    says = f"the server's authorizer does not let this user {action!r} ({RESOURCE})"
    checked: Callable[..., Awaitable[None]] = authorized(action, RESOURCE, says)(method)
    answering = web.authenticated(checked)
    setattr(answering, DECLARED, action)
    return answering


@web.stream_request_body
class OrionHandler(APIHandler):
    """Reads what a request gives, asks the API on another thread, and answers JSON, errors too.

    The body is taken as it comes, so that one over the limit is never held in memory. Its rest is
    read and forgotten, for most clients look for an answer only when they have sent everything.
    """

    auth_resource = RESOURCE
    #: The methods there are at this path, for the header `Allow`.
    allowed: tuple[str, ...] = ()
    #: Called when the client has gone away.
    on_gone: Callable[[], None] | None = None

    request: HTTPServerRequest

    @property
    def services(self) -> Services:
        return cast(Services, self.settings[SERVICES])

    def initialize(self) -> None:
        self._body = bytearray()
        self._received = 0

    async def prepare(self, **options: Any) -> None:
        await super().prepare()
        if self.current_user is None and self.request.method != "OPTIONS":
            raise web.HTTPError(403, "sign in, or send the header 'Authorization: token TOKEN'")
        if _length(self.request) > PATIENCE_LIMIT:
            self.refuse(_too_large())

    def data_received(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._received <= BODY_LIMIT:
            self._body += chunk
        elif self._received > PATIENCE_LIMIT and not self._finished:
            self.refuse(_too_large())

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self.on_gone is not None:
            self.on_gone()

    async def answer(self, route: Route, path: dict[str, str]) -> None:
        """The route is called with what the request gives; its result or its error is told."""
        try:
            given = read_arguments(route, path, self.request.query, self.json_body(route))
            if inspect.iscoroutinefunction(route.function):
                await route.function(self, **given)
                return
            key = self.request.headers.get(HEADER)
            if key is not None and route.action != "read" and not route.hides:
                await self._answer_once(route, given, check_key(key))
                return
            body = await self.services.call(route, given)
            self.set_status(route.status)
            self.finish(body)
        except OrionError as error:
            self.refuse(error)
        except StreamClosedError:
            pass  # nobody is there any more to be told

    async def _answer_once(self, route: Route, given: dict[str, Any], key: str) -> None:
        """The same request with the same key gets the answer of the first time."""
        asked = digest(given)
        status, body, repeated = await self.services.call_once(route, given, key, asked)
        self.set_status(status)
        if repeated:
            self.set_header("Idempotency-Replayed", "true")
        self.finish(body)

    def json_body(self, route: Route) -> bytes:
        """The bytes of the body, which says that it is JSON.

        Raises:
            InvalidInput: there is a body and the route takes none.
            TooLarge: the body is over the limit.
            UnsupportedMediaType: the body says that it is something else.
        """
        if self._received > BODY_LIMIT:
            raise _too_large()
        body = bytes(self._body)
        if body and route.method in ("GET", "DELETE"):
            says = f"body: {route.method} takes none; put the values into the query"
            raise InvalidInput(says, field="body")
        media = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if body and media != "application/json":
            raise UnsupportedMediaType(
                f"Content-Type: expected 'application/json', got {media[:100]!r}",
                field="Content-Type",
            )
        return body

    def finish(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """The answer ends; one from before the request was read closes the connection, and says so.

        Tornado closes it then without a word, and a proxy that kept it meets a reset (RFC 9112,
        section 9.6).
        """
        body = getattr(self.request, "_body_future", None)
        if body is not None and not body.done() and not self._headers_written:
            self.set_header("Connection", "close")
        return super().finish(*args, **kwargs)

    def refuse(self, error: OrionError) -> None:
        """The request ends with this error."""
        if error.status >= 500:
            self.log.error("%s %s: %s", self.request.method, self.request.path, error)
        self.set_status(error.status)
        self.finish(render(error))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        phrase = responses.get(status_code, "Error")
        message = error.get_message() if isinstance(error, web.HTTPError) else None
        if status_code == 405:
            self.set_header("Allow", ", ".join(self.allowed))
            message = f"{self.request.method} is not taken here; Allow says what is"
        elif status_code >= 500:
            message = "The server failed on this request; its log says how"
        told = {"error": phrase.replace(" ", ""), "message": message or phrase, "field": None}
        self.finish(render(told))


class UnknownPath(OrionHandler):
    """Whatever is not a route is answered with 404, as JSON."""

    async def prepare(self, **options: Any) -> None:
        await super().prepare()
        if not self._finished and self.request.method != "OPTIONS":
            raise web.HTTPError(404, f"no such route; {API}/openapi.json lists those there are")


class Unavailable(OrionHandler):
    """Whatever is asked is answered with 503 and the reason why Orion could not start."""

    async def prepare(self, **options: Any) -> None:
        await super().prepare()
        if not self._finished and self.request.method != "OPTIONS":
            self.refuse(StoreUnavailable(self.settings[TROUBLE]))


def handlers(routes: Iterable[Route]) -> list[tuple[str, type[OrionHandler]]]:
    """URL patterns with a handler class for each path of the routes; any other path is unknown."""
    by_path: dict[str, list[Route]] = {}
    for route in routes:
        by_path.setdefault(route.path, []).append(route)

    def place(path: str) -> tuple[bool, list[bool]]:
        # What programs ask all the time first; then a fixed word before a name in its place:
        # /runs/filter before /runs/{run_id}.
        is_rare = all(route.name not in SHORT for route in by_path[path])
        return is_rare, [part.startswith("{") for part in path.split("/")]

    paths = sorted(by_path, key=place)
    found = [(pattern(path), handler_class(by_path[path])) for path in paths]
    return [*found, (API + r"(?:/.*)?", UnknownPath)]


def pattern(path: str) -> str:
    """The regular expression for the URLs of a path, its names as groups."""
    parts = re.split(r"\{(\w+)\}", path)
    texts = [f"(?P<{part}>[^/]+)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)]
    return API + "".join(texts)


def handler_class(routes: list[Route]) -> type[OrionHandler]:
    """A handler for one path, with a method of its own for each of its routes."""
    members: dict[str, Any] = {route.method.lower(): _method(route) for route in routes}
    for route in routes:
        if route.method == "GET" and not inspect.iscoroutinefunction(route.function):
            members["head"] = _method(route)
    members["allowed"] = (*sorted(name.upper() for name in members), "OPTIONS")
    name = "".join(word.title() for word in re.findall(r"[a-z]+", routes[0].path)) + "Handler"
    return type(name, (OrionHandler,), members)


def _method(route: Route) -> Any:
    async def answer(handler: OrionHandler, **path: str) -> None:
        await handler.answer(route, path)

    return guarded(route.action, answer)


def _length(request: HTTPServerRequest) -> int:
    told = request.headers.get("Content-Length", "")
    return int(told) if told.isdecimal() else 0


def _too_large() -> TooLarge:
    return TooLarge(f"body: larger than {BODY_LIMIT} bytes", field="body")
