"""`replay`: a run that failed, at hand again: its inputs, its code, and what its frames held."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from orion_nb.api.aside import aside
from orion_nb.api.connect import connect
from orion_nb.api.orion import Orion
from orion_nb.api.results import Inputs
from orion_nb.engine.failed_cells import FailedCell, failure_of
from orion_nb.engine.snapshots import CELL, MIME, as_text
from orion_nb.engine.work import Work
from orion_nb.errors import InvalidInput, OrionError, ResultUnavailable
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import COMPLETED

#: So many artifacts of a run are looked through for a snapshot, the newest first.
LOOKED_THROUGH = 200


class Names(Mapping[str, Any]):
    """What the names of a frame held when it raised; a value is decoded when it is asked for.

    Raises:
        ResultUnavailable: asked for a value that was not kept; it says why, and how it looked.
    """

    def __init__(self, orion: Orion, told: dict[str, Any], frame: dict[str, Any]) -> None:
        self._orion, self._told = orion, told
        self._names = {each["name"]: each for each in frame["names"]}

    def __getitem__(self, name: str) -> Any:
        each = self._names[name]
        if "value" not in each:
            says = f"{name} was not kept ({each['why']}); it was shown as {each['shown']:.300}"
            raise ResultUnavailable(says)
        return self._orion.keeper.opened(self._told["values"][each["value"]])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def shown(self, name: str) -> str:
        """The value as text, as it was then; at most 2,000 characters."""
        return str(self._names[name]["shown"])

    def kept(self) -> dict[str, Any]:
        """The values of all names whose value was kept and can be had here."""
        found = {}
        for name in self:
            try:
                found[name] = self[name]
            except OrionError:
                continue
        return found

    def __repr__(self) -> str:
        return "\n".join(f"{name} = {self.shown(name)}" for name in self) or "(no names)"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the code that raised: where it was, its source, and its `locals`.

    Names of the module that its code speaks of are among the locals; `first` is the number of the
    first line of `source`.
    """

    function: str
    file: str
    line: int
    source: str
    first: int
    locals: Names
    _told: dict[str, Any] = field(repr=False)

    @property
    def is_cell(self) -> bool:
        """It is a cell of a notebook, not a function."""
        return self.function == CELL

    def __repr__(self) -> str:
        return as_text({"frames": [self._told], "error": ""}).rstrip()


@dataclass(frozen=True, slots=True)
class Tried:
    """What the code came to when it was tried last: its value, or the exception, still alive.

    `source` is the code of a `%%replay` cell, and `run_id` the run that was made of it; of a call
    both are None. `trace` is the traceback of the exception from the user's code on. `has_value`:
    the cell ended in an expression, or made the names that it was to make.
    """

    value: Any = None
    error: BaseException | None = None
    trace: TracebackType | None = None
    source: str | None = None
    run_id: str | None = None
    has_value: bool = True


class Replay:
    """A run at hand again; nothing here changes it.

    `run` is the run, `inputs` what it was given, by argument; `missing` says why an argument is not
    to be had, `problem` why none is. `fn` is its function as it is now, None where it can't be
    found. `cell` is the cell that the run of a notebook failed in: its inputs are then the
    parameters, its source that of the cell. `frames` are those of its last failure, outermost
    first; empty if none were kept. `tried` is what its code came to when it was called here, or
    executed in a `%%replay` cell, last.
    """

    tried: Tried | None = None

    def __init__(self, orion: Orion, run: Run, fn: Callable[..., Any] | None) -> None:
        self._orion, self.run = orion, run
        self.work = fn if isinstance(fn, Work) else None if fn is not None else find_work(run)
        self.fn: Callable[..., Any] | None = self.work.fn if self.work is not None else fn
        self.problem: str | None = None
        self._given = Inputs((), {}, {})
        try:
            self._given = orion.kept_inputs(run.id)
        except OrionError as error:
            if run.parameters or orion.read_inputs(run.id)["reference"]:  # else it had none
                self.problem = str(error)
        self.inputs, self.missing = _by_name(self.fn, self._given)
        self.cell: FailedCell | None = None
        if self.fn is None and (failure := failure_of(orion, run)) is not None:
            self.cell, self.problem = failure.cell, None
            self.inputs, self.missing = failure.parameters, failure.missing
        self._snapshot = _snapshot(orion, run)
        told = self._snapshot or {"frames": []}
        self.frames = [
            Frame(
                each["function"], each["file"], each["line"], each["source"], each["first"],
                Names(orion, told, each), each,
            )
            for each in told["frames"]
        ]  # fmt: skip

    @property
    def error(self) -> str | None:
        """What it failed with, as text: `KeyError: 'price'`."""
        return self._snapshot["error"] if self._snapshot else self.run.state.message

    @property
    def source(self) -> str | None:
        """The source of its code: as it was when it failed, if frames were kept, else as it is."""
        if self.cell is not None:
            return self.cell.source
        mine = getattr(self.fn, "__name__", None)
        for frame in self.frames:
            if frame.source and (mine is None or frame.function.rpartition(".")[2] == mine):
                return frame.source
        try:
            return inspect.getsource(self.fn) if self.fn is not None else None
        except (OSError, TypeError):
            return None

    def call(self, **changes: Any) -> Any:
        """Its function is called with its inputs, `changes` laid over them; no run is made of it.

        What the function calls that is a task is a run, as everywhere.

        Raises:
            InvalidInput: the function is not at hand, or takes no argument of such a name.
            ResultUnavailable: its inputs were not kept.
            Exception: whatever the function raises.
        """
        if self.cell is not None:
            says = f"{self.run.name} is no function: run the code of its cell, .source, in a"
            says += " notebook: `%replay` puts it there"
            raise InvalidInput(says, field="fn")
        if self.fn is None:
            says = f"its function, {self.run.key or self.run.name}, is not imported here: import "
            says += "or define it, or give it with replay(run, fn=...)"
            raise InvalidInput(says, field="fn")
        if self.problem is not None and not changes:
            raise ResultUnavailable(self.problem)
        if left := [name for name in self.missing if name not in changes]:
            says = f"{left[0]} was not kept ({self.missing[left[0]]}): give it, call({left[0]}=...)"
            raise ResultUnavailable(says)
        try:
            given = self._given  # what its code changed in an earlier call is as it was
            if given.args or given.kwargs:
                given = self._orion.kept_inputs(self.run.id)
            bound = inspect.signature(self.fn).bind_partial(*given.args, **given.kwargs)
            bound.arguments.update(changes)
            inspect.signature(self.fn).bind(*bound.args, **bound.kwargs)
        except TypeError as error:
            raise InvalidInput(f"{self.run.name}: {error}", field="changes") from None
        if unknown := set(changes) - set(bound.signature.parameters):
            says = f"{self.run.name} takes no argument {min(unknown)!r}"
            raise InvalidInput(says, field="changes")
        try:
            value = self.fn(*bound.args, **bound.kwargs)
        except BaseException as error:
            trace = error.__traceback__
            self.tried = Tried(error=error, trace=trace.tb_next if trace else None)
            raise
        self.tried = Tried(value)
        return value

    @property
    def title(self) -> str:
        """Which run it is, its state, and what it failed with, in one line."""
        run = self.run
        told = f"{run.kind} {run.name} ({short(run.id)}), {run.state.name}, attempt {run.attempt}"
        if self._snapshot and run.state.type is COMPLETED:
            return f"{told}; it had failed with {self.error}"
        return f"{told}: {self.error}" if self.error else told

    def __repr__(self) -> str:
        lines = [self.title]
        lines += [f"  {name} = {value!r:.200}" for name, value in self.inputs.items()]
        lines += [f"  {name} was not kept: {why}" for name, why in self.missing.items()]
        if self.problem:
            lines.append(f"  {self.problem}")
        lines += [f"  at {each.function} ({each.file}:{each.line})" for each in self.frames]
        return "\n".join(lines)


