"""Notebooks of every kind, and how a scheduled run of each ends: its state, and what it says."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A notebook, the state its run ends in, and texts found in the state and in the notebook.

    `missing` is in no output of it. `deploy` are fields of its deployment, and `before` the cells
    that it had when it was deployed.
    """

    name: str
    cells: list[Any]
    state: str = "Completed"
    shows: str | None = None
    missing: str | None = None
    deploy: Json = field(default_factory=dict)
    metadata: Json | None = field(default_factory=lambda: dict(PYTHON))
    nbformat: tuple[int, int] = (4, 5)
    text: str | None = None
    before: list[Any] | None = None

    def write(self, folder: Path, cells: list[Any] | None = None) -> Path:
        """The file; with other cells, those that it had when it was deployed."""
        path = folder / f"{self.name}.ipynb"
        told = self.notebook(self.cells if cells is None else cells)
        path.write_text(self.text or json.dumps(told), encoding="utf-8")
        return path

    def notebook(self, cells: list[Any]) -> Json:
        cells = [code(cell) if isinstance(cell, str) else dict(cell) for cell in cells]
        major, minor = self.nbformat
        if (major, minor) >= (4, 5):
            for place, cell in enumerate(cells):
                cell.setdefault("id", f"c{place}")
        told: Json = {"nbformat": major, "nbformat_minor": minor, "cells": cells}
        return told if self.metadata is None else {**told, "metadata": self.metadata}


PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def code(source: str, *tags: str, **fields: Any) -> Json:
    told = {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}}
    return {**told, "outputs": [], "execution_count": None, **fields}


def words(source: str) -> Json:
    return {"cell_type": "markdown", "source": source, "metadata": {}}


V3 = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "metadata": {"name": "old"},
    "worksheets": [
        {
            "cells": [
                {"cell_type": "heading", "level": 1, "metadata": {}, "source": ["Old"]},
                {
                    "cell_type": "code", "collapsed": False, "input": ["print('from', 3)"],
                    "language": "python", "metadata": {}, "outputs": [],
                },
            ]
        }
    ],
}  # fmt: skip
WIDGETS = """
import ipywidgets
slider = ipywidgets.IntSlider(41)
out = ipywidgets.Output()
with out:
    print("captured")
    1 / 1
display(slider, out)
slider.value += 1
print(slider.value)
"""
DISPLAYS = """
from IPython.display import clear_output, display
print("gone"); clear_output(wait=True)
one = display("first", display_id="two")
two = display("second", display_id="two")
one.update("both")
"""
PICTURE = """
import base64
from IPython.display import Image
Image(base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
                       "awAAAABJRU5ErkJggg=="), format="png")
"""
LEFT_BEHIND = """
import subprocess, sys
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
subprocess.Popen(sleeper)
subprocess.Popen(sleeper, start_new_session=True)
"""
FORK = """
import os, time
if os.fork() == 0:
    os._exit(0)
if os.fork() == 0:
    time.sleep(600)
print("the parent")
"""
SWALLOWS = """
import time
while True:
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        print("not me")
"""
HANDLED = "try:\n    1 / 0\nexcept ZeroDivisionError:\n    print('fine')"
EXTERNAL = "from IPython.utils.io import capture_output\nwith capture_output() as c:\n    print(1)"
LATER = "import threading, time, os\nthreading.Timer(0.2, os._exit, [5]).start()"
FLOOD = "for n in range(150_000):\n    print('line', n)"
ENDLESS_FLOOD = "while True:\n    print('x' * 1000)"
ERROR_FLOOD = "import sys\nfor n in range(100_000):\n    print('bad', n, file=sys.stderr)"
BAR = "import time\nfor n in range(50):\n    print(f'{n} of 50', end='\\r')"
EXCEPTION = (
    "class Strange(Exception):\n    def __str__(self):\n        raise ValueError\nraise Strange"
)
REPR = "class Broken:\n    def __repr__(self):\n        raise ValueError('no repr')\nBroken()"
GROUP = "raise ExceptionGroup('many', [ValueError(1), KeyError('k')])"
SCRIPT = "%%script --no-raise-error bash\nexit 4"
SYNTAX = "def f(:\n    pass"
BAD_JSON = '{"cells": [{"cell_type": "code", '
AWAIT = "import asyncio\nawait asyncio.sleep(0.01)\nprint('awaited')"
STDIN = "import sys\nprint(repr(sys.stdin.read()))"
FOREVER = "import time\nwhile True:\n    time.sleep(0.1)"
PARAMETERS = code("day: str = 'mon'\ncount = 1", "parameters")
LONG = ["x = 0", *["x += 1"] * 98, "print('x is', x)"]
KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
SEGFAULT = "import ctypes\nctypes.string_at(0)"

