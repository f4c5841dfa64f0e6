"""Environment variables as a person may set them for runs: which names, and which values."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orion_nb.errors import InvalidInput

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}", re.ASCII)
#: The one setting of ours that may be told a run, or all of a deployment.
FRAMES = "ORION_NB_FRAMES"
OURS = ("ORION_NB_", "JPY_")
#: Characters of all names and values of one run: an environment holds only short texts.
MOST = 65_536


def checked(env: dict[str, str]) -> dict[str, str]:
    """Variables that a person may set; ours are not among them.

    Raises:
        ValueError: naming the one that can't be set, and why.
    """
    for name, value in env.items():
        if not NAME.fullmatch(name) or "\0" in value:
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
    if (size := sum(map(len, [*env, *env.values()]))) > MOST:
        says = f"{field}: at most {MOST} characters, got {size}; use a file and pass its path"
        raise InvalidInput(says, field=field)
    return tuple(env.items())
