"""A program that has imported what a Python kernel imports, and becomes that kernel when told.

The kernel's own interpreter runs it as a script, with its standard library alone. It waits for one
line of JSON on its stdin: the module to run and its arguments, the folder, and the environment. A
notebook can't tell such a kernel from one that was started there and then: nothing that depends on
the folder or the environment has happened before. If the line never comes, it ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import runpy
import sys
from contextlib import suppress
from importlib import import_module

#: What a kernel has imported when it is ready, with our extension. What is missing is left out.
IMPORTS = (
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "ipykernel.ipkernel",
    "ipykernel.debugger",
    "tornado.platform.asyncio",
    "concurrent.futures.thread",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "faulthandler",
    "orion_nb.notebook.magics",
)
#: The debugger would say at once that it doesn't look into modules that are part of Python.
QUIET = "PYDEVD_DISABLE_FILE_VALIDATION"
MARK = "ORION_NB_ATTEMPT"


def main() -> None:
    del sys.path[0]  # the folder of this script
    changed = _import()
    line = _read_line()
    if not line:
        return
    told = json.loads(line)
    rename(told["env"].get(MARK, ""))
    os.environ.clear()
    os.environ.update({**told["env"], **changed})
    os.chdir(told["cwd"])
    sys.path.insert(0, os.getcwd())  # as `python -m` does
    sys.argv = [told["module"], *told["arguments"]]
    runpy.run_module(told["module"], run_name="__main__", alter_sys=True)


def _import() -> dict[str, str]:
    """Answers the variables that the imports have set, as they would have in that kernel."""
    before = dict(os.environ)
    os.environ.setdefault(QUIET, "1")
    for name in IMPORTS:
        with suppress(Exception):  # the kernel will say it, if it can't do without
            import_module(name)
    changed = {name: text for name, text in os.environ.items() if before.get(name) != text}
    return {name: text for name, text in changed.items() if name != QUIET}


def _read_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 65536)
        if not piece:
            return b""
        line += piece
    return line


def rename(mark: str) -> None:
    """The mark takes the place of the one this process began with, which has the same length.

    What a fork of this process without an exec shows as its environment is this memory.
    """
    with suppress(Exception):
        getenv = ctypes.CDLL(None).getenv
        getenv.argtypes, getenv.restype = [ctypes.c_char_p], ctypes.c_void_p
        place, name = getenv(MARK.encode()), mark.encode()
        if place and len(ctypes.string_at(place)) == len(name):
            ctypes.memmove(place, name, len(name))


if __name__ == "__main__":
    main()
