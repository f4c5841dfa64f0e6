"""What a run called before, when it is run once more: what has completed is not executed again.

Calls are matched by what is called, by the runs that their arguments come from, and by their order:
of those that take the same inputs, the third call of `load` is the third call of `load`. One that
completed, and whose result was kept, answers with it; any other is the same run once more, in a new
attempt. What an earlier attempt is still executing is left to it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from orion_nb.api.orion import Orion
from orion_nb.engine.lead import Finish, Outcome
from orion_nb.errors import OrionError
from orion_nb.schemas.reports import Line, Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import CANCELLING, COMPLETED, PAUSED, RUNNING

#: The ids of the runs that all arguments of a call come from; None if that is not known of one.
Sources = Callable[[], frozenset[str] | None]
#: The runs that each run takes inputs from, by id.
Taken = Mapping[str, frozenset[str]]


class Recall:
    """The runs that an earlier attempt called, each to be taken up once, in order.

    Those of the ids `again` are executed again though they have completed. So is what was called
    after the run `since`, unless all its arguments come from runs that are not executed again.
    """

    def __init__(
        self,
        children: Iterable[Run],
        taken: Taken = MappingProxyType({}),
        again: Iterable[str] = (),
        since: str | None = None,
    ) -> None:
        self._left: dict[tuple[str, str], deque[Run]] = defaultdict(deque)
        self._taken, self._again, self._since = taken, set(again), since
        #: Why runs that have completed are executed again, by id.
        self.why: dict[str, str] = {}
        self._all = False
        for child in children:
            if child.state.type not in (RUNNING, PAUSED, CANCELLING):
                self._left[child.kind, child.key or child.name].append(child)

    def take(self, kind: str, key: str, inputs: frozenset[str] = frozenset()) -> Run | None:
        """The run of the next such call; None if the earlier attempt made none.

        `inputs` are the ids of the runs that its arguments come from, as far as that is known.
        """
        waiting = self._left.get((kind, key))
        if not waiting:
            return None
        found = self._first(waiting, inputs)
        if found is None and inputs:  # where it came from was not known, or is not known now
            found = self._first(waiting, frozenset())
        elif found is None:
            found = waiting[0]
        if found is not None:
            waiting.remove(found)
        return found

    def _first(self, waiting: Iterable[Run], inputs: frozenset[str]) -> Run | None:
        alike = (run for run in waiting if self._taken.get(run.id, frozenset()) == inputs)
        return next(alike, None)

    def execute_all(self) -> None:
        """From now on all that has completed is executed again."""
        self._all = True

    def is_again(self, run_id: str) -> bool:
        """The run is executed again, with all that it calls."""
        return self._all or run_id in self._again

    def finished(self, orion: Orion, run: Run, sources: Sources = lambda: None) -> Finish | None:
        """How the run ended, if it completed with a result that can be had."""
        if self._since is not None and run.id > self._since:
            known = sources()
            if known is None or not self._again.isdisjoint(known):
                self._again.add(run.id)
        if run.state.type is not COMPLETED or self.is_again(run.id):
            return None
        try:
            value = None if _is_set_by_hand(run) else orion.load(run.state.result)
        except OrionError as error:
            self.why[run.id] = f"executed again: {error}"
            return None
        line = Line("keep_finished_runs_finished", "", "pass", "it completed before")
        report = Report(Status.ACCEPT, run.state, rules=(line,))
        return Finish(run, report, Outcome(value, result=run.state.result))


def of_earlier_attempts(orion: Orion, run: Run, around: Recall | None = None) -> Recall | None:
    """What the attempts of this run before the current one have called.

    `around` is the recall of the run that calls this one: it may want all of it again.
    """
    if run.attempt <= 1:
        return None
    children, taken = _called(orion, run)
    if around is not None and around.is_again(run.id):
        return Recall(children, taken, [child.id for child in children])
    return Recall(children, taken)


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

    None if no task of this name was called before the one that failed.
    """
    children, taken = _called(orion, run)
    first = _last_of(children, name, failed)
    return Recall(children, taken, {first.id, failed}, first.id) if first is not None else None


def was_called(orion: Orion, run: Run, name: str) -> bool:
    """The run has called a task of this name."""
    return _last_of(orion.children(run.id, run.root), name, "") is not None


def why_again(run: Run, recall: Recall | None) -> str | None:
    """Why a run that has completed is executed again, if its result is missed."""
    return None if recall is None else recall.why.get(run.id)


def _called(orion: Orion, run: Run) -> tuple[list[Run], Taken]:
    """What a run has called, in order, and the inputs of each."""
    children = orion.children(run.id, run.root)
    return children, orion.inputs_within(run.id, run.root) if children else {}


def _is_set_by_hand(run: Run) -> bool:
    """Somebody has declared it Completed, without a result: then it is None."""
    return run.state.result is None and run.state.by is not None


def _last_of(children: Iterable[Run], name: str, but: str) -> Run | None:
    found = [child for child in children if child.name == name and child.id != but]
    return found[-1] if found else None
