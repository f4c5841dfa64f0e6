"""Environment variables as a person may set them for runs: which names, and which values."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orion_nb.errors import InvalidInput

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}", re.ASCII)
#: The one setting of ours that may be told a run, or all of a deployment.
FRAMES = "ORION_NB_FRAMES"
OURS = ("ORION_NB_", "JPY_")
#: Bytes of all variables of one run, as it keeps them; Linux takes 128 KiB for one variable.
MOST = 65_536


def checked(env: dict[str, str]) -> dict[str, str]:
    """Variables that a person may set; ours are not among them.

    Raises:
        ValueError: naming the one that can't be set, and why.
    """
    for name, value in env.items():
        if not NAME.fullmatch(name) or "\0" in value or not _is_unicode(value):
            raise ValueError(f"{name!r} can't be an environment variable with this value")
        if name.startswith("ORION_NB_SECRET_"):
            raise ValueError(
                "a secret is kept with `orion-nb secrets set`, neither in a deployment nor a run"
            )
        if name.startswith(OURS) and name != FRAMES:
            raise ValueError(f"{name!r} is not to be set by a deployment or for a run: it is ours")
    return env


def of_a_run(told: Mapping[str, object], field: str = "env") -> tuple[tuple[str, str], ...]:
    """The variables that are said of one run, as its policy has them.

    Raises:
        InvalidInput: naming the one that can't be set, and why.
    """
    env: dict[str, str] = {}
    for name, value in told.items():
        if not isinstance(value, str):
            says = f"{field}: the value of {name!r} is to be a text, got {value!r}"
            raise InvalidInput(says, field=field)
        env[name] = value
    try:
        checked(env)
    except ValueError as error:
        raise InvalidInput(f"{field}: {error}", field=field) from None
    if (size := size_of(env)) > MOST:
        says = f"{field}: at most {MOST} bytes all together, got {size}; pass a file's path"
        raise InvalidInput(says, field=field)
    return tuple(env.items())


def size_of(env: Mapping[str, str]) -> int:
    """The bytes that an environment has of these variables: NAME=value, and a zero behind each."""
    return sum(len(f"{name}={value}".encode()) + 1 for name, value in env.items())


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair: no database and no JSON takes it
        return False
    return True
