"""A program that becomes a kernel which dies with the runner that started it, even if it hangs.

`python guard.py COMMAND...` asks Linux to kill this process when its parent dies, and then becomes
the command. ipykernel itself looks for its parent only once a second, and not at all while C code
holds the interpreter. It runs as a script, with the standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>; it stays in force over exec
#: Jupyter's name for the process that started a kernel.
PARENT_VARIABLE = "JPY_PARENT_PID"


def main(command: list[str]) -> None:
    parent = os.environ.get(PARENT_VARIABLE, "")
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != int(parent):
        sys.exit("the runner died before its kernel began")  # before we asked to be told
    # A runner started by a background job ignores SIGINT; a kernel has to heed it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"kernel command {command[0]!r} can't be started: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