#: The first twenty are run by default; all of them where many runs are wanted.
CASES = [
    Case("good", ["x = 41", "print('x is', x + 1)"], shows="x is 42"),
    Case("fails", ["x = 1", "x / 0", "print('after')"],
         "Failed: cell 2: ZeroDivisionError: division by zero", missing="after"),
    Case("kills-its-kernel", ["print('before')", KILL, "print('after')"],
         "Crashed: kernel killed by signal 9 in cell 2", "before", "after"),
    Case("endless", ["print('begun')", FOREVER], "TimedOut: cell 2 took longer than 2 s", "begun",
         deploy={"cell_timeout": 2}),
    Case("prints-without-end", [ENDLESS_FLOOD], "TimedOut: the run took longer than 6 s",
         "characters are not kept", deploy={"timeout": 6}),
    Case("sys-exit", ["import sys; sys.exit()", "print('after')"], "Completed: stopped early",
         missing="after"),
    Case("unknown-magic", ["%nothing_like_this"], "Failed: cell 1: UsageError"),
    Case("allowed-exception", [code("1 / 0", "raises-exception"), "print('after')"], shows="after"),
    Case("missing-kernelspec", ["1"], "Failed: kernel 'nothing-7' not found; have: .*python3",
         metadata={"kernelspec": {"name": "nothing-7", "display_name": "Nothing"}},
         deploy={"allow_missing_kernel": True}),
    Case("broken-parameters", [code("day: str = (", "parameters"), "print(day)"],
         "Failed: the parameters cell .*never closed", before=[PARAMETERS]),
    Case("no-metadata", ["print('some kernel')"], shows="some kernel", metadata={}),
    Case("empty", []),
    Case("version-3", [], shows="from 3", text=json.dumps(V3)),
    Case("same-ids", [code("print(1)", id="a"), code("print('two')", id="a")], shows="two"),
    Case("unicode-ünï-☃", ["größe = '☃'\nprint(größe, '🎉')"], shows="☃ 🎉"),
    Case("widgets", [WIDGETS], shows="42"),
    Case("displays", [DISPLAYS], shows="both", missing="gone"),
    Case("asks", ["input('name?')"], "Failed: cell 1 asks for input; make it a parameter"),
    Case("leaves-processes", [LEFT_BEHIND]),
    Case("stderr-flood", [ERROR_FLOOD], shows="bad 99999"),
    # -- these where many are wanted
    Case("version-4-0", ["print('from 4.0')"], shows="from 4.0", nbformat=(4, 0)),
    Case("only-words", [words("# Nothing to do")]),
    Case("hundred", LONG, shows="x is 98"),
    Case("awaits", [AWAIT], shows="awaited"),
    Case("stdin", [STDIN], shows="''"),
    Case("forks", [FORK], shows="the parent"),
    Case("picture", [PICTURE], shows="image/png"),
    Case("segfault", [SEGFAULT], "Crashed: kernel killed by signal 11 in cell 1"),
    Case("exit-code", ["import os; os._exit(7)"], "Crashed: kernel exited with code 7 in cell 1"),
    Case("dies-between", [LATER, "import time; time.sleep(60)"],
         "Crashed: kernel exited with code 5 in cell 2"),
    Case("flood", [FLOOD], shows="line 149999"),
    Case("carriage-returns", [BAR], shows="49 of 50"),
    Case("exit-3", ["import sys; sys.exit(3)"], "Failed: cell 1: SystemExit: 3"),
    Case("exit-words", ["import sys; sys.exit('no data')"], "Failed: cell 1: SystemExit: no data"),
    Case("quit", ["quit()", "print('after')"], "Completed: stopped early", missing="after"),
    Case("bash-fails", ["%%bash\nexit 3"], "Failed: cell 1: CalledProcessError"),
    Case("script-allowed", [SCRIPT, "print('after')"], shows="after"),
    Case("shell-fails", ["!exit 3", "print(_exit_code)"], shows="3"),
    Case("syntax", [SYNTAX], "Failed: cell 1: SyntaxError"),
    Case("strange-exception", [EXCEPTION], "Failed: cell 1: "),
    Case("broken-repr", [REPR], "Failed: cell 1: "),
    Case("exception-group", [GROUP], r"Failed: cell 1: ExceptionGroup: many \(2 sub-exceptions\)"),
    Case("handled", [HANDLED, EXTERNAL], shows="fine"),
    Case("interrupts-itself", ["raise KeyboardInterrupt"], "Failed: cell 1: KeyboardInterrupt"),
    Case("swallows-interrupts", [SWALLOWS], "TimedOut: cell 1 took longer than 1 s", "not me",
         deploy={"cell_timeout": 1}),
    Case("skips", [code("print('never')", "skip-execution"), "print('on')"], shows="on",
         missing="never"),
    Case("allows-all", ["1 / 0", "print('on')"], shows="on",
         metadata={**PYTHON, "execution": {"allow_errors": True}}),
    Case("parameters", [PARAMETERS, "print(day, count + 1)"], shows="tue 42",
         deploy={"parameters": {"day": "tue", "count": 41}}),
    Case("stops", ["import orion_nb; orion_nb.stop('no data')", "print('after')"],
         r"Completed: stopped early in cell 1 \(no data\): 1 cell did not run", missing="after"),
    Case("task-retries", ["tries = []", "%%task t --retries 2\ntries.append(1)\n"
         "assert len(tries) > 1\nanswer = 42", "print('answer', answer)"], shows="answer 42"),
    Case("null-fields", [code("print('odd')", execution_count=None, extra=1)], shows="odd",
         metadata={"kernelspec": None, "language_info": None}),
    Case("unknown-cell", [{"cell_type": "heading", "metadata": {}, "source": "Hi"}, "print('ok')"],
         shows="ok"),
    Case("breakpoint", ["breakpoint()\nprint('on')"], shows="is ignored"),
    Case("debugger", ["import pdb; pdb.set_trace()"], "Failed: cell 1 asks for input"),
    Case("closes-stdout", ["import sys; sys.stdout.close()", "x = 1"], "Completed|Failed"),
    Case("changes-folder", ["import os; os.chdir('/')", "print(os.getcwd())"], shows="/"),
    Case("forgets-a-name", ["print('a' * 200)", "del x"], "Failed: cell 2: NameError"),
    Case("traceback-flood", ["raise ValueError('x' * 2_000_000)"], "Failed: cell 1: ValueError"),
]  # fmt: skip
#: Refused when they are deployed: nothing is run.
REFUSED = [
    Case("not-json", [], "is no notebook", text=BAD_JSON),
    Case("bad-cell", [code("day: str = (", "parameters")], "never closed"),
    Case("no-cells", [], "has no cells", text='{"nbformat": 4}'),
]


def chosen() -> list[Case]:
    """Twenty; where `ORION_ACCEPTANCE` says how many, that many, from the beginning again."""
    count = int(os.environ.get("ORION_ACCEPTANCE", "20"))
    return [CASES[place % len(CASES)] for place in range(count)]
