"""The kernels that are installed here, by their names; nothing of Jupyter's client is needed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from orion_nb.errors import KernelNotFound

#: The kernel of this Python itself, which needs no kernelspec.
NATIVE = "python3"
ELSEWHERE = "if it is there where the runs are executed, deploy with allow_missing_kernel"


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


def check_deployed(chosen: str | None, asked: str | None, flow: str | None) -> None:
    """The kernel is here that runs of a deployment will be executed by.

    Args:
        chosen: the deployment's own kernel.
        asked: the one that its notebook names.
        flow: its flow, if it is one: flows need no kernel.

    Raises:
        KernelNotFound: the message lists those there are, and says what to do.
    """
    if flow is not None and chosen is None:
        return
    try:
        check(chosen or asked or NATIVE)
    except KernelNotFound as error:
        whose = "" if chosen or not asked else "; the notebook asks for it"
        raise KernelNotFound(f"{error}{whose}; {ELSEWHERE}") from None
