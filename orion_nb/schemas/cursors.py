"""Cursors: where a page ended, for whoever asked, and for nobody who asks something else."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from orion_nb.errors import InvalidInput

_CHECK = 6


def seal(place: bytes, asked: Mapping[str, Any]) -> str:
    """The cursor for the page behind `place` of what was asked."""
    return base64.urlsafe_b64encode(_check(place, asked) + place).decode().rstrip("=")


def unseal(cursor: str, asked: Mapping[str, Any]) -> bytes:
    """The place that a cursor stands for.

    Raises:
        InvalidInput: it is no cursor, or it is one of another question.
    """
    try:
        told = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        told = b""
    place = told[_CHECK:]
    if not place or _check(place, asked) != told[:_CHECK]:
        says = "it is none that this question was answered with; ask again without one"
        raise InvalidInput(f"cursor: {cursor[:60]!r}: {says}", field="cursor")
    return place


def _check(place: bytes, asked: Mapping[str, Any]) -> bytes:
    told = {name: value for name, value in asked.items() if value not in (None, False, [], ())}
    text = json.dumps(told, sort_keys=True, default=str)
    return sha256(place + b"\0" + text.encode("utf-8", "backslashreplace")).digest()[:_CHECK]
