"""What a notebook was executed by, and the files that it left: recorded with its run."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from orion_nb.api.orion import Orion
from orion_nb.errors import OrionError

Json = dict[str, Any]

#: At most so many files are recorded, with a hash as long as they have together so many bytes;
#: and so many are looked at.
FILES = 200
HASHED = 100 * 1024 * 1024
LOOKED_AT = 20_000
#: Folders of tools, in which nothing is a notebook's work; so are those that begin with a dot.
PASSED = {"__pycache__", "node_modules", "site-packages"}
#: By this key the files of several runs are versions of one list.
KEY = "files-written"


def environment(kernel: str, argv: list[str], cwd: Path) -> Json:
    """The interpreter, the packages it has (a hash of their names and versions), and where."""
    python = Path(argv[0] if argv else "")
    if argv and python.name == argv[0] and python.name.startswith("python"):
        python = Path(sys.executable)  # as Jupyter reads it
    packages = sorted(_packages(python.parent.parent)) if "python" in python.name else []
    return {
        "kernel": kernel,
        "interpreter": str(python),
        "packages": len(packages),
        "packages_sha256": hashlib.sha256("\n".join(packages).encode()).hexdigest(),
        "host": platform.node(),
        "system": platform.platform(),
        "cwd": str(cwd),
        "git": _commit(cwd),
    }


def record_files(orion: Orion, run_id: str, cwd: Path, since: int) -> None:
    """The files below `cwd` written since then (nanoseconds) are listed as an artifact."""
    found, more = _written(cwd, since, orion.settings.home)
    if not found:
        return
    rows = [f"| {_cell(each['path'])} | {each['size']:,} |" for each in found]
    table = "\n".join([f"In `{cwd}`:", "", "| file | bytes |", "| --- | ---: |", *rows])
    data = {"application/json": {"folder": str(cwd), "files": found}, "text/markdown": table}
    notes = ["there are more: at most 200 are listed"] if more else []
    with suppress(OrionError):
        told = f"{len(found)} file{'s' * (len(found) != 1)} written in {cwd}"
        orion.add_artifact(run_id, data, key=KEY, description=told, notes=notes)


def _written(cwd: Path, since: int, but: Path) -> tuple[list[Json], bool]:
    """The files in order of their paths, not those in the folder `but`; whether there are more."""
    every = _files(cwd, str(but))
    fresh = [(path, status) for path, status in every if status.st_ctime_ns >= since]
    found, room = [], HASHED
    for path, status in sorted(fresh)[:FILES]:
        room -= status.st_size
        told = {"path": _shown(os.path.relpath(path, cwd)), "size": status.st_size, "sha256": None}
        if room >= 0:
            with suppress(OSError), open(path, "rb") as file:
                told["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
        found.append(told)
    return found, len(fresh) > FILES


def _shown(path: str) -> str:
    """The path as a text; a name may be any bytes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _files(cwd: Path, but: str) -> Iterator[tuple[str, os.stat_result]]:
    """Ordinary files, not those of tools; of a large folder the first ones."""
    seen = 0
    for folder, folders, names in os.walk(cwd):
        entered = (n for n in folders if n not in PASSED and not n.startswith("."))
        folders[:] = sorted(n for n in entered if os.path.join(folder, n) != but)
        for name in sorted(names):
            seen += 1
            if seen > LOOKED_AT:
                return
            path = os.path.join(folder, name)
            with suppress(OSError):
                status = os.lstat(path)
                if os.path.isfile(path) and not os.path.islink(path):
                    yield path, status


def _packages(prefix: Path) -> Iterator[str]:
    """What is installed below a prefix, as `name-version`."""
    for found in prefix.glob("lib*/python*/site-packages"):
        with suppress(OSError):
            yield from (each[:-10] for each in os.listdir(found) if each.endswith(".dist-info"))


def _commit(folder: Path) -> str | None:
    """The commit that is checked out where the folder is, read as git keeps it."""
    for parent in (folder, *folder.parents):
        head = parent / ".git" / "HEAD"
        with suppress(OSError, UnicodeDecodeError):
            told = head.read_text(encoding="ascii").strip()
            name = told.removeprefix("ref: ")
            return told if name == told else (parent / ".git" / name).read_text().strip()
        if head.parent.exists():
            return None
    return None


def _cell(text: str) -> str:
    return "`" + text.replace("|", "¦").replace("`", "'").replace("\n", " ") + "`"
