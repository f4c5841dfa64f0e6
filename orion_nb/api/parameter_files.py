"""Parameters as people give them on a line: a file of YAML, JSON or TOML, and pairs over it."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable
from datetime import date, time
from pathlib import Path
from typing import Any

from orion_nb.errors import InvalidInput


def read_parameters(pairs: Iterable[str] | None, file: Path | None) -> dict[str, Any]:
    """The parameters of a file with those of `-p` laid over them; these are texts.

    Raises:
        InvalidInput: the file can't be read.
        ParameterError: a pair can't be read.
    """
    from orion_nb.schemas.parameters import parse_pairs

    return {**({} if file is None else _file(file)), **parse_pairs(pairs or ())}


def _file(file: Path) -> dict[str, Any]:
    """What the file says: YAML (of which JSON is a part), or JSON or TOML by its name."""
    import yaml

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        told = tomllib.loads(text) if file.suffix == ".toml" else _read(file, text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        says = " ".join(str(error).split())
        raise InvalidInput(f"--params-file: {str(file)!r} can't be read: {says}") from error
    if not isinstance(told, dict) or not all(isinstance(name, str) for name in told):
        raise InvalidInput(f"--params-file: {str(file)!r} holds no object of names and values")
    return {name: _plain(value) for name, value in told.items()}


def _read(file: Path, text: str) -> Any:
    import yaml

    try:
        return json.loads(text)
    except ValueError:
        if file.suffix.lower() == ".json":
            raise  # in the words of JSON, which it is
        return yaml.safe_load(text)


def _plain(value: Any) -> Any:
    """Dates and times, which YAML and TOML know and JSON does not, as texts."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | set | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date | time) else value