def replay(ref: str, fn: Callable[..., Any] | None = None) -> Replay:
    """A run is at hand again, to see why it failed and to try its code with its real inputs.

    Args:
        ref: its id, the end of one (4 digits or more), or its name: the newest run of it.
        fn: its function, flow or task, where it can't be found by its name.

    Raises:
        NotFound: there is no such run.

    Example:
        >>> failed = replay("load")
        >>> failed.inputs["rows"], failed.frames[-1].locals["row"]
        >>> failed.call(rows=failed.inputs["rows"][:10])
    """
    orion = connect()
    return Replay(orion, orion.find(ref), fn)


replay_async = aside(replay, "The same as `replay`, to be awaited; a `call` of it is not.")


def find_work(run: Run) -> Work[..., Any] | None:
    """The flow or task that the run is one of, where its module is imported here already.

    Nothing is imported for it: a script would do all its work.
    """
    if (run.key or "").startswith("flow:"):
        return _deployed(run.key or "")
    module, _, name = (run.key or "").rpartition(".")
    for place in ("__main__", module):
        for each in vars(sys.modules[place]).values() if place in sys.modules else ():
            if isinstance(each, Work) and (each.kind, each.options.key) == (run.kind, run.key):
                return each
    found: Any = sys.modules.get(module.rpartition(".")[0])  # a method that is a task
    for part in (module.rpartition(".")[2], name):
        found = getattr(found, part, None)
    return found if isinstance(found, Work) and found.kind == run.kind else None


def _deployed(key: str) -> Work[..., Any] | None:
    """The flow of a deployment, which is known by its file, `flow:/somewhere/etl.py:nightly`."""
    path, _, name = key.removeprefix("flow:").rpartition(":")
    spaces = [getattr(module, "__dict__", {}) for module in list(sys.modules.values())]
    found = next((each.get(name) for each in spaces if each.get("__file__") == path), None)
    return found if isinstance(found, Work) else None


def _by_name(fn: Any, given: Inputs) -> tuple[dict[str, Any], dict[str, str]]:
    """The arguments by their names, and those that are missing, with the reasons.

    They are named by their places, `0`, `1`, where the function isn't known, or takes others now.
    """
    places = [str(at) for at in range(len(given.args))]
    names, found = list(places), {**dict(zip(places, given.args, strict=True)), **given.kwargs}
    with suppress(TypeError, ValueError):
        if fn is not None:
            signature = inspect.signature(fn)
            found = dict(signature.bind_partial(*given.args, **given.kwargs).arguments)
            names = list(signature.bind_partial(*places).arguments)
    missing = {
        names[int(name)] if name.isdigit() and int(name) < len(names) else name: why
        for name, why in given.missing.items()
    }
    return {name: value for name, value in found.items() if name not in missing}, missing


def _snapshot(orion: Orion, run: Run) -> dict[str, Any] | None:
    """What was kept of the frames when the run failed last."""
    cursor, seen = None, 0
    while seen < LOOKED_THROUGH:
        page = orion.read_artifacts(run.id, cursor=cursor)
        for each in page["artifacts"]:
            seen += 1
            if MIME in each["types"]:
                told: dict[str, Any] = orion.read_artifact(each["id"])["data"][MIME]
                return told
        cursor = page["cursor"]
        if cursor is None:
            break
    return None
