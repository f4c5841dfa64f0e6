"""`%replay debug`: IPython's debugger on what the replay raised, or the frames that were kept."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.notebook.conftest import PATHS
from tests.notebook.test_replaying import next_cell
from tests.terminals import at_terminal

TOTAL = """
@task(frames=True)
def sum_of(debugged):
    odd, total = threading.Lock(), 0
    for row in debugged:
        total = add(total, row)
    return total

def add(so_far, row):
    return so_far + row['price']

sum_of.run([{'price': 1}, {'cost': 3}])
"""


@pytest.fixture
def failed(kernel: Any) -> Any:
    kernel.do(TOTAL)
    yield kernel
    kernel.do("for name in ('debugged', '_replay'): globals().pop(name, None)")


def test_the_frames_that_were_kept_are_looked_at_before_it_is_run(failed: Any) -> None:
    failed.do("%replay sum_of")
    told = failed.converse(
        "%replay debug",
        "p row", "so_far + 10", "u", "w", "total", "odd", "p debugged[0]['price'] + len('ab')",
        "add(40, {'price': 2})", "p nosuch", "u", "l", "a", "down", "d", "pp row", "help", "q",
    ).stdout  # fmt: skip
    assert "KeyError: 'price'" in told
    assert "-> " in told
    assert "return so_far + row['price']" in told
    lines = told.splitlines()
    for line in (
        "{'cost': 3}",
        "11",
        "1",
        "3",
        "42",
        "*** NameError: name 'nosuch' is not defined",
    ):
        assert line in lines, told
    assert "  add (" in told
    assert "> sum_of (" in told
    assert "odd was not kept (value: cannot pickle" in told
    assert "*** this is the outermost frame" in told
    assert "*** this is the innermost" in told
    assert "where: " not in told
    assert "q(uit)" in told


def test_the_live_exception_of_the_cell_is_debugged_once_it_was_run(failed: Any) -> None:
    code = next_cell(failed.do("%replay sum_of"))
    changed = code.replace("Lock(), 0", "Lock(), 100")
    assert "KeyError: 'price'" in failed.run(changed).traceback
    told = failed.converse(
        "%replay debug", "p so_far", "u", "p total * 2, type(odd).__name__", "total = 5", "q"
    ).stdout
    assert "101" in told  # of the code as it was changed, in the frames that it raised in
    assert "(202, 'lock')" in told


def test_the_live_exception_of_a_call_is_debugged_too(failed: Any) -> None:
    failed.do("%replay sum_of")
    failed.run("_replay.call(debugged=[{'price': 7}, {}])")
    assert "7" in failed.converse("%replay debug", "p so_far", "q").stdout.splitlines()
    failed.do("_replay.call(debugged=[])")
    told = failed.converse("%replay debug", "p so_far", "q").stdout  # of the run itself
    assert "1" in told.splitlines()


def test_who_cannot_be_asked_sees_the_frames_and_why_there_is_no_prompt(failed: Any) -> None:
    code = next_cell(failed.do("%replay sum_of"))
    told = failed.do("%replay debug").stdout
    assert "add (" in told
    assert "row = {'cost': 3}" in told
    assert told.rstrip().endswith("There is no prompt: this front end takes no input for a cell.")
    failed.run(code.replace("Lock(), 0", "Lock(), 41"))
    told = failed.do("%replay debug").stdout
    assert "so_far = 42" in told
    assert "KeyError: 'price'" in told
    assert "There is no prompt" in told
    failed.do("import os; os.environ['ORION_NB_HEADLESS'] = '1'")
    try:
        told = failed.converse("%replay debug").stdout
    finally:
        failed.do("os.environ.pop('ORION_NB_HEADLESS')")
    assert "There is no prompt: the notebook is executed where nobody watches." in told


def test_with_nothing_to_look_at_it_says_what_to_do(kernel: Any) -> None:
    kernel.do("globals().pop('_replay', None)")
    assert "nothing is replayed here: `%replay RUN` first" in kernel.run("%replay debug").stderr
    kernel.do("@task\ndef frameless(): return 1\nframeless()")
    kernel.do("%replay frameless")
    assert "run its code below" in kernel.run("%replay debug").stderr
    kernel.do("_replay.call()")
    assert "the replay raised nothing" in kernel.run("%replay debug").stderr
    assert "Step into" in kernel.do("%replay debug --help").stdout
    assert "debug" in kernel.complete("%replay d")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_it_asks_at_a_terminal(tmp_path: Any) -> None:
    program = "import sys; from IPython import start_ipython; sys.exit(start_ipython())"
    words = ("-c", program, "--simple-prompt", "--no-banner", "--colors=nocolor")
    home = str(tmp_path / "home")
    with at_terminal(*words, folder=tmp_path, ORION_NB_HOME=home, PYTHONPATH=PATHS) as told:
        for line in (
            "%load_ext orion_nb",
            "from orion_nb import task",
            "half = task(frames=True)(lambda of: 10 / of)",
            "half.run(0)",
            "%replay",
        ):
            told.expect_exact("In [")
            told.sendline(line)
        told.expect_exact("ZeroDivisionError")
        told.sendline("%replay debug")
        told.expect_exact("frames> ")
        told.sendline("p of, 'seen'")
        told.expect_exact("(0, 'seen')")
        told.sendline("q")
        told.sendline("_replay.call(of=0.0)")
        told.expect_exact("ZeroDivisionError")
        told.sendline("%replay debug")
        told.expect_exact("ipdb> ")
        told.sendline("p of, 'live'")
        told.expect_exact("(0.0, 'live')")
        told.sendline("q")
        told.sendline("quit()")
