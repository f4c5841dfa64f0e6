"""A pause of a run: what it asks for, and what it was given."""

from __future__ import annotations

from typing import Any

from orion_nb.schemas.values import as_dict, frozen


@frozen
class Pause:
    """One pause of a run. Times are microseconds since the epoch, UTC.

    `schema` is the JSON Schema of the input it waits for, `input` what it was given.
    """

    run: str
    key: str
    message: str | None
    schema: dict[str, Any] | None
    until: int | None
    asked: int
    input: Any = None
    resumed: int | None = None
    by: str | None = None

    def as_json(self) -> dict[str, Any]:
        return as_dict(self)
