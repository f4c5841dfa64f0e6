"""A call that blocks, made on a thread of its own: the event loop of whoever awaits it goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def on_a_thread(call: Callable[[], T]) -> T:
    """What `call` gives. Who is cancelled waits no longer.

    What was begun is done all the same, or not at all.
    """
    import asyncio

    return await asyncio.to_thread(call)


def aside(
    call: Callable[P, T],
    says: str,
    on: Callable[[Callable[[], T]], Coroutine[Any, Any, T]] = on_a_thread,
) -> Callable[P, Coroutine[Any, Any, T]]:
    """`call` with the same arguments, to be awaited; it is named as `call` is, with `_async`.

    `on` says how it is awaited, and what happens to it when whoever does so is cancelled.
    """

    @functools.wraps(call)
    async def awaited(*args: P.args, **kwargs: P.kwargs) -> T:
        return await on(functools.partial(call, *args, **kwargs))

    awaited.__name__ = f"{call.__name__}_async"
    awaited.__qualname__ = f"{call.__qualname__}_async"
    awaited.__doc__ = says
    return awaited
