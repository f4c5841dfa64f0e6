"""The kernels that are installed here, by their names; nothing of Jupyter's client is needed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from orion_nb.errors import KernelNotFound

#: The kernel of this Python itself, which needs no kernelspec.
NATIVE = "python3"


def names() -> list[str]:
    """The names of all kernels that a notebook can ask for."""
    from jupyter_core.paths import jupyter_path

    folders = (Path(each) for each in jupyter_path("kernels"))
    found = {
        each.parent.name.lower()
        for folder in folders
        if folder.is_dir()
        for each in folder.glob("*/kernel.json")
    }
    return sorted(found | ({NATIVE} if find_spec("ipykernel") else set()))


def check(name: str) -> None:
    """There is a kernel of this name.

    Raises:
        KernelNotFound: the message lists those there are.
    """
    have = names()
    if name.lower() not in have:
        raise KernelNotFound(f"kernel {name!r} not found; have: {', '.join(have) or 'none'}")
