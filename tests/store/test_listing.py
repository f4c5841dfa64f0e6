"""Runs that fit: every filter finds its own, counts agree with lists, pages run by an index."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orion_nb.clock import SECOND
from orion_nb.schemas.runs import Run, new_id
from orion_nb.schemas.states import Completed, Failed, Pending, Scheduled, Skipped
from orion_nb.store import listing, runs
from orion_nb.store.database import Database
from orion_nb.store.listing import RunFilter


@pytest.fixture
def empty(tmp_path):
    opened = Database(tmp_path / "orion.db")
    yield opened
    opened.close()


def written(database, *made):
    def work(tx):
        for run in made:
            state = runs.append(tx, run.id, run.state, None, None)
            runs.insert(tx, replace(run, state=state))

    database.write(work)


def a_run(state=None, **fields):
    run_id = new_id()
    fields = {"kind": "flow", "name": "f", "root": run_id, **fields}
    return Run(run_id, state=state or Pending(seq=1), **fields)


def found(database, now=0, **chosen):
    with database.read() as connection:
        return [run.name for run in listing.page(connection, RunFilter(**chosen), 100, now)]


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ({}, "late later done failed child näh_1 100%"),
        ({"kind": "flow"}, "late later done failed näh_1 100%"),
        ({"kind": "task"}, "child"),
        ({"states": ("COMPLETED",)}, "done child"),
        ({"states": ("Skipped",)}, "child"),
        ({"states": ("FAILED", "Skipped")}, "failed child"),
        ({"states": ("SCHEDULED",)}, "late later"),
        ({"states": ("Late",)}, "late"),
        ({"states": ("Late", "FAILED")}, "late failed"),
        ({"text": "LATE"}, "late later"),
        ({"text": "nightly"}, "done"),
        ({"text": "Näh"}, "näh_1"),
        ({"text": "näh"}, "näh_1"),
        ({"text": "_"}, "näh_1"),
        ({"text": "%"}, "100%"),
        ({"text": "\\"}, ""),
        ({"name": "late"}, "late"),
        ({"top_level": True}, "late later done failed näh_1 100%"),
        ({"since": 50}, "failed"),
        ({"since": 51}, ""),
        ({"kind": "flow", "states": ("COMPLETED",), "text": "do", "top_level": True}, "done"),
    ],
)
def test_a_filter_finds_its_own(empty, chosen, names):
    done = a_run(Completed(seq=1), name="done", run_name="Nightly 7")
    written(
        empty,
        a_run(Scheduled(10 * SECOND, seq=1), name="late", scheduled_time=10 * SECOND),
        a_run(Scheduled(11 * SECOND, seq=1), name="later", scheduled_time=11 * SECOND),
        done,
        a_run(Failed(seq=1), name="failed", created=50),
        a_run(
            Skipped(seq=1),
            name="child", kind="task", parent=done.id, root=done.id,
        ),
        a_run(name="näh_1"),
        a_run(name="100%"),
    )  # fmt: skip
    assert sorted(found(empty, now=26 * SECOND, **chosen)) == sorted(names.split())


def test_runs_are_found_by_family_and_by_the_end_of_their_id(empty):
    top = a_run(name="top")
    child = a_run(name="child", kind="task", parent=top.id, root=top.id)
    grandchild = a_run(name="grandchild", kind="task", parent=child.id, root=top.id)
    written(empty, top, child, grandchild, a_run(name="stranger"))
    assert found(empty, root=top.id) == ["grandchild", "child", "top"]
    assert found(empty, parent=top.id) == ["child"]
    assert found(empty, text=top.id[-8:]) == ["top"]
    assert found(empty, text=top.id[-8:].upper()) == ["top"]


def test_counts_are_those_of_the_list_with_late_runs_apart(empty):
    written(
        empty,
        *(a_run(Scheduled(at * SECOND, seq=1), scheduled_time=at * SECOND) for at in (1, 2, 99)),
        *(a_run(Completed(seq=1)) for _ in range(3)),
        a_run(name="other"),
    )
    with empty.read() as connection:
        assert listing.counts(connection, RunFilter(name="f"), 20 * SECOND) == {
            "Late": 2,
            "SCHEDULED": 1,
            "COMPLETED": 3,
        }


def test_pages_run_by_the_index_and_not_through_the_table(empty):
    """The lists that a dashboard shows must not slow down with the number of runs."""
    for chosen in (
        RunFilter(kind="flow"),
        RunFilter(kind="flow", cursor=new_id()),
        RunFilter(cursor=new_id()),
        RunFilter(root=new_id(), parent=new_id()),
    ):
        condition, values = listing.where(chosen, 0)
        sql = (
            f"EXPLAIN QUERY PLAN {runs.SELECT_RUN} WHERE {condition} ORDER BY runs.id DESC LIMIT 50"
        )
        with empty.read() as connection:
            plan = [row[3] for row in connection.execute(sql, values)]
        assert not any("TEMP B-TREE" in step for step in plan), plan
        assert not any(step.startswith("SCAN states") for step in plan), plan
