"""The spool: sealed results on the local disk that have yet to reach their storage.

HOME/spool/<target>/target    the URL, as it was configured, for its owner alone
HOME/spool/<target>/<key>     a sealed result
HOME/spool/<target>/<key>.why why it was not taken, the last time somebody tried
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from orion_nb.schemas.values import frozen
from orion_nb.store.blobs import public
from orion_nb.store.envelopes import key_of, write_new

KEY = 64  # characters
#: Bytes that may wait; beyond, results are not kept rather than the disk be filled.
MOST = 1 << 30


@frozen
class Problem:
    """A result that is not where it belongs: since when (microseconds, UTC), and why.

    `url` is where it is to go. `tries` is 0 as long as nobody has tried to take it there.
    """

    key: str
    url: str
    size: int
    since: int
    reason: str
    tries: int = 0


@frozen
class Entry:
    """One spooled result; `url` may carry a password."""

    url: str
    path: Path
    size: int
    since: int

    @property
    def key(self) -> str:
        return self.path.name

    def read(self) -> bytes | None:
        """Its bytes; None when somebody else has taken it meanwhile, or they were damaged."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        if key_of(data) != self.key:
            raise ValueError("the spooled bytes are damaged: their SHA-256 is another")
        return data


class Spool:
    """One data folder's spool. Several processes may use it at once."""

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self._folder, self._most = folder, most
        self._size = -1

    def add(self, url: str, key: str, data: bytes) -> None:
        """The data lies in the spool, whole, when this returns.

        Raises:
            OSError: it can't be written, or the spool is full.
        """
        self._make_room(len(data))
        folder = self._of(url)
        path = folder / key
        if path.exists():
            return
        if not (folder / "target").exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            _write(folder / "target", url.encode())
        _write(path, data)
        self._size += len(data)

    def find(self, url: str, key: str) -> Path | None:
        path = self._of(url) / key
        return path if path.exists() else None

    def entries(self) -> list[Entry]:
        """What waits, the oldest first."""
        found: list[Entry] = []
        for target in sorted(self._folder.glob("*/target")):
            url = target.read_text(encoding="utf-8")
            with suppress(FileNotFoundError), os.scandir(target.parent) as files:
                for file in files:
                    if len(file.name) == KEY:
                        found.extend(_entry(url, file))
        found.sort(key=lambda entry: entry.since)
        self._size = sum(entry.size for entry in found)
        return found

    def problems(self) -> list[Problem]:
        """Each entry, and why it is still here."""
        entries = self.entries()
        whys = {entry.path: _why(entry) for entry in entries}
        last: dict[str, str] = {}
        for entry in entries:
            last[entry.url] = whys[entry.path][0] or last.get(entry.url, "")
        waiting = "waits to be taken there"
        return [
            Problem(
                key=entry.key,
                url=public(entry.url),
                size=entry.size,
                since=entry.since,
                reason=whys[entry.path][0] or last[entry.url] or waiting,
                tries=whys[entry.path][1],
            )
            for entry in entries
        ]

    def note(self, entry: Entry, reason: str) -> None:
        """The entry stays, for this reason. Best effort: it is worth no failure."""
        tries = _why(entry)[1] + 1
        with suppress(OSError):
            if entry.path.exists():
                told = json.dumps({"reason": reason, "tries": tries})
                _write(_why_path(entry), told.encode())

    def remove(self, entry: Entry) -> None:
        """The entry is where it belongs."""
        entry.path.unlink(missing_ok=True)
        _why_path(entry).unlink(missing_ok=True)
        self._size -= entry.size

    def _of(self, url: str) -> Path:
        return self._folder / sha256(url.encode()).hexdigest()[:16]

    def _make_room(self, size: int) -> None:
        if self._size < 0 or self._size + size > self._most:
            self.entries()  # others take things out, too
        if self._size + size > self._most:
            raise OSError(f"the spool is full: {self._size} bytes wait in {self._folder}")


def _entry(url: str, file: os.DirEntry[str]) -> list[Entry]:
    try:
        status = file.stat()
    except FileNotFoundError:
        return []
    return [Entry(url, Path(file.path), status.st_size, status.st_mtime_ns // 1000)]


def _why_path(entry: Entry) -> Path:
    return entry.path.with_name(f"{entry.key}.why")


def _why(entry: Entry) -> tuple[str, int]:
    try:
        told = json.loads(_why_path(entry).read_text(encoding="utf-8"))
        return str(told["reason"]), int(told["tries"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f".draft-{secrets.token_hex(8)}")
    write_new(draft, data)
    try:
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
