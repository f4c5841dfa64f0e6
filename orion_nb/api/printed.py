"""What the cells of a notebook print, over the API: line by line, while they run and afterwards."""

from __future__ import annotations

import json
import re
from typing import Any, BinaryIO

from orion_nb.api.outputs import OutputRoutes
from orion_nb.api.routes import route
from orion_nb.errors import InvalidInput

#: The file in a run's folder that holds the lines; `deployments.printed` writes it.
PRINTED = "printed.jsonl"
#: Bytes of the file that are answered at once, as far as they go.
MOST = 256 * 1024

_PLACE = re.compile(r"(\d{1,9}\.\d{1,9}):(\d{1,15}):(\d{1,15})", re.ASCII)

Json = dict[str, Any]


class PrintedRoutes(OutputRoutes):
    """What the cells of executed notebooks print."""

    @route("GET", "/runs/{run_id}/printed", action="read")
    def read_printed(self, run_id: str, *, after: str | None = None) -> dict[str, Any]:
        """The lines that the cells of a notebook's last attempt have printed, while they run too.

        They follow the place `after`, the `cursor` of an answer. Of each its `cell`, as people
        count executed cells, its `stream`, `stdout` or `stderr`, its `text`, with the escape
        sequences of its colours, and `timestamp`. `more` says that there is more already. `lost`
        counts lines that were printed after that place and are not there any more: of a flood about
        the last 4 MiB are kept here. A run without notebook has printed none.
        """
        run = self.find(run_id)
        place = _place(after)
        told: Json = {"run": run.id, "lines": [], "cursor": after, "more": False, "lost": 0}
        try:
            with (self.settings.notebooks / run.id / PRINTED).open("rb") as file:
                return {**told, **_read(file, place)}
        except (FileNotFoundError, ValueError, LookupError, TypeError):
            return told


def _read(file: BinaryIO, place: tuple[str, int, int]) -> Json:
    stretch, offset, seen = place
    head = json.loads(file.readline())
    begin = file.tell()
    lost = 0
    if head["stretch"] == stretch:
        file.seek(max(begin, offset))
    else:
        offset, is_new = begin, head["stretch"].partition(".")[0] != stretch.partition(".")[0]
        lost = head["before"] - (0 if is_new else min(seen, head["before"]))
        seen = head["before"]
    at = file.tell()
    read = file.read(MOST)
    if not read.endswith(b"\n"):
        read = read[: read.rfind(b"\n") + 1] or read + file.readline()
    if not read.endswith(b"\n"):
        read = b""  # it is being written
    lines = [line for each in read.splitlines() for line in _lines(each)]
    end = at + len(read)
    more = bool(read) and bool(file.seek(end) and file.read(1))
    cursor = f"{head['stretch']}:{end}:{seen + len(lines)}"
    return {"lines": lines, "cursor": cursor, "more": more, "lost": lost}


def _lines(written: bytes) -> list[Json]:
    """The lines of one record; none of one that a full disk has torn."""
    try:
        record = json.loads(written)
        told = {"cell": record["cell"], "stream": record["stream"], "timestamp": record["at"]}
        return [{**told, "text": text} for text in record["lines"]]
    except (ValueError, LookupError, TypeError):
        return []


def _place(after: str | None) -> tuple[str, int, int]:
    """The stretch, the byte in it, and how many lines of the attempt came before."""
    if after is None:
        return "", 0, 0
    found = _PLACE.fullmatch(after)
    if found is None:
        says = f"after: {after!r:.100} is no place: give the cursor of an answer"
        raise InvalidInput(says, field="after")
    return found[1], int(found[2]), int(found[3])
