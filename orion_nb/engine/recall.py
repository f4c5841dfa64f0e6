"""What a run called before, when it is run once more: what has completed is not executed again.

Calls are matched by what is called and by their order: the third call of `load` is the third call
of `load`. One that completed, and whose result was kept, answers with it; any other is the same run
once more, in a new attempt.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

from orion_nb.api.orion import Orion
from orion_nb.engine.lead import Finish, Outcome
from orion_nb.errors import OrionError
from orion_nb.schemas.reports import Line, Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import COMPLETED


class Recall:
    """The runs that an earlier attempt called, each to be taken up once, in order."""

    def __init__(self, children: Iterable[Run], again: Iterable[str] = ()) -> None:
        self._left: dict[tuple[str, str], deque[Run]] = defaultdict(deque)
        self._again = frozenset(again)
        for child in children:
            self._left[child.kind, child.key or child.name].append(child)

    def take(self, kind: str, key: str) -> Run | None:
        """The run of the next call of this kind and key; None if the earlier attempt made none."""
        waiting = self._left.get((kind, key))
        return waiting.popleft() if waiting else None

    def finished(self, orion: Orion, run: Run) -> Finish | None:
        """How the run ended, if it completed with a result that can be had."""
        if run.state.type is not COMPLETED or run.id in self._again:
            return None
        try:
            value = orion.load(run.state.result)
        except OrionError:
            return None
        line = Line("keep_finished_runs_finished", "", "pass", "it completed before")
        report = Report(Status.ACCEPT, run.state, rules=(line,))
        return Finish(run, report, Outcome(value, result=run.state.result))


def of_earlier_attempts(orion: Orion, run: Run) -> Recall | None:
    """What the attempts of this run before the current one have called."""
    if run.attempt <= 1:
        return None
    return Recall(orion.children(run.id, run.root))


def recall_of(orion: Orion, run: Run | None) -> Recall | None:
    """What earlier attempts have called of a run whose code is not a function: a notebook's."""
    if run is None or run.attempt <= 1:
        return None
    place = (run.id, run.attempt)
    if place not in _notebooks:
        _notebooks.clear()  # a kernel executes one notebook
        _notebooks[place] = of_earlier_attempts(orion, run)
    return _notebooks[place]


_notebooks: dict[tuple[str, int], Recall | None] = {}


def back_to(orion: Orion, run: Run, name: str, failed: str) -> Recall | None:
    """What the run has called; the last task of this name, and what came of it, are done again.

    What depends on it is known by the inputs; where they say nothing of the failed run, all that
    was called since is done again. None if no task of this name was called.
    """
    children = orion.children(run.id, run.root)
    first = next((child for child in reversed(children) if child.name == name), None)
    if first is None:
        return None
    following = orion.downstream(first.id)
    again = {first.id, failed}
    if failed in following:
        again |= following
    else:
        again |= {child.id for child in children if child.id > first.id}
    return Recall(children, again)
