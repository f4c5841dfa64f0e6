"""A kernel or a flow's process that waits: started before its run is known, used once or never.

Of this package it imports nothing: the program that waits to be a runner loads it first of all.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Any

HERE = Path(__file__).parent
#: The name of the kernel that every Jupyter has, also where no file says so.
NATIVE = "python3"
#: What Jupyter takes for a kernel's name.
NAME = re.compile(r"\w[\w.\-]*", re.ASCII)
#: In a kernel's environment this may change after it was started; anything else may have been read.
OURS = ("ORION_NB_", "JPY_")
#: Jupyter keeps it from kernels.
UNTOLD = "PYTHONEXECUTABLE"
#: The mark that everything a kernel starts inherits, and the length of each (see `sweeping`).
ATTEMPT_VARIABLE = "ORION_NB_ATTEMPT"
MARK_LENGTH = 80


class Standby:
    """A process that has done its imports; it becomes what it is for, once, or nothing."""

    #: What it becomes has no kernel: it is a flow's.
    is_flow = False

    def __init__(self, program: list[str], environ: Mapping[str, str]) -> None:
        """It is started. What it says, on stderr too, is to be read from `process.stdout`."""
        self._environ = dict(environ)
        self.is_used = False
        self.process = subprocess.Popen(
            guarded(program),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={
                **environ,
                "JPY_PARENT_PID": str(os.getpid()),
                ATTEMPT_VARIABLE: "-" * MARK_LENGTH,
            },
            cwd="/",
            start_new_session=True,
        )

    def waits_in(self, environ: Mapping[str, str]) -> bool:
        """It waits, and what it can have read of its environment is the same in this one."""
        if self.is_used or self.process.poll() is not None:
            return False
        return _read_early(environ) == _read_early(self._environ)

    def drop(self) -> None:
        """It has ended, unless it is in use."""
        if self.is_used:
            return
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not written is for nobody
                    pipe.close()


class StandbyKernel(Standby):
    """A process that has imported what a kernel needs; it becomes one kernel, once, or none."""

    def __init__(self, command: list[str], environ: Mapping[str, str]) -> None:
        """It is started. `command` is the kernel's, up to the `-m` before its module."""
        self.command = command
        # Who looks at the list of processes sees what it will be.
        program = [*command, str(HERE / "standby_kernel.py"), "ipykernel_launcher"]
        super().__init__(program, environ)

    @classmethod
    def of(cls, kernel: str, environ: Mapping[str, str]) -> StandbyKernel | None:
        """One for the kernel of this name; None if it is of a kind that can't wait."""
        argv, path = find_command(kernel)
        command, environ = beginning(argv), dict(environ)
        if command is None or sys.platform == "win32":
            return None
        for name, text in _changes(path).items():
            environ[name] = Template(text).safe_substitute(environ)
        with suppress(OSError):
            return cls(command, environ)
        return None

    def fits(self, command: list[str], environ: Mapping[str, str]) -> bool:
        """It waits, and can become what this command would start in this environment."""
        return self.waits_in(environ) and beginning(command) == self.command

    def become(self, command: list[str], cwd: str, environ: Mapping[str, str]) -> None:
        """It is told to become the kernel that this command would start.

        Raises:
            OSError: it has ended.
        """
        module, *arguments = command[len(self.command) + 1 :]
        told = {"module": module, "arguments": arguments, "cwd": cwd, "env": dict(environ)}
        self.is_used = True
        assert self.process.stdin is not None
        try:
            with self.process.stdin as pipe:
                pipe.write(json.dumps(told).encode() + b"\n")
        except OSError:
            self.is_used = False
            self.drop()
            raise


class StandbyFlow(Standby):
    """A process that has imported what a deployed flow's host needs; it hosts one, or none."""

    is_flow = True

    def __init__(self, environ: Mapping[str, str]) -> None:
        # -P: a flow's folder may hold a json.py; it must not become that of our own imports.
        program = [sys.executable, "-P", str(HERE / "standby_flow.py")]
        super().__init__(program, environ)

    def tell(self, told: dict[str, Any]) -> None:
        """It hears this: first what to host, then how that was judged.

        Raises:
            OSError: it has ended.
        """
        self.is_used = True
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(told).encode() + b"\n")
        self.process.stdin.flush()


def guarded(command: list[str]) -> list[str]:
    """The command behind a guard, which lets no kernel outlive its runner; Linux only.

    The death that Linux watches for is that of the thread that starts it.
    """
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", str(HERE / "guard.py"), *command]


def beginning(command: list[str]) -> list[str] | None:
    """The interpreter and its options, if the command is `python OPTIONS -m ipykernel...`."""
    if "-m" not in command[1:-1]:
        return None
    place = command.index("-m")
    if not command[place + 1].startswith("ipykernel"):
        return None
    return command[:place] if all(each.startswith("-") for each in command[1:place]) else None


def _read_early(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: text for name, text in environ.items() if not name.startswith(OURS)}
    kept.pop(UNTOLD, None)
    return kept


def find_command(kernel: str) -> tuple[list[str], Path | None]:
    """The command that Jupyter will very likely find, and its file; compared before use."""
    from jupyter_core.paths import jupyter_path

    if NAME.fullmatch(kernel) is None:
        return [], None
    for folder in jupyter_path("kernels"):
        path = Path(folder, kernel.lower(), "kernel.json")
        with suppress(OSError, ValueError, LookupError, TypeError):
            argv = json.loads(path.read_text(encoding="utf-8"))["argv"]
            return [_interpreter(argv[0]), *map(str, argv[1:])], path
    return ([sys.executable, "-m", "ipykernel_launcher", ""] if kernel == NATIVE else []), None


def _changes(path: Path | None) -> dict[str, str]:
    """The variables that the kernel's file asks for."""
    with suppress(OSError, ValueError, AttributeError):
        told = json.loads(path.read_text(encoding="utf-8")).get("env") if path else None
        return {str(name): str(text) for name, text in (told or {}).items()}
    return {}


def _interpreter(name: str) -> str:
    """Jupyter takes its own for one that is named without a path."""
    major, minor = sys.version_info[:2]
    own = ("python", f"python{major}", f"python{major}.{minor}")
    return sys.executable if name in own else name
