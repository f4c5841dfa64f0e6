"""`%replay` in a real kernel: the inputs of a failure are there, its code is in the next cell."""

from __future__ import annotations

import re

import pytest

LOAD = """
RATE = 2
@task(retries=1, frames=True)
def load(rows, day, *, lock=None):
    total = 0
    for row in rows:
        total += row['price'] * RATE
    return total

@flow
def daily(day):
    return load([{'price': 1}, {'cost': 3}], day, lock=threading.Lock())
"""


def next_cell(ran):
    found = [each["text"] for each in ran.reply["payload"] if each["source"] == "set_next_input"]
    return found[0] if found else None


@pytest.fixture
def failed(kernel):
    gone = "for name in ('rows', 'day', 'lock', '_replay'): globals().pop(name, None)"
    kernel.do(gone)  # other tests have such names, too
    kernel.do(LOAD)
    kernel.do("daily.run('monday')")
    yield kernel
    kernel.do(gone)


def test_its_inputs_are_names_here_and_its_code_stands_below(failed):
    ran = failed.do("%replay")
    assert "task load (" in ran.result
    assert "Failed, attempt 2: KeyError: 'price'" in ran.result
    assert "not kept: value: cannot pickle '_thread.lock' object" in ran.result
    assert "<code>day</code>" in ran.html
    assert failed.value("rows, day") == "([{'price': 1}, {'cost': 3}], 'monday')"
    assert failed.value("_replay.frames[-1].locals['total']") == "2"
    code = next_cell(ran)
    assert re.match(r"%%replay \w{8}\ndef load\(rows, day, \*, lock=None\):", code)
    failed.do("lock = None")
    assert "KeyError: 'price'" in failed.run(code).traceback  # as it failed
    mended = failed.do(code.replace("row['price']", "row.get('price', 0)"))
    assert mended.result == "2"
    assert "replay of load" in mended.texts[0]


def test_names_that_have_another_value_are_kept_unless_asked(failed):
    failed.do("rows = 'mine'")
    assert "yours has another value and is kept" in failed.do("%replay load").result
    assert failed.value("rows") == "mine"
    failed.do("%replay load --overwrite")
    assert failed.value("rows") == "[{'price': 1}, {'cost': 3}]"


def test_names_are_put_into_an_object_where_that_is_asked(failed):
    failed.do("rows = 'mine'")
    failed.do("%replay load --into was")
    assert failed.value("rows, was.rows[1], was.day") == "('mine', {'cost': 3}, 'monday')"
    assert failed.value("'day' in globals()") == "False"
    failed.do("%replay load --into was")  # an object like it is taken anew
    told = failed.run("%replay load --into rows").stderr
    assert "you have a str of the name rows; choose another one, or add --overwrite" in told
    assert "'2x' can't be a name here" in failed.run("%replay load --into 2x").stderr
    failed.do("%replay load --into rows --overwrite")
    assert failed.value("rows.day") == "monday"


def test_a_task_cell_has_the_values_of_its_names_again(kernel):
    body = "amounts = [1, 2, 0]\nfor amount in amounts:\n    share = 10 / amount"
    kernel.run(f"%%task shares --frames\n{body}")
    kernel.do("amounts = amount = share = None")
    ran = kernel.do("%replay shares --overwrite")
    assert next_cell(ran).partition("\n")[2] == body
    assert kernel.value("amounts, amount, share") == "([1, 2, 0], 0, 5.0)"
    assert "the cell (" in ran.result
    ran = kernel.run("%%task unasked\n1 / 0")
    assert "ORION_NB_FRAMES=1, or frames=True" in kernel.do("%replay unasked").result


def test_what_is_wrong_is_one_line_and_tab_and_help_work(kernel):
    assert "no run 'nosuch'" in kernel.run("%replay nosuch").stderr
    assert "--overwrite" in kernel.do("%replay --help").stdout
    assert "--overwrite" in kernel.complete("%replay --o")
    assert "--frames" in kernel.complete("%%task a --f")


