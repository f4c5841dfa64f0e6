"""Copies of the database: made while others write, checked, put back."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from orion_nb.errors import Conflict, InvalidInput
from orion_nb.schemas.values import frozen
from orion_nb.store import sessions
from orion_nb.store.connections import connect, is_locked, trouble
from orion_nb.store.filesystems import journal_mode
from orion_nb.store.schema import SCHEMA_VERSION

#: Pages that are copied at a time; between two steps others may write.
STEP = 2000
#: The files that SQLite keeps beside a database.
BESIDE = ("-wal", "-shm", "-journal")
_OLDEST = 1


@frozen
class Copy:
    """A copy of a database that was found whole: its schema, size in bytes, and number of runs."""

    path: Path
    schema: int
    size: int
    runs: int


def back_up(source: Path, target: Path) -> Copy:
    """The database is copied as it is at one moment, while others go on writing.

    The copy appears under its name when it is complete and was found whole.

    Raises:
        StoreUnavailable: one of the files can't be read or written, or the copy is damaged.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        with closing(connect(source, "full")) as reader, closing(sqlite3.connect(draft)) as writer:
            # One read transaction: without it each write of others starts the copy anew.
            reader.execute("BEGIN")
            reader.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
            reader.backup(writer, pages=STEP)
        found = _examined(draft)
        _sync(draft)
        os.replace(draft, target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise trouble(target, error) from error
    finally:
        _remove(draft)
    return Copy(target, found.schema, found.size, found.runs)


def check(path: Path) -> Copy:
    """The file is a whole database of ours; every page of it was read.

    Raises:
        InvalidInput: it is not there, damaged, or something else.
    """
    if not path.is_file():
        raise InvalidInput(f"file: there is no file {str(path)!r}", field="file")
    try:
        return _examined(path)
    except (OSError, sqlite3.Error) as error:
        says = f"file: {str(path)!r} is no backup, or a damaged one: {error}; name another one"
        raise InvalidInput(says, field="file") from error


def _examined(path: Path) -> Copy:
    """Raises OSError, sqlite3.Error: it is no whole database of ours, or can't be read."""
    with closing(_reader(path)) as reader:
        told = reader.execute("PRAGMA integrity_check(1)").fetchone()[0]
        schema = int(reader.execute("PRAGMA user_version").fetchone()[0])
        runs = int(reader.execute("SELECT count(*) FROM runs").fetchone()[0])
    if told != "ok":
        damaged = sqlite3.DatabaseError(told)
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damaged
    return Copy(path, schema, path.stat().st_size, runs)


def restore(copy: Path, target: Path) -> Path | None:
    """The copy is the database from now on; answers where the file is that was there before.

    Raises:
        Conflict: a process is using the database.
        InvalidInput: the copy is the database, damaged, or of a newer schema than this orion_nb.
        StoreUnavailable: a file can't be read or written.
    """
    if copy.absolute() == target.absolute():
        raise InvalidInput(f"file: {str(copy)!r} is the database itself", field="file")
    found = check(copy)
    if not _OLDEST <= found.schema <= SCHEMA_VERSION:
        says = f"file: {str(copy)!r} has schema {found.schema}, this orion_nb {SCHEMA_VERSION}"
        raise InvalidInput(says, field="file")
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _copy(copy, draft, journal_mode(target))
        with _alone(target):
            aside = _put_aside(target)
            os.replace(draft, target)
            _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise trouble(target, error) from error
    finally:
        _remove(draft)
    return aside


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """No process is using the database; it may well be damaged.

    Raises:
        Conflict: some process is.
    """
    if not target.exists():
        yield
        return
    with suppress(sqlite3.DatabaseError), closing(connect(target, "full")) as connection:
        _refuse_users(target, connection)
        # Only who is alone with a file can change its journal; the log is then part of the file.
        connection.execute("PRAGMA busy_timeout=1000")
        try:
            connection.execute("PRAGMA journal_mode=delete")
        except sqlite3.OperationalError as error:
            if is_locked(error):
                raise Conflict(f"database {target} is in use; stop all that uses it") from error
    yield


def _refuse_users(target: Path, connection: sqlite3.Connection) -> None:
    try:
        found = sessions.unsettled(connection)
    except sqlite3.Error:
        return  # it can't be read: nobody can work with it
    living = [each for each in found if each.is_alive]
    if living:
        told = ", ".join(
            f"{each.label or 'a process'} (pid {each.pid} on {each.host})" for each in living[:5]
        )
        raise Conflict(f"database {target} is in use by {told}; stop that first")


def _put_aside(target: Path) -> Path | None:
    """The file, and what SQLite keeps beside it, get other names of their own."""
    if not target.exists():
        return None
    number = 1
    while (aside := target.with_name(f"{target.name}.replaced-{number}")).exists():
        number += 1
    for end in BESIDE:
        with suppress(FileNotFoundError):
            os.replace(f"{target}{end}", f"{aside}{end}")
    os.replace(target, aside)
    return aside


def _copy(source: Path, target: Path, journal: str) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    with closing(_reader(source)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)
        writer.execute(f"PRAGMA journal_mode={journal}")
    _sync(target)


def _reader(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing, not even beside a file on a disk that can't be written."""
    log = Path(f"{path}-wal")
    mode = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True)


def _remove(draft: Path) -> None:
    for end in ("", *BESIDE):
        Path(f"{draft}{end}").unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with suppress(OSError):  # not every system lets folders be opened
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
