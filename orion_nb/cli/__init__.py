"""The command line `orion-nb` (also `jupyter orion` and `python -m orion_nb`).

Each noun is a module. What a command needs is imported when it runs, so that help is quick.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The command line is read from `sys.argv`, run, and ends the process with its exit code."""
    from orion_nb.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A glyph that the terminal's encoding lacks must not be what a command fails of.
            stream.reconfigure(errors="replace")
    app(prog_name=_name())


def _name() -> str:
    called = sys.argv[0].replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
    return "jupyter orion" if called == "jupyter-orion" else "orion-nb"
