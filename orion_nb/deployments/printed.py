"""What the cells of a notebook print, line by line in a file: for who follows the run."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from orion_nb import clock
from orion_nb.api.printed import PRINTED
from orion_nb.deployments.floods import cut

#: Bytes after which the file is begun anew: who follows has read it, or is too slow for a flood.
LARGE = 4 * 1024 * 1024
#: Characters of one line that are kept: its head and its tail.
HEAD = TAIL = 16 * 1024


class Printed:
    """The file of one attempt. It costs no run its life that it can't be written.

    Its first line names the stretch, `ATTEMPT.NUMBER`, and counts the lines of the attempt that
    were in earlier ones. Each other line has some that one cell printed on one stream.
    """

    def __init__(self, folder: Path, attempt: int) -> None:
        self._path, self._attempt = folder / PRINTED, attempt
        self._file: int | None = None
        self._stretch = self._before = self._lines = self._size = 0
        #: What was printed since the last end of a line, by which cell, on which stream.
        self._rest: tuple[int, str, list[str], int] | None = None
        with suppress(OSError):
            self._path.unlink()  # that of an earlier attempt

    def add(self, cell: int, stream: str, text: str) -> None:
        """A cell, by the number people know it by, printed this; it holds no secret."""
        if self._rest is not None and self._rest[:2] != (cell, stream):
            self.end_line()
        held, size = ([], 0) if self._rest is None else self._rest[2:]
        whole, newline, rest = text.rpartition("\n")
        if newline:
            self._write(cell, stream, "".join([*held, whole]).split("\n"))
            held, size = [], 0
        if rest:
            # As on a screen, what is written after a carriage return replaces what is before it.
            if (at := rest.rstrip("\r").rfind("\r")) >= 0:
                held, size, rest = [], 0, rest[at + 1 :]
            if size < HEAD + TAIL:
                held, size = [*held, rest[: HEAD + TAIL]], size + len(rest)
        self._rest = (cell, stream, held, size) if held else None

    def end_line(self) -> None:
        """Nothing follows on the last line, which has no end."""
        if self._rest is not None:
            cell, stream, held, _ = self._rest
            self._rest = None
            self._write(cell, stream, ["".join(held)])

    def close(self) -> None:
        """Nothing follows at all; the file stays, for who reads later."""
        self.end_line()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, cell: int, stream: str, lines: list[str]) -> None:
        if max(map(len, lines)) > HEAD + TAIL or any("\r" in each for each in lines):
            lines = [cut(_as_shown(each), HEAD, TAIL) for each in lines]
        told = {"at": clock.now(), "cell": cell, "stream": stream, "lines": lines}
        text = json.dumps(told, separators=(",", ":")).encode() + b"\n"
        with suppress(OSError):
            if self._file is None or self._size > LARGE:
                self._begin()
            assert self._file is not None
            self._size += os.write(self._file, text)
        self._lines += len(lines)

    def _begin(self) -> None:
        """A new file takes the place of the old one, which whoever reads it can read to its end."""
        new = self._path.with_name(f".{PRINTED}.new")
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC
        file = os.open(new, flags, 0o600)
        self._stretch += 1
        head = {"stretch": f"{self._attempt}.{self._stretch}", "before": self._lines}
        self._size = os.write(file, json.dumps(head).encode() + b"\n")
        new.replace(self._path)
        if self._file is not None:
            os.close(self._file)
        self._file = file


def _as_shown(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]