def test_a_cell_that_failed_in_a_deployed_notebook_is_replayed_elsewhere(new_kernel):
    """The run of the notebook keeps the frames of its failing cell; what is allowed to fail not."""
    environ = {"ORION_NB_FRAMES": "1"}
    kernel = new_kernel(**environ)
    kernel.do(
        """
import json
from pathlib import Path
cells = [
    ("allowed = 1\\n1 / 0", ["raises-exception"]),
    ("def ratio(a, b):\\n    return a / b", []),
    ("prices = [3, 0]\\nfor price in prices:\\n    last = ratio(1, price)", []),
]
told = [
    {"cell_type": "code", "id": f"c{at}", "source": source, "metadata": {"tags": tags},
     "outputs": [], "execution_count": None}
    for at, (source, tags) in enumerate(cells)
]
told = {"cells": told, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
Path("prices.ipynb").write_text(json.dumps(told))
"""
    )
    kernel.do("%load_ext orion_nb\nfrom orion_nb import run_notebook, connect, replay")
    kernel.do("done = run_notebook('prices.ipynb')")
    assert kernel.value("done.state.message") == "cell 3: ZeroDivisionError: division by zero"
    ran = kernel.do("%replay")
    assert "flow prices (" in ran.result
    assert kernel.value("prices, price, last") == "([3, 0], 0, 0.3333333333333333)"
    assert next_cell(ran).partition("\n")[2].startswith("prices = [3, 0]")
    assert kernel.value("[each.function for each in _replay.frames]") == "['the cell', 'ratio']"
    assert kernel.value("_replay.frames[-1].locals.kept()") == "{'a': 1, 'b': 0}"
    kernel.do("%%replay\nlast = 1")
    told = kernel.run("%replay commit").stderr
    run = kernel.value("done.run.id")
    assert "prices is a whole notebook, of which one cell was replayed: put the repair into" in told
    assert f"then `orion-nb runs rerun {run[-8:]}`" in told
    kept = "len(connect().read_artifacts(done.run.id)['artifacts'])"
    assert kernel.value(kept) == "1"


def test_names_of_the_module_that_the_function_speaks_of_are_imported(kernel):
    kernel.do("""
from pathlib import Path
Path('shop.py').write_text('''
import math
from orion_nb import task
RATE = 3
def rounded(n): return math.floor(n)
@task
def priced(row: dict) -> int:
    return rounded(row['price'] * RATE)
''')
import sys, os; sys.path.insert(0, os.getcwd())
import shop
shop.priced.run({})
RATE = 'mine'
""")
    code = next_cell(kernel.do("%replay priced"))
    assert "\nfrom shop import RATE, rounded\n" in code
    assert kernel.do(code.replace("row['price']", "row.get('price', 1.5)")).result == "4"
    assert kernel.value("RATE") == "mine"
    kernel.do("%replay drop")


def test_of_a_function_that_is_not_known_here_it_is_said_what_to_do(kernel):
    kernel.do("""
from pathlib import Path
Path('depot.py').write_text('''
from orion_nb import task
BASE = 1
@task(frames=True)
def per_head(rows, lock, heads, *, bonus):
    return BASE + bonus + rows / heads
@task
def bare(heads):
    return 1 / heads
''')
import sys, os; sys.path.insert(0, os.getcwd())
import depot
depot.per_head.run(6, threading.Lock(), 0, bonus=10)
depot.bare.run(0)
del depot, sys.modules['depot']
""")
    ran = kernel.do("%replay bare")
    says = "Its function, depot.bare, is not known here: import or define the task, then %replay "
    assert says in ran.result
    assert "More: _replay.inputs" in ran.result.splitlines()  # it has no frames, nor a call
    assert next_cell(ran) is None
    assert "; nor is its code known here" in kernel.run("%replay debug").stderr
    ran = kernel.do("%replay per_head")
    assert "Its function, depot.per_head, is not known here" in ran.result
    code = next_cell(ran)
    given = "_replay.inputs['0'], lock, _replay.inputs['2'], bonus=_replay.inputs['bonus']"
    assert code.endswith(f"\n\nper_head({given})")
    kernel.do("lock, BASE = None, 1")
    assert kernel.do(code.replace("/ heads", "/ 2")).result == "14.0"
    kernel.do("import depot")
    ran = kernel.do("%replay bare")
    assert "is not known here" not in ran.result
    assert next_cell(ran).endswith("bare(heads=_replay.inputs['heads'])")
    kernel.do("%replay drop\ndel lock, BASE, heads")
