"""Where submitted tasks run: threads of this process."""

from __future__ import annotations

import os
import threading
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


class ThreadRunner:
    """Runs submitted tasks on up to `max_workers` threads (default: processors + 4, at most 32)."""

    def __init__(self, max_workers: int | None = None) -> None:
        if max_workers is not None and max_workers < 1:
            raise InvalidInput(f"max_workers: {max_workers} is not 1 or more", field="max_workers")
        self.max_workers = max_workers or min(32, (os.cpu_count() or 1) + 4)
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._waiting: deque[TaskFuture[Any]] = deque()
        self._busy = 0
        _runners.add(self)

    def submit(self, future: TaskFuture[Any]) -> None:
        """The future's job is done on one of the threads, or on one of them that waits for it."""
        with self._lock:
            self._waiting.append(future)
            if self._busy >= self.max_workers:
                return
            self._busy += 1
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.max_workers, thread_name_prefix="orion-task")
            self._pool.submit(self._work)

    def _work(self) -> None:
        """What waits is done on this thread, one after the other, until nothing waits."""
        while (future := self._next_or_rest()) is not None:
            job = future.take()
            while job is not None:
                with on_runner_thread(), handover.offered(self._joint):
                    job()
                    job = handover.taken()

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


_runners: weakref.WeakSet[ThreadRunner] = weakref.WeakSet()
DEFAULT_RUNNER = ThreadRunner()


def _forget_all() -> None:
    for runner in list(_runners):
        runner.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
