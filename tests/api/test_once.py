"""What a request did and the answer to it are committed at once: both are there, or neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orion_nb.api.once import answer_apart, answer_once, answer_read, digest, seen_inside
from orion_nb.errors import (
    Conflict,
    IdempotencyKeyReuse,
    InvalidInput,
    NotebookNotFound,
    UnknownParameter,
)
from orion_nb.schemas.states import COMPLETED, RUNNING, Completed, Running
from orion_nb.store import database


def create(orion):
    run = orion.create_run("flow", "f")
    return 201, json.dumps({"id": run.id}).encode()


def test_the_answer_is_kept_with_what_was_done(orion):
    first = answer_once(orion, "k", "POST /runs", "d", create)
    again = answer_once(orion, "k", "POST /runs", "d", create)
    assert first[:2] == again[:2]
    assert (first[2], again[2]) == (False, True)
    assert len(orion.filter_runs()["runs"]) == 1


def test_what_fails_midway_leaves_nothing(orion):
    def half(inner):
        inner.create_run("flow", "f")
        raise Conflict("midway")

    for _ in range(2):
        with pytest.raises(Conflict, match="midway"):
            answer_once(orion, "k", "POST /runs", "d", half)
    assert orion.filter_runs()["runs"] == []
    assert answer_once(orion, "k", "POST /runs", "d", create)[2] is False


def test_a_process_that_dies_midway_leaves_nothing(orion, script):
    process = script(
        """
        import os
        from orion_nb.api.connect import connect
        from orion_nb.api.once import answer_once

        def die(inner):
            inner.create_run("flow", "f")
            os.kill(os.getpid(), 9)

        answer_once(connect(), "k", "POST /runs", "d", die)
        """
    )
    assert process.wait(60) == -9
    assert orion.filter_runs()["runs"] == []
    assert answer_once(orion, "k", "POST /runs", "d", create)[2] is False


def test_what_takes_long_holds_nobody_up(orion, other):
    def slow(api):
        other.create_run("flow", "meanwhile")  # it would wait for a minute
        with pytest.raises(Conflict, match="is being done"):
            answer_apart(other, "k", "POST /database/prune", "d", create)
        return create(api)

    first = answer_apart(orion, "k", "POST /database/prune", "d", slow)
    again = answer_apart(other, "k", "POST /database/prune", "d", slow)
    assert (first[:2], first[2], again[2]) == (again[:2], False, True)
    with pytest.raises(IdempotencyKeyReuse):
        answer_once(orion, "k", "POST /runs", "d", create)


def test_what_takes_long_and_fails_may_be_asked_again(orion):
    def fail(api):
        raise Conflict("not now")

    with pytest.raises(Conflict, match="not now"):
        answer_apart(orion, "k", "POST /database/prune", "d", fail)
    assert answer_apart(orion, "k", "POST /database/prune", "d", create)[2] is False


def test_what_a_process_did_not_finish_is_done_again(orion, script):
    """It died between the claim of the key and the answer."""
    process = script(
        """
        import os
        from orion_nb.api.connect import connect
        from orion_nb.api.once import answer_apart

        answer_apart(
            connect(), "k", "POST /database/prune", "d", lambda api: os.kill(os.getpid(), 9)
        )
        """
    )
    assert process.wait(60) == -9
    assert answer_apart(orion, "k", "POST /database/prune", "d", create)[2] is False
    assert answer_apart(orion, "k", "POST /database/prune", "d", create)[2] is True
    assert len(orion.filter_runs()["runs"]) == 1


def test_a_key_is_for_one_request(orion):
    answer_once(orion, "k", "POST /runs", digest({"name": "a", "kind": "flow"}), create)
    same = digest({"kind": "flow", "name": "a"})
    assert answer_once(orion, "k", "POST /runs", same, create)[2] is True
    other = digest({"kind": "flow", "name": "b", "tags": ["x"]})
    with pytest.raises(IdempotencyKeyReuse, match=r"\(POST /runs\), which differs in name, tags"):
        answer_once(orion, "k", "POST /runs", other, create)
    with pytest.raises(IdempotencyKeyReuse, match=r"another request \(POST /runs\)$"):
        answer_once(orion, "k", "POST /results/flush", other, create)
    with pytest.raises(InvalidInput, match="visible ASCII"):
        answer_once(orion, "a b", "POST /runs", "d", create)


def test_the_api_reads_inside_what_it_wrote(orion, other):
    def work(tx):
        inner = seen_inside(orion, tx)
        run, _ = inner.begin(inner.new_run("task", "t"), Running())
        assert inner.find(run.id).state.type is RUNNING
        assert inner.why(run.id)["run"]["id"] == run.id  # it reads in a transaction of its own
        told = {"attempt": run.attempt, "token": run.token}
        assert inner.propose(run.id, COMPLETED, explain=True, **told).state.type is COMPLETED
        inner.advance(run, Completed())
        assert other.filter_runs()["runs"] == []
        return run.id

    run_id = orion.database.write(work)
    assert other.find(run_id).state.type is COMPLETED


def test_a_savepoint_undoes_its_own_only(orion):
    def work(tx):
        inner = seen_inside(orion, tx)
        kept = inner.create_run("flow", "kept")
        with pytest.raises(Conflict), inner.database.savepoint():
            inner.begin(kept)  # a state is written before it is seen that the run is there
        return kept.id

    kept = orion.database.write(work)
    assert [run["id"] for run in orion.filter_runs()["runs"]] == [kept]
    assert len(orion.events_after(0)) == 1


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "daily.ipynb"
    cells = [{"cell_type": "code", "source": "day = 1", "metadata": {"tags": ["parameters"]}}]
    told = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(told), "utf-8")
    return str(path)


@pytest.mark.parametrize("track", ["latest", "pinned"])
def test_files_are_read_while_others_may_write(orion, other, notebook, monkeypatch, track):
    """A file on slow storage: while it is read somebody else writes, which must not wait."""
    read, reads = Path.read_bytes, []
    monkeypatch.setattr(database, "LOCK_PATIENCE", 2.0)

    def slowly(path):
        if str(path) == notebook:
            reads.append(other.create_run("flow", "meanwhile"))  # it waits, and gives up
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", slowly)
    asked = {
        "create": lambda api: api.create_deployment("daily", notebook, track=track),
        "change": lambda api: api.update_deployment("daily", path=notebook, retries=2),
        "pause": lambda api: api.pause_deployment("daily"),
        "resume": lambda api: api.resume_deployment("daily"),
        "run": lambda api: api.run_deployment("daily", {"day": 2}).as_json(),
    }
    for key, work in asked.items():
        was = len(reads)

        def answer(api, work=work):
            return 200, json.dumps(work(api)).encode()

        first = answer_read(orion, key, key, "d", answer)
        assert len(reads) - was <= 1  # it is read once
        again = answer_read(other, key, key, "d", answer)
        assert (first[:2], first[2], again[2]) == (again[:2], False, True)
        assert b"is locked" not in first[1]
    known = orion.read_deployment("daily")
    assert (known["retries"], known["paused"], len(known["last_runs"])) == (2, False, 1)
    assert len(reads) >= 3


def test_a_file_that_changes_after_it_was_read_is_read_again(orion, other, notebook):
    times = []

    def answer(api):
        told = api.create_deployment("daily", notebook, parameters={"day": 3}) if times else None
        times.append(1)
        Path(notebook).write_text(Path(notebook).read_text("utf-8").replace("day", "hour"), "utf-8")
        told = told or api.create_deployment("daily", notebook, parameters={"hour": 3})
        return 201, json.dumps(told).encode()

    with pytest.raises(UnknownParameter, match="hour"):
        answer_read(orion, "k", "POST /deployments", "d", answer)
    assert orion.list_deployments()["deployments"] == []


def test_what_is_refused_before_the_write_is_asked_again(orion, notebook):
    def answer(api):
        return 201, json.dumps(api.create_deployment("daily", notebook + "x")).encode()

    for _ in range(2):
        with pytest.raises(NotebookNotFound):
            answer_read(orion, "k", "POST /deployments", "d", answer)
