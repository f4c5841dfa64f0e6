"""Notifications, the health of loops, versions that runs executed; indexes for searches."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

NEW = (
    """CREATE TABLE deliveries (
    id BLOB NOT NULL,
    notification BLOB NOT NULL,
    cause TEXT NOT NULL,
    condition TEXT NOT NULL,
    run BLOB,
    n INTEGER,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due INTEGER,
    session BLOB,
    payload TEXT,
    error TEXT,
    created INTEGER NOT NULL,
    ended INTEGER,
    PRIMARY KEY (id)
)
 WITHOUT ROWID""",
    """CREATE INDEX deliveries_due ON deliveries (due) WHERE status = 'waiting'""",
    """CREATE UNIQUE INDEX deliveries_once ON deliveries (notification, cause)""",
    """CREATE TABLE notifications (
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    deployment BLOB,
    spec TEXT NOT NULL,
    paused INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
)
 WITHOUT ROWID""",
    """CREATE TABLE run_sources (
    run BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    track TEXT NOT NULL,
    PRIMARY KEY (run, attempt)
)
 WITHOUT ROWID""",
    """CREATE TABLE services (
    session BLOB NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    failures INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (session, name)
)
 WITHOUT ROWID""",
)
#: One index has more columns than it had; two more are for runs that end badly and deployments.
INDEXES = (
    "DROP INDEX runs_of_flows",
    """CREATE INDEX runs_of_flows ON runs (id, kind, state_type, state_name, scheduled_time,
created, end_time, name, run_name, deployment, parent) WHERE kind = 'flow'""",
    """CREATE INDEX runs_of_deployment ON runs (deployment, id) WHERE deployment IS NOT NULL""",
    """CREATE INDEX runs_ended_badly ON runs (state_type, id, state_name, kind, scheduled_time,
end_time, parent) WHERE end_time IS NOT NULL AND state_type != 'COMPLETED'""",
)


def upgrade() -> None:
    for statement in (*NEW, *INDEXES):
        op.execute(statement)
