"""Writes down what a process asked of Orion, and what it was told: the history a checker reads.

Each line is one JSON object, written with one call as soon as it is known, so that a process that
is killed leaves all that it was told. What was asked and has no answer is unknown: it may have
happened. Times are those of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orion_nb.api.answers import Proposal
from orion_nb.api.orion import Orion
from orion_nb.errors import RunNotFound
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import State

#: The methods of Orion by which states are entered.
CALLS = ("begin", "advance", "judge", "force")


class History:
    """A file that any number of processes and threads write to."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._count = itertools.count(1)

    def asked(self, call: str, run: str, **more: Any) -> str:
        """Something is asked; answers the name under which its answer is written."""
        op = f"{os.getpid()}-{next(self._count)}"
        self._write({"what": "invoke", "op": op, "call": call, "run": run, **more})
        return op

    def told(self, op: str, run: Run, *, entered: bool, token: str | None = None) -> None:
        """It was answered: the run is in this state now, and entered it by this call or not."""
        state = run.state
        line = {
            "what": "ok",
            "op": op,
            "seq": state.seq,
            "type": state.type,
            "name": state.name,
            "attempt": state.attempt,
            "entered": entered,
        }
        self._write(line if token is None else {**line, "token": token})

    def read(self, op: str, seq: int) -> None:
        """It was answered that the run is in its state number `seq`; 0: that there is none."""
        self._write({"what": "ok", "op": op, "seq": seq, "entered": False})

    def failed(self, op: str, error: BaseException) -> None:
        """It was answered with an error."""
        line = {"what": "fail", "op": op, "error": type(error).__name__, "text": str(error)[:200]}
        self._write(line)

    def note(self, what: str, **more: Any) -> None:
        """Something happened that is no call: code began to run, say."""
        self._write({"what": what, "pid": os.getpid(), **more})

    def _write(self, line: dict[str, Any]) -> None:
        line["t"] = time.monotonic_ns()
        # The end of a line comes first, too: a write that a kill cut short spoils one line only.
        os.write(self._file, b"\n" + json.dumps(line).encode() + b"\n")


def entered(report: Report) -> bool:
    """The report says that a state was entered, now and not before."""
    if report.replayed or report.status in (Status.WAIT, Status.ABORT):
        return False
    spoken = [line.verdict for line in report.rules if line.verdict != "pass"]
    return report.status is Status.ACCEPT or spoken[-1:] == ["rewrite"]


def record(history: History) -> None:
    """From now on this process writes down every proposal, whoever makes it."""
    for name in CALLS:
        setattr(Orion, name, _recorded(history, name, getattr(Orion, name)))
    Orion.find = _recorded_find(history, Orion.find)
    Orion.put_all = _recorded_many(history, Orion.put_all)


def _recorded(history: History, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def recorded(self: Orion, run: Run | str, *args: Any, **kwargs: Any) -> Any:
        if getattr(_inside, "call", False):
            return call(self, run, *args, **kwargs)
        op = _asked(history, name, run, args[0] if args else None, kwargs)
        (answer,) = _called(history, [op], lambda: [call(self, run, *args, **kwargs)])
        return answer

    return recorded


def _recorded_find(history: History, call: Callable[..., Run]) -> Callable[..., Run]:
    @functools.wraps(call)
    def recorded(self: Orion, ref: str) -> Run:
        if len(ref) < 32 or getattr(_inside, "call", False):
            return call(self, ref)
        op = history.asked("find", ref)
        try:
            run = call(self, ref)
        except RunNotFound:
            history.read(op, 0)
            raise
        history.read(op, run.state.seq)
        return run

    return recorded


def _recorded_many(history: History, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def recorded(self: Orion, proposals: Sequence[Proposal]) -> Any:
        ops = [
            _asked(history, "advance" if run.state.seq else "begin", run, state, {"rerun": rerun})
            for run, state, _, _, rerun, _ in proposals
        ]
        return _called(history, ops, lambda: call(self, proposals))

    return recorded


def _asked(
    history: History, name: str, run: Run | str, proposed: State | None, told: dict[str, Any]
) -> tuple[str, str]:
    more = {key: told[key] for key in ("claims", "transition_id", "rerun") if told.get(key)}
    if name == "advance" and isinstance(run, Run):
        more["claims"] = run.attempt
    if proposed is not None and (proposed.message or "").isdecimal():
        more["counts"] = int(proposed.message or 0)
    return name, history.asked(name, run if isinstance(run, str) else run.id, **more)


def _called(history: History, ops: list[tuple[str, str]], call: Callable[[], Any]) -> Any:
    try:
        with unrecorded():
            answers = call()
    except Exception as error:
        for _, op in ops:
            history.failed(op, error)
        raise
    for (name, op), answer in zip(ops, answers, strict=True):
        if isinstance(answer, BaseException):
            history.failed(op, answer)
            continue
        after, report = answer
        new = name == "begin" or entered(report)
        history.told(op, after, entered=new, token=report.token if new and report else None)
    return answers


@contextmanager
def unrecorded() -> Iterator[None]:
    """Within the block nothing is written down: what is answered may yet be taken back."""
    _inside.call = True
    try:
        yield
    finally:
        _inside.call = False


_inside = threading.local()
