"""What a notebook has named by `on_cancel` is called in its kernel, for so long and no longer."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from queue import Empty

from orion_nb.deployments.kernel import Kernel

#: It imports nothing: where nothing was named, there is no such module.
CALL = "getattr(__import__('sys').modules.get('orion_nb.engine.hooks'), 'call_of_process', int)()"
#: A request that comes too soon after a cell that failed is not executed; it is sent again (s).
AGAIN = 0.05
#: How often is looked whether the kernel has died (seconds).
LOOK = 0.5


async def call_hooks(kernel: Kernel, patience: float) -> bool:
    """They have been called, or there are none; False if they are not done in so many seconds."""
    client, until = kernel.client, time.monotonic() + patience
    if client is None or not kernel.speaks_ipython:
        return True
    request = None
    while (left := until - time.monotonic()) > 0:
        if not await kernel.manager.is_alive():
            return True
        if request is None:
            request = client.execute(CALL, silent=True, store_history=False, stop_on_error=False)
        with suppress(Empty):
            reply = await client.get_shell_msg(timeout=min(left, LOOK))
            if reply["parent_header"].get("msg_id") != request:
                continue
            if reply["content"].get("status") != "aborted":
                return True
            request = None
            await asyncio.sleep(AGAIN)
    return False
