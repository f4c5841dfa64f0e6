"""What routes answer, as JSON Schema: those that do not answer a run or a report.

All fields that are named are always there; others may be added to them.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
ANY: Schema = {}
MOMENT: Schema = {"type": "integer", "description": "Microseconds since 1970, UTC."}
SECONDS: Schema = {"type": "number", "description": "Seconds."}
OBJECT: Schema = {"type": "object"}
CURSOR: Schema = {
    "type": ["string", "null"],
    "description": "Asks for the next page; null on the last one.",
}
PLACE: Schema = {
    "type": ["integer", "null"],
    "description": "The `after` or `before` of the next page; null on the last one.",
}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def by_name(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def fields(says: str | None = None, /, **of: Schema) -> Schema:
    """An object with these fields."""
    told = {"type": "object", "required": list(of), "properties": of}
    return {"description": says, **told} if says else told


RUNS = listed(ref("Run"))
COUNTS = by_name(COUNT)

#: What is inside of answers, under a name of its own.
NAMED: dict[str, Schema] = {
    "Entry": {
        "description": "A state of a run, with the report on how it was entered.",
        "allOf": [ref("State"), fields(report=or_null(ref("Report")))],
    },
    "Event": fields(
        "A state that a run entered; `n` numbers all of them.",
        n=COUNT, run=TEXT, root=TEXT, parent=or_null(TEXT), kind=TEXT, name=TEXT, seq=COUNT,
        type=TEXT, state_name=TEXT, timestamp=MOMENT, attempt=COUNT, message=or_null(TEXT),
    ),
    "Node": fields(
        "A run of a graph, in brief.",
        id=TEXT, kind=TEXT, name=TEXT, run_name=or_null(TEXT), parent=or_null(TEXT),
        deployment=or_null(TEXT),
        state=fields(type=TEXT, name=TEXT, scheduled_time=or_null(MOMENT)),
        attempt=COUNT, run_count=COUNT, created=MOMENT, start_time=or_null(MOMENT),
        end_time=or_null(MOMENT), tags=listed(TEXT), marks=listed(TEXT),
    ),
    "Deployment": fields(
        "A deployment, with its next times and its last runs.",
        id=TEXT, name=TEXT, path=TEXT, parameters=OBJECT, schedules=listed(OBJECT),
        kernel=or_null(TEXT), cwd=or_null(TEXT), timeout=or_null(SECONDS),
        cell_timeout=or_null(SECONDS), start_timeout=SECONDS, grace=SECONDS,
        output_limit=or_null(COUNT), retries=COUNT,
        tags=listed(TEXT), paused=FLAG,
        next_due=or_null(MOMENT), revision=COUNT, created=MOMENT, updated=MOMENT,
        words=listed(TEXT), next_times=listed(MOMENT), timezone=TEXT, local_times=listed(TEXT),
        last_runs=RUNS, problem=or_null(TEXT),
    ),
    "Limit": fields("A limit, and who uses it.", name=TEXT, slots=COUNT, used=COUNT, waiting=COUNT),
    "SecretName": fields("A secret's name, and where it is: `file` or `environment`.",
                         name=TEXT, where=TEXT),
    "DeploymentOption": fields(
        "One thing that can be said of a deployment; `takes` says how it is written.",
        name=TEXT, field=TEXT, group=TEXT, takes=TEXT, help=TEXT, metavar=TEXT, default=TEXT,
        words=listed(TEXT), names=TEXT,
    ),
    "LogLine": fields(
        "A logged line; `level` is that of Python's logging, `name` what its run is called.",
        run=TEXT, timestamp=MOMENT, level=COUNT, logger=or_null(TEXT), message=TEXT, n=COUNT,
        name=TEXT,
    ),
    "Artifact": fields(
        "One thing that a run has shown, without its contents.",
        id=TEXT, run=TEXT, key=or_null(TEXT), version=or_null(COUNT), description=or_null(TEXT),
        created=MOMENT, size=COUNT, types=listed(TEXT),
    ),
    "Pause": fields(
        "What a paused run asks for, and what it was given.",
        run=TEXT, key=TEXT, message=or_null(TEXT), schema=or_null(OBJECT), until=or_null(MOMENT),
        asked=MOMENT, input=or_null(OBJECT), resumed=or_null(MOMENT), by=or_null(TEXT),
    ),
    "Edge": fields(
        "One run's result went into another's argument, at `path`.",
        upstream=TEXT, run=TEXT, path=or_null(TEXT), streamed=FLAG,
    ),
    "Notification": fields(
        "Who is told of what, and how; its secrets are not told.",
        id=TEXT, name=TEXT, deployment=or_null(TEXT), paused=FLAG, way=TEXT, on=listed(TEXT),
        created=MOMENT, updated=MOMENT,
    ),
    "Delivery": fields(
        "One message, and what became of it: `waiting`, `delivered` or `dead` (given up).",
        id=TEXT, notification=TEXT, condition=TEXT, run=or_null(TEXT), status=TEXT, attempts=COUNT,
        due=or_null(MOMENT), error=or_null(TEXT), created=MOMENT, ended=or_null(MOMENT),
    ),
    "Bucket": fields(
        "A stretch of time, and the runs that were made in it.",
        start=MOMENT, end=MOMENT, counts=COUNTS, total_time=COUNT,
    ),
    "Problem": fields(
        "A result or an input that was not kept, or is on its way.",
        run=TEXT, what=TEXT, reason=TEXT, reference=or_null(TEXT), created=MOMENT,
    ),
}  # fmt: skip

_LINES = fields("Logged lines, in the order they were written in.",
                lines=listed(ref("LogLine")), cursor=PLACE)  # fmt: skip
_PAGE = fields("A page of runs, newest first.", runs=RUNS, cursor=CURSOR)
_ARTIFACTS = fields(artifacts=listed(ref("Artifact")), cursor=CURSOR)

#: What a route answers, by the name of its method.
SHAPES: dict[str, Schema] = {
    "find_runs": _PAGE,
    "filter_runs": _PAGE,
    "count_runs": fields("How many runs there are of each.", counts=COUNTS),
    "run_history": fields(
        since=MOMENT, until=MOMENT, step=SECONDS, buckets=listed(ref("Bucket"))
    ),
    "read_states": fields(states=listed(ref("Entry"))),
    "why": fields(
        "The story of a run.",
        run=ref("Run"), summary=listed(TEXT), sentences=listed(OBJECT),
        states=listed(ref("Entry")), blocked=or_null(ref("Report")), pause=or_null(ref("Pause")),
        pin=or_null(fields(why=or_null(TEXT), created=MOMENT)),
        notes=listed(OBJECT), problems=listed(OBJECT), tasks=RUNS,
    ),
    "graph": fields(
        root=TEXT, runs=listed(ref("Node")), edges=listed(ref("Edge")), left_out=COUNT
    ),
    "lineage": fields(run=TEXT, upstream=listed(ref("Edge")), downstream=listed(ref("Edge"))),
    "retry_now": fields(retried=listed(fields(id=TEXT, name=TEXT))),
    "read_pauses": fields(pauses=listed(ref("Pause"))),
    "put_pause": ref("Pause"),
    "pin": fields(run=TEXT, pinned=FLAG, why=or_null(TEXT)),
    "delete_run": fields(deleted=TEXT, runs=COUNT, results=COUNT, errors=listed(TEXT)),
    "unpin": fields(run=TEXT, pinned=FLAG, was_pinned=FLAG),
    "read_result": fields(
        run=TEXT,
        result=or_null(fields(status=TEXT, preview=TEXT, schema=or_null({"type": "object"}))),
    ),
    "read_inputs": fields(run=TEXT, reference=or_null(TEXT)),
    "put_inputs": fields(run=TEXT),
    "replay_notebook": fields(
        run=TEXT, replays=TEXT, name=TEXT, folder=or_null(TEXT), path=or_null(TEXT),
        notebook=OBJECT,
    ),
    "read_stored_result": fields(key=TEXT, status=TEXT, serializer=TEXT, size=COUNT, url=TEXT),
    "result_problems": fields(problems=listed(ref("Problem"))),
    "flush_results": fields(stored=COUNT, left=COUNT),
    "read_logs": _LINES,
    "filter_logs": _LINES,
    "write_logs": fields(stored=COUNT, over=COUNTS),
    "read_artifacts": _ARTIFACTS,
    "filter_artifacts": _ARTIFACTS,
    "add_artifact": ref("Artifact"),
    "read_artifact": {
        "description": "One thing that a run has shown; its contents by MIME type.",
        "allOf": [ref("Artifact"), fields(data=OBJECT, binary=listed(TEXT), metadata=OBJECT)],
    },
    "list_deployments": fields(deployments=listed(ref("Deployment")), cursor=CURSOR),
    "create_deployment": ref("Deployment"), "check_deployment": ref("Deployment"),
    "read_deployment": ref("Deployment"),
    "update_deployment": ref("Deployment"), "check_update": ref("Deployment"),
    "pause_deployment": ref("Deployment"),
    "resume_deployment": ref("Deployment"),
    "delete_deployment": fields(deleted=TEXT, id=TEXT),
    "preview_schedules": fields(
        schedules=listed(fields(words=TEXT)), next_times=listed(MOMENT), timezone=TEXT,
        local_times=listed(TEXT),
    ),
    "inspect_notebook": fields(path=TEXT, parameters=listed(OBJECT), kernel=or_null(TEXT)),
    "read_cells": fields(
        "How far the execution of a notebook has come.",
        run=TEXT, attempt=COUNT, done=COUNT, total=COUNT, current=or_null(COUNT),
        left=or_null(SECONDS), cells=listed(OBJECT), failure=or_null(OBJECT),
    ),
    "read_printed": fields(
        "What the cells of a notebook print.",
        run=TEXT, cursor=or_null(TEXT), more={"type": "boolean"}, lost=COUNT,
        lines=listed(fields(cell=COUNT, stream=TEXT, text=TEXT, timestamp=MOMENT)),
    ),
    "read_outputs": fields(
        "What the cells of a notebook have shown.",
        run=TEXT, outputs=listed(fields(cell=or_null(COUNT), index=COUNT, place=COUNT,
                                        types=listed(TEXT), size=COUNT)),
    ),
    "list_notifications": fields(notifications=listed(ref("Notification"))),
    "add_notification": ref("Notification"),
    "read_notification": ref("Notification"),
    "update_notification": ref("Notification"),
    "delete_notification": fields(deleted=TEXT, id=TEXT),
    "test_notification": ref("Delivery"),
    "list_deliveries": fields(deliveries=listed(ref("Delivery")), cursor=CURSOR),
    "read_delivery": ref("Delivery"),
    "retry_delivery": ref("Delivery"),
    "note_source": fields(path=TEXT, sha256=TEXT, track=TEXT),
    "diff_deployment": fields(
        "How the file on disk differs from the pinned version.",
        path=TEXT, cells=listed(OBJECT), lines=listed(TEXT), says=or_null(TEXT),
    ),
    "list_limits": fields(limits=listed(ref("Limit")), cursor=CURSOR),
    "read_limit": ref("Limit"),
    "set_limit": ref("Limit"),
    "delete_limit": fields(deleted=TEXT),
    "list_secrets": fields(secrets=listed(ref("SecretName"))),
    "set_secret": ref("SecretName"),
    "delete_secret": fields(deleted=TEXT),
    "deployment_options": fields(
        "What can be said of a deployment, and the names that may stand there.",
        options=listed(ref("DeploymentOption")), names=by_name(listed(TEXT)),
    ),
    "read_cache": fields(key=TEXT, run=or_null(TEXT), state=or_null(ref("State"))),
    "cache_keys": fields(
        task=TEXT, keys=listed(fields(key=TEXT, parts=by_name(TEXT), created=MOMENT))
    ),
    "put_cache_parts": fields(key=TEXT),
    "open_session": fields(session=TEXT, beat=SECONDS, lease=SECONDS),
    "beat": fields(session=TEXT, lease=SECONDS, missed=FLAG),
    "end_session": fields(session=TEXT),
    "batch": fields(
        "What came of each proposal: the run and the report, or an error with its `status`.",
        answers=listed(OBJECT), missed=FLAG,
    ),
    "health": fields(status=TEXT, time=MOMENT, schema=COUNT, last_event=COUNT, version=TEXT),
    "read_database": fields(
        path=TEXT, schema=COUNT, size=COUNT, free=COUNT, oldest_run=or_null(MOMENT), rows=COUNTS,
        counted=or_null(MOMENT),
    ),
    "prune": fields(
        runs=COUNT, trees=COUNT, stayed=COUNTS, sources=COUNT, errors=listed(TEXT), dry_run=FLAG
    ),
    "read_openapi": fields("An OpenAPI document.", openapi=TEXT, paths=OBJECT),
    "read_notebook": fields("A notebook of nbformat 4.", cells=listed(OBJECT), nbformat=COUNT),
}  # fmt: skip

_RUN = "01a204191d1c7241bd400879a74c359e"

#: Bodies that do something useful, for the documents and for whoever tries a route.
EXAMPLES: dict[str, Schema] = {
    "create_run": {
        "kind": "task", "name": "load", "policy": {"retries": 2, "retry_delay": "10s"},
        "parameters": {"rows": 10}, "tags": ["db"],
    },
    "propose": {"type": "RUNNING"},
    "filter_runs": {"q": "state:failed since:24h", "limit": 20},
    "count_runs": {"q": "since:24h", "by": "state"},
    "run_history": {"q": "kind:flow", "step": "1h"},
    "cancel": {"why": "wrong input", "by": "ann"},
    "pause": {"why": "the disk is full"},
    "resume": {"input": {"ok": True}},
    "rerun": {"why": "the database is back"},
    "retry_now": {"why": "the database is back", "by": "ann"},
    "replay_run": {"parameters": {"rows": 100}},
    "create_deployment": {
        "name": "daily", "path": "reports/daily.ipynb", "schedules": ["0 9 * * 1-5"],
        "parameters": {"rows": 10}, "retries": 1,
    },
    "check_deployment": {
        "name": "daily", "path": "reports/daily.ipynb", "schedules": ["0 9 * * 1-5"],
    },
    "update_deployment": {"retries": 2, "timeout": "10m"},
    "check_update": {"retries": 2, "timeout": None},
    "run_deployment": {"parameters": {"rows": 100}, "env": {"STAGE": "test"}},
    "preview_schedules": {"schedules": ["0 9 * * 1-5"], "n": 3},
    "inspect_notebook": {"path": "reports/daily.ipynb"},
    "set_limit": {"slots": 3},
    "set_secret": {"value": "correct horse"},
    "add_notification": {"name": "on-call", "on": ["failed"], "command": ["notify-send", "Orion"]},
    "update_notification": {"on": ["failed", "late"]},
    "write_logs": {"lines": [{"run": _RUN, "message": "100 rows", "level": "INFO"}]},
    "filter_logs": {"run": _RUN, "level": "WARNING"},
    "add_artifact": {"key": "summary", "data": {"text/markdown": "**100** rows"}},
    "filter_artifacts": {"key": "summary"},
    "prune": {"older_than": "90d", "dry_run": True},
    "put_pause": {"key": "ok?", "message": "Publish?", "schema": {"type": "object"}},
    "put_inputs": {"reference": '{"inline":{"args":[],"kwargs":{}}}', "attempt": 1},
    "put_cache_parts": {"key": "load-1", "task": "load", "parts": {"source": "5d41402a"}},
    "note_source": {"attempt": 1, "file": "/home/ann/daily.ipynb", "sha256": "0" * 64},
    "pin": {"why": "the figures of May"},
    "open_session": {"id": _RUN, "host": "worker-1", "pid": 4711},
    "flush_results": {"timeout": 10},
    "batch": {
        "proposals": [
            {"op": "advance", "run": _RUN, "state": {"type": "COMPLETED", "name": "Completed"}}
        ]
    },
}  # fmt: skip
