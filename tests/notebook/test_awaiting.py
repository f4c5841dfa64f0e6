from __future__ import annotations

import json

from tests.waiting import until

WAITS = "import time\nfrom pathlib import Path\nPath('started').touch()\ntime.sleep(600)"


def write(folder, name, source):
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
    told = {"cells": [{**cell, "source": source}], "metadata": {}, "nbformat": 4}
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({**told, "nbformat_minor": 5}), encoding="utf-8")


def test_a_cell_awaits_a_notebook_while_the_loop_goes_on(new_kernel, home):
    kernel = new_kernel()
    write(kernel.home.parent, "sum", "import orion_nb\norion_nb.result(40 + 2)")
    write(kernel.home.parent, "long", WAITS)
    kernel.do("import asyncio, orion_nb")
    ran = kernel.do(
        """
ticks = []
async def tick():
    while True:
        ticks.append(1)
        await asyncio.sleep(0.01)
ticking = asyncio.ensure_future(tick())
done = await orion_nb.run_notebook_async("sum.ipynb")
found = await orion_nb.get_run_async("sum")
state = await found.wait_async()
ticking.cancel()
print(done.result(), await found.result_async(), state, len(ticks) > 5)
"""
    )
    assert ran.stdout == "42 42 Completed True\n"
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
