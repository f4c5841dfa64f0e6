"""A worker: it creates the runs that are due, hands each to a runner, and notices lost ones."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.deployments.aftermath import settle_exit
from orion_nb.deployments.duties import Duties
from orion_nb.deployments.files import Spec
from orion_nb.deployments.launch import NONE, kernel_of, launch, remove_abandoned_logs
from orion_nb.deployments.loops import Loop, Watched
from orion_nb.deployments.pool import WarmRunners
from orion_nb.deployments.standby import NATIVE
from orion_nb.errors import Conflict, DeploymentNotFound, RunNotFound, StoreUnavailable
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Cancelled, Crashed, State

#: Seconds between two looks whether anything was committed, or a runner has ended (some µs each).
LOOK = 0.05
#: Seconds between two full passes when nothing seems to happen.
IDLE = 1.0


#: The run that a runner executes, and its process.
Runner = tuple[str, subprocess.Popen[bytes]]


class Worker:
    """Executes the runs of deployments, and looks after all others (see `Duties`).

    Any number of workers may share a database.

    Each run gets a process of its own, at most `concurrency` of them from this worker at a time.
    They are detached: they go on when the worker stops, and need none to come to their end.

    While there are deployments, `warm` runners wait for the next runs, with a kernel each; default:
    the setting `warm_runners`.
    """

    def __init__(
        self,
        orion: Orion,
        *,
        concurrency: int = 2,
        warm: int | None = None,
        log: logging.Logger | None = None,
        link: Callable[[], str | None] | None = None,
        more: Sequence[Watched] = (),
    ) -> None:
        self.orion = orion
        self.concurrency = concurrency
        self.log = log or logging.getLogger(__name__)
        size = orion.settings.warm_runners if warm is None else warm
        self._warm = WarmRunners(orion.settings, size, self.log)
        #: The kernel of the last run, and of the last one of each deployment.
        self._kernel = NATIVE
        self._kernels: dict[str, str] = {}
        self._taken: list[Run] = []
        #: By their process: that of an attempt may end later than the next attempt begins.
        self._runners: dict[int, Runner] = {}
        #: Runs whose runner was killed before they began; the next time they are Crashed.
        self._given_back: set[str] = set()
        self._told = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._loop = Loop("worker", self._step, self.log, first_rest=IDLE)
        self.duties = Duties(orion, self.log, spare=self._started, link=link, more=more)
        self.duties.watch(self._loop)

    def run(self) -> None:
        """Works until `stop` is called, from another thread or a signal handler."""
        self._idle.clear()
        self.duties.start()
        remove_abandoned_logs(self.orion.settings)
        try:
            self._loop.run()
        finally:
            self.duties.stop()
            self._warm.close()
            self._leave()
            self._idle.set()

    def _step(self) -> float:
        seen, at = self.orion.database.version(), clock.now()
        self._pass()
        self._wait(seen, at)
        return 0.0

    def stop(self, timeout: float | None = 0.0) -> bool:
        """No more runs are taken; true if `run` has returned within `timeout` seconds.

        Runners that are at work go on. With a timeout of 0 a signal handler may call it.
        """
        # Setting an event that the interrupted thread waits for could wait for ever itself.
        self._loop.halt()
        return self._idle.is_set() if timeout == 0 else self._idle.wait(timeout)

    def wake(self) -> None:
        """Something may be due: the worker looks now."""
        self._told.set()

    @property
    def active(self) -> list[str]:
        """The ids of the runs that this worker's runners are executing."""
        return list(dict.fromkeys(run_id for run_id, _ in self._runners.values()))

    def _started(self) -> set[int]:
        """The processes whose end this worker will notice, and can say more about than others."""
        return set(self._runners)

    def _pass(self) -> None:
        for pid, (run_id, process) in list(self._runners.items()):
            if process.poll() is not None:
                self._settle(run_id, process)
                del self._runners[pid]
        for run in self.orion.schedule_due():
            self.log.info("run %s of %s is due", run.id, run.name)
        self._take()
        while self._taken:
            self._start(self._taken[0])
            del self._taken[0]
        self._warm.tend(self._wanted)

    def _settle(self, run_id: str, process: subprocess.Popen[bytes]) -> None:
        """The run does not seem to go on, if this was its last runner.

        Nobody else ends one that never began, for it is ours: if it can't be now, it is later.

        Raises:
            StoreUnavailable: it can't be now.
        """
        others = self._started() - {process.pid}
        if any(self._runners[pid][0] == run_id for pid in others):
            return
        again = run_id not in self._given_back
        try:
            if settle_exit(self.orion, run_id, process, others, again=again):
                self._given_back.add(run_id)
        except StoreUnavailable:
            raise
        except RunNotFound:
            self.log.info("run %s was deleted while it was executed", run_id)
        except Exception:
            self.log.exception("the end of run %s can't be seen to", run_id)

    def _wanted(self) -> str | None:
        """The kernel of the run to come, as far as that is known; None: there won't be any."""
        if not self.orion.has_deployments():
            return None
        if (known := self.orion.due_first()) is None:
            return self._kernel
        if known.flow is not None:
            return NONE
        return known.kernel or self._kernels.get(known.id) or kernel_of(known.path)

    def _take(self) -> None:
        room = self.concurrency - len(self._runners) - len(self._taken)
        if room > 0:
            self._taken += self.orion.claim(room)

    def _start(self, run: Run) -> None:
        """A runner for the run is started; if none can be, the run says why."""
        try:
            known = self.orion.find_deployment(run.deployment or "")
            if known.pinned is not None:
                self.orion.copies.touch(known.pinned)  # it stays, whatever is pinned meanwhile
            spec = Spec(
                known.path,
                run.policy.kernel or known.kernel,
                known.cwd,
                known.cell_timeout,
                grace=known.grace,
                start_timeout=known.start_timeout,
                allow_untagged=known.allow_untagged,
                flow=known.flow,
                text=None if known.pinned is None else str(self.orion.copies.path(known.pinned)),
                env={**known.env, **dict(run.policy.env)},
                output_limit=known.output_limit,
                isolated=known.isolated,
            )
            process = self._launch(run, spec)
            self._runners[process.pid] = run.id, process
            self.log.info("run %s of %s: process %d", run.id, run.name, process.pid)
        except DeploymentNotFound:
            self._refuse(run, Cancelled("its deployment was deleted"))
        except Exception as error:
            self.log.exception("run %s of %s", run.id, run.name)
            self._refuse(run, Crashed(f"no runner can be started: {error}"))

    def _launch(self, run: Run, spec: Spec) -> subprocess.Popen[bytes]:
        """A runner for it: a warm one, if there is one.

        The kernel that waits beside it becomes the run's only if it was started by the same command
        and with the same environment.
        """
        if spec.flow is not None:
            self._kernel = NONE
            return launch(self.orion, run.id, spec, self._warm.take(NONE))
        deployment = run.deployment or ""
        runner = self._warm.take(spec.kernel or self._kernels.get(deployment, NATIVE))
        process = launch(self.orion, run.id, spec, runner)
        if run.policy.kernel is None:  # that of one run says nothing of the next
            self._kernel = self._kernels[deployment] = spec.kernel or kernel_of(spec.path)
        return process

    def _refuse(self, run: Run, state: State) -> None:
        self.log.warning("run %s of %s: %s", run.id, run.name, state)
        with suppress(Conflict):
            self.orion.judge(run.id, state, expected_seq=run.state.seq)

    def _wait(self, seen: tuple[int, int], at: int) -> None:
        """Returns when there may be something to do, after `IDLE` seconds at the latest.

        What was due already `at` the beginning of the pass was not ours to take.
        """
        due = self.orion.next_due(at) if len(self._runners) < self.concurrency else None
        pause = IDLE
        if due is not None:
            pause = min(IDLE, max(0.01, (due - clock.now()) / clock.SECOND))
        end = time.monotonic() + pause
        while not self._told.is_set() and (left := end - time.monotonic()) > 0:
            if self._loop.is_stopping:
                return
            self._told.wait(min(left, LOOK))
            if self.orion.database.version() != seen or self._one_has_ended():
                break
        self._told.clear()

    def _one_has_ended(self) -> bool:
        return any(process.poll() is not None for _, process in self._runners.values())

    def _leave(self) -> None:
        """Runners at work are left to themselves; each is waited for, so that none is a zombie."""
        for run_id, process in self._runners.values():
            name = f"orion-left-{process.pid}"
            threading.Thread(
                target=self._see_off, args=(run_id, process), name=name, daemon=True
            ).start()
        self._runners.clear()

    def _see_off(self, run_id: str, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        if not self.orion.database.is_closed:
            with suppress(Exception):
                settle_exit(self.orion, run_id, process)
