"""A finished run is deleted by hand: with all that belongs to it, and nothing that doesn't."""

from __future__ import annotations

import os

import pytest

from orion_nb import flow, task
from orion_nb.api.connect import connect
from orion_nb.api.orion import Orion
from orion_nb.deployments.files import run_folder
from orion_nb.errors import Conflict, InvalidInput, RunNotFound
from orion_nb.schemas.runs import short
from orion_nb.schemas.states import Running
from orion_nb.settings import Settings


@task
def make(n):
    return bytes([n]) * 200_000


@flow
def etl(n):
    make(n)


@pytest.fixture
def ran(home):
    """Two runs of a flow that made the same, then one that made something else."""
    for n in (1, 1, 2):
        etl(n)
    orion = connect()
    return orion, [run["id"] for run in orion.filter_runs(name="etl")["runs"]][::-1]


def values(orion):
    """The stored results, as old as if they had been made an hour ago."""
    found = [each for each in (orion.settings.home / "results").rglob("*") if each.is_file()]
    for each in found:
        os.utime(each, (1, 1))
    return {each.name for each in found}


def test_it_goes_with_its_tasks_and_what_it_alone_refers_to(ran):
    orion, (first, second, third) = ran
    folder = run_folder(orion.settings, first)
    (folder / "notebook.ipynb").write_text("{}")
    orion.add_artifact(first, {"text/plain": "one"}, key="note")
    before = values(orion)
    assert before

    told = orion.delete_run(short(first))

    assert (told["deleted"], told["runs"], told["errors"]) == (first, 2, [])
    assert told["results"] == 0  # another run made the same
    assert values(orion) == before
    assert not folder.exists()
    assert orion.filter_artifacts(key="note")["artifacts"] == []
    assert len(orion.filter_runs()["runs"]) == 4  # two runs, each with its task
    with pytest.raises(RunNotFound):
        orion.read_run(first)
    assert orion.delete_run(second)["results"] > 0
    assert values(orion) < before
    assert orion.find(third).state.name == "Completed"


def test_what_has_just_been_stored_stays(ran):
    orion, (first, second, _) = ran
    orion.delete_run(first)
    assert orion.delete_run(second)["results"] == 0


def test_what_must_not_go_is_refused_with_what_to_do(ran):
    orion, (first, _, newest) = ran
    (inside,) = orion.filter_runs(root=first, kind="task")["runs"]
    orion.pin(inside["id"])
    for run, says in (
        (first, "it is pinned, or a run in it is; unpin it first"),
        (inside["id"], f"is part of run {short(first)}: delete that one"),
        (newest, "it has the newest event; it can go when another run has moved"),
    ):
        with pytest.raises(Conflict, match=says):
            orion.delete_run(run)
        assert orion.find(run)
    with pytest.raises(InvalidInput, match=f"'etl' is a name; .* by its id: {newest}"):
        orion.delete_run("etl")
    orion.unpin(inside["id"])
    going_on, _ = orion.begin(orion.new_run("flow", "goes on"), Running())
    with pytest.raises(Conflict, match="it has not ended; cancel it first"):
        orion.delete_run(going_on.id)
    assert orion.delete_run(first)["runs"] == 2
    assert orion.delete_run(newest)["runs"] == 2


def test_why_says_whether_a_run_is_pinned(ran):
    orion, (first, *_) = ran
    assert orion.why(first)["pin"] is None
    orion.pin(first, why="the figures of May")
    assert orion.why(first)["pin"]["why"] == "the figures of May"


def test_files_stay_where_another_database_keeps_its_own(ran, home):
    orion, (first, second, _) = ran
    other = Orion(Settings.load(home=home, database_url=f"sqlite:///{home / 'second.db'}"))
    other.close()
    before = values(orion)
    orion.delete_run(first)
    told = orion.delete_run(second)
    assert told["errors"] == [f"files stay: {home} is also used by {home / 'second.db'}"]
    assert (told["runs"], told["results"], values(orion)) == (2, 0, before)
