"""Short writes that wait at the same time are made by one thread, and committed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, NamedTuple

from orion_nb.api.once import seen_inside
from orion_nb.api.orion import Orion
from orion_nb.errors import Fenced, OrionError
from orion_nb.store.database import Connection

Work = Callable[[Orion], Any]


class Waiting(NamedTuple):
    """A call that is to be made, and who waits for its answer."""

    work: Work
    answer: asyncio.Future[Any]


class Together:
    """Calls that write little. Used on the loop alone; what it calls runs on the executor.

    A thread for each call would be woken for each, and each would be committed by itself: that
    costs more than the call. What comes while one group is written makes up the next.
    """

    def __init__(self, orion: Orion, executor: Executor) -> None:
        self._orion = orion
        self._executor = executor
        self._waiting: list[Waiting] = []
        self._busy = False

    async def call(self, work: Work) -> Any:
        """What `work` answers, once it is committed. It may be called again if others fail.

        Raises:
            OrionError: the work raised it, and nothing of it was written.
            StoreUnavailable: nothing could be written.
        """
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(work, answer))
        if not self._busy:
            self._start()
        return await answer

    def _start(self) -> None:
        group, self._waiting = self._waiting, []
        self._busy = True
        loop = asyncio.get_running_loop()
        written = loop.run_in_executor(self._executor, self._write, [each.work for each in group])
        written.add_done_callback(lambda done: self._hand_out(group, done))

    def _hand_out(self, group: list[Waiting], done: asyncio.Future[list[Any]]) -> None:
        self._busy = False
        failed = done.cancelled() or done.exception()
        told = [failed] * len(group) if failed else done.result()
        for each, answer in zip(group, told, strict=True):
            if each.answer.done():  # whoever asked has gone
                continue
            if isinstance(answer, BaseException):
                each.answer.set_exception(answer)
            elif failed:
                each.answer.cancel()
            else:
                each.answer.set_result(answer)
        if self._waiting:
            self._start()

    def _write(self, works: list[Work]) -> list[Any]:
        """The answer or the error of each."""
        _ = self._orion.session  # not made inside of a write that may be undone
        jobs = self._orion.database.write_all([self._job(work) for work in works])
        return [job.value if job.error is None else job.error for job in jobs]

    def _job(self, work: Work) -> Callable[[Connection], Any]:
        def job(tx: Connection) -> Any:
            before = tx.total_changes
            try:
                return work(seen_inside(self._orion, tx))
            except Fenced as error:
                return error  # that it came too late has been noted on the run
            except OrionError as error:
                if tx.total_changes != before:
                    raise  # what it wrote has to be undone
                return error

        return job
