"""A flow of a Python file is imported and called in this process, or a run of it run once more."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orion_nb.cli import output
from orion_nb.cli.options import values_of
from orion_nb.errors import InvalidInput

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion
    from orion_nb.cli.follow import Follower
    from orion_nb.schemas.runs import Run


def run_flow(
    target: str, param: list[str] | None, params_file: Path | None, *, as_json: bool
) -> int:
    """The flow is run and reported; gives the exit code."""
    from orion_nb.api.connect import connect
    from orion_nb.cli.waiting import report

    with printing_to_stderr(as_json):
        flow = load_flow(target)
        values = values_of(param, params_file, _texts(flow.fn))
        orion = connect(label="run")
        began: list[str] = []
        follower = _follower(orion, lambda root: root.id in began)
        with _noting(began), follower.looking(table=_has_table(follower)):
            _check(flow, values)
            ended = flow.run(**values)
            ending = asyncio.run(ended) if inspect.iscoroutine(ended) else ended
        if ending.error is not None:
            _show(ending.error)
    return report(orion, ending.run_id, None, as_json=as_json)


def rerun_flow(
    run: Run, target: str, param: list[str] | None, params_file: Path | None, *, as_json: bool
) -> int:
    """A run of the flow is run once more, in a new attempt, and reported; gives the exit code.

    Raises:
        OrionError: it can't be; nothing was done.
    """
    from orion_nb.api.connect import connect
    from orion_nb.cli.waiting import report

    with printing_to_stderr(as_json):
        flow = load_flow(target)
        values = values_of(param, params_file, _texts(flow.fn))
        orion = connect(label="rerun")
        follower = _follower(orion, lambda root: root.id in (run.id, run.root))
        if values:
            _check(flow, values)
        with follower.looking(table=_has_table(follower)):
            error = _rerun(flow, orion, run, values)
        if error is not None:
            _show(error)
    return report(orion, run.id, None, as_json=as_json)


def _rerun(flow: Any, orion: Orion, run: Run, values: dict[str, Any]) -> Exception | None:
    """What the flow raised, when it was called once more."""
    try:
        ended = flow.rerun(run.id, **values)
        if inspect.iscoroutine(ended):
            asyncio.run(ended)
    except Exception as error:
        if orion.find(run.id).state.seq == run.state.seq:
            raise  # it was not called at all
        return error
    return None


def _follower(orion: Orion, choose: Callable[[Run], bool]) -> Follower:
    from orion_nb.cli.follow import Follower

    return Follower(orion, output.console(err=True), choose, after=orion.last_event())


def _has_table(follower: Follower) -> bool:
    # What the flow prints would tear a table; it scrolls by above one in a terminal only.
    return follower.console.is_terminal and sys.stdout.isatty()


def load_flow(target: str) -> Any:
    """The flow that `file.py:name` names; the name may be left out where there is one flow.

    Raises:
        FlowNotFound: there is no such file or flow.
        InvalidInput: the file can't be imported; why is shown on stderr.
    """
    from orion_nb.engine import loading
    from orion_nb.schemas.targets import split

    file, name = split(target)
    try:
        return loading.load_flow(file, name or "")
    except InvalidInput as error:
        if error.__cause__ is not None:
            _show(error.__cause__)
        raise


@contextmanager
def printing_to_stderr(wanted: bool) -> Iterator[None]:
    """Within the block, what is printed goes to stderr, by child processes too."""
    if not wanted:
        yield
        return
    sys.stdout.flush()
    shown = sys.stdout
    saved = os.dup(1)
    try:
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        yield
    finally:
        sys.stdout = shown
        os.dup2(saved, 1)
        os.close(saved)


def _texts(fn: Any) -> frozenset[str]:
    """The parameters that are text, whatever is given for them looks like."""
    annotations = inspect.get_annotations(fn)
    return frozenset(name for name, told in annotations.items() if told in (str, "str"))


def _check(flow: Any, values: dict[str, Any]) -> None:
    try:
        inspect.signature(flow.fn).bind(**values)
    except TypeError as error:
        raise InvalidInput(f"parameters of {flow.name}: {error}") from error


@contextmanager
def _noting(began: list[str]) -> Iterator[None]:
    """Within the block, the ids of flow runs that begin outside any other are noted."""
    from orion_nb.engine.context import flow_observers

    def note(orion: Any, run: Any) -> AbstractContextManager[None]:
        began.append(run.id)
        return nullcontext()

    flow_observers.append(note)
    try:
        yield
    finally:
        flow_observers.remove(note)


def _show(error: BaseException) -> None:
    """The error's traceback on stderr, from the user's own code on."""
    ours = str(Path(__file__).parents[1])
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith((ours, "<frozen"))]
    head = ["Traceback:\n", *traceback.format_list(theirs)] if theirs else []
    output.say("".join([*head, *traceback.format_exception_only(error)]).rstrip())
