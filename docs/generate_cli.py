"""Writes docs/reference/cli.md, the reference of the command line, from the help texts.

    python docs/generate_cli.py

A test fails when the file is not what this would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from orion_nb.cli.app import app

TARGET = Path(__file__).parent / "reference" / "cli.md"

OPENING = """\
<!-- Written by docs/generate_cli.py; change the commands' docstrings instead. -->

# Command line

`orion-nb` is also `jupyter orion` and `python -m orion_nb`.

With `--json`, stdout is exactly one JSON value; progress and messages are on stderr. An error is
then the JSON value `{"error", "message", "field"}`. Durations are `90s`, `10m`, `1h30m` or seconds;
a run is named by its id, by the last digits of it, or by its name for the newest of that name.

| exit code | means |
| --- | --- |
| 0 | all is well; the run completed |
| 1 | the run failed, or what was asked for was refused |
| 2 | usage: a wrong option, name or value |
| 3 | the run was cancelled |
| 4 | the run timed out |
| 5 | the run crashed: its kernel or machine was lost |
| 6 | the database or server can't be reached |
| 130 | interrupted by Ctrl-C |

`orion-nb --install-completion` teaches your shell the commands, and the names of deployments and
runs.
"""


def page() -> str:
    """The reference of all commands, as Markdown."""
    return "\n".join([OPENING, *_commands(get_command(app), "orion-nb")]).rstrip() + "\n"


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield f"## {path} {name}\n\n{command.help}\n"
            yield from _commands(command, f"{path} {name}")
        else:
            level = "##" if path == "orion-nb" else "###"
            yield _command(command, f"{path} {name}", level)


def _command(command: Any, path: str, level: str) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join([path, "[OPTIONS]", *(each.metavar or each.name for each in arguments)])
    parts = [f"{level} {path}", command.help, f"```\n{usage}\n```"]
    rows = [(f"`{each.metavar or each.name}`", each) for each in arguments]
    rows += [(_names(each), each) for each in options if each.name != "help"]
    if rows:
        lines = [f"| {names} | {_says(each)} |" for names, each in rows]
        parts.append("\n".join(["| | |", "| --- | --- |", *lines]))
    examples = "\n".join(command.callback.__orion_examples__)
    parts.append(f"```console\n{examples}\n```\n")
    return "\n\n".join(parts)


def _names(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    if option.is_flag:
        return names
    return f"{names} `{option.metavar or 'N'}`"


def _says(parameter: Any) -> str:
    said = (parameter.help or "").replace("|", r"\|")
    notes = ["required"] if parameter.required and parameter.param_type_name == "option" else []
    default = parameter.default
    if not parameter.required and default not in (None, False, ()) and not callable(default):
        notes.append(f"default {'yes' if default is True else f'`{default}`'}")
    return f"{said} ({', '.join(notes)})" if notes else said


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
