"""The end of a plain run is written if the run is still where it was; else nothing is."""

from __future__ import annotations

from orion_nb.api.orion import Orion
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import Cancelling, Completed, Running
from orion_nb.schemas.values import evolve
from orion_nb.store.alike import end


def ended(orion: Orion, run: Run) -> bool:
    state = evolve(Completed(), seq=run.state.seq + 1, timestamp=run.state.timestamp, attempt=1)
    report = orion.find(run.id).state.n or 0
    return orion.database.write(lambda tx: end(tx, run, state, 5, report))


def written(orion: Orion, run: Run) -> list[str]:
    """All rows there are, also those that no state follows on."""
    sql = "SELECT name FROM states WHERE run = ? ORDER BY n"
    with orion.database.read() as connection:
        return [name for (name,) in connection.execute(sql, (bytes.fromhex(run.id),))]


def test_a_run_that_is_where_it_was_ends(orion: Orion) -> None:
    run, _ = orion.begin(orion.new_run("task", "a"), Running())
    assert ended(orion, run)
    assert written(orion, run) == ["Pending", "Running", "Completed"]
    after = orion.find(run.id)
    assert (after.state.type, after.total_time) == ("COMPLETED", 5)
    assert after.end_time == after.state.timestamp


def test_of_one_that_was_moved_meanwhile_nothing_is_written(orion: Orion, other: Orion) -> None:
    run, _ = orion.begin(orion.new_run("task", "a"), Running())
    moved, _ = other.judge(run.id, Cancelling())
    assert moved.state.seq == run.state.seq + 1
    assert not ended(orion, run)
    assert orion.find(run.id).state == moved.state
    assert written(orion, run) == ["Pending", "Running", "Cancelling"]
