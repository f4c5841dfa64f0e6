"""Brings the file of an older orion_nb to this one's schema: `orion-nb db upgrade`.

A new file is made by the script in `statements.py`; the migrations, run one after the other from
an empty file, make the same (a test compares them). All of them run in one transaction, and a copy
of the file is kept.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from orion_nb.errors import StoreUnavailable
from orion_nb.store.checkpoints import Checkpoints
from orion_nb.store.connections import connect, trouble

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Engine

MIGRATIONS = Path(__file__).with_name("migrations")


def upgrade(path: Path, scripts: Path = MIGRATIONS) -> Path | None:
    """The file has the newest schema; answers the copy that was made before, None if it had it.

    Raises:
        StoreUnavailable: there is no such file, it is damaged, or newer than this orion_nb. The
            file is as it was.
    """
    from sqlalchemy.exc import DBAPIError

    if not path.is_file():
        raise StoreUnavailable(f"database {path} is not there; it is made when first used")
    try:
        with closing(connect(path, "full")) as reader:
            return _upgrade(path, reader, scripts)
    except sqlite3.Error as error:
        raise trouble(path, error) from error
    except DBAPIError as error:
        cause = error.orig if isinstance(error.orig, sqlite3.Error) else error
        raise trouble(path, cause) from error


def head(scripts: Path = MIGRATIONS) -> str:
    """The newest revision, a number as text; user_version is the same number."""
    from alembic.script import ScriptDirectory

    found = ScriptDirectory.from_config(_config(scripts)).get_current_head()
    assert found is not None, f"no migrations in {scripts}"
    return found


def migrate(engine: Engine, scripts: Path = MIGRATIONS) -> None:
    """All migrations that the file has not seen are run, in one transaction."""
    from alembic import command

    config = _config(scripts)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.exec_driver_sql(f"PRAGMA user_version={int(head(scripts))}")


def engine_of(path: Path) -> Engine:
    """An engine whose transactions begin by taking the lock: one that fails leaves nothing."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    engine = create_engine("sqlite://", creator=lambda: connect(path, "full"), poolclass=NullPool)
    event.listen(engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _upgrade(path: Path, reader: sqlite3.Connection, scripts: Path) -> Path | None:
    newest = head(scripts)
    found = int(reader.execute("PRAGMA user_version").fetchone()[0])
    if found == int(newest):
        return None
    if not 0 < found < int(newest):
        raise StoreUnavailable(f"database {path} has schema {found}, this orion_nb {newest}")
    if (health := reader.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise StoreUnavailable(f"database {path} is damaged: {health}; put a backup in its place")
    copy = path.with_name(f"{path.name}.before-{newest}")
    engine, checkpoints = engine_of(path), Checkpoints(path)
    _keep_a_copy_first(engine, reader, copy)
    checkpoints.enter_write()
    try:
        migrate(engine, scripts)
    finally:
        checkpoints.close()
        engine.dispose()
    return copy


def _keep_a_copy_first(engine: Engine, reader: sqlite3.Connection, copy: Path) -> None:
    """Once the lock is had, the file is copied: nobody can write between copy and migration."""
    from sqlalchemy import event

    @event.listens_for(engine, "begin")
    def keep(_: object) -> None:
        with closing(sqlite3.connect(copy)) as target:
            reader.backup(target)


def _config(scripts: Path) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
