"""Sessions of this process that look like those of another one."""

from __future__ import annotations


def alter_session(orion, run, **columns):
    """Makes the session of a run look like that of another process."""
    key = bytes.fromhex(orion.find(run.id).session)
    for column, value in columns.items():
        sql = f"UPDATE sessions SET {column} = ? WHERE id = ?"
        orion.database.write(lambda tx, s=sql, v=value: tx.execute(s, (v, key)))
