"""What code in a notebook tells whoever executes it: that it stops here, and what came of it."""

from __future__ import annotations

import os
import sys
from typing import Any, TypeVar

from orion_nb.api.connect import connect
from orion_nb.engine.context import RUN_ID_VARIABLE, RunContext

T = TypeVar("T")

#: The sources of payloads; the kernel sends them with its reply to the cell.
STOP = "orion_nb.stop"
RESULT = "orion_nb.result"


def result(value: T, schema: Any = None) -> T:
    """The value is the result of the notebook that this cell is in, and given back.

    A runner keeps it with the notebook's run when the run completes: `GET /runs/{id}/result`, and
    `run_notebook(...).result()`. Of several the last one counts. In a kernel that people work in
    nothing is kept, and nothing is wrong; the value is checked all the same.

    Args:
        value: anything. One that JSON holds as it is has a JSON Schema, which is kept with it.
        schema: what the value has to fit: a type, an annotation, a pydantic model or a JSON Schema
            (draft 2020-12) as a dict. The value is then kept as JSON, a model as an object, say;
            default: the schema is read off a value that is JSON.

    Raises:
        InvalidInput: the value doesn't fit the schema: it names the place, as `result.rows`; or the
            schema is none.

    Example:
        >>> orion_nb.result({"rows": 41, "file": "report.csv"}, dict[str, int | str])
    """
    if is_executed():
        tell_runner(RESULT, reference=connect().keep_described(value, schema))
    elif schema is not None:
        from orion_nb.schemas.described import declared

        declared(schema, value)
    return value


def is_executed() -> bool:
    """This is the kernel of a notebook that a runner executes."""
    return bool(os.environ.get(RUN_ID_VARIABLE)) and shell() is not None


def is_notebooks_own(context: RunContext | None) -> bool:
    """The code is a cell's, or a task cell's: in no flow but the notebook."""
    if context is None:
        return True
    run = context.run
    return run.kind == "task" and run.parent == os.environ.get(RUN_ID_VARIABLE)


def tell_runner(source: str, **told: Any) -> None:
    """The reply to the cell that is executed says this too."""
    manager = getattr(shell(), "payload_manager", None)
    if manager is not None:
        manager.write_payload({"source": source, **told})


def shell() -> Any:
    """IPython's shell in this process; None where there is none."""
    ipython = sys.modules.get("IPython.core.getipython")
    return None if ipython is None else ipython.get_ipython()
