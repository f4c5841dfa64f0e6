from __future__ import annotations

import subprocess
import sys

import pytest

from orion_nb.deployments.journal import JOURNAL, LARGE, Journal, replay


def test_what_came_after_the_last_saving_is_replayed(tmp_path, code):
    path = tmp_path / JOURNAL
    journal = Journal(path)
    journal.write("begin", 0, at=1)
    journal.write("text", 0, name="stdout", text="it is ")
    saved = journal.n
    journal.write("text", 0, name="stdout", text="done ✓ \ud800")
    shown = {"output_type": "display_data", "data": {"text/plain": "1"}, "metadata": {}}
    journal.write("add", 0, output=shown)
    journal.write("set", 0, at=1, output={**shown, "data": {"text/plain": "2"}})
    journal.write("end", 0, at=2, count=7)
    with path.open("a") as file:
        file.write('{"n":9,"do":"clear","cell"')  # the process died while it wrote
    cell = code("x")
    cell["metadata"]["execution"] = {}
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["it is "]}]

    replay({"cells": [cell]}, path, saved)

    assert cell["outputs"][0]["text"] == "it is done ✓ \ud800"
    assert cell["outputs"][1]["data"] == {"text/plain": "2"}
    assert cell["execution_count"] == 7


def test_a_journal_says_when_it_is_large_and_is_begun_anew(tmp_path):
    journal = Journal(tmp_path / JOURNAL)
    while not journal.is_large:
        journal.write("text", 0, name="stdout", text="x" * 100_000)
    assert LARGE < journal.path.stat().st_size < LARGE + 200_000

    journal.begin_anew()
    journal.write("clear", 0)

    assert journal.path.stat().st_size < 100
    journal.remove()
    assert not journal.path.exists()


def test_a_journal_that_can_not_be_written_costs_no_run_its_life(tmp_path):
    journal = Journal(tmp_path / "nowhere" / JOURNAL)
    journal.write("clear", 0)
    journal.begin_anew()
    journal.remove()


def test_who_only_starts_notebooks_does_not_import_nbformat():
    code = "import sys, orion_nb.deployments.runner; print('nbformat' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


WRITES = """
import resource, sys
from orion_nb.deployments.journal import Journal, LARGE
from pathlib import Path

journal = Journal(Path(sys.argv[1]))
journal.write("text", 0, name="stdout", text="one ")
resource.setrlimit(resource.RLIMIT_FSIZE, (journal.size + 10, resource.RLIM_INFINITY))
journal.write("text", 0, name="stdout", text="two ")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.write("text", 0, name="stdout", text="three ")
print(journal.n, journal.is_large)
if sys.argv[2] == "saved":
    journal.begin_anew()
    journal.write("text", 0, name="stdout", text="four")
"""


@pytest.mark.parametrize(
    ("then", "saved", "kept"), [("lost", 0, "one "), ("saved", 3, "one two three four")]
)
def test_behind_a_record_that_had_no_room_comes_none(
    tmp_path, code, script, finish, then, saved, kept
):
    """The notebook is to be saved then, and the journal goes on behind that."""
    path = tmp_path / JOURNAL
    assert finish(script(WRITES, path, then)) == "3 True\n"
    cell = code("x")
    if saved:
        text = "one two three "
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]
    replay({"cells": [cell]}, path, saved)
    assert cell["outputs"][0]["text"] == kept
