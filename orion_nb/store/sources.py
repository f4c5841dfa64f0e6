"""Which version of which file each attempt of a run executed; and copies of files, by content."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import sqlite3
from pathlib import Path
from typing import Any

from orion_nb.errors import InvalidNotebook, StoreUnavailable

#: What a copy is called.
NAME = re.compile("[0-9a-f]{64}")
_INSERT = (
    "INSERT OR REPLACE INTO run_sources (run, attempt, path, sha256, track) VALUES (?,?,?,?,?)"
)
_LATEST = "SELECT path, sha256, track FROM run_sources WHERE run=? ORDER BY attempt DESC LIMIT 1"


def note(
    tx: sqlite3.Connection, run_id: str, attempt: int, path: str, sha256: str, track: str
) -> None:
    tx.execute(_INSERT, (bytes.fromhex(run_id), attempt, path, sha256, track))


def latest(connection: sqlite3.Connection, run_id: str) -> dict[str, Any] | None:
    """What the run's last attempt executed."""
    row = connection.execute(_LATEST, (bytes.fromhex(run_id),)).fetchone()
    return None if row is None else dict(zip(("path", "sha256", "track"), row, strict=True))


class Copies:
    """Copies of files in a folder that only its owner may look into, named by their SHA-256."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, text: bytes) -> str:
        """The SHA-256 of the text, of which there is a copy now.

        Raises:
            StoreUnavailable: it can't be written.
        """
        sha256 = hashlib.sha256(text).hexdigest()
        try:
            if not self.touch(sha256) or not self._holds(sha256, text):
                self._write(sha256, text)
        except OSError as error:
            raise StoreUnavailable(f"{self.path(sha256)} can't be written: {error}") from error
        return sha256

    def read(self, sha256: str) -> bytes:
        """The text with this SHA-256.

        Raises:
            InvalidNotebook: its copy is gone, or is not what it was.
        """
        try:
            text = self.path(sha256).read_bytes()
        except OSError as error:
            says = f"track: the pinned copy {sha256[:12]} can't be read; pin it again: {error}"
            raise InvalidNotebook(says, field="track") from error
        if hashlib.sha256(text).hexdigest() != sha256:
            says = f"track: the pinned copy {sha256[:12]} was changed; pin it again"
            raise InvalidNotebook(says, field="track")
        return text

    def touch(self, sha256: str) -> bool:
        """It is about to be referred to, and stays for now; False if there is no such copy."""
        try:
            os.utime(self.path(sha256))
        except FileNotFoundError:
            return False
        return True

    def names(self) -> list[str]:
        """The SHA-256s of the copies there are."""
        try:
            return [name for name in os.listdir(self.folder) if NAME.fullmatch(name)]
        except OSError:
            return []

    def remove(self, sha256: str, before: float) -> bool:
        """The copy is gone, unless it was touched since then (seconds since the epoch).

        Whoever touches it meanwhile either comes first, and it stays, or sees that it is gone: it
        is looked at once more after it was moved away.
        """
        path, aside = self.path(sha256), self.folder / f".gone.{sha256}.{os.getpid()}"
        try:
            if path.stat().st_mtime >= before:
                return False
            path.replace(aside)
            if aside.stat().st_mtime >= before:
                aside.replace(path)
                return False
            aside.unlink()
        except OSError:
            return False
        return True

    def _holds(self, sha256: str, text: bytes) -> bool:
        try:
            return self.path(sha256).read_bytes() == text
        except FileNotFoundError:
            return False

    def _write(self, sha256: str, text: bytes) -> None:
        from orion_nb.store.envelopes import write_new

        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Another thread, or a process in another container, may be writing the same copy.
        temporary = self.folder / f".{sha256}.{secrets.token_hex(8)}"
        write_new(temporary, text, sync=True)
        try:
            temporary.replace(self.path(sha256))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def path(self, sha256: str) -> Path:
        return self.folder / sha256
