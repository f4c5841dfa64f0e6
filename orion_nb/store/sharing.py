"""Which databases keep the files of their runs in one data folder: none may clear up for another.

A database that is named apart from its folder (`ORION_NB_DATABASE_URL`) may share it with others,
and none of them knows the runs of another, nor what those refer to.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from orion_nb.settings import DATABASE

#: The file in the data folder that lists those which are not the folder's own, one on a line.
LIST = "databases"


def note(home: Path, database: Path) -> None:
    """It is known from now on that this database uses the folder."""
    if database == home / DATABASE or database in _listed(home):
        return
    with suppress(OSError):  # who can't write there leaves no files either
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(home / LIST, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            os.write(handle, os.fsencode(database) + b"\n")
        finally:
            os.close(handle)


def others(home: Path, database: Path) -> list[Path]:
    """The other databases that use the folder and are there; not this one by another path."""
    found, real = dict.fromkeys([home / DATABASE, *_listed(home)]), database.resolve()
    return [each for each in found if each.is_file() and each.resolve() != real]


def _listed(home: Path) -> list[Path]:
    try:
        lines = (home / LIST).read_bytes().splitlines()
    except OSError:
        return []
    return [Path(os.fsdecode(line)) for line in lines if line]
