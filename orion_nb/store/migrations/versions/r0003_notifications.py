"""Notifications, their deliveries, and the health of the loops of servers and workers."""

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


def upgrade() -> None:
    for statement in NEW:
        op.execute(statement)
