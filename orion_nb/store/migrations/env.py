"""What Alembic asks for: runs the migrations on the connection that `migrate` gives it."""

from __future__ import annotations

from alembic import context

from orion_nb.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
