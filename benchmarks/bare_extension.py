"""A Jupyter server extension whose only handler does nothing: http_transitions.py compares with it.

It checks the token, reads the body, validates it, and answers a few fields. Asked with GET, it
answers how late the server's event loop has been since it was last asked.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from pydantic import BaseModel
from tornado import web


class Proposal(BaseModel):
    """The body that is sent: the same as to Orion."""

    type: str
    attempt: int | None = None
    token: str | None = None


class Bare(APIHandler):
    """Answers as much JSON as a report on a proposal has, and keeps nothing."""

    auth_resource = "bare"

    @web.authenticated
    @authorized("write", resource="bare")
    async def post(self) -> None:
        told = Proposal.model_validate_json(self.request.body)
        rules = [{"rule": "a_rule", "says": "x" * 60, "verdict": "pass"} for _ in range(5)]
        state = {"type": told.type, "name": told.type.title(), "seq": 2, "timestamp": 0}
        self.finish({"status": "ACCEPT", "state": state, "rules": rules, "reason": None})

    @web.authenticated
    @authorized("read", resource="bare")
    async def get(self) -> None:
        times = os.times()
        self.finish({"late": LATE[:], "cpu": times.user + times.system})
        LATE.clear()


#: A timer of the loop rings after so many seconds; by how much it was late, each time.
TICK = 0.005
LATE: list[float] = []


async def _watch_the_loop() -> None:
    while True:
        due = time.perf_counter() + TICK
        await asyncio.sleep(TICK)
        LATE.append(time.perf_counter() - due)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "bare_extension"}]


def _load_jupyter_server_extension(app: Any) -> None:
    place = url_path_join(app.base_url, "/bare")
    app.web_app.add_handlers(".*$", [(place, Bare)])
    app.io_loop.add_callback(_watch_the_loop)
