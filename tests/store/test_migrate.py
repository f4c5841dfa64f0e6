"""The schema: said once, made by a script or by migrations, upgraded wholly or not at all."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing

import pytest

from orion_nb.errors import StoreUnavailable
from orion_nb.store import generate as described
from orion_nb.store import migrate, statements
from orion_nb.store.database import Database
from orion_nb.store.schema import REVISION, SCHEMA_VERSION
from tests.waiting import until

NEXT = SCHEMA_VERSION + 1


def schema(path):
    """Everything in a database but its rows: normalized SQL by name, columns by table."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        ).fetchall()
        text = {
            name: " ".join(sql.replace("(", " ( ").replace(")", " ) ").split())
            for name, sql in rows
        }
        columns = {
            name: connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
            for name, sql in rows
            if sql.startswith("CREATE TABLE")
        }
        versions = connection.execute("SELECT * FROM alembic_version").fetchall()
        (stamp,) = connection.execute("PRAGMA user_version").fetchone()
    return text, columns, versions, stamp


@pytest.fixture
def made(tmp_path):
    """A new database with a row in it."""
    database = Database(tmp_path / "made.db")
    database.write(lambda tx: tx.execute("INSERT INTO reports VALUES (7, 'seven')"))
    database.close()
    return database.path


