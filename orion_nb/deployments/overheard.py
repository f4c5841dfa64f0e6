"""What a run's processes say past the notebook: it goes to the runner's log, without secrets."""

from __future__ import annotations

import codecs
import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any

from orion_nb.secrets import Unbroken

#: Bytes of it that are kept.
LONGEST = 1 << 20
#: Seconds for what is still in the pipe when the process has ended.
REST = 1.0


class Overheard:
    """What a process writes to its stdout, which is a pipe, is copied on a thread."""

    def __init__(self, process: subprocess.Popen[Any]) -> None:
        self._thread = None
        if process.stdout is not None:
            told = (process.stdout,)
            self._thread = threading.Thread(target=_copy, args=told, name="orion-overheard")
            self._thread.daemon = True
            self._thread.start()

    def end(self) -> None:
        """What the process, which is gone, has said is in the log."""
        if self._thread is not None:
            self._thread.join(REST)


def _copy(pipe: IO[bytes]) -> None:
    left, text = LONGEST, Unbroken()
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    while chunk := os.read(pipe.fileno(), 1 << 16):
        if left > 0:
            _write(text.add(decode(chunk[:left])))
        left -= len(chunk)
    _write(text.rest())
    if left < 0:
        _write(f"\n... {-left:,} more bytes are not kept ...\n")
    pipe.close()


def _write(text: str) -> None:
    """Where the disk is full it is lost: whoever stopped reading would stop the process, too."""
    if text:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()
