"""What a command shows, shown again whenever it changes: `--watch`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from orion_nb.cli import output
from orion_nb.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from orion_nb.api.orion import Orion

#: How often a look is taken whether anything was committed (seconds), and how often what is shown
#: is drawn anew even if nothing was: it tells how long ago things were.
LOOK = 0.1
ANEW = 1.0


def watch(
    orion: Orion,
    render: Callable[[], RenderableType],
    *,
    as_json: bool = False,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """What `render` gives is shown, and drawn anew when it changes, until Ctrl-C or `until`.

    In a terminal it stays in its place; elsewhere it is printed again when anything was committed.

    Raises:
        InvalidInput: `as_json` was asked for, which is one value.
    """
    if as_json:
        raise InvalidInput("watch: --json prints one value, and ends; leave one of them out")
    console = output.console()
    with suppress(KeyboardInterrupt):  # that is how it is meant to end
        (_in_place if console.is_terminal else _again)(orion, console, render, until)


def _in_place(
    orion: Orion,
    console: Console,
    render: Callable[[], RenderableType],
    until: Callable[[], bool],
) -> None:
    from rich.live import Live

    with Live(render(), console=console, auto_refresh=False, transient=False) as live:
        seen, drawn = orion.version_seen(), time.monotonic()
        while not until():
            time.sleep(LOOK)
            now = orion.version_seen()
            if now != seen or time.monotonic() - drawn >= ANEW:
                seen, drawn = now, time.monotonic()
                live.update(render(), refresh=True)
        live.update(render(), refresh=True)


def _again(
    orion: Orion,
    console: Console,
    render: Callable[[], RenderableType],
    until: Callable[[], bool],
) -> None:
    seen: object = None
    while True:
        is_over, now = until(), orion.version_seen()
        if now != seen:
            seen = now
            console.print(render())
        if is_over:
            return
        time.sleep(LOOK)
