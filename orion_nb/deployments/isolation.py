"""The folder of an isolated run: a copy of the one that it would work in, made for each attempt."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from orion_nb.deployments.surroundings import PASSED
from orion_nb.errors import InvalidInput

#: In the folder of the run.
WORK = "work"
#: A folder with more than that is not copied: so many bytes, so many files and folders.
LARGEST = 100 * 1024 * 1024
MOST = 20_000


def workplace(folder: Path, cwd: Path, *, isolated: bool) -> Path:
    """Where an attempt works: `cwd` itself, or a new copy of it in the run's own `folder`.

    Of an earlier attempt nothing stays. What begins with a dot and the folders of tools are not
    copied; links stay links.

    Raises:
        InvalidInput: there is no such folder, or it holds too much to be copied.
        OSError: it can't be copied.
    """
    if not cwd.is_dir():
        raise InvalidInput(f"cwd: {str(cwd)!r} is no folder", field="cwd")
    if not isolated:
        return cwd
    copy, but = folder / WORK, folder.parent.parent
    _check_size(cwd, but)
    shutil.rmtree(copy, ignore_errors=True)

    def left_out(inside: str, names: Iterable[str]) -> set[str]:
        return {name for name in names if _is_left_out(Path(inside) / name, but)}

    shutil.copytree(cwd, copy, symlinks=True, ignore=left_out)
    return copy


def _is_left_out(path: Path, but: Path) -> bool:
    """It is hidden, of a tool, no ordinary file or folder, or our own data."""
    special = not (path.is_symlink() or path.is_file() or path.is_dir())
    return path.name.startswith(".") or path.name in PASSED or special or path == but


def _check_size(cwd: Path, but: Path) -> None:
    size = count = 0
    for inside, folders, names in os.walk(cwd):
        here = Path(inside)
        folders[:] = [name for name in folders if not _is_left_out(here / name, but)]
        files = [here / name for name in names if not _is_left_out(here / name, but)]
        size += sum(path.lstat().st_size for path in files)
        count += len(folders) + len(files)
        if size > LARGEST or count > MOST:
            says = f"isolated: {str(cwd)!r} holds more than 100 MiB or {MOST} files; name a smaller"
            raise InvalidInput(f"{says} folder with cwd", field="isolated")
