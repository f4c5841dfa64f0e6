"""The line of `%%task`: its grammar, and what is wrong with it in exact words."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from IPython.core.error import UsageError

from orion_nb.errors import InvalidInput
from orion_nb.schemas import durations

NAME = re.compile(r"[A-Za-z_][\w.-]{0,99}", re.ASCII)
_FLAGS = ("quiet", "persist", "refresh", "frames")
COMMENT = re.compile(r"#\|\s*task:\s*(.*)")


class HelpWanted(Exception):
    """`--help` was among the options: it is shown, and the body is not run."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%%task: {message}")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise HelpWanted

    def print_help(self, file: Any = None) -> None:
        print(self.format_help())  # noqa: T201 - asked for by the user


def _delays(text: str) -> list[float]:
    return [durations.seconds(part) for part in text.split(",")]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def parser() -> argparse.ArgumentParser:
    """The grammar of the line; `--help` shows it."""
    made = _Parser(
        prog="%%task",
        usage="%%%%task [NAME] [options]",
        description="The cell is a task: each time it is executed is a run, retried as said.",
        epilog="The same in a comment, for notebooks that have to run without orion_nb too:\n"
        "  #| task: load retries=3 retry-delay=10s",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("name", nargs="?", metavar="NAME", help="default: the first name it assigns")
    made.add_argument("--retries", default="0", metavar="N", help="tries after a failure, 0 to 100")
    made.add_argument(
        "--retry-delay", default="0s", metavar="DUR[,DUR...]", help="10s, or 1m,5m,30m one by one"
    )
    made.add_argument("--timeout", metavar="DUR", help="how long one attempt may take: 30s, 1h30m")
    made.add_argument("--tags", default="", metavar="A,B", help="words to find its runs by")
    made.add_argument(
        "--persist",
        action="store_true",
        help="keep what it makes for a rerun of the notebook, however large (else up to 1 MiB)",
    )
    made.add_argument(
        "--cache",
        metavar="DUR",
        help="restore what it made instead of running it, if neither its source nor the values it "
        "reads have changed: for 1d, 1w or forever; what it displays is not shown again",
    )
    made.add_argument(
        "--cache-key",
        metavar="TEXT",
        help="another key; {name} stands for the value of a name of the notebook",
    )
    made.add_argument(
        "--refresh", action="store_true", help="run it anyway, and put what it makes in the cache"
    )
    made.add_argument(
        "--frames",
        action="store_true",
        help="if it fails, keep what its names held, for %%replay",
    )
    made.add_argument(
        "--quiet", action="store_true", help="show the line of the task only if it fails"
    )
    return made


def read_line(line: str) -> dict[str, Any]:
    """The options of a `%%task` line.

    Raises:
        UsageError: naming the option, its value and what it may be.
        HelpWanted: `--help` was asked for and has been shown.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"%%task: {error} in {line!r}") from None
    told = parser().parse_args(words)
    if told.name is not None and not NAME.fullmatch(told.name):
        raise UsageError(f"%%task: bad task name {told.name!r}: use letters, digits, _ . -")
    if not (told.retries.isdecimal() and int(told.retries) <= 100):
        raise UsageError(f"%%task: --retries: expected 0..100, got {told.retries!r}")
    return {
        "name": told.name,
        "retries": int(told.retries),
        "retry_delay": _read("--retry-delay", _delays, told.retry_delay),
        "timeout": None
        if told.timeout is None
        else _read("--timeout", durations.seconds, told.timeout),
        "tags": _words(told.tags),
        "persist": True if told.persist else None,
        "cache": _cache(told.cache, told.cache_key),
        "cache_key": told.cache_key,
        "cache_refresh": told.refresh or None,
        "frames": told.frames or None,
        "quiet": told.quiet,
    }


def _cache(given: str | None, key: str | None) -> bool | float | None:
    if given is None:
        return None if key is None else True
    if given.lower() in ("forever", "ever", "on"):
        return True
    return float(_read("--cache", durations.seconds, given))


def from_comment(line: str) -> str | None:
    """The `%%task` line of a comment `#| task: NAME retries=3`; None when it is no such comment."""
    match = COMMENT.fullmatch(line.strip())
    if match is None:
        return None
    words: Sequence[str] = match[1].split()
    options = [f"--{word}" if "=" in word or word in _FLAGS else word for word in words]
    return " ".join(options)


def _read(option: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except InvalidInput as error:
        raise UsageError(f"%%task: {option}: {error}") from None
