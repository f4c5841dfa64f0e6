"""The tables, described once; `python -m orion_nb.store.generate` writes `statements.py` from them.

Kernels run the generated text through the plain sqlite3 driver and never import SQLAlchemy;
migrations and tests use this metadata. All times are microseconds since the epoch, UTC.
"""

from __future__ import annotations

from sqlalchemy import BLOB, Column, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()

#: The columns of the index of runs that ended and did not complete.
BAD_BY = ("state_type", "id", "state_name", "kind", "scheduled_time", "end_time", "parent")
#: The columns of the index of flow runs.
FLOWS_BY = (
    *("id", "kind", "state_type", "state_name", "scheduled_time", "created", "end_time"),
    *("name", "run_name", "deployment", "parent"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", BLOB, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("run_name", Text),
    Column("key", Text),
    Column("parent", BLOB),
    Column("root", BLOB, nullable=False),
    Column("deployment", BLOB),
    Column("slot", Integer),
    Column("state_type", Text, nullable=False),
    Column("state_name", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("token", Text),
    Column("run_count", Integer, nullable=False),
    Column("created", Integer, nullable=False),
    Column("scheduled_time", Integer),
    Column("start_time", Integer),
    Column("end_time", Integer),
    Column("total_time", Integer, nullable=False),
    Column("policy", Text),
    Column("tags", Text),
    Column("parameters", Text),
    Column("session", BLOB),
    Column("blocked", Text),
    Column("state_n", Integer, nullable=False),
    Column("marks", Text),
    sqlite_with_rowid=False,
)
Index("runs_by_root", runs.c.root, runs.c.id)
Index(
    "runs_active",
    runs.c.state_type,
    runs.c.scheduled_time,
    sqlite_where=runs.c.end_time.is_(None) & runs.c.parent.is_(None),
)
#: All that people look for among flow runs is in their index; each task's costs would be doubled.
Index(
    "runs_of_flows",
    *(runs.c[name] for name in FLOWS_BY),
    sqlite_where=runs.c.kind == text("'flow'"),
)
Index(
    "runs_of_deployment",
    runs.c.deployment,
    runs.c.id,
    sqlite_where=runs.c.deployment.is_not(None),
)
#: A run that completes never comes into it.
Index(
    "runs_ended_badly",
    *(runs.c[name] for name in BAD_BY),
    sqlite_where=runs.c.end_time.is_not(None) & (runs.c.state_type != text("'COMPLETED'")),
)
Index(
    "runs_one_per_slot",
    runs.c.deployment,
    runs.c.slot,
    unique=True,
    sqlite_where=runs.c.deployment.is_not(None),
)

#: A run points at its current state, and each state at the one before it: what costs a task most
#: is the number of pages it touches, and so states need no index but their number.
states = Table(
    "states",
    metadata,
    Column("n", Integer, primary_key=True),
    Column("run", BLOB, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("timestamp", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("message", Text),
    Column("reason", Text),
    Column("scheduled_time", Integer),
    Column("cache_key", Text),
    Column("result", Text),
    Column("proposer", Text),
    Column("transition_id", Text),
    Column("report", Integer),
    Column("prev", Integer),
)
Index(
    "states_by_transition",
    states.c.run,
    states.c.transition_id,
    unique=True,
    sqlite_where=states.c.transition_id.is_not(None),
)

#: What is in the cache, and who is filling it, is read off the states that carry a key.
Index(
    "states_by_cache_key",
    states.c.cache_key,
    states.c.name,
    states.c.n,
    sqlite_where=states.c.cache_key.is_not(None),
)

#: What the key of a task's result was made of, so that people can be told why it is another one.
cache_keys = Table(
    "cache_keys",
    metadata,
    Column("cache_key", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("parts", Text, nullable=False),
    Column("created", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Index("cache_keys_of_task", cache_keys.c.task, cache_keys.c.created)

#: Reports are kept once each: most transitions are judged alike. The key is a hash of the body.
reports = Table(
    "reports",
    metadata,
    Column("digest", Integer, primary_key=True),
    Column("body", Text, nullable=False),
)

edges = Table(
    "edges",
    metadata,
    Column("run", BLOB, primary_key=True),
    Column("upstream", BLOB, primary_key=True),
    Column("path", Text, primary_key=True),
    sqlite_with_rowid=False,
)
Index("edges_downstream", edges.c.upstream)

limits = Table(
    "limits",
    metadata,
    Column("name", Text, primary_key=True),
    Column("slots", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    sqlite_with_rowid=False,
)

#: Which unfinished runs a limit counts; whether one takes a slot is read off its state.
uses = Table(
    "uses",
    metadata,
    Column("limit_name", Text, primary_key=True),
    Column("run", BLOB, primary_key=True),
    sqlite_with_rowid=False,
)
Index("uses_of_run", uses.c.run)

pauses = Table(
    "pauses",
    metadata,
    Column("run", BLOB, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("message", Text),
    Column("schema", Text),
    Column("until", Integer),
    Column("asked", Integer, nullable=False),
    Column("input", Text),
    Column("resumed", Integer),
    Column("by", Text),
    sqlite_with_rowid=False,
)

#: Runs that are kept however old they are.
pins = Table(
    "pins",
    metadata,
    Column("run", BLOB, primary_key=True),
    Column("why", Text),
    Column("created", Integer, nullable=False),
    sqlite_with_rowid=False,
)

logs = Table(
    "logs",
    metadata,
    Column("n", Integer, primary_key=True),
    Column("run", BLOB, nullable=False),
    Column("timestamp", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("logger", Text),
    Column("message", Text, nullable=False),
)
Index("logs_of_run", logs.c.run, logs.c.n)

artifacts = Table(
    "artifacts",
    metadata,
    Column("id", BLOB, primary_key=True),
    Column("run", BLOB, nullable=False),
    Column("key", Text),
    Column("description", Text),
    Column("created", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("data", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("artifacts_of_run", artifacts.c.run)
Index(
    "artifacts_by_key", artifacts.c.key, artifacts.c.id, sqlite_where=artifacts.c.key.is_not(None)
)

#: The arguments of runs that failed, for whoever steps back into them.
inputs = Table(
    "inputs",
    metadata,
    Column("run", BLOB, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("created", Integer, nullable=False),
    sqlite_with_rowid=False,
)

#: Results and inputs that could not be kept, or are not where they belong yet.
problems = Table(
    "problems",
    metadata,
    Column("run", BLOB, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("reference", Text),
    Column("created", Integer, nullable=False),
    sqlite_with_rowid=False,
)

#: Answers to requests with an Idempotency-Key: the same request again gets the same answer.
requests = Table(
    "requests",
    metadata,
    Column("key", Text, primary_key=True),
    Column("route", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("created", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Index("requests_by_age", requests.c.created)

sessions = Table(
    "sessions",
    metadata,
    Column("id", BLOB, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("pid_start", Text),
    Column("label", Text),
    Column("started", Integer, nullable=False),
    Column("ended", Integer),
    Column("reaped", Integer),
    Column("beat", Integer),
    sqlite_with_rowid=False,
)
Index("sessions_open", sessions.c.id, sqlite_where=sessions.c.reaped.is_(None))

#: In which trees of runs a session has executed runs that are no roots: where a reaper looks.
session_roots = Table(
    "session_roots",
    metadata,
    Column("session", BLOB, primary_key=True),
    Column("root", BLOB, primary_key=True),
    sqlite_with_rowid=False,
)

#: Which version of which file an attempt executed.
run_sources = Table(
    "run_sources",
    metadata,
    Column("run", BLOB, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("path", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("track", Text, nullable=False),
    sqlite_with_rowid=False,
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", BLOB, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("spec", Text, nullable=False),
    Column("paused", Integer, nullable=False),
    Column("next_due", Integer),
    Column("revision", Integer, nullable=False),
    Column("created", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    sqlite_with_rowid=False,
)
Index("deployments_due", deployments.c.next_due, sqlite_where=deployments.c.paused == text("0"))

#: Who is told of what. `seen` is the number of the event up to which it has been looked at.
notifications = Table(
    "notifications",
    metadata,
    Column("id", BLOB, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("deployment", BLOB),
    Column("spec", Text, nullable=False),
    Column("paused", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("created", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    sqlite_with_rowid=False,
)

#: One row for each notification and cause: a state, by its number, or that a run was late.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BLOB, primary_key=True),
    Column("notification", BLOB, nullable=False),
    Column("cause", Text, nullable=False),
    Column("condition", Text, nullable=False),
    Column("run", BLOB),
    Column("n", Integer),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Integer),
    Column("session", BLOB),
    Column("payload", Text),
    Column("error", Text),
    Column("created", Integer, nullable=False),
    Column("ended", Integer),
    sqlite_with_rowid=False,
)
Index("deliveries_once", deliveries.c.notification, deliveries.c.cause, unique=True)
Index("deliveries_due", deliveries.c.due, sqlite_where=deliveries.c.status == text("'waiting'"))

#: The loops of servers and workers, and whether each is well.
services = Table(
    "services",
    metadata,
    Column("session", BLOB, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("failures", Integer, nullable=False),
    Column("since", Integer, nullable=False),
    sqlite_with_rowid=False,
)
