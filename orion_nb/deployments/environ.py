"""What of our environment the processes that execute notebooks get to see."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

#: Whoever holds one of these may run code in a server: no runner and no kernel gets to see them.
TOKENS = (
    *("JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "ORION_NB_API_TOKEN"),
    *("JUPYTERHUB_COOKIE_SECRET", "CONFIGPROXY_AUTH_TOKEN"),
)
#: Names a server's operator hides besides, as patterns by commas; this is what it is if unset.
VARIABLE = "ORION_NB_HIDE"
DEFAULT = "*_SECRET"


def child_environ(environ: Mapping[str, str], /, **changes: str) -> dict[str, str]:
    """The environment for a runner or a kernel: without tokens and what is hidden, with `changes`.

    A token is left out of the changes, too. Names are compared in capitals, as Windows does.
    """
    patterns = hidden(environ)
    kept = {name: value for name, value in environ.items() if not _fits(name, patterns)}
    told = {name: value for name, value in changes.items() if not _fits(name, TOKENS)}
    return {**kept, **told}


def hidden(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The patterns of names that are hidden from runners and kernels."""
    told = environ.get(VARIABLE, DEFAULT).upper().split(",")
    return (*TOKENS, *filter(None, map(str.strip, told)))


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.upper(), pattern) for pattern in patterns)
