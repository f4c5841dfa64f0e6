"""Runners on other executors: processes of this machine, or any of `concurrent.futures`' kind.

A run is lived where its code runs: there its states are proposed, and its process owns it. A thread
of this process waits for each of them, so that futures, upstream runs and cancelling work alike.
"""

from __future__ import annotations

import contextlib
import contextvars
import multiprocessing
import os
import threading
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from orion_nb.api.orion import Orion
from orion_nb.engine.lead import NOTHING, Finish
from orion_nb.engine.runners import Living, ThreadRunner
from orion_nb.errors import InvalidInput, OrionError, RunStopped
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import SCHEDULED, Crashed


class ExecutorRunner(ThreadRunner):
    """Runs submitted tasks on an executor: any with the interface of `concurrent.futures`.

    `in_process` says that its functions run in this process, and get the very same objects; by
    default that is so for a ThreadPoolExecutor. Else functions and arguments are pickled (by
    cloudpickle, so those of a notebook can be), and the other process has to reach the database.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        max_workers: int | None = None,
        in_process: bool | None = None,
    ) -> None:
        if not callable(getattr(executor, "submit", None)):
            raise InvalidInput(f"executor: {executor!r} has no submit()", field="executor")
        super().__init__(max_workers or getattr(executor, "_max_workers", None))
        self.executor = executor
        self.in_process = (
            isinstance(executor, ThreadPoolExecutor) if in_process is None else in_process
        )

    #: Runs are lived on the executor.
    takes_turns = False

    def live(self, task: Living, orion: Orion, run: Run, *told: Any) -> Finish:
        """The run is lived on the executor; this thread waits for it."""
        if self.in_process:
            context = contextvars.copy_context()
            done = self.executor.submit(context.run, _in_process, task, orion, run, *told)
            finish: Finish = done.result()
            return finish
        return self._live_elsewhere(task, orion, run, *told)

    def _live_elsewhere(self, task: Living, orion: Orion, run: Run, *told: Any) -> Finish:
        args, kwargs, upstream, _, states = told
        sent = _packed((task, run, args, kwargs, upstream, states))
        environ = orion.settings.as_environ()
        while True:
            try:
                answer = self._executor().submit(_in_child, environ, sent).result()
            except BrokenExecutor as broken:
                self.renew()
                ended = _crashed(orion, run, broken)
                if ended is not None:
                    return ended
                sent = _packed((task, orion.find(run.id), args, kwargs, upstream, states))
            else:
                finish: Finish = _unpacked(answer)
                if task.on_state is not None:
                    task.on_state(finish.run, finish.report)
                return finish

    def _executor(self) -> Executor:
        return self.executor

    def renew(self) -> None:
        """The executor is broken; a runner that made it itself makes another one."""


class ProcessRunner(ExecutorRunner):
    """Runs submitted tasks in up to `max_workers` processes (default: one per processor).

    A process that dies takes its run with it, as Crashed; the others go on, in new processes.
    `recycle` is the number of tasks after which a process is replaced (None: never).
    """

    def __init__(self, max_workers: int | None = None, *, recycle: int | None = None) -> None:
        for name, value in (("max_workers", max_workers), ("recycle", recycle)):
            if value is not None and value < 1:
                raise InvalidInput(f"{name}: {value} is not 1 or more", field=name)
        self._made: ProcessPoolExecutor | None = None
        self._making = threading.Lock()
        self._recycle = recycle
        super().__init__(_Nothing(), max_workers=max_workers or os.cpu_count() or 1)
        self.in_process = False

    def _executor(self) -> Executor:
        with self._making:
            if self._made is None:
                self._made = ProcessPoolExecutor(
                    self.max_workers,
                    # A forked child would have the locks of threads that it does not have.
                    mp_context=multiprocessing.get_context("spawn"),
                    max_tasks_per_child=self._recycle,
                )
            return self._made

    def renew(self) -> None:
        with self._making:
            broken, self._made = self._made, None
        if broken is not None:
            broken.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """The processes end when they have done what they do."""
        with self._making:
            made, self._made = self._made, None
        if made is not None:
            made.shutdown(wait=True)

    def forget(self) -> None:
        super().forget()
        self._made = None
        self._making = threading.Lock()


class _Nothing(Executor):
    """In the place of an executor that is made when it is first needed."""


def _in_process(task: Living, orion: Orion, run: Run, *told: Any) -> Finish:
    from orion_nb.engine.runner_threads import on_runner_thread

    with on_runner_thread():
        return task.live(orion, run, *told)


def _in_child(environ: dict[str, str], sent: bytes) -> bytes:
    """Lives one run in this process, which is another one than that of its flow."""
    import asyncio

    from orion_nb.api.connect import connect
    from orion_nb.settings import adopt

    adopt(environ)
    task, run, args, kwargs, upstream, states = _unpacked(sent)
    orion = connect()
    if task.is_async:
        finish = asyncio.run(task.live_async(orion, run, args, kwargs, upstream, None, states))
    else:
        finish = task.live(orion, run, args, kwargs, upstream, None, states)
    try:
        return _packed(finish)
    except Exception as error:
        told = RunStopped(f"what {run.name!r} came to can't be sent back: {error}")
        return _packed(finish._replace(outcome=type(finish.outcome)(error=told)))


def _crashed(orion: Orion, run: Run, broken: BrokenExecutor) -> Finish | None:
    """How a run ended whose process died; None if the rules say that it is tried again."""
    told = f"its process died: {broken}"
    with contextlib.suppress(OrionError):
        orion.reap(told)
    try:
        known = orion.find(run.id)
    except OrionError:  # it had not begun
        told += "; a script needs `if __name__ == '__main__':` around what it runs"
        known, _ = orion.begin(run, None)
    report = Report(Status.ACCEPT, known.state)
    if not known.state.is_terminal and known.state.type is not SCHEDULED:
        known, report = orion.judge(run.id, Crashed(told))
    if known.state.type is SCHEDULED:
        return None
    return Finish(known, report, NOTHING)


def _packed(value: Any) -> bytes:
    import cloudpickle  # type: ignore[import-untyped]

    made: bytes = cloudpickle.dumps(value)
    return made


def _unpacked(data: bytes) -> Any:
    import cloudpickle

    return cloudpickle.loads(data)
