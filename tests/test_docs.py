"""Pages are true: their Python runs, in order, as a notebook would; commands print what they show.

Each page is read in a process and a data folder of its own. A console block is a list of commands
(`$ orion-nb …`) and what they print: each line shown has to be printed, with other numbers, ids and
spaces maybe. `…` stands for what is left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "docs/tutorial.md", *sorted((ROOT / "docs/guide").glob("*.md"))]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: What the reader has already, where a page begins with the reader's own code.
GIVEN = {"README.md": "download = summarize = lambda given: given"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_shows_is_what_happens(page: Path, home: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    environ |= {"IPYTHONDIR": str(tmp_path / "ipython"), "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, __file__, str(page)],
        cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [*(ROOT / "docs").glob("*/*.md"), *(ROOT / "docs").glob("*.md")]
    missing = [page.name for page in pages if str(page.relative_to(ROOT / "docs")) not in nav]
    assert missing == []


def _read(page: Path) -> None:
    """Does what the page says."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance(colors="nocolor")
    shell.run_cell(GIVEN.get(page.name, "")).raise_error()
    for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            shell.run_cell(text).raise_error()
            continue
        for command, shown in _commands(text):
            _compare(command, shown)


def _commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, and the lines that it is said to print."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.splitlines()
        yield command.partition("  #")[0].rstrip(), shown


def _compare(command: str, shown: list[str]) -> None:
    assert command.startswith("orion-nb "), f"{command}: not one of ours"
    import shlex

    from typer.testing import CliRunner

    from orion_nb.cli.app import app

    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, f"{command}: exit code {done.exit_code}\n{done.output}"
    printed = _same_for_all(done.output)
    for line in filter(None, map(_same_for_all, shown)):
        for piece in filter(None, map(str.strip, line.split("…"))):
            assert piece in printed, f"{command}: does not print {piece!r}\n{printed}"


def _same_for_all(text: str) -> str:
    """The text without what is never the same twice: ids, numbers, spaces."""
    text = re.sub(r"\b[0-9a-f]{8,}\b", "ID", text)
    text = re.sub(r"\d+(?:\.\d+)?", "N", text)
    return re.sub(r"\s+", " ", re.sub(r"\bN [mµn]s\b", "N s", text)).strip()


if __name__ == "__main__":
    _read(Path(sys.argv[1]))
