"""Short writes that come at the same time are made at once, and committed together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, NamedTuple

from orion_nb.api.once import seen_inside
from orion_nb.api.orion import Orion
from orion_nb.errors import Fenced, OrionError, StoreUnavailable
from orion_nb.store.database import Connection
from orion_nb.store.jobs import Job

Work = Callable[[Orion], Any]

#: So many quick calls are made on the loop at a time.
MOST = 32
#: A group that held the loop for longer (seconds) is followed by so many on a thread.
PATIENCE = 0.02
DETOUR = 100


class Waiting(NamedTuple):
    """A call that is to be made, whether it is quick, and who waits for its answer."""

    work: Work
    quick: bool
    answer: asyncio.Future[Any]


class Together:
    """Calls that write little. Used on the loop alone.

    A thread for each call would be woken for each, and each would be committed by itself: that
    costs more than the call. What comes while one group is written makes up the next. To do a
    quick call takes less than to hand it to a thread, which then has to have the interpreter from
    the loop after each statement: so quick ones are done on the loop as soon as it has read what
    came, if nobody else writes, and a thread only waits for the disk.
    """

    def __init__(self, orion: Orion, executor: Executor) -> None:
        self._orion = orion
        self._executor = executor
        self._committer = ThreadPoolExecutor(1, "orion-commit")
        self._waiting: list[Waiting] = []
        self._busy = False
        self._detour = 1  # the first makes the session, on a thread

    async def call(self, work: Work, *, quick: bool = False) -> Any:
        """What `work` answers, once it is committed. It may be called again if others fail.

        Raises:
            OrionError: the work raised it, and nothing of it was written.
            StoreUnavailable: nothing could be written.
        """
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        self._waiting.append(Waiting(work, quick, answer))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._start)
        return await answer

    def close(self) -> None:
        """What was begun is committed; nothing more is."""
        self._committer.shutdown()

    def _start(self) -> None:
        group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        works = [self._job(each.work) for each in group]
        loop = asyncio.get_running_loop()
        begun = None
        try:
            begun = self._begin(group, works)
            if begun is None:
                written = loop.run_in_executor(self._executor, self._write, works)
            else:
                written = loop.run_in_executor(self._committer, self._finish, begun)
        except RuntimeError:  # the threads have ended, for the server stops
            written = loop.create_future()
            if begun is None:
                written.set_exception(StoreUnavailable("the server stops; ask again later"))
            else:
                written.set_result(self._finish(begun))
        written.add_done_callback(lambda done: self._hand_out(group, done))

    def _begin(self, group: list[Waiting], works: list[Callable[[Connection], Any]]) -> Any:
        """The works are done now, on the loop; None if they are to be done on a thread."""
        if self._detour or not all(each.quick for each in group):
            self._detour = max(0, self._detour - 1)
            return None
        began = time.monotonic()
        begun = self._orion.database.begin_all(works)
        if time.monotonic() - began > PATIENCE:
            self._detour = DETOUR
        return begun

    def _finish(self, begun: list[Job]) -> list[Any]:
        self._orion.database.finish(begun)
        return _told(begun)

    def _hand_out(self, group: list[Waiting], done: asyncio.Future[list[Any]]) -> None:
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
        else:
            self._busy = False

    def _write(self, works: list[Callable[[Connection], Any]]) -> list[Any]:
        """The answer or the error of each."""
        _ = self._orion.session  # not made inside of a write that may be undone
        return _told(self._orion.database.write_all(works))

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


def _told(jobs: list[Job]) -> list[Any]:
    return [job.value if job.error is None else job.error for job in jobs]
