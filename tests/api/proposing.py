"""Runs that are begun, and the states they have had."""

from __future__ import annotations

from orion_nb.schemas.states import Running


def begun(orion, proposed=None, **fields):
    kind = fields.pop("kind", "task")
    return orion.begin(orion.new_run(kind, "work", **fields), proposed or Running())


def names(orion, run):
    return [state["name"] for state in orion.read_states(run.id)["states"]]
