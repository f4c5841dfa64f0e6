"""Secrets: read by name where code needs them, and blotted out of whatever is kept.

A value comes from the environment (`ORION_NB_SECRET_X`, then `X`), from the file `secrets/X` in the
data folder that only its owner may read, or from the system's keyring if `keyring` is installed.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from orion_nb.errors import InvalidInput, SecretNotFound
from orion_nb.settings import Settings

PREFIX = "ORION_NB_SECRET_"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}", re.ASCII)
#: What stands where a secret was. Values shorter than `SHORTEST` characters are not looked for.
BLOT = "********"
SHORTEST = 4
LINE = 8
LONGEST = 64 * 1024


class Secret(str):
    """A secret's value. It is a text like others, but `repr` shows its name and pickles hold it."""

    name: str

    def __new__(cls, value: str, name: str = "") -> Secret:
        made = super().__new__(cls, value)
        made.name = name
        return made

    def __class_getitem__(cls, _: Any) -> type[Secret]:
        return cls  # `Secret[str]` reads well, too

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"

    def __reduce__(self) -> Any:
        return secret, (self.name,)


def secret(name: str) -> Secret:
    """The value of a secret. From now on it is blotted out of logs, states and outputs.

    Raises:
        SecretNotFound: there is none of this name.
    """
    value = find(name)
    if value is None:
        raise SecretNotFound(f"no secret {name!r}; `orion-nb secrets set {name}` keeps one")
    watch([value])
    return Secret(value, name)


def find(name: str, home: Path | None = None) -> str | None:
    """The value of a secret, or None if there is none of this name.

    Raises:
        InvalidInput: the name can't be one, or others may read its file.
    """
    check_name(name)
    for variable in (PREFIX + name, name):
        if value := os.environ.get(variable):
            return value
    path = folder(home) / name
    if path.is_file():
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise InvalidInput(f"{path} may be read by others: chmod 600 it", field="name")
        return path.read_text(encoding="utf-8")
    with suppress(Exception):  # not installed, locked, or without a backend
        keyring: Any = import_module("keyring")
        found = keyring.get_password("orion_nb", name)
        return None if found is None else str(found)
    return None


def keep(name: str, value: str, home: Path | None = None) -> Path:
    """The secret is in a file that only its owner may read; answers where.

    Raises:
        InvalidInput: the name or the value can't be kept.
    """
    check_name(name)
    if not SHORTEST <= len(value) <= LONGEST:
        says = f"value: {SHORTEST} to {LONGEST} characters; a shorter one can't be blotted out"
        raise InvalidInput(says, field="value")
    path = folder(home) / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"..{name}.{os.getpid()}.{threading.get_ident()}")
    with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(value.encode())
    temporary.replace(path)
    return path


def forget(name: str, home: Path | None = None) -> bool:
    """The file of a secret is gone; answers whether there was one.

    Raises:
        InvalidInput: the name can't be one.
    """
    check_name(name)
    try:
        (folder(home) / name).unlink()
    except FileNotFoundError:
        return False
    return True


def names(home: Path | None = None) -> dict[str, str]:
    """The names of the secrets there are, and where each is: `file` or `environment`."""
    there = folder(home)
    found = {each.name: "file" for each in there.glob("*")} if there.is_dir() else {}
    told = {name: where for name, where in found.items() if NAME.fullmatch(name)}
    here = (each.removeprefix(PREFIX) for each in os.environ if each.startswith(PREFIX))
    return dict(sorted({**told, **dict.fromkeys(here, "environment")}.items()))


def folder(home: Path | None = None) -> Path:
    return (home or Settings.load().home) / "secrets"


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        says = "name: letters, digits, dots, dashes and underscores, up to 100, no digit first"
        raise InvalidInput(says, field="name")


_values: set[str] = set()
_pattern: re.Pattern[str] | None = None
_spelled: list[str] = []


def watch(values: Iterable[str]) -> None:
    """These values are blotted out from now on, by this process."""
    global _pattern, _spelled
    new = {each for value in values for each in _parts(value)} - _values
    if new:
        _values.update(new)
        spelled = {each for value in _values for each in _spellings(value)}
        _spelled = sorted(spelled, key=len, reverse=True)
        _pattern = re.compile("|".join(map(re.escape, _spelled)))


def watch_all(home: Path | None = None, more: Iterable[str] = ()) -> None:
    """Every secret that is known here, and those named in `more`, are blotted out from now on."""
    found = []
    for name in (*names(home), *more):
        with suppress(InvalidInput, OSError, ValueError):
            found.append(find(name, home) or "")
    watch(found)


def redacted(text: str) -> str:
    """The text with a blot where a secret was: plain, escaped (JSON, HTML, URL), or in base64."""
    return text if _pattern is None else _pattern.sub(BLOT, text)


class Unbroken:
    """A text that comes in pieces: no part of a secret is passed on while the rest may follow."""

    def __init__(self) -> None:
        self._held = ""

    def add(self, text: str) -> str:
        """What is safe to be passed on by now, with blots; the rest is held back."""
        if _pattern is None and not self._held:
            return text
        text = self._held + text
        at = settled(text)
        self._held = text[at:]
        return redacted(text[:at])

    def rest(self) -> str:
        """What was held back: nothing follows it."""
        held, self._held = self._held, ""
        return redacted(held)


def settled(text: str) -> int:
    """How many characters there are before what may be the beginning of a secret, at its end."""
    if _pattern is None:
        return len(text)
    since = 0  # what comes before is settled
    while True:
        at = min((_begin_of_one(text, each, since) for each in _spelled), default=len(text))
        whole = next((m for m in _pattern.finditer(text, since) if m.start() < at < m.end()), None)
        if whole is None:
            return at
        since = whole.end()


def _begin_of_one(text: str, secret: str, since: int) -> int:
    at = text.find(secret[0], max(since, len(text) - len(secret) + 1))
    while at >= 0 and not secret.startswith(text[at:]):
        at = text.find(secret[0], at + 1)
    return at if at >= 0 else len(text)


def redacted_json(value: Any, *, keys: bool = False) -> Any:
    """The same for all texts in lists and objects; it is the same object if none is watched.

    With `keys` for the names in objects, too: these are somebody's data.
    """
    if _pattern is None:
        return value
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list):
        return [redacted_json(each, keys=keys) for each in value]
    if isinstance(value, dict):
        items = ((name, redacted_json(each, keys=keys)) for name, each in value.items())
        return type(value)({redacted(str(name)) if keys else name: each for name, each in items})
    return value


def _parts(value: str) -> list[str]:
    """The value; of one in several lines, a key say, also each long line: notebooks split there."""
    lines = value.splitlines()
    parts = [
        value,
        value.strip(),
        *(line for line in lines if len(lines) > 1 and len(line) >= LINE),
    ]
    return [part for part in parts if len(part) >= SHORTEST]


def _spellings(value: str) -> set[str]:
    import base64
    import html
    import json
    from urllib.parse import quote

    return {
        value,
        repr(value)[1:-1],
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        html.escape(value),
        quote(value, safe=""),
        base64.b64encode(value.encode("utf-8", "surrogatepass")).decode().rstrip("="),
    }
