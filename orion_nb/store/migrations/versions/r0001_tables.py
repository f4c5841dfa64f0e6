"""The tables of the first release."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE deployments (
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    spec TEXT NOT NULL,
    paused INTEGER NOT NULL,
    next_due INTEGER,
    revision INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
) WITHOUT ROWID""",
    """CREATE INDEX deployments_due ON deployments (next_due) WHERE paused = 0""",
    """CREATE TABLE edges (
    run BLOB NOT NULL,
    upstream BLOB NOT NULL,
    PRIMARY KEY (run, upstream)
) WITHOUT ROWID""",
    """CREATE TABLE reports (
    digest INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (digest)
)""",
    """CREATE TABLE runs (
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
    PRIMARY KEY (id)
) WITHOUT ROWID""",
    """CREATE INDEX runs_active
ON runs (state_type, scheduled_time)
WHERE end_time IS NULL AND parent IS NULL""",
    """CREATE INDEX runs_by_root ON runs (root, id)""",
    """CREATE INDEX runs_of_flows ON runs (id) WHERE kind = 'flow'""",
    """CREATE UNIQUE INDEX runs_one_per_slot
ON runs (deployment, slot)
WHERE deployment IS NOT NULL""",
    """CREATE TABLE session_roots (
    session BLOB NOT NULL,
    root BLOB NOT NULL,
    PRIMARY KEY (session, root)
) WITHOUT ROWID""",
    """CREATE TABLE sessions (
    id BLOB NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    pid_start TEXT,
    label TEXT,
    started INTEGER NOT NULL,
    ended INTEGER,
    reaped INTEGER,
    PRIMARY KEY (id)
) WITHOUT ROWID""",
    """CREATE INDEX sessions_open ON sessions (id) WHERE reaped IS NULL""",
    """CREATE TABLE states (
    n INTEGER NOT NULL,
    run BLOB NOT NULL,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    message TEXT,
    reason TEXT,
    scheduled_time INTEGER,
    cache_key TEXT,
    result TEXT,
    proposer TEXT,
    transition_id TEXT,
    report INTEGER,
    prev INTEGER,
    PRIMARY KEY (n)
)""",
    """CREATE UNIQUE INDEX states_by_transition
ON states (run, transition_id)
WHERE transition_id IS NOT NULL""",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
