"""The folder of a kernel's sockets: ours alone, and gone with its runner however that ends."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from orion_nb import clock

if sys.platform != "win32":
    import fcntl

PREFIX = "orion-kernel-"
#: Bytes: the system takes 104 for a socket's address, where it takes the fewest (macOS).
LONGEST_FOLDER = 80
#: As long as somebody holds a lock on this file, the folder is in use.
OWNER = "owner"
#: A folder without that file is being made, or was left so many seconds ago.
OLD = 60.0


class SocketFolder:
    """A new folder that only we may enter, with a name short enough for a socket's address."""

    def __init__(self) -> None:
        self._handle: int | None = None
        while not self._is_made():
            pass

    def remove(self) -> None:
        """It is gone with all in it; safe to call twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _is_made(self) -> bool:
        """False if it was taken for abandoned before it was locked."""
        self.path = _new_folder()
        if sys.platform == "win32":
            return True
        owner = self.path / OWNER
        try:
            self._handle = os.open(owner, os.O_CREAT | os.O_RDWR, 0o600)
        except FileNotFoundError:
            return False
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        if owner.exists():
            return True
        os.close(self._handle)
        return False


def remove_abandoned() -> int:
    """The folders of runners that died without a word are removed; answers how many."""
    if sys.platform == "win32":
        return 0
    places = dict.fromkeys((Path(tempfile.gettempdir()), Path("/tmp")))
    found = [folder for place in places for folder in place.glob(f"{PREFIX}*")]
    return sum(_is_removed(folder) for folder in found)


def _is_removed(folder: Path) -> bool:
    if sys.platform == "win32":
        return False
    with suppress(OSError):
        about = folder.lstat()
        if about.st_uid != os.geteuid() or folder.is_symlink():
            return False
        try:
            handle = os.open(folder / OWNER, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            if clock.now() / clock.SECOND - about.st_mtime < OLD:
                return False
            shutil.rmtree(folder, ignore_errors=True)
            return True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
            return True
        finally:
            os.close(handle)
    return False


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    if len(os.fsencode(folder)) <= LONGEST_FOLDER or not Path("/tmp").is_dir():
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
