"""Programs at a terminal of their own, for tests that type."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE


@contextmanager
def at_terminal(*words: str, folder: Path, **environ: str) -> Iterator[Any]:
    """Python with these words, in this folder; when the test is done it has to end by itself."""
    import pexpect

    own = {"IPYTHONDIR": str(folder / "ipython"), "TERM": "dumb", **environ}
    child = pexpect.spawn(
        sys.executable, list(words), env={**os.environ, **own}, cwd=str(folder),
        timeout=PATIENCE, encoding="utf-8", echo=False,
    )  # fmt: skip
    try:
        yield child
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
