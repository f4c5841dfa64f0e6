"""Which version of which file each attempt of a run executed; and copies of files, by content."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path
from typing import Any

from orion_nb.errors import InvalidNotebook, StoreUnavailable

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
        path = self.path(sha256)
        try:
            if not path.is_file() or path.read_bytes() != text:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                temporary = path.with_name(f".{sha256}.{os.getpid()}")
                handle = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
                with open(handle, "wb") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
        except OSError as error:
            raise StoreUnavailable(f"{path} can't be written: {error}") from error
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

    def path(self, sha256: str) -> Path:
        return self.folder / sha256
