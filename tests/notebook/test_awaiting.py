from __future__ import annotations

import json

from tests.waiting import until

#: It ends well if the loop of the cell that awaits it goes on.
SUM = """
import orion_nb, time
from pathlib import Path

Path("asks").touch()
end = time.monotonic() + 60
while not Path("answer").exists():
    assert time.monotonic() < end
    time.sleep(0.01)
orion_nb.result(40 + 2)
"""
WAITS = "import time\nfrom pathlib import Path\nPath('started').touch()\ntime.sleep(600)"


def write(folder, name, source):
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
    told = {"cells": [{**cell, "source": source}], "metadata": {}, "nbformat": 4}
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({**told, "nbformat_minor": 5}), encoding="utf-8")


def test_a_cell_awaits_a_notebook_while_the_loop_goes_on(new_kernel, home):
    kernel = new_kernel()
    write(kernel.home.parent, "sum", SUM)
    write(kernel.home.parent, "long", WAITS)
    kernel.do("import asyncio, orion_nb\nfrom pathlib import Path")
    ran = kernel.do(
        """
async def answer():
    while not Path("asks").exists():
        await asyncio.sleep(0.01)
    Path("answer").touch()
answering = asyncio.ensure_future(answer())
done = await orion_nb.run_notebook_async("sum.ipynb")
found = await orion_nb.get_run_async("sum")
state = await found.wait_async()
print(done.result(), await found.result_async(), state)
"""
    )
    assert ran.stdout == "42 42 Completed\n"
    assert "Completed" in kernel.do("found").html
    # Interrupting the cell is cancelling what it awaits.
    request = kernel.send(
        "print('waits', flush=True)\nawait orion_nb.run_notebook_async('long.ipynb')"
    )
    kernel.hear("waits")
    until((kernel.home.parent / "started").exists)
    kernel.manager.interrupt_kernel()
    ran = kernel.wait(request)
    assert not ran.ok
    assert kernel.orion.find("long").state.name == "Cancelled"
    assert kernel.value("orion_nb.get_run('long').state.name") == "Cancelled"
