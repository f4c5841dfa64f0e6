"""What happens to the cells of an executed notebook, written down at once: no death loses it.

The notebook's file is saved now and then; what came since then is in the journal beside it. Each
record is one line of JSON, numbered by `n`; the notebook says which number is the last one in it.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from orion_nb.deployments.floods import cut, room
from orion_nb.secrets import redacted_json

Json = dict[str, Any]

JOURNAL = "journal.jsonl"
#: In the notebook's metadata: the number of the last record that is in its cells.
SAVED = "journal"
#: Bytes after which the notebook is to be saved, and the journal begun anew.
LARGE = 4 * 1024 * 1024


class Journal:
    """The journal of one attempt. It costs no run its life that it can't be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n = 0
        self.size = 0
        #: A record could not be written whole: until the notebook is saved none comes behind it.
        self._is_torn = False
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC
        self._file: int | None = None
        with suppress(OSError):
            self._file = os.open(path, flags, 0o600)

    @property
    def is_large(self) -> bool:
        return self.size > LARGE

    def write(self, do: str, cell: int, **told: Any) -> None:
        """One record is in the file: it outlives this process, if not a loss of power."""
        self.n += 1
        if self._file is None or self._is_torn:
            return
        line = json.dumps(
            {"n": self.n, "do": do, "cell": cell, **redacted_json(told)}, separators=(",", ":")
        )
        record, written = line.encode() + b"\n", 0
        with suppress(OSError):
            written = os.write(self._file, record)
        self.size += written
        if written < len(record):  # the disk is full
            self._is_torn, self.size = True, LARGE + 1

    def begin_anew(self) -> None:
        """All that is in the journal is in the notebook's file."""
        self.size = 0
        if self._file is not None:
            with suppress(OSError):
                os.ftruncate(self._file, 0)
                self._is_torn = False

    def remove(self) -> None:
        """The notebook's file holds everything, for good."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        with suppress(OSError):
            self.path.unlink()


def replay(nb: Json, path: Path, saved: int, limit: int | None = None) -> None:
    """The records after number `saved` are in the notebook's cells; a torn last one is left out.

    Of what a cell printed `limit` characters are kept, as in a notebook that ended by itself.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in lines:
        try:
            told = json.loads(line)
            if told["n"] > saved:
                _apply(nb["cells"][told["cell"]], told)
        except (ValueError, KeyError, IndexError, TypeError):
            break
    for cell in nb["cells"]:
        for output in cell.get("outputs", ()):
            if output["output_type"] == "stream":
                output["text"] = cut(_joined(output["text"]), *room(limit))


def _apply(cell: Json, told: Json) -> None:
    outputs = cell["outputs"]
    match told["do"]:
        case "begin":
            cell["metadata"]["execution"] = {}
            outputs.clear()
        case "end":
            cell["metadata"]["execution"]["shell.execute_reply"] = told["at"]
            cell["execution_count"] = told["count"]
        case "text":
            _print(outputs, told["name"], told["text"])
        case "add":
            outputs.append(told["output"])
        case "set":
            outputs[told["at"]] = told["output"]
        case "clear":
            outputs.clear()


def _print(outputs: list[Json], name: str, text: str) -> None:
    last = outputs[-1] if outputs else {}
    if last.get("output_type") == "stream" and last.get("name") == name:
        last["text"] = _joined(last["text"]) + text
    else:
        outputs.append({"output_type": "stream", "name": name, "text": text})


def _joined(text: Any) -> str:
    return text if isinstance(text, str) else "".join(text)
