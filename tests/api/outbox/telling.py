"""What came of runs on the server."""

from __future__ import annotations

from orion_nb.api.orion import Orion
from orion_nb.schemas.states import COMPLETED
from orion_nb.store.listing import RunFilter


def names_of(orion: Orion, run_id: str) -> list[str]:
    return [state["name"] for state in orion.read_states(run_id)["states"]]


def check_whole(orion: Orion, root: str, tasks: int) -> None:
    """Each task of the flow is Completed, once, with no gap in its states, in their order."""
    found = orion.list_runs(RunFilter(root=root, kind="task"), 10_000)
    assert len(found) == tasks
    for run in found:
        states = orion.read_states(run.id)["states"]
        assert [state["name"] for state in states] == ["Pending", "Running", "Completed"]
        assert [state["seq"] for state in states] == [1, 2, 3]
        times = [state["timestamp"] for state in states]
        assert times == sorted(times)
        assert run.attempt == 1
    top = orion.find(root)
    assert (top.state.type, top.attempt) == (COMPLETED, 1)
