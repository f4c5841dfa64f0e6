"""Caches, limits, pauses, pins, logs, artifacts, kept inputs, problems; edges with a path."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

#: Made anew, since SQLite can't change a primary key and would write added columns elsewhere.
REMADE = {
    "edges": """CREATE TABLE edges (
    run BLOB NOT NULL,
    upstream BLOB NOT NULL,
    path TEXT NOT NULL,
    PRIMARY KEY (run, upstream, path)
) WITHOUT ROWID""",
    "runs": """CREATE TABLE runs (
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    run_name TEXT,
    "key" TEXT,
    parent BLOB,
    root BLOB NOT NULL,
    deployment BLOB,
    slot INTEGER,
    state_type TEXT NOT NULL,
    state_name TEXT NOT NULL,
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    token TEXT,
    run_count INTEGER NOT NULL,
    created INTEGER NOT NULL,
    scheduled_time INTEGER,
    start_time INTEGER,
    end_time INTEGER,
    total_time INTEGER NOT NULL,
    policy TEXT,
    tags TEXT,
    parameters TEXT,
    session BLOB,
    blocked TEXT,
    state_n INTEGER NOT NULL,
    marks TEXT,
    PRIMARY KEY (id)
) WITHOUT ROWID""",
    "sessions": """CREATE TABLE sessions (
    id BLOB NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_start TEXT,
    label TEXT,
    started INTEGER NOT NULL,
    ended INTEGER,
    reaped INTEGER,
    beat INTEGER,
    PRIMARY KEY (id)
) WITHOUT ROWID""",
}
NEW = (
    """CREATE TABLE artifacts (
    id BLOB NOT NULL,
    run BLOB NOT NULL,
    "key" TEXT,
    description TEXT,
    created INTEGER NOT NULL,
    size INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (id)
) WITHOUT ROWID""",
    """CREATE INDEX artifacts_by_key ON artifacts ("key", id) WHERE "key" IS NOT NULL""",
    """CREATE INDEX artifacts_of_run ON artifacts (run)""",
    """CREATE TABLE cache_keys (
    cache_key TEXT NOT NULL,
    task TEXT NOT NULL,
    parts TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (cache_key)
) WITHOUT ROWID""",
    """CREATE INDEX cache_keys_of_task ON cache_keys (task, created)""",
    """CREATE INDEX edges_downstream ON edges (upstream)""",
    """CREATE TABLE inputs (
    run BLOB NOT NULL,
    reference TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (run)
) WITHOUT ROWID""",
    """CREATE TABLE limits (
    name TEXT NOT NULL,
    slots INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID""",
    """CREATE TABLE logs (
    n INTEGER NOT NULL,
    run BLOB NOT NULL,
    timestamp INTEGER NOT NULL,
    level INTEGER NOT NULL,
    logger TEXT,
    message TEXT NOT NULL,
    PRIMARY KEY (n)
)""",
    """CREATE INDEX logs_of_run ON logs (run, n)""",
    """CREATE TABLE pauses (
    run BLOB NOT NULL,
    "key" TEXT NOT NULL,
    message TEXT,
    schema TEXT,
    until INTEGER,
    asked INTEGER NOT NULL,
    input TEXT,
    resumed INTEGER,
    "by" TEXT,
    PRIMARY KEY (run, "key")
) WITHOUT ROWID""",
    """CREATE TABLE pins (
    run BLOB NOT NULL,
    why TEXT,
    created INTEGER NOT NULL,
    PRIMARY KEY (run)
) WITHOUT ROWID""",
    """CREATE TABLE problems (
    run BLOB NOT NULL,
    what TEXT NOT NULL,
    reason TEXT NOT NULL,
    reference TEXT,
    created INTEGER NOT NULL,
    PRIMARY KEY (run, what)
) WITHOUT ROWID""",
    """CREATE TABLE requests (
    "key" TEXT NOT NULL,
    route TEXT NOT NULL,
    digest TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY ("key")
) WITHOUT ROWID""",
    """CREATE INDEX requests_by_age ON requests (created)""",
    """CREATE INDEX states_by_cache_key ON states (cache_key, name, n)
WHERE cache_key IS NOT NULL""",
    """CREATE TABLE uses (
    limit_name TEXT NOT NULL,
    run BLOB NOT NULL,
    PRIMARY KEY (limit_name, run)
) WITHOUT ROWID""",
    """CREATE INDEX uses_of_run ON uses (run)""",
    """CREATE INDEX runs_active ON runs (state_type, scheduled_time)
WHERE end_time IS NULL AND parent IS NULL""",
    """CREATE INDEX runs_by_root ON runs (root, id)""",
    """CREATE INDEX runs_of_flows ON runs (id) WHERE kind = 'flow'""",
    """CREATE UNIQUE INDEX runs_one_per_slot ON runs (deployment, slot)
WHERE deployment IS NOT NULL""",
    """CREATE INDEX sessions_open ON sessions (id) WHERE reaped IS NULL""",
)


def upgrade() -> None:
    connection = op.get_bind()
    for table, statement in REMADE.items():
        told = connection.exec_driver_sql(f"PRAGMA table_info({table})").fetchall()
        columns = ", ".join(f'"{column[1]}"' for column in told)
        op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
        op.execute(statement)
        extra = (", path", ", ''") if table == "edges" else ("", "")
        op.execute(
            f"INSERT INTO {table} ({columns}{extra[0]}) SELECT {columns}{extra[1]} "
            f"FROM {table}_before"
        )
        op.execute(f"DROP TABLE {table}_before")
    for statement in NEW:
        op.execute(statement)
