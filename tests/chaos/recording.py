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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orion_nb.api.orion import Orion
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
        """It was answered, and nothing was to be entered: the run is in this state."""
        self._write({"what": "ok", "op": op, "seq": seq, "entered": False})

    def failed(self, op: str, error: BaseException) -> None:
        """It was answered with an error."""
        line = {"what": "fail", "op": op, "error": type(error).__name__, "text": str(error)[:200]}
        self._write(line)

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


def _recorded(history: History, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def recorded(self: Orion, run: Run | str, *args: Any, **kwargs: Any) -> Any:
        if getattr(_inside, "call", False):
            return call(self, run, *args, **kwargs)
        run_id, more = (run, {}) if isinstance(run, str) else (run.id, {"from": run.state.seq})
        more |= {
            key: kwargs[key] for key in ("claims", "transition_id", "rerun") if kwargs.get(key)
        }
        if name == "advance" and isinstance(run, Run):
            more["claims"] = run.attempt
        if args and isinstance(args[0], State) and (args[0].message or "").isdecimal():
            more["counts"] = int(args[0].message or 0)
        op = history.asked(name, run_id, **more)
        _inside.call = True
        try:
            after, report = call(self, run, *args, **kwargs)
        except Exception as error:
            history.failed(op, error)
            raise
        finally:
            _inside.call = False
        new = name == "begin" or entered(report)
        history.told(op, after, entered=new, token=report.token if new and report else None)
        return after, report

    return recorded


_inside = threading.local()
