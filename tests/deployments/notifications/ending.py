"""Runs that end, and what is to be told of them."""

from __future__ import annotations

from orion_nb.schemas.states import Running


def end(orion, name="daily", *states, **more):
    run = orion.begin(orion.new_run("flow", name, **more), Running(), owned=False)[0]
    for state in states:
        orion.judge(run.id, state)
    return run


def deliveries(orion, **chosen):
    return orion.list_deliveries(**chosen)["deliveries"][::-1]
