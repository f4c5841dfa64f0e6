"""What makes a function a command: its examples, its errors as one line, its exit code."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

from orion_nb.cli import output
from orion_nb.errors import (
    Conflict,
    DeploymentExists,
    InvalidInput,
    InvalidNotebook,
    OrionError,
    UnknownParameter,
)
from orion_nb.schemas.states import CANCELLED, CANCELLING, COMPLETED, CRASHED, TERMINAL, State

OK, RUN_FAILED, USAGE, WAS_CANCELLED, TIMED_OUT, HAS_CRASHED, UNREACHABLE = range(7)

#: What begins like a negative number.
NEGATIVE = re.compile(r"-[0-9.]")

F = TypeVar("F", bound=Callable[..., int | None])


def command(
    app: typer.Typer,
    name: str,
    *,
    panel: str | None = None,
    examples: Sequence[str],
    cls: type[TyperCommand] | None = None,
) -> Callable[[F], F]:
    """The decorated function is a command of `app`; it returns its exit code, None for 0.

    An `OrionError` is printed as one line with its remedy; with `--json` also as JSON.
    """

    def register(function: F) -> F:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                code = function(*args, **kwargs)
            except OrionError as error:
                code = fail(error, as_json=kwargs.get("as_json", False))
            raise typer.Exit(code or OK)

        guarded.__orion_examples__ = tuple(examples)  # type: ignore[attr-defined]
        told = paragraphs(function.__doc__ or "")
        more: Any = {"epilog": _epilog(examples), "rich_help_panel": panel}
        app.command(name, cls=cls, help=told, **more)(guarded)
        return function

    return register


class TakesNumbers(TyperCommand):
    """A command whose last argument may be a number below zero: `-1` is no option of it.

    None of its options takes a value.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        numbers = [each for each in args if NEGATIVE.match(each)]
        if numbers and "--" not in args:
            args = [*(each for each in args if each not in numbers), "--", *numbers]
        return super().parse_args(ctx, args)


def group(app: typer.Typer, name: str, help: str, *, panel: str | None = None) -> typer.Typer:
    """A noun: commands under a name of their own."""
    made = typer.Typer(no_args_is_help=True)
    app.add_typer(made, name=name, help=help, rich_help_panel=panel)
    return made


def fail(error: OrionError, *, as_json: bool = False) -> int:
    """The error is told on stderr, and the exit code for it is given."""
    told = error.named if isinstance(error, UnknownParameter) else str(error)
    output.error(told, remedy(error))
    if as_json:
        output.print_json(error.as_json())
    if error.status == 503:
        return UNREACHABLE
    return USAGE if error.status in (404, 422) else RUN_FAILED


def remedy(error: OrionError) -> str | None:
    """What to do about an error, unless its text says so already."""
    told = str(error)
    if isinstance(error, DeploymentExists):
        return "Add --update to change it."
    if isinstance(error, UnknownParameter) and error.hint:
        return f"D{error.hint[1:]}"
    if any(sign in told for sign in ("`", "did you mean", "(try ")):
        return None
    if isinstance(error, InvalidInput) and not isinstance(error, InvalidNotebook):
        return None
    if type(error) is Conflict:  # there are many reasons, and no remedy is that of all
        return None
    return inspect.cleandoc(type(error).__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def exit_code(state: State) -> int:
    """The exit code that tells how a run ended; 0 for one that has not."""
    if state.type not in TERMINAL and state.type is not CANCELLING:
        return OK
    if state.name == "TimedOut":
        return TIMED_OUT
    codes = {
        COMPLETED: OK,
        CANCELLED: WAS_CANCELLED,
        CANCELLING: WAS_CANCELLED,
        CRASHED: HAS_CRASHED,
    }
    return codes.get(state.type, RUN_FAILED)


def paragraphs(text: str) -> str:
    """The text with each of its paragraphs on one line, for the terminal to wrap."""
    parts = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(part.replace("\n", " ") for part in parts)


def _epilog(examples: Sequence[str]) -> str:
    # Typer reads an empty line as the end of a line here.
    shown = [example.replace("[", r"\[") for example in examples]
    return "\n\n".join(["[bold]Examples[/bold]", *(f"[cyan]$[/cyan] {line}" for line in shown)])
