"""A process that forks children to be killed: each begins at once, with everything imported.

It reads commands from its stdin, one JSON object a line: which function to call, with what. It
answers with the child's pid, and with how it ended; whoever gave the command may kill the child.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Nursery:
    """The other side: starts the process, and gives it commands."""

    def __init__(self) -> None:
        paths = [str(ROOT), str(ROOT / "server_extension"), str(ROOT / "widgets")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._child: int | None = None

    def start(self, function: str, **arguments: Any) -> int:
        """A child calls `module:function`; answers its pid."""
        assert self._process.stdin is not None
        if self._child is not None:  # a test has failed, and left it
            self.kill()
        told = {name: _plain(value) for name, value in arguments.items()}
        self._process.stdin.write(json.dumps([function, told]) + "\n")
        self._process.stdin.flush()
        self._child = self._answer()
        return self._child

    def end(self) -> int:
        """Waits for the child; 0 if it ended well, minus the signal that killed it."""
        status = self._answer()
        self._child = None
        return status

    def kill(self) -> int:
        """Kills the child, unless it has ended; answers how it did."""
        assert self._child is not None
        with suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL)
        return self.end()

    def run(self, function: str, **arguments: Any) -> int:
        """The same at once: a child calls the function, and how it ended is answered."""
        self.start(function, **arguments)
        return self.end()

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _answer(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def main() -> None:
    """Answers commands until there are none."""
    # What answers to a paused run are checked with takes a second to import.
    early = "orion_nb.schemas.deployments", "orion_nb.schemas.notifications", "jsonschema"
    for name in (*early, "tests.chaos.workload", "tests.chaos.dying"):
        importlib.import_module(name)
    for line in sys.stdin:
        function, arguments = json.loads(line)
        child = os.fork()
        if child == 0:
            _live(function, arguments)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _live(function: str, arguments: dict[str, Any]) -> None:
    """The child's life; it ends here, whatever happens."""
    status = 1
    try:
        os.dup2(2, 1)  # the pipe is the parent's
        module, _, name = function.partition(":")
        getattr(importlib.import_module(module), name)(**arguments)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
