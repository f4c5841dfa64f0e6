"""Requests to a server's API: connections that are kept, bounded waits, answers or our errors."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from orion_nb import errors
from orion_nb.api.codec import dump
from orion_nb.errors import AccessDenied, InvalidInput, OrionError, ServerUnreachable

API = "/orion/api/v1"
#: The field of errors that are the address's fault.
ADDRESS = "ORION_NB_API_URL"
#: Seconds that a server has to take a connection, and to answer.
CONNECT = 2.0
ANSWER = 10.0
#: A server that was found away is not asked again for so long (seconds), except to see.
AWAY = 5.0
#: So many connections are kept open when nobody needs them.
KEPT = 4
#: A request that broke off on a new connection is sent so often in all.
TRIES = 2
_GONE = frozenset({429, 502, 503, 504})


class Client:
    """The requests of one process to one server; for any thread, and after a fork.

    The token is sent in the header `Authorization`, and is nowhere else.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token
        self._parts = urlsplit(url)
        self._lock = threading.Lock()
        self._idle: list[HTTPConnection] = []
        self._pid = os.getpid()
        self._away_until = 0.0
        self._closed = False

    def ask(
        self,
        method: str,
        path: str,
        told: Any = None,
        *,
        key: str | None = None,
        patience: float = ANSWER,
        anyway: bool = False,
    ) -> Any:
        """The JSON value that the server answers; `told` is sent as JSON.

        A request that broke off is sent once more: it is a GET, has an Idempotency-Key (`key`), or
        may be repeated by itself. `patience` is in seconds, `anyway` asks also a server that was
        just found away.

        Raises:
            ServerUnreachable: it can't be reached, or does not answer in time.
            OrionError: the server refused; of the same class as there.
        """
        headers = {"Authorization": f"token {self._token}"} if self._token else {}
        body = None
        if told is not None:
            body, headers["Content-Type"] = dump(told), "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        self._check_reachable(anyway)
        target = f"{self._parts.path}{API}{path}"
        status, answer = self._send(method, target, body, headers, patience)
        return self._read(status, answer)

    def is_away(self) -> bool:
        """The server was found away a moment ago."""
        return time.monotonic() < self._away_until

    def close(self) -> None:
        """No connection is open; safe to call twice."""
        self._closed = True
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _check_reachable(self, anyway: bool) -> None:
        if self._closed:
            raise ServerUnreachable(f"the connection to {self.url} was closed")
        if not anyway and self.is_away():
            raise ServerUnreachable(f"{self.url} can't be reached: it was away a moment ago")

    def _send(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str], patience: float
    ) -> tuple[int, bytes]:
        """Status and body; of kept connections, those that turn out to be dead are passed over.

        A server closes connections that rest: that one is dead says nothing of the server.
        """
        until = time.monotonic() + patience
        tries = TRIES
        while True:
            connection, is_new = self._take()
            try:
                if is_new:
                    self._connect(connection)
                connection.sock.settimeout(max(0.1, until - time.monotonic()))
                connection.request(method, target, body, headers)
                answer = connection.getresponse()
                status, read = answer.status, answer.read()
            except (OSError, HTTPException) as error:
                connection.close()
                tries -= is_new
                if not tries or time.monotonic() > until:
                    raise self._unreachable(error) from error
            except BaseException:
                connection.close()  # its answer is still to come, and would be taken for another's
                raise
            else:
                self._away_until = 0.0
                self._give_back(connection)
                return status, read

    def _connect(self, connection: HTTPConnection) -> None:
        try:
            connection.connect()
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from error

    def _take(self) -> tuple[HTTPConnection, bool]:
        """A connection, and whether it is a new one."""
        if self._pid != os.getpid():  # those of the parent are the parent's
            self._pid, self._lock, self._idle = os.getpid(), threading.Lock(), []
        with self._lock:
            if self._idle:
                return self._idle.pop(), False
        return self._connection(), True

    def _connection(self) -> HTTPConnection:
        parts = self._parts
        made = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return made(parts.hostname or "", parts.port, timeout=CONNECT)

    def _give_back(self, connection: HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < KEPT and not self._closed and connection.sock is not None:
                self._idle.append(connection)
                return
        connection.close()

    def _unreachable(self, error: Exception) -> ServerUnreachable:
        self._away_until = time.monotonic() + AWAY
        why = "it does not answer" if isinstance(error, TimeoutError) else error
        return ServerUnreachable(f"{self.url} can't be reached: {why}")

    def _read(self, status: int, body: bytes) -> Any:
        told: Any = None
        with suppress(ValueError):
            told = json.loads(body)
        if status < 300 and told is not None:
            return told
        if isinstance(told, dict) and isinstance(told.get("error"), str):
            known = error_of(told, status)
            if known is not None:
                raise known
        if status in _GONE:
            raise self._unreachable(HTTPException(f"it answers {status}"))
        raise self._strange(status, told)

    def _strange(self, status: int, told: Any) -> OrionError:
        if status in (401, 403) or 300 <= status < 400:
            return AccessDenied(f"{self.url} does not know the token, or it may not do this")
        said = told.get("message") if isinstance(told, dict) else None
        if status in (404, 405) or status < 300:
            says = f"{self.url} answers, but there is no Orion ({said or status})"
            return InvalidInput(f"ORION_NB_API_URL: {says}", field=ADDRESS)
        return OrionError(f"{self.url} answered {status}: {said or 'its log says why'}")


def error_of(told: dict[str, Any], status: int = 500) -> OrionError | None:
    """The error that a server told, of the same class as there; None if it is none of ours."""
    kind = getattr(errors, told["error"], None)
    if not (isinstance(kind, type) and issubclass(kind, OrionError)):
        return None
    made = kind(str(told.get("message", "")))
    made.field = told.get("field")
    made.status = told.get("status", status)
    return made
