"""One attempt at a run: its notebook is executed, watched over, marked and kept."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.deployments import marks
from orion_nb.deployments.aftermath import reap
from orion_nb.deployments.endings import Ending, refusal
from orion_nb.deployments.environ import child_environ
from orion_nb.deployments.files import (
    NOTEBOOK,
    PARAMETERS,
    Spec,
    run_folder,
    set_aside,
    time_ns_of_files,
    write_whole,
)
from orion_nb.deployments.isolation import WORK, workplace
from orion_nb.deployments.kernel import Kernel
from orion_nb.deployments.source import Source, read_source, with_parameters
from orion_nb.deployments.standby import Standby
from orion_nb.deployments.surroundings import environment, record_files
from orion_nb.deployments.sweeping import ATTEMPT_VARIABLE, new_mark
from orion_nb.engine.context import RUN_ID_VARIABLE
from orion_nb.errors import OrionError, RunNotFound, RunStopped
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import (
    ACTIVE,
    CANCELLED,
    CANCELLING,
    COMPLETED,
    PAUSED,
    RUNNING,
    Cancelled,
    Crashed,
    Failed,
    State,
)
from orion_nb.schemas.variables import FRAMES
from orion_nb.store.listing import RunFilter

if TYPE_CHECKING:
    from orion_nb.deployments.kept import KeptNotebook

#: How often the run is looked at, whether it was asked to stop (seconds).
LOOK = 0.25
UNFINISHED = tuple(sorted(ACTIVE))
MANY = 100_000

log = logging.getLogger(__name__)


T = TypeVar("T")


class Stoppable(Protocol):
    """An execution that can be told to end in a state."""

    def stop(self, state: State, ename: str) -> None: ...


class Attempt:
    """One execution of a run that is RUNNING and ours; use it on the main thread."""

    def __init__(self, orion: Orion, run: Run, spec: Spec, standby: Standby | None = None) -> None:
        self.orion = orion
        self.run = run
        self.spec = spec
        self.standby = standby
        self.folder = run_folder(orion.settings, run.id)
        self.ours = True

    async def play(self) -> Ending:
        """The notebook is executed and kept, whatever happens, and no process of it is left.

        Afterwards `ours` is false if somebody else took the run over: nothing is to be proposed.
        """
        set_aside(self.folder, self.run.attempt)
        source = None
        try:
            source = read_source(self.spec)
            self.note_source(source.version)
            source = with_parameters(
                source, self.run.parameters or {}, allow_untagged=self.spec.allow_untagged
            )
            kernel = await self._start_kernel(source)
        except OrionError as error:
            return self._refused(source, Failed(refusal(error)))
        except OSError as error:
            return self._refused(source, Crashed(f"the kernel can't be started: {error}"))
        except Exception as error:  # its kernel.json may ask for anything
            log.exception("run %s", self.run.id)
            told = f"the kernel can't be started: {type(error).__name__}: {error}"
            return self._refused(source, Crashed(told))
        try:
            since = time_ns_of_files(self.folder)
            kept = self._kept(source)  # the kernel starts up while its imports are done
            self._note_environment(kernel, kept, self._cwd(source))
            kept.begin()
            try:
                ending = await self._execute(kernel, kept)
            except Exception as error:
                log.exception("run %s", self.run.id)
                told = f"the runner failed: {type(error).__name__}: {error}"
                ending = Ending(Crashed(told))
        finally:
            await kernel.end()
        self._end_children(ending.state)
        record_files(self.orion, self.run.id, self._cwd(source), since)
        return self._finish(kept, ending)

    def tell(self, run: Run, report: Report) -> None:
        """The run is as its owner has left it: a notebook's code wants to hear nothing of it."""

    def close(self) -> None:
        """No process of this attempt is left."""

    async def _start_kernel(self, source: Source) -> Kernel:
        cwd = workplace(self.folder, self._home(source), isolated=self.spec.isolated)
        mark = new_mark(self.run.id, self.run.attempt)
        name = self.spec.kernel or source.kernel
        environ = child_environ(os.environ, **self.environ(mark, source.path))
        standby: Any = None if self.standby is None or self.standby.is_flow else self.standby
        kernel = await Kernel.start(name, cwd, environ, mark, standby)
        kernel.api_token = self.orion.settings.api_token
        return kernel

    def _home(self, source: Source) -> Path:
        return Path(self.spec.cwd) if self.spec.cwd else Path(source.path).parent

    def _cwd(self, source: Source) -> Path:
        return self.folder / WORK if self.spec.isolated else self._home(source)

    def environ(self, mark: str, path: str) -> dict[str, str]:
        """What the environment says to the code of this attempt."""
        return {
            **self.spec.env,
            **self.orion.settings.as_environ(),
            **{name: value for name, value in self.spec.env.items() if name == FRAMES},
            RUN_ID_VARIABLE: self.run.id,
            ATTEMPT_VARIABLE: mark,
            "ORION_NB_HEADLESS": "1",
            "JPY_SESSION_NAME": path,
            # For kernels of other languages, into whose notebooks nothing is injected.
            "ORION_NB_PARAMS": str(self._parameters_file()),
        }

    def _parameters_file(self) -> Path:
        """The run's parameters as JSON, in a file: an environment holds only short texts."""
        path = self.folder / PARAMETERS
        write_whole(path, json.dumps(self.run.parameters or {}) + "\n", durable=False)
        return path

    def note_source(self, version: dict[str, str]) -> None:
        """Which version of which file this attempt executes."""
        track = "latest" if self.spec.text is None else "pinned"
        told = version["path"], version["sha256"], track
        self.orion.note_source(self.run.id, self.run.attempt, *told)

    async def _execute(self, kernel: Kernel, kept: KeptNotebook) -> Ending:
        from orion_nb.deployments.notebook import Execution, Limits

        spec = self.spec
        limits = Limits(
            self.run.policy.timeout, spec.cell_timeout, spec.grace, spec.start_timeout,
            spec.output_limit,
        )  # fmt: skip
        execution = Execution(kept, kernel, limits)
        try:
            ending = await self.steer(execution, execution.play())
            if not execution.is_ordered and (order := self._late_order(ending)):
                execution.stop(*order)
                if execution.raised == RunStopped.__name__:  # a task in it obeyed before we knew
                    ending = replace(ending, state=order[0])
            if execution.is_ordered:
                await execution.call_hooks()
            return ending
        finally:
            execution.memory.look()
            kept.progress.about["peak_memory"] = execution.memory.peak

    def _late_order(self, ending: Ending) -> tuple[State, str] | None:
        """The order to stop, if it was given before the notebook failed, and is not known yet."""
        if ending.state.type is COMPLETED:
            return None
        with suppress(OrionError):
            return _order(self.orion.find(self.run.id).state)
        return None

    async def steer(self, execution: Stoppable, playing: Awaitable[T]) -> T:
        """What an execution comes to, which is stopped when the run, or the runner, is to end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            told = Crashed(f"the runner was told to end ({number.name})")
            with suppress(NotImplementedError):  # Windows
                loop.add_signal_handler(number, execution.stop, told, "RunnerStopped")
        watching = asyncio.ensure_future(self._watch(execution))
        try:
            return await playing
        finally:
            watching.cancel()

    async def _watch(self, execution: Stoppable) -> None:
        """The execution is stopped when somebody cancels the run, or takes it over."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                now = self.orion.find(self.run.id)
            except RunNotFound:
                return self._give_up(execution, "the run was deleted")
            except Exception:
                log.warning("the run's state can't be read", exc_info=True)
                continue
            if now.attempt != self.run.attempt:
                return self._give_up(execution, f"attempt {now.attempt} took over")
            if order := _order(now.state):
                return execution.stop(*order)
            if now.state.type not in (RUNNING, PAUSED):
                return self._give_up(execution, f"the run was set to {now.state} meanwhile")

    def _give_up(self, execution: Stoppable, why: str) -> None:
        log.warning("run %s: %s; stopping", self.run.id, why)
        self.ours = False
        execution.stop(Cancelled(why), "Cancelled")

    def _kept(self, source: Source) -> KeptNotebook:
        from orion_nb.deployments.kept import KeptNotebook

        return KeptNotebook.of(source.notebook, self.folder / NOTEBOOK, self.run, source.version)

    def _note_environment(self, kernel: Kernel, kept: KeptNotebook, cwd: Path) -> None:
        """What executes the notebook is recorded in it; one that named no kernel names its now."""
        spec = kernel.manager.kernel_spec
        name = kernel.manager.kernel_name
        told = environment(name, spec.argv if spec else [], cwd)
        kept.progress.about["environment"] = told
        kept.nb["metadata"][marks.METADATA]["environment"] = told
        if spec is not None and "kernelspec" not in kept.nb["metadata"]:
            log.info(
                "run %s: the notebook names no kernel; it is executed by %s", self.run.id, name
            )
            named = {"name": name, "display_name": spec.display_name, "language": spec.language}
            kept.nb["metadata"]["kernelspec"] = type(kept.nb)(named)

    def _refused(self, source: Source | None, state: State) -> Ending:
        """Nothing could be executed: the notebook is kept all the same, with the reason on top."""
        ending = Ending(state, retriable=False)
        return ending if source is None else self._finish(self._kept(source), ending)

    def _finish(self, kept: KeptNotebook, ending: Ending) -> Ending:
        """The notebook is marked and saved; if it can't be saved, the state says so."""
        try:
            at = clock.now()
            kept.progress.finish(ending.index, ending.state, at)
            kept.settle()  # which widgets are kept is known now
            marks.finish(kept.nb, self.run, ending, at)
            kept.finish()
        except OSError as error:
            log.exception("run %s", self.run.id)
            told = f"{ending.state.message or ''} (the notebook can't be kept: {error})".lstrip()
            return replace(ending, state=replace(ending.state, message=told))
        return ending

    def _end_children(self, state: State) -> None:
        """What the kernel left unfinished ends with it: Cancelled if the run was, else Crashed."""
        bad = state.type is not COMPLETED and state.message
        why = f"its kernel is gone: {state.message}" if bad else "its kernel ended before it did"
        proposed = Cancelled(why) if state.type is CANCELLED else Crashed(why)
        left = self.orion.list_runs(RunFilter(root=self.run.id, states=UNFINISHED), MANY)
        for child in left:
            if child.id != self.run.id and child.deployment is None:
                with suppress(OrionError):
                    self.orion.judge(child.id, proposed, expected_seq=child.state.seq)
        reap(self.orion)


def _order(state: State) -> tuple[State, str] | None:
    """What an execution is told if its run is in this state: the state to end in, and its name."""
    if state.type is not CANCELLING:
        return None
    return Cancelled(state.message, by=state.by), "Cancelled"
