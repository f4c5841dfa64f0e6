"""Runs as rows: what goes in comes out, and a run moves only from where it was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.runs import Run, new_id
from orion_nb.schemas.states import Failed, Pending, Running
from orion_nb.schemas.values import evolve
from orion_nb.store import runs
from orion_nb.store.database import Database


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    opened = Database(tmp_path_factory.mktemp("runs") / "orion.db")
    yield opened
    opened.close()


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
    return made


def a_run(state=None, **fields):
    run_id = new_id()
    fields = {"kind": "flow", "name": "f", "root": run_id, **fields}
    return Run(run_id, state=state or Pending(seq=1), **fields)


texts = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.integers(0, 2**62)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@given(
    run=st.builds(
        a_run,
        state=st.builds(
            Failed,
            st.none() | texts,
            seq=st.just(1),
            timestamp=numbers,
            reason=st.none() | texts,
            by=st.none() | texts,
            result=st.none() | texts,
            cache_key=st.none() | texts,
            attempt=st.integers(0, 100),
        ),
        kind=st.sampled_from(["flow", "task"]),
        name=texts,
        run_name=st.none() | texts,
        key=st.none() | texts,
        parent=st.none() | st.builds(new_id),
        deployment=st.none() | st.builds(new_id),
        session=st.none() | st.builds(new_id),
        attempt=st.integers(0, 100),
        run_count=st.integers(0, 100),
        created=numbers,
        scheduled_time=st.none() | numbers,
        start_time=st.none() | numbers,
        end_time=st.none() | numbers,
        total_time=numbers,
        policy=st.builds(
            RunPolicy,
            retries=st.integers(0, 100),
            retry_delay=st.lists(st.floats(0, 1e6), min_size=1, max_size=3).map(tuple),
            timeout=st.none() | st.floats(0.001, 1e6),
            trigger=st.sampled_from(["all_completed", "all_finished", "any_failed"]),
        ),
        tags=st.lists(texts, max_size=3).map(tuple),
        parameters=st.none() | st.dictionaries(texts, json_values, max_size=3),
        token=st.none() | texts,
    )
)
def test_what_is_written_is_what_is_read(database, run):
    written(database, run)
    with database.read() as connection:
        assert runs.read(connection, run.id) == run
        assert runs.history(connection, run.id) == [(run.state, None)]


def test_text_that_is_no_unicode_is_kept_escaped(database):
    """A file name that was read badly comes with an error's message."""
    state = Failed("no file caf\udce9", seq=1, by="\ud800")
    (run,) = written(database, a_run(state, key="\udce9", parameters={"path": "caf\udce9"}))
    with database.read() as connection:
        kept = runs.read(connection, run.id)
    assert kept.state.message == "no file caf\\udce9"
    assert kept.state.by == "\\ud800"
    assert kept.key == "\\udce9"
    assert kept.parameters == {"path": "caf\udce9"}


def test_a_run_moves_only_from_the_state_it_was_seen_in(database):
    (run,) = written(database, a_run())
    second = evolve(run, state=Running(seq=2))
    assert database.write(lambda tx: runs.move(tx, second, 1))
    assert not database.write(lambda tx: runs.move(tx, second, 1))
