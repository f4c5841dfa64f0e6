"""A program that has imported what a deployed flow's process needs, and hosts one when told.

It waits for one line of JSON on its stdin: the run, the folder and the environment. Nothing that
depends on these has happened before, so the flow can't tell that its process waited. If the line
never comes, it ends. The lines that follow are the runner's, on how the run was judged.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import BinaryIO

#: What a host imports sooner or later, whatever it hosts.
LATER = (
    "orion_nb.api.orion",
    "orion_nb.schemas.signatures",
    "orion_nb.schemas.parameters",
    "orion_nb.engine.printing",
    "orion_nb.engine.recall",
)


def main() -> int:
    """The exit code is 0 when there is an outcome, whatever it is, or nothing ever came."""
    from orion_nb.deployments import host
    from orion_nb.deployments.standby_kernel import rename
    from orion_nb.settings import hand_token

    for name in LATER:
        with suppress(Exception):  # the host will say it, if it can't do without
            import_module(name)
    with suppress(Exception):
        import_module("pydantic").TypeAdapter(int)  # it looks for plugins the first time
    lines = _line()
    if not (line := lines.readline()).endswith(b"\n"):
        return 0
    told = json.loads(line)
    rename(told["env"].get("ORION_NB_ATTEMPT", ""))
    os.environ.clear()
    os.environ.update(told["env"])
    hand_token(told["api_token"])
    os.chdir(told["cwd"])
    sys.argv = [host.__file__, told["run"]]
    return host.main(told, lines)


def _line() -> BinaryIO:
    """What the runner says; for the code of the flow there is nothing on stdin."""
    lines = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return lines


if __name__ == "__main__":
    sys.exit(main())
