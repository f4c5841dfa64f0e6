"""What the OpenAPI document says of all routes: tags, errors, how one signs in."""

from __future__ import annotations

from typing import Any

ABOUT = """\
Runs of flows and tasks, the states they enter under rules, and deployments of notebooks.

Every request shows a token of the Jupyter server (`Authorization: token TOKEN`), or the cookie of
somebody who signed in; with the cookie, what is not GET carries the `_xsrf` cookie's value in the
header `X-XSRFToken`. Bodies are one JSON object, sent with `Content-Type: application/json`.
Times are microseconds since 1970, UTC; in requests also ISO 8601 with an offset.

A request that changes something may carry the header `Idempotency-Key`, with up to 255 characters
that the client makes up. The same request with the same key gets its first answer again, for seven
days, and does nothing; another request with that key is refused (422, `IdempotencyKeyReuse`). To
keep a secret needs no key: nothing of its value is kept with one."""

ERRORS = {
    "400": "The request can't be read as JSON or as a query.",
    "403": "No valid token or sign-in was shown, or this user may not do it.",
    "404": "What the path names is not there.",
    "409": "Somebody was faster, or this attempt is over.",
    "413": "The body is larger than 1 MiB.",
    "415": "The body's Content-Type is not application/json.",
    "422": "A value can't be accepted; `field` names it.",
    "503": "The database can't be reached.",
}

#: What any request that changes something may carry.
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request with the same key is done once; see above.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

ERROR_SCHEMA = {
    "type": "object",
    "description": "Why a request was refused.",
    "required": ["error", "message", "field"],
    "properties": {
        "error": {"type": "string", "description": "The name of the error's class."},
        "message": {"type": "string", "description": "What is wrong, and what to do about it."},
        "field": {"type": ["string", "null"], "description": "The value that is at fault."},
    },
}

#: The groups of routes, by the first part of their paths.
TAGS = {
    "runs": "Runs of flows and tasks: begun, moved from state to state, asked why, acted on.",
    "deployments": "Notebooks and flows that run without their author.",
    "schedules": "When deployments run.",
    "notebooks": "Notebooks and files, looked into without being run.",
    "deployment-options": "What can be said of a deployment, for forms.",
    "secrets": "Kept for notebooks and flows by name; no value is ever told.",
    "limits": "How many runs may execute at a time.",
    "logs": "What runs have logged and printed.",
    "artifacts": "What runs have shown.",
    "results": "What runs have returned: where it is kept.",
    "cache": "Results that are used again.",
    "notifications": "Who is told when runs enter states, and how.",
    "deliveries": "What was told, and what could not be.",
    "events": "Each state as it is entered.",
    "sessions": "Processes that execute runs elsewhere, and say that they live.",
    "batch": "Many proposals at once.",
    "database": "What is kept, and for how long.",
    "health": "Whether the server answers.",
    "openapi.json": "This document.",
}

SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"query": []}, {"cookie": [], "xsrf": []}]
SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "The Jupyter server's token; `token` is read like `Bearer`.",
    },
    "query": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The same token; it ends up in logs of proxies, so the header is better.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "username-HOST-PORT",
        "description": "Set when a browser signs in to Jupyter.",
    },
    "xsrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-XSRFToken",
        "description": "With the cookie, what is not GET shows the value of the cookie `_xsrf`.",
    },
}
