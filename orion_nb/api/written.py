"""JSON that the database has written: a server sends it without reading it."""

from __future__ import annotations

import json
from typing import Any

from orion_nb.schemas.values import frozen


@frozen
class Written:
    """An answer as the text that is sent."""

    text: str

    def as_json(self) -> Any:
        """What it says."""
        return json.loads(self.text)
