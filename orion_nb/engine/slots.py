"""`with concurrency("db"):` a block of code that holds a slot of each limit while it runs."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from orion_nb.engine.context import RunContext, entered, here
from orion_nb.engine.drive import Proposer, drive, drive_async
from orion_nb.engine.lead import CALL, Call, Life, Outcome, Plan, lead
from orion_nb.engine.options import options_of
from orion_nb.errors import InvalidInput
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run, new_id
from orion_nb.schemas.states import Pending


class concurrency:  # noqa: N801 - reads as a word after `with`
    """Within the block, a slot of each of these limits is held; it waits until there is one.

    The block is a task run of its own, so that everybody sees who holds the slot; when its process
    dies, the slot is free. `names`: "db", several of them, or one with the slots it has if nobody
    has set it: `concurrency({"db": 10})`. Use `async with` in code that awaits.

    Raises:
        InvalidInput: a name or number can't be accepted.
        RunStopped: it was cancelled while it waited.
    """

    def __init__(self, *names: Any) -> None:
        wanted: dict[str, int | None] = {}
        for name in names:
            wanted |= name if isinstance(name, dict) else {name: None}
        if not wanted:
            raise InvalidInput("concurrency: name at least one limit", field="concurrency")
        self._label = ", ".join(map(str, wanted))
        options = options_of(concurrency, name=f"concurrency {self._label}", concurrency=wanted)
        self._policy = options.policy
        self._name = options.name
        self._life: Life | None = None

    def __enter__(self) -> Self:
        self._begin()
        assert self._life is not None
        drive(_until_called(self._life, self), self._proposer, _nothing)
        self._go_in()
        return self

    async def __aenter__(self) -> Self:
        self._begin()
        assert self._life is not None
        await drive_async(_until_called(self._life, self), self._proposer, _nothing_async)
        self._go_in()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered.__exit__()
        life, self._life = self._life, None
        if life is not None:
            drive(_rest(life, Outcome(error=error)), self._proposer, _nothing)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def _begin(self) -> None:
        if self._life is not None:
            raise InvalidInput("concurrency: this block was entered already; make another one")
        orion, parent, _ = here("task")
        run_id = new_id()
        run = Run(
            id=run_id,
            kind="task",
            name=self._name,
            state=Pending(),
            root=parent.root if parent else run_id,
            parent=parent.id if parent else None,
            policy=self._policy,
        )
        self._proposer = Proposer(orion, run)
        self._life = lead(Plan())
        self._ended: Any = None

    def _go_in(self) -> None:
        if self._ended is not None:
            self._life = None
            raise self._ended
        self._entered = entered(RunContext(self._proposer.orion, self._proposer.run))
        self._entered.__enter__()


def _until_called(life: Life, block: concurrency) -> Life:
    """The life up to where its code would be called; if it never is, the block learns why."""
    from orion_nb.engine.lead import Finish

    answer: Any = None
    while True:
        try:
            step = life.send(answer)
        except StopIteration as end:
            report, outcome = end.value
            block._ended = Finish(block._proposer.run, report, outcome).error
            return report, outcome
        if isinstance(step, Call):
            return LATER
        answer = yield step


def _rest(life: Life, outcome: Outcome) -> Life:
    """The life from where its code has been called."""
    answer: Any = outcome
    while True:
        try:
            step = life.send(answer)
        except StopIteration as end:
            report, outcome = end.value
            return report, outcome
        if step is CALL:  # a retry: the block can't be run again
            life.close()
            return LATER
        answer = yield step


def _nothing(_: Run) -> Outcome:
    return Outcome()


async def _nothing_async(_: Run) -> Outcome:
    return Outcome()


#: The block has yet to be run.
LATER: tuple[Report, Outcome] = (Report(Status.ACCEPT, Pending()), Outcome())
