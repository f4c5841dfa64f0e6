"""Clients of what the server tells as it happens: of the event stream, and of the WebSocket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import websocket

from tests.waiting import PATIENCE

API = "/orion/api/v1"


class Stream:
    """A client of the events: it reads one event at a time."""

    def __init__(self, server, token, query="", **headers):
        self.connection = server.connect()
        shown = {"Authorization": f"token {token}", **headers}
        self.connection.request("GET", f"/orion/api/v1/events{query}", headers=shown)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.opening = self._fields()

    def next(self):
        fields = self._fields()
        while "data" not in fields:
            fields = self._fields()
        event = json.loads(fields["data"])
        assert (fields["event"], fields["id"]) == ("state", str(event["n"]))
        return event

    def _fields(self):
        lines = iter(lambda: self.answer.readline().decode().rstrip("\n"), "")
        return dict(line.split(": ", 1) for line in lines)

    def close(self):
        self.connection.close()


class Live:
    """A client of the WebSocket."""

    def __init__(self, server, token, timeout=PATIENCE, raw=None, **asked):
        shown = [f"Authorization: token {token}"]
        url = f"ws://127.0.0.1:{server.port}{API}/live"
        # Its check of UTF-8, in Python, takes a second for half a megabyte.
        how = {"timeout": timeout, "header": shown, "socket": raw, "skip_utf8_validation": True}
        self.socket = websocket.create_connection(url, **how)
        self.told = []
        if asked:
            asked = {key: value for key, value in asked.items() if value is not ...}
            self.say("subscribe", **asked)
            assert self.next("subscribed")

    def say(self, what, **more):
        self.socket.send(json.dumps({"type": what, **more}))

    def next(self, *kinds):
        while True:
            told = json.loads(self.recv())
            if not kinds or told["type"] in kinds:
                return told

    def recv(self):
        """The next text; at the end, an error with the code that the server gave."""
        opcode, data = self.socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            raise ConnectionError(int.from_bytes(data[:2]))
        return data

    def event(self):
        while not self.told:
            self.told += self.next("events")["events"]
        return self.told.pop(0)

    def close(self):
        self.socket.close()
        self.socket.shutdown()  # after the server's own close, the first does nothing


@contextmanager
def closing_all() -> Iterator[Callable[[Any], Any]]:
    """What is called with a client gives it back; all of them are closed at the end."""
    with ExitStack() as stack:
        yield lambda client: stack.enter_context(closing(client))


def newest(server):
    return server.call("GET", "/health").json["last_event"]
