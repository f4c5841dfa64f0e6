"""Artifacts over the API: what runs have shown, as data.

Whatever an artifact holds, HTML too, is answered as a JSON value and never as a page.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from orion_nb import clock
from orion_nb.api.checks import check_id, check_text
from orion_nb.api.core import Core
from orion_nb.api.routes import route
from orion_nb.errors import InvalidInput, NotFound, TooLarge
from orion_nb.schemas.runs import is_hex, is_id, new_id
from orion_nb.store import artifacts
from orion_nb.store.artifacts import Artifact, ArtifactFilter
from orion_nb.store.database import Connection

#: Bytes of one artifact, all formats together, and of what is said about it.
LIMIT = 4 * 1024 * 1024
SAID = 64 * 1024
TYPES = 32
DESCRIPTION = 10_000
PAGE = 50
LONGEST_PAGE = 200
_TYPE = re.compile(r"[A-Za-z0-9][\w.+-]*/[A-Za-z0-9][\w.+-]*(?:; ?[\w.+-]+=[\w.+-]+)*", re.ASCII)


class ArtifactRoutes(Core):
    """What runs have shown."""

    #: Bytes of one artifact that can be added here.
    artifact_room = LIMIT

    @route("POST", "/runs/{run_id}/artifacts", action="write", status=201)
    def add_artifact(
        self,
        run_id: str,
        data: dict[str, Any],
        *,
        key: str | None = None,
        description: str | None = None,
        binary: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        notes: list[str] | None = None,
    ) -> dict[str, Any]:
        """One thing that a run shows, in one or more formats, is kept with the run.

        `data` holds it by MIME type: a text for text, base64 for those named in `binary`, any JSON
        value for JSON. Artifacts of the same key are versions of one thing. An artifact has at
        most 4 MiB, a run at most 1,000 artifacts of together 64 MiB.
        """
        run = self.find(run_id)
        if key is not None:
            check_text("key", key)
        _check_description(description)
        said = _said(metadata, notes)
        size = _check_data(data, binary or [])
        made = Artifact(
            new_id(), run.id, key, description, clock.now(), size, tuple(data),
            data=data, binary=tuple(binary or ()), **said,
        )  # fmt: skip

        def work(tx: Connection) -> None:
            if artifacts.is_full(tx, run.id, size):
                says = "data: a run has at most 1,000 artifacts, of together 64 MiB; this one is"
                raise TooLarge(f"{says} full", field="data")
            artifacts.insert(tx, made)

        self.database.write(work)
        with self.database.read() as connection:
            told = artifacts.read(connection, made.id)
        return (told or made).summary()

    @route("GET", "/runs/{run_id}/artifacts", action="read")
    def read_artifacts(
        self, run_id: str, *, limit: int = PAGE, cursor: str | None = None
    ) -> dict[str, Any]:
        """What a run has shown, newest first, without the contents; a page at a time."""
        return self.filter_artifacts(run=run_id, limit=limit, cursor=cursor)

    @route("GET", "/artifacts/{artifact_id}", action="read")
    def read_artifact(self, artifact_id: str) -> dict[str, Any]:
        """One artifact with its contents: by its id, the last digits of it, or the newest of a key.

        `data` holds it by MIME type: as text, as a JSON value, or in base64 for the types in
        `binary`. `notes` say what is not there, and why.
        """
        with self.database.read() as connection:
            found = _resolve(connection, artifact_id)
            told = artifacts.read(connection, found) if found else None
        if told is None:
            says = f"no artifact {artifact_id!r}; `orion-nb artifacts ls` lists those there are"
            raise NotFound(says)
        return told.as_json()

    @route("POST", "/artifacts/filter", action="read")
    def filter_artifacts(
        self,
        *,
        key: str | None = None,
        run: str | None = None,
        limit: int = PAGE,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        """The artifacts of a key or of a run, newest first, without the contents.

        The answer is {"artifacts", "cursor"}; `cursor` asks for the next page. Those of one key
        are numbered by `version`, from 1.
        """
        if not 1 <= limit <= LONGEST_PAGE:
            raise InvalidInput(f"limit: {limit} is not between 1 and {LONGEST_PAGE}", field="limit")
        if cursor is not None:
            check_id("cursor", cursor)
        chosen = ArtifactFilter(key, None if run is None else self.find(run).id, cursor)
        with self.database.read() as connection:
            found = artifacts.page(connection, chosen, limit + 1)
        more = found[limit - 1].id if len(found) > limit else None
        return {"artifacts": [each.summary() for each in found[:limit]], "cursor": more}


def _resolve(connection: Connection, ref: str) -> str | None:
    text = ref.strip().lower().replace("-", "")
    if is_id(text):
        return text
    if (found := artifacts.newest_of(connection, ref)) is not None:
        return found
    fitting = artifacts.ids_ending_in(connection, text) if len(text) >= 4 and is_hex(text) else []
    if len(fitting) > 1:
        says = f"{ref!r} fits several artifacts: {', '.join(fitting)}; give more digits"
        raise InvalidInput(says, field="artifact_id")
    return fitting[0] if fitting else None


def _check_data(data: dict[str, Any], binary: list[str]) -> int:
    """The bytes of all formats together.

    Raises:
        InvalidInput: a type is none, or a value is not what its type says.
        TooLarge: they are more than 4 MiB.
    """
    if not 1 <= len(data) <= TYPES:
        raise InvalidInput(f"data: 1 to {TYPES} formats, got {len(data)}", field="data")
    if missing := set(binary) - set(data):
        raise InvalidInput(f"binary: {sorted(missing)[0]!r} is not in data", field="binary")
    size = 0
    for kind, value in data.items():
        if len(kind) > 255 or not _TYPE.fullmatch(kind):
            raise InvalidInput(f"data: {kind!r:.100} is no MIME type", field="data")
        size += _decoded_size(kind, value) if kind in binary else len(_text(value))
    if size > LIMIT:
        says = f"data: an artifact has at most 4 MiB, got {size} bytes; store it and show a part"
        raise TooLarge(says, field="data")
    return size


def _decoded_size(kind: str, value: Any) -> int:
    try:
        return len(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidInput(f"data: {kind} is in `binary`, but no base64", field="data") from error


def _text(value: Any) -> bytes:
    """What is shown, as bytes: a text itself, all else as JSON.

    Raises:
        InvalidInput: neither can be made of it.
    """
    try:
        return (value if isinstance(value, str) else json.dumps(value, allow_nan=False)).encode()
    except (ValueError, TypeError, RecursionError) as error:
        says = f"data: {type(value).__name__} is neither text nor JSON: {error}"
        raise InvalidInput(says, field="data") from error


def _said(metadata: dict[str, Any] | None, notes: list[str] | None) -> dict[str, Any]:
    told = {"metadata": metadata or {}, "notes": tuple(notes or ())}
    if len(_text(told)) > SAID:
        raise TooLarge("metadata: more than 64 KiB with the notes", field="metadata")
    return told


def _check_description(description: str | None) -> None:
    if description is not None and len(description) > DESCRIPTION:
        says = f"description: at most {DESCRIPTION} characters, got {len(description)}"
        raise InvalidInput(says, field="description")
