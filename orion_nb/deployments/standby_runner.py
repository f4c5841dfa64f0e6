"""A program that becomes a runner when told: a kernel waits beside it, and its imports are done.

`python -P standby_runner.py KERNEL` starts a kernel of this name that waits too (if it is one that
can; with "" for a name a flow's process), imports what a runner needs, and waits for one line of
JSON on its stdin: the id of the run, and the token of the server that is told of it. If that never
comes, since whoever started it has ended or needs it no more, it ends with its kernel. It runs as a
script: the kernel's imports begin before ours.
"""

from __future__ import annotations

import json
import os
import select
import sys
from contextlib import suppress
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orion_nb.deployments.standby import Standby


def main(kernel: str) -> int:
    """The exit code is 0 when the run was dealt with, or never came."""
    standby = _standby(kernel)
    # See `forgo_grammar`: here, so that no import of ours comes before it.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from orion_nb.deployments import runner
    from orion_nb.settings import hand_token

    if sys.platform == "win32" or not select.select([0], [], [], 0)[0]:
        _get_ready(kernel)
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        if standby is not None:
            standby.drop()
        return 0
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    told = json.loads(line)
    hand_token(told["api_token"])
    return runner.main([told["run"]], standby)


def _get_ready(name: str) -> None:
    """What takes long the first time is done, since there is time to spare."""
    from orion_nb.errors import KernelNotFound

    if not name:
        from orion_nb.deployments import flows  # noqa: F401

        return
    from orion_nb.deployments import attempt, notebook  # noqa: F401
    from orion_nb.deployments.kernel import find_kernel

    with suppress(KernelNotFound):
        find_kernel(name)


def _standby(kernel: str) -> Standby | None:
    """One is started before our package is imported, which takes a tenth of a second."""
    environ, standby = _load("environ").child_environ(os.environ), _load("standby")
    with suppress(OSError):
        made: Standby | None = (
            standby.StandbyKernel.of(kernel, environ) if kernel else standby.StandbyFlow(environ)
        )
        return made
    return None


def _load(name: str) -> ModuleType:
    """A module of this folder, by itself."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = spec_from_file_location(f"orion_early_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
