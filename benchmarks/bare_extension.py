"""A Jupyter server extension whose only handler does nothing: http_transitions.py compares with it.

It checks the token, reads the body, validates it, and answers a few fields.
"""

from __future__ import annotations

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


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "bare_extension"}]


def _load_jupyter_server_extension(app: Any) -> None:
    place = url_path_join(app.base_url, "/bare")
    app.web_app.add_handlers(".*$", [(place, Bare)])
