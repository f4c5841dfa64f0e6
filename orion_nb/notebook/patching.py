"""`%replay diff | commit | drop`: what a replay came to is looked at, taken over, or forgotten."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence
from typing import Any

from orion_nb.api.connect import connect
from orion_nb.engine import patching
from orion_nb.engine.comparing import described, differences
from orion_nb.engine.replaying import Replay, Tried
from orion_nb.errors import InvalidInput, OrionError
from orion_nb.notebook.cells import assigned
from orion_nb.notebook.deploying import Parser, Told
from orion_nb.notebook.replayed import is_task_cell
from orion_nb.notebook.replaying import ITSELF, Code, at_hand, cell_of, code_of
from orion_nb.schemas.runs import short
from orion_nb.schemas.states import COMPLETED
from orion_nb.store.previews import said


def diff(shell: Any, words: Sequence[str]) -> Told:
    """How the cell that was run differs from the recorded source, and what it made from what was.

    Raises:
        InvalidInput: the cell was not run yet.
    """
    says = "How the cell that was run differs from the recorded source, and in what it made."
    Parser("%replay diff", says).parse_args(words)
    found = at_hand(shell)
    tried = _tried(found)
    source = source_diff(found, tried)
    output = _output_diff(found, tried)
    lines = [*(source or ["the source is the recorded one"]), *output]
    return lines, "", {"source": source, "output": output}


def commit(shell: Any, words: Sequence[str]) -> Told:
    """The run is Completed with what the replay made; with `--resume` its flow goes on.

    Raises:
        InvalidInput: the cell was not run, failed, or made nothing that can be kept.
        Conflict: the run goes on, or somebody has moved it meanwhile.
        RunNotFound: it is gone.
    """
    parser = Parser("%replay commit", "The run is Completed with what the replay made.")
    parser.add_argument("--resume", action="store_true", help="its flow goes on from there")
    parser.add_argument("--why", metavar="TEXT", default="", help="why; it is kept with the run")
    told = parser.parse_args(words)
    found, orion = at_hand(shell), connect()
    tried = _tried(found)
    _check(shell, found, tried)
    on = patching.way_on(orion, orion.find(found.run.id)) if told.resume else None
    report = patching.complete(
        orion, found, tried.value, replay=tried.run_id or "", why=told.why,
        differs=bool(source_diff(found, tried)),
    )  # fmt: skip
    lines = [f"{found.run.name} {short(found.run.id)}: {report.state.name}, {report.reason}"]
    if on is not None:
        why = f"resumed behind {found.run.name}, which was completed by hand"
        flow = patching.go_on(orion, *on, why=why)
        executed = ", a server or a worker executes it" if flow.deployment else ""
        lines.append(f"{flow.name} {short(flow.id)}: {flow.state.name}{executed}")
    return lines, "", report.as_json()


def drop(shell: Any, words: Sequence[str]) -> Told:
    """What is replayed is forgotten; runs, and the names that were set, stay as they are."""
    Parser("%replay drop", "What is replayed is forgotten; nothing else changes.").parse_args(words)
    found = at_hand(shell)
    del shell.user_ns[ITSELF]
    told = f"{found.run.name} {short(found.run.id)} is not replayed any more"
    return [f"{told}; runs, and names that were set, stay"], "", {"dropped": found.run.id}


def source_diff(found: Replay, tried: Tried) -> list[str]:
    """The recorded source and what was run, as a unified diff; no line if they are equal.

    The import and the call that `%replay` put around it were not recorded, and are no difference.
    """
    code = code_of(found) or Code("")
    was, now = code.body.rstrip(), _without_ours(tried.source or "", code).rstrip()
    names = f"recorded {short(found.run.id)}", f"replay {short(tried.run_id or '')}"
    return list(difflib.unified_diff(was.splitlines(), now.splitlines(), *names, lineterm=""))


def _without_ours(source: str, code: Code) -> str:
    """The source of a cell without the import and the call that were put into it."""
    try:
        every = ast.parse(source).body
    except SyntaxError:  # it has magics: then it is that of a cell, around which nothing was put
        return source
    lines = source.splitlines()
    if every and code.call and ast.unparse(every[-1]) == ast.unparse(ast.parse(code.call)):
        del lines[every[-1].lineno - 1 : every[-1].end_lineno]
    if every and code.imports and ast.unparse(every[0]) == code.imports:
        del lines[: every[0].end_lineno]
    return "\n".join(lines).strip("\n")


def _output_diff(found: Replay, tried: Tried) -> list[str]:
    if tried.error is not None:
        return [f"the replay failed: {said(tried.error)}"]
    made = f"the replay made {described(tried.value)}"
    if found.run.state.type is not COMPLETED:
        return [f"the run made nothing: it is {found.run.state.name}", made]
    try:
        was = connect().load(found.run.state.result)
    except OrionError as error:
        return [f"what the run made can't be had: {error}", made]
    if was is None and is_task_cell(found):
        return ["what the cell made then was not kept", made]
    return differences(was, tried.value) or [f"{made}, as the run did"]


def _tried(found: Replay) -> Tried:
    if found.tried is None or found.tried.source is None:
        says = f"the %%replay cell of {found.run.name} was not run yet: run it, then ask again"
        raise InvalidInput(says, field="replay")
    return found.tried


def _check(shell: Any, found: Replay, tried: Tried) -> None:
    """The replay succeeded, and made what the run is to make."""
    name = found.run.name
    if found.run.kind == "flow" and (found.run.key or "").startswith("notebook:"):
        says = f"{name} is a whole notebook, of which one cell was replayed: put the repair into it"
        raise InvalidInput(
            f"{says}, then `orion-nb runs rerun {short(found.run.id)}`", field="replay"
        )
    if tried.error is not None or not tried.run_id:
        says = f"the replay failed ({said(tried.error)})" if tried.error else "there was no run"
        raise InvalidInput(f"{says}: mend it, and run it again", field="replay")
    if not tried.has_value:
        says = f"the cell ends in no expression, so it made nothing that {name} could return"
        raise InvalidInput(
            f"{says}: put the call, or the value, into its last line", field="replay"
        )
    if is_task_cell(found):
        made = _names_in(shell, tried.source)
        if left := [each for each in _names_in(shell, cell_of(found)) if each not in made]:
            says = f"the cell did not make {', '.join(left)}, which the recorded one makes"
            raise InvalidInput(f"{says}: cells behind it may use it", field="replay")


def _names_in(shell: Any, source: str | None) -> list[str]:
    """The names that a cell assigns."""
    try:
        return assigned(ast.parse(shell.transform_cell(source or "")))
    except SyntaxError:
        return []
