"""What code logs and prints while a run executes it, kept with the run.

Records of `logging` are taken where they go to handlers, and no handler is added: one on the root
logger would turn `logging.basicConfig` into nothing and silence the warnings that Python shows when
there is none. `print` is taken where it is called, so that it does not matter what `sys.stdout` is
or becomes. Both cost what is outside of runs a look at a context variable.
"""

from __future__ import annotations

import builtins
import functools
import logging
import os
import threading
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from orion_nb.api.logs import level_of
from orion_nb.api.orion import Orion
from orion_nb.engine import lines, printing
from orion_nb.engine.context import current, run_at_hand
from orion_nb.errors import InvalidInput
from orion_nb.secrets import redacted
from orion_nb.settings import variables
from orion_nb.store.logs import NOTES, fitting

OFF = 2**31
#: The logger of `get_logger`.
NAME = "orion_nb.run"
#: Under this name a record tells which run it belongs to.
ATTRIBUTE = "orion_run"


def collect() -> None:
    """From now on, what the code of runs logs and prints is kept; `flush` writes it."""
    if not _installed:
        install()


def flush(run_id: str) -> None:
    """Whatever this process still holds of the run's log is written; cheap when it holds none."""
    printing.finish(run_id)
    if lines.waiting.holds(run_id):
        lines.waiting.end(run_id)


def get_logger() -> RunLogger:
    """A logger whose lines are kept with the run being executed, from level INFO on.

    It is the logger "orion_nb.run" of Python's `logging`, so its lines also go wherever those of
    other loggers go. A line belongs to the run whose code writes it; on a thread that belongs to
    none, to the run in which the logger was asked for. In a cell of a notebook that is executed as
    a run that is the notebook's. Outside of runs it is a logger like others.

    Example:
        >>> @task
        ... def load(path):
        ...     get_logger().info("loading %s", path)
    """
    logger = logging.getLogger(NAME)
    if logger.level == logging.NOTSET:
        logger.setLevel(min(_level, logging.INFO))
    belongs = run_at_hand()
    if belongs is None:
        return RunLogger(logger, None)
    collect()
    return RunLogger(logger, _RunId.of(*belongs))


class _RunId(str):
    """A run's id that knows where the run is; in a record it looks like any text."""

    orion: Orion

    @classmethod
    def of(cls, orion: Orion, run_id: str) -> _RunId:
        made = cls(run_id)
        made.orion = orion
        return made


class RunLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that knows the run it was asked for in; records tell it as `orion_run`."""

    def __init__(self, logger: logging.Logger, run: _RunId | None) -> None:
        super().__init__(logger, None)
        self._run = run

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        context = current()
        run = self._run if context is None else _RunId.of(context.orion, context.run.id)
        if run is not None:
            kwargs["extra"] = {**(kwargs.get("extra") or {}), ATTRIBUTE: run}
        return msg, kwargs

    def __reduce__(self) -> Any:
        return get_logger, ()  # in another process it belongs to the run that is executed there

    def __orion_fingerprint__(self) -> str:
        return NAME  # which run it was asked for in changes no result


def install() -> None:
    """From now on this process keeps what its runs log and print; more than once is once.

    Raises:
        InvalidInput: a setting can't be accepted.
    """
    global _installed, _level, _prints
    with _lock:
        if _installed:
            return
        _level, _prints = read_settings(variables())
        if _level < OFF:
            logging.Logger.callHandlers = _kept(logging.Logger.callHandlers)  # type: ignore[assignment,method-assign]
        if _prints and _level <= logging.INFO:
            builtins.print = printing.also_kept(builtins.print)
        _installed = True


def read_settings(environ: Mapping[str, str]) -> tuple[int, bool]:
    """The least level that is kept, and whether printed lines are.

    Raises:
        InvalidInput: a variable has a value that can't be accepted.
    """
    told = environ.get("ORION_NB_LOG_LEVEL") or "info"
    try:
        level = OFF if told.lower() == "off" else level_of(told)
    except InvalidInput:
        says = f"ORION_NB_LOG_LEVEL: {told!r} is no level; there are debug, info, warning, error "
        raise InvalidInput(f"{says}and off", field="ORION_NB_LOG_LEVEL") from None
    prints = environ.get("ORION_NB_LOG_PRINTS", "")
    return level, prints.lower() not in ("0", "false", "no", "off")


def _kept(
    call_handlers: Callable[[logging.Logger, logging.LogRecord], None],
) -> Callable[[logging.Logger, logging.LogRecord], None]:
    @functools.wraps(call_handlers)
    def keep_and_call(self: logging.Logger, record: logging.LogRecord) -> None:
        if record.levelno >= _level:
            _keep_record(record)
        call_handlers(self, record)

    return keep_and_call


def _keep_record(record: logging.LogRecord) -> None:
    context, run = current(), record.__dict__.get(ATTRIBUTE)
    try:
        if context is not None:
            where, orion = context.run.id, context.orion
        elif isinstance(run, _RunId):
            where, orion = str(run), run.orion
        else:
            return
        if lines.is_writing():
            return
        name = record.name if record.name not in NOTES else NAME
        level = min(int(record.levelno), OFF - 1)
        lines.waiting.add(orion, where, level, name, _text(record))
    except Exception:  # no line is worth the user's run: it is as if it had not been logged
        return


def _text(record: logging.LogRecord) -> str:
    """The record's message, with the traceback or stack that it carries; it is not changed."""
    try:
        text = record.getMessage()
    except Exception as error:
        text = f"{record.msg!s} (can't be formatted: {type(error).__name__}: {error})"
    if record.exc_info:
        text += "\n" + _formatter.formatException(record.exc_info)
    elif record.exc_text:
        text += "\n" + record.exc_text
    if record.stack_info:
        text += "\n" + record.stack_info
    return fitting(redacted(text))


_installed = False
_level, _prints = logging.INFO, True
_lock = threading.Lock()
_formatter = logging.Formatter()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
