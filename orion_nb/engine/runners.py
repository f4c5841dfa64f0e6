"""Where submitted tasks run: threads of this process, which commit their proposals together."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from orion_nb.engine.futures import Lived, TaskFuture
from orion_nb.engine.runner_threads import on_runner_thread
from orion_nb.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from orion_nb.api.answers import Answer, Proposal
    from orion_nb.api.orion import Orion
    from orion_nb.engine.lead import Finish
    from orion_nb.schemas.runs import Run
    from orion_nb.schemas.states import State


class Living(Protocol):
    """What a runner knows of a task: how to live one of its runs."""

    is_async: bool

    @property
    def on_state(self) -> Any: ...

    def live(
        self,
        orion: Orion,
        run: Run,
        args: Any,
        kwargs: Any,
        upstream: Any,
        context: Any,
        states: list[State],
    ) -> Finish: ...

    def live_async(
        self,
        orion: Orion,
        run: Run,
        args: Any,
        kwargs: Any,
        upstream: Any,
        context: Any,
        states: list[State],
    ) -> Coroutine[Any, Any, Finish]: ...


#: So many threads run the tasks of a runner that was not told another number. A thread is made
#: when there is something for it to do.
MOST_THREADS = 32
#: So many tasks are begun in one transaction: with more, a commit's share is hardly smaller, and
#: what they are made of keeps the garbage collector busy.
AT_ONCE = 12
#: How often somebody looks after what is left lying while all others run tasks (seconds).
LOOK = 0.001
#: One thread goes on alone while it finishes so many tasks between two looks: more threads would
#: only take the interpreter from one another.
QUICK = 4
#: While nothing moves because somebody commits, it is waited for so many looks.
PATIENCE = 20


class ThreadRunner:
    """Runs submitted tasks on up to `max_workers` threads (default: 32).

    A thread begins as many tasks as there are threads free, in one transaction, which also ends
    those that have returned. It runs them one after another; if one takes longer than a moment,
    other threads take up the rest. So a thousand quick tasks cost a few commits and no change of
    threads, and slow ones run side by side.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        if max_workers is not None and max_workers < 1:
            raise InvalidInput(f"max_workers: {max_workers} is not 1 or more", field="max_workers")
        self.max_workers = max_workers or MOST_THREADS
        self.forget()
        _runners.add(self)

    def forget(self) -> None:
        """At first, and after a fork: the threads stayed in the parent."""
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        #: Futures whose tasks have not begun; have begun, but not on a thread; jobs that have
        #: returned, each with the end that it proposes.
        self._waiting: deque[TaskFuture[Any]] = deque()
        self._begun: deque[TaskFuture[Any]] = deque()
        self._ended: deque[tuple[Lived, Proposal]] = deque()
        #: Threads that look for what to do; threads that run tasks; tasks that are being begun.
        self._serving = self._running = self._beginning = 0
        self._is_watched = False
        #: Tasks that were run; looks of the watch; threads that have run some since the last look.
        self._count = self._looks = self._movers = 0

    #: Async tasks are lived in this process, on a loop of the thread that runs them.
    in_process = True
    #: It puts the proposals of what it runs to the API, together.
    takes_turns = True

    def live(self, task: Living, orion: Orion, run: Run, *told: Any) -> Finish:
        """The run is lived, here on this thread, with what `Living.live` takes."""
        return task.live(orion, run, *told)

    def submit(self, future: TaskFuture[Any]) -> None:
        """The future's job is done on one of the threads, or on one of them that waits for it."""
        self._waiting.append(future)
        with self._lock:
            is_idle = not self._running
            if self._serving or self._running == self.max_workers:
                return
            if is_idle:
                self._serving += 1
            elif self._is_watched:
                return
            else:
                self._is_watched = True
        try:
            self._start(watching=not is_idle)
        except BaseException:
            with suppress(ValueError):
                self._waiting.remove(future)
            raise

    def _start(self, *, watching: bool) -> None:
        try:
            with self._lock:
                if self._pool is None:
                    self._pool = ThreadPoolExecutor(
                        self.max_workers, thread_name_prefix="orion-task"
                    )
            self._pool.submit(self._watch if watching else self._serve)
        except BaseException:
            with self._lock:
                if watching:
                    self._is_watched = False
                else:
                    self._serving -= 1
            raise

    def _serve(self) -> None:
        """What there is to do is done, until there is nothing."""
        with on_runner_thread():
            while True:
                if self._begun:
                    self._run_begun()
                elif self._ended or (self._waiting and self._room() > 0):
                    self._commit()
                else:
                    with self._lock:
                        if not self._is_pending():
                            self._serving -= 1
                            return

    def _room(self) -> int:
        """So many more tasks can begin: for each there is a thread that does not run one."""
        return self.max_workers - self._running - self._beginning - len(self._begun)

    def _is_pending(self) -> bool:
        return bool(self._begun or self._ended or (self._waiting and self._room() > 0))

    def _watch(self) -> None:
        """Looks after what is left lying while all others run tasks: then it serves, too."""
        patience = PATIENCE
        while True:
            with self._lock:
                seen, self._movers = self._count, 0
                self._looks += 1
            time.sleep(LOOK)
            with self._lock:
                if not self._is_pending():
                    self._is_watched = False
                    return
                moved = self._count - seen
                if moved < QUICK * max(1, self._movers):
                    if moved or not self._serving or not patience:
                        self._is_watched = False
                        # Nothing moves: who waits for a thread gets one at once.
                        others = max(0, len(self._begun) - 1) if not moved else 0
                        self._serving += 1 + others
                        break
                    patience -= 1  # somebody commits
        for _ in range(others):
            with suppress(RuntimeError):
                self._start(watching=False)
        self._serve()

    def _run_begun(self) -> None:
        """Tasks that have begun are run on this thread, one after the other."""
        with self._lock:
            self._running += 1
            self._serving -= 1
        seen = -1
        try:
            while self._begun:
                self._look_after_the_rest()
                try:
                    job = self._begun.popleft().take()
                except IndexError:
                    return  # another thread was faster
                if job is None:
                    continue  # a thread that waits for it runs it
                end = job.run_on()
                if end is not None:
                    self._ended.append((job, end))
                self._count += 1
                if seen != self._looks:
                    seen = self._looks
                    self._movers += 1
        finally:
            with self._lock:
                self._running -= 1
                self._serving += 1

    def _look_after_the_rest(self) -> None:
        """Before this thread runs a task, which may take long: what is left lying is taken up."""
        if self._ended and self._running >= self.max_workers:
            self._commit(beginning=False)  # there is no other thread that could
        if self._is_watched or self._serving:
            return
        with self._lock:
            if self._is_watched or self._serving or self._running >= self.max_workers:
                return
            if not self._ended and len(self._begun) < 2 and not self._waiting:
                return
            self._is_watched = True
        with suppress(RuntimeError):  # the interpreter ends
            self._start(watching=True)

    def _commit(self, *, beginning: bool = True) -> None:
        """Ends are written down and tasks begun, in one transaction."""
        ended = list(_drained(self._ended))
        begun = self._take() if beginning else []
        for orion in dict.fromkeys(job.orion for job, _ in [*ended, *begun]):
            mine = [each for each in ended if each[0].orion is orion]
            new = [each for each in begun if each[0].orion is orion]
            answers = put_all(orion, [proposal for _, proposal in [*mine, *new]])
            for (job, _), answer in zip(new, answers[len(mine) :], strict=True):
                job.answer = answer
                job.future.give(job)
                self._begun.append(job.future)
            with self._lock:
                self._beginning -= len(new)
            for (job, _), answer in zip(mine, answers, strict=False):
                job.answer = answer
                if job.goes_on():
                    job.future.give(job)
                    self._waiting.appendleft(job.future)

    def _take(self) -> list[tuple[Lived, Proposal]]:
        """Jobs that wait, as many as threads are free, each with what it proposes first."""
        with self._lock:
            room = min(self._room(), AT_ONCE)
            self._beginning += max(0, room)
        found: list[tuple[Lived, Proposal]] = []
        whole = 0
        while self._waiting and len(found) + whole < room:
            try:
                future = self._waiting.popleft()
            except IndexError:
                break
            job = future.take()
            if job is None:
                continue
            if job.is_whole:
                whole += 1
                future.give(job)
                self._begun.append(future)
            elif (proposal := job.first()) is not None:
                found.append((job, proposal))
        with self._lock:
            self._beginning -= max(0, room) - len(found)
        return found


def put_all(orion: Orion, proposals: list[Proposal]) -> list[Answer]:
    """The answers; what goes wrong for all of them is told to each."""
    try:
        return orion.put_all(proposals)
    except BaseException as error:
        return [error] * len(proposals)


def _drained(items: deque[Any]) -> Iterator[Any]:
    with suppress(IndexError):
        while True:
            yield items.popleft()


_runners: weakref.WeakSet[ThreadRunner] = weakref.WeakSet()
DEFAULT_RUNNER = ThreadRunner()


def _forget_all() -> None:
    for runner in list(_runners):
        runner.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
