"""What has no content leaves no key; the same has the same key in every process."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orion_nb import flow, task
from orion_nb.engine.fingerprints import Reached, reached, source_of
from orion_nb.engine.prints import Unhashable
from tests.engine.reaching import FILES, Load, told


def test_a_tool_counts_by_its_type_and_is_noted(load: Load) -> None:
    module = load("""
    import logging, sqlite3, threading

    log, lock = logging.getLogger(__name__), threading.Lock()
    connection = sqlite3.connect(":memory:")

    class Client:
        def __init__(self):
            self.lock, self.url = threading.Lock(), "a"
    client = Client()

    def f():
        with lock:
            log.info("x")
            return connection, client
    """)
    before = told(module.f)
    assert before[1].notes == (
        "global lock: a _thread.lock counts by its type only",
        "global connection: a sqlite3.Connection counts by its type only",
        "global client: a _thread.lock counts by its type only",
    )
    module.client.url = "b"
    assert told(module.f) != before
    module.connection.close()


def test_data_without_content_leaves_no_key(load: Load) -> None:
    module = load("""
    rows = {"all": (each for each in [])}

    def g():
        return rows

    def f():
        return g()
    """)
    with pytest.raises(Unhashable) as caught:
        reached(module.f)
    assert str(caught.value) == "global rows['all']: a generator can be read once only"


# -- elsewhere -----------------------------------------------------------------------------------

CELLS = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from orion_nb.engine.caching import changed, key_for
from tests.engine.reaching import FILES, JOB, Load, told

shell = InteractiveShell.instance()

def run(cell):
    shell.run_cell(cell).raise_error()

def key():
    return key_for(shell.user_ns["f"], "f", (1,), {})

run("from orion_nb import task\\nLIMIT = 2\\ndef clean(x):\\n    return x + LIMIT")
run("@task\\ndef f(x):\\n    !true\\n    return clean(x), get_ipython()")
first = key()
print(sorted(first.parts))
run("def clean(x):\\n    # the same\\n    return (x + LIMIT)")
print(changed(first.parts, key().parts))
run("def clean(x):\\n    return x - LIMIT")
second = key()
print(changed(first.parts, second.parts))
run("LIMIT = 3")
third = key()
print(changed(second.parts, third.parts))
run("@task(retries=2)\\ndef f(x):\\n    'Doc.'\\n    !true\\n    return clean(x), get_ipython()")
print(changed(third.parts, key().parts))
run("@task(retries=2)\\ndef f(x):\\n    !true\\n    return 1, clean(x), get_ipython()")
print(changed(third.parts, key().parts))
"""


def test_cells_of_a_notebook(
    script: Callable[..., subprocess.Popen[str]], finish: Callable[..., str], tmp_path: Path
) -> None:
    source = f"import os\nos.environ['IPYTHONDIR'] = {str(tmp_path)!r}\n{CELLS}"
    lines = finish(script(source)).splitlines()
    assert lines == [
        "['argument x', 'function clean', 'global LIMIT', 'global get_ipython', 'source', 'task']",
        "[]",
        "['function clean changed']",
        "['global LIMIT changed']",
        "[]",
        "['source changed']",
    ]


def test_keys_of_a_script_are_the_same_in_every_process(
    load: Load, tmp_path: Path, script: Callable[..., subprocess.Popen[str]], finish: Any
) -> None:
    load(**FILES)
    ask = """
        import sys
        sys.path.insert(0, {!r})
        import job
        from orion_nb.engine.fingerprints import fingerprint, reached, source_of
        print(source_of(job.f), reached(job.f), fingerprint(job.f))
    """
    ran = [finish(script(textwrap.dedent(ask).format(str(tmp_path)))) for _ in range(2)]
    assert ran[0] == ran[1]


def test_ours_are_what_they_wrap() -> None:
    def plain(x: int) -> int:
        return x

    assert source_of(task(plain)) == source_of(flow(plain)) == source_of(plain)
    assert reached(task(plain)) == reached(plain) == Reached({})
