"""`artifact`: what a run shows, kept with it in every format it has."""

from __future__ import annotations

import logging
from typing import TypeVar

from orion_nb.api.checks import check_text
from orion_nb.engine.context import run_at_hand
from orion_nb.engine.telling import shell
from orion_nb.errors import OrionError
from orion_nb.secrets import redacted, redacted_json

T = TypeVar("T")
_log = logging.getLogger(__name__)


def artifact(obj: T, key: str | None = None, description: str | None = None) -> T:
    """The object is kept with the run as a notebook would show it, and given back.

    Tables are kept as HTML and text (their first rows), figures and images as PNG, texts as
    Markdown, dicts and lists as JSON, files (a `Path`) with their contents up to 1 MiB; all else in
    the formats it has for notebooks. What is too large, 4 MiB in all, or can't be shown is left
    out, and the artifact says so: showing something never fails a run.

    In a cell of a notebook that is executed as a run it is kept with that run. In a kernel that
    people work in, outside of flows and tasks, nothing is kept, and nothing is wrong.

    Args:
        obj: what is shown.
        key: a name under which later runs keep newer versions of the same thing.
        description: what it is, in a sentence.

    Raises:
        RuntimeError: no flow, task or notebook is being executed here.
        InvalidInput: the key is no text of 1 to 255 characters.

    Example:
        >>> @task
        ... def report(sales):
        ...     artifact(sales.groupby("shop").sum(), key="sales-by-shop")
    """
    belongs = run_at_hand()
    if belongs is None and shell() is None:
        says = "artifact: no flow or task is being executed here; call it inside of one"
        raise RuntimeError(says)
    if key is not None:
        check_text("key", key)
    if belongs is None:
        return obj
    orion, run_id = belongs
    from orion_nb.engine.bundles import bundle_of

    made = bundle_of(obj, orion.artifact_room)
    data = {
        kind: value if kind in made.binary else redacted_json(value, keys=True)
        for kind, value in made.data.items()
    }
    try:
        orion.add_artifact(
            run_id, data, key=key, binary=made.binary,
            description=redacted(description or "")[:10_000] or None,
            metadata=redacted_json(made.metadata, keys=True), notes=redacted_json(made.notes),
        )  # fmt: skip
    except OrionError as error:
        _log.warning("artifact %s was not kept: %s", key or type(obj).__name__, error)
    return obj