@pytest.fixture
def scripts(tmp_path):
    """A copy of the migrations, and how to add one to it."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))

    def add(revision, *statements):
        lines = [
            "from alembic import op",
            f"revision = '{revision:04}'",
            f"down_revision = '{revision - 1:04}'",
            "def upgrade():",
            *(f"    op.execute({statement!r})" for statement in statements),
        ]
        (folder / "versions" / f"r{revision:04}.py").write_text("\n".join(lines))
        return folder

    return add


def test_the_statements_are_those_that_the_tables_say():
    """`python -m orion_nb.store.generate` writes them."""
    generated = {}
    exec(described.statements(), generated)
    written = vars(statements)
    names = {name for name in generated if name.isupper()}
    assert {name: written[name] for name in names} == {name: generated[name] for name in names}
    assert {name for name in written if name.isupper()} == names


def test_migrations_make_the_schema_that_the_script_makes(tmp_path, made):
    path = tmp_path / "migrated.db"
    migrate.migrate(migrate.engine_of(path))
    assert schema(path) == schema(made)


def test_the_newest_migration_is_the_schema_that_the_code_expects():
    assert migrate.head() == REVISION
    assert int(REVISION) == SCHEMA_VERSION


def test_a_migrated_database_is_used_like_a_new_one(tmp_path):
    path = tmp_path / "migrated.db"
    migrate.migrate(migrate.engine_of(path))
    database = Database(path)
    database.write(lambda tx: tx.execute("INSERT INTO reports VALUES (7, 'seven')"))
    database.close()


def test_there_is_nothing_to_do_for_a_file_that_is_new(made):
    before = made.read_bytes()
    assert migrate.upgrade(made) is None
    assert made.read_bytes() == before


def test_a_file_of_an_older_schema_is_upgraded_and_a_copy_kept(made, scripts):
    more = "ALTER TABLE reports ADD COLUMN more TEXT"
    scripts(NEXT, more, "UPDATE reports SET more = 'x'")
    folder = scripts(NEXT + 1, "CREATE TABLE third (a)")
    copy = migrate.upgrade(made, folder)
    with closing(sqlite3.connect(made)) as connection:
        assert connection.execute("SELECT * FROM reports").fetchall() == [(7, "seven", "x")]
        assert connection.execute("PRAGMA user_version").fetchone() == (NEXT + 1,)
        assert connection.execute("SELECT * FROM third").fetchall() == []
    assert copy == made.with_name(f"made.db.before-{NEXT + 1:04}")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT * FROM reports").fetchall() == [(7, "seven")]
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert migrate.upgrade(made, folder) is None


@pytest.fixture
def first(tmp_path, scripts):
    """A file of the first release, with rows in every table."""
    folder = tmp_path / "first"
    shutil.copytree(tmp_path / "migrations", folder)
    for newer in folder.glob("versions/r*.py"):
        if not newer.name.startswith("r0001"):
            newer.unlink()
    path = tmp_path / "first.db"
    migrate.migrate(migrate.engine_of(path), folder)
    with closing(sqlite3.connect(path)) as connection:
        for table in tables(connection):
            columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
            for n in range(3):
                row = [bytes([n]) * 16 if kind == "BLOB" else n for _, _, kind, *_ in columns]
                marks = ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)
        connection.commit()
    return path


def tables(connection):
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [name for (name,) in rows if name != "alembic_version"]


def rows_of(path):
    """All rows by table, each as a dictionary."""
    with closing(sqlite3.connect(path)) as connection:
        names = tables(connection)
        connection.row_factory = sqlite3.Row
        return {
            name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]
            for name in names
        }


def test_a_file_of_the_first_release_keeps_all_its_rows(first, made):
    before = rows_of(first)
    assert all(len(rows) == 3 for rows in before.values())
    copy = migrate.upgrade(first)
    after = rows_of(first)
    added = {"edges": {"path": ""}, "runs": {"marks": None}, "sessions": {"beat": None}}
    for name, rows in before.items():
        assert after[name] == [row | added.get(name, {}) for row in rows]
    assert not any(rows for name, rows in after.items() if name not in before)
    assert schema(first) == schema(made)
    assert rows_of(copy) == before


def test_a_migration_that_fails_leaves_the_file_as_it_was(made, scripts):
    before = schema(made)
    scripts(NEXT, "CREATE TABLE second (a)")
    folder = scripts(NEXT + 1, "ALTER TABLE reports ADD COLUMN more TEXT", "CREATE NONSENSE")
    with pytest.raises(StoreUnavailable, match=r"made\.db.*NONSENSE"):
        migrate.upgrade(made, folder)
    assert schema(made) == before
    again = scripts(NEXT + 1, "ALTER TABLE reports ADD COLUMN more TEXT")
    assert migrate.upgrade(made, again)


def test_what_others_wrote_before_it_is_in_the_copy_and_nothing_is_lost(made, scripts):
    """A writer is at work until the lock is had; afterwards the file is none of its kind."""
    folder = scripts(NEXT, "ALTER TABLE reports ADD COLUMN more TEXT")
    database, written, refused = Database(made), [], []

    def write():
        n = 100
        while not refused:
            n += 1
            try:
                database.write(
                    lambda tx, n=n: tx.execute(
                        "INSERT INTO reports (digest, body) VALUES (?, '')", (n,)
                    )
                )
                written.append(n)
            except StoreUnavailable as error:
                refused.append(str(error))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: len(written) > 5)
        copy = migrate.upgrade(made, folder)
        writer.join(60)
        assert f"has schema {NEXT}, this orion_nb has {SCHEMA_VERSION}; upgrade" in refused[0]
    finally:
        refused.append("the test is over")
        writer.join()
        database.close()
    with closing(sqlite3.connect(made)) as now, closing(sqlite3.connect(copy)) as then:
        kept = [row[0] for row in now.execute("SELECT digest FROM reports WHERE digest > 100")]
        copied = [row[0] for row in then.execute("SELECT digest FROM reports WHERE digest > 100")]
        assert sorted(kept) == written
        assert sorted(copied) == written[: len(copied)]
        assert now.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_newer_file_is_refused(made, scripts):
    migrate.upgrade(made, scripts(NEXT, "CREATE TABLE second (a)"))
    with pytest.raises(StoreUnavailable, match=f"has schema {NEXT}, this orion_nb {REVISION}"):
        migrate.upgrade(made)


def test_a_file_that_is_not_there_or_no_database_is_refused(tmp_path):
    with pytest.raises(StoreUnavailable, match="is not there"):
        migrate.upgrade(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("What?" * 1000)
    with pytest.raises(StoreUnavailable, match="not a database"):
        migrate.upgrade(tmp_path / "text.db")


def test_an_older_file_is_not_opened_but_the_remedy_told(made):
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA user_version=-1")
    with pytest.raises(StoreUnavailable, match="run `orion-nb db upgrade`"):
        Database(made)
