"""Where submitted tasks run: threads of this process."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from orion_nb.engine import handover
from orion_nb.engine.futures import Joint, TaskFuture, on_runner_thread
from orion_nb.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Coroutine

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


#: Whether more threads are needed is looked at so often (seconds).
MOMENT = 0.002
#: A thread that has done so many tasks in that time is quick: more threads would only take the
#: interpreter from one another.
QUICK = 2


class ThreadRunner:
    """Runs submitted tasks on up to `max_workers` threads (default: processors + 4, at most 32).

    Tasks that take less than a millisecond are done by one thread, one after the other.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        if max_workers is not None and max_workers < 1:
            raise InvalidInput(f"max_workers: {max_workers} is not 1 or more", field="max_workers")
        self.max_workers = max_workers or min(32, (os.cpu_count() or 1) + 4)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._waiting: deque[TaskFuture[Any]] = deque()
        self._busy = self._done = 0
        self._is_watched = False
        _runners.add(self)

    def submit(self, future: TaskFuture[Any]) -> None:
        """The future's job is done on one of the threads, or on one of them that waits for it."""
        with self._lock:
            if self._pool is None:
                # One more than run tasks: it looks whether more of them are needed.
                most = self.max_workers + 1
                self._pool = ThreadPoolExecutor(most, thread_name_prefix="orion-task")
            self._waiting.append(future)
            if not self._busy:
                self._busy = 1
                self._pool.submit(self._work)
            elif self._busy < self.max_workers and not self._is_watched:
                self._is_watched = True
                self._pool.submit(self._watch)

    def _watch(self) -> None:
        """More threads are set to work, unless those that work are quick enough."""
        while True:
            seen = self._done
            time.sleep(MOMENT)
            with self._lock:
                more = min(len(self._waiting), self.max_workers - self._busy)
                if more <= 0 or self._pool is None:
                    self._is_watched = False
                    return
                if self._done - seen >= QUICK * self._busy:
                    continue
                self._busy += more
                pool = self._pool
            for _ in range(more):
                pool.submit(self._work)

    def _work(self) -> None:
        """What waits is done on this thread, one after the other, until nothing waits."""
        while (future := self._next_or_rest()) is not None:
            job = future.take()
            while job is not None:
                with on_runner_thread(), handover.offered(self._joint):
                    job()
                    job = handover.taken()
                self._done += 1

    def _next_or_rest(self) -> TaskFuture[Any] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._busy -= 1
            return None

    def _joint(self) -> tuple[Joint, Callable[[], None]] | None:
        """The next that waits, if its run can begin with the end of another one."""
        with self._lock:
            if not self._waiting or self._waiting[0].joint is None:
                return None
            future = self._waiting.popleft()
        job, joint = future.take(), future.joint
        return None if job is None or joint is None else (joint, job)

    #: Async tasks are lived in this process, on a loop of the thread that runs them.
    in_process = True

    def live(self, task: Living, orion: Orion, run: Run, *told: Any) -> Finish:
        """The run is lived, here on this thread, with what `Living.live` takes."""
        return task.live(orion, run, *told)

    def forget(self) -> None:
        """After a fork: the threads stayed in the parent."""
        self._pool = None
        self._lock = threading.Lock()
        self._waiting.clear()
        self._busy = 0
        self._is_watched = False


_runners: weakref.WeakSet[ThreadRunner] = weakref.WeakSet()
DEFAULT_RUNNER = ThreadRunner()


def _forget_all() -> None:
    for runner in list(_runners):
        runner.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
