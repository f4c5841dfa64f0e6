"""Whose results went into which argument of which run is known exactly, and nothing else is."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from orion_nb import allow_failure, connect, flow, task
from orion_nb.engine.lineage import MOST_HELD, MOST_LOOKED_AT, Origins, inputs_of


@task
def make(n: int) -> list[int]:
    return [n, n * 1000]


@task
def number(n: int) -> int:
    return n * 1000 + 7


@task
def take(*args: Any, **kwargs: Any) -> int:
    return len(args) + len(kwargs)


@dataclass
class Batch:
    rows: Any
    name: str = "batch"


def edges(told: Any, of: str = "take") -> set[tuple[str, str]]:
    """What went into the run: the names of the upstream runs, with the path of the argument."""
    orion = connect()
    found = orion.lineage(told.run(of).id)["upstream"]
    numbered = {run.id: f"{run.name} {at}" for name in ("make", "number", "fails")
                for at, run in enumerate(told.runs(name))}  # fmt: skip
    return {(numbered[each["upstream"]], each["path"]) for each in found}


@pytest.mark.parametrize("submitted", [False, True])
def test_the_exact_edges_through_containers(told: Any, submitted: bool) -> None:
    @flow
    def etl() -> None:
        if submitted:
            a, b, c = (make.submit(n) for n in (1, 2, 3))
        else:
            a, b, c = (make(n) for n in (1, 2, 3))
        call = take.submit if submitted else take
        done = call(
            a, [b, a], {"deep": ({"er": [c]},)}, 5, "x", None,
            batch=Batch(rows=b), plain=[1, 2], many={"first": a, 2: b},
        )  # fmt: skip
        if submitted:
            done.result()

    etl()
    assert edges(told) == {
        ("make 0", "args[0]"),
        ("make 1", "args[1][0]"),
        ("make 0", "args[1][1]"),
        ("make 2", "args[2]['deep'][0]['er'][0]"),
        ("make 1", "batch.rows"),
        ("make 0", "many['first']"),
        ("make 1", "many[2]"),
    }


def test_sets_of_what_has_a_hash(told: Any) -> None:
    @task
    def make(n: int) -> tuple[int, ...]:
        return (n, n * 1000)

    @flow
    def etl() -> None:
        take({make(1)}, frozenset([make(2)]))

    etl()
    assert edges(told) == {("make 0", "args[0][0]"), ("make 1", "args[1][0]")}


def test_arguments_go_by_their_names(told: Any) -> None:
    @task
    def join(left: list[int], right: list[int], *, on: Any = None) -> None: ...

    @flow
    def etl() -> None:
        join(make(1), right=make(2), on=number(3))

    etl()
    assert edges(told, "join") == {("make 0", "left"), ("make 1", "right"), ("number 0", "on")}


class Colour(Enum):
    RED = 1


SHARED = [None, True, 1, 256, "", "x", "a_word", (), frozenset(), b"", int, Colour.RED, time]


@pytest.mark.parametrize("value", SHARED, ids=repr)
def test_what_everybody_shares_comes_from_nobody(told: Any, value: Any) -> None:
    @task
    def give() -> Any:
        return value

    @flow
    def etl() -> None:
        give()
        take(value, [value])

    etl()
    assert connect().lineage(told.run("take").id)["upstream"] == []


def test_equal_values_of_another_origin_are_others(told: Any) -> None:
    @flow
    def etl() -> None:
        made = make(1)
        take(list(made), [1, 1000], number(1) + 1, int("1007"))

    etl()
    assert edges(told) == set()


def test_a_value_that_is_passed_through_comes_from_who_passed_it_last(told: Any) -> None:
    @task
    def number(rows: list[int]) -> list[int]:
        return rows

    @flow
    def etl() -> None:
        take(number(make(1)))

    etl()
    assert edges(told) == {("number 0", "args[0]")}
    assert edges(told, "number") == {("make 0", "rows")}


def test_a_failed_upstream_that_is_allowed(told: Any) -> None:
    @task
    def fails() -> None:
        raise ValueError("no")

    @flow
    def etl() -> None:
        take(allow_failure(fails.submit()))

    etl()
    (only,) = connect().lineage(told.run("take").id)["upstream"]
    assert only["upstream"] == told.run("fails").id
    assert only["path"] == "args[0]"


def test_downstream_and_the_graph(told: Any) -> None:
    @flow
    def etl() -> None:
        made = make(1)
        take(made)

    etl()
    down = connect().lineage(told.run("make").id)["downstream"]
    assert [(each["run"], each["path"]) for each in down] == [(told.run("take").id, "args[0]")]
    graph = connect().graph(told.run("etl").id)
    assert {each["name"] for each in graph["runs"]} == {"etl", "make", "take"}
    assert len(graph["edges"]) == 1
    (edge,) = connect().lineage(told.run("take").id)["upstream"]
    assert graph["edges"] == [edge]
    for node in graph["runs"]:
        run = connect().find(node["id"]).as_json()
        state = {name: run["state"][name] for name in node["state"]}
        assert node == {**{name: run[name] for name in node}, "state": state}


def test_the_edges_of_a_graph_are_told_as_those_of_a_run(told: Any) -> None:
    @flow
    def etl() -> None:
        made = [make.submit(n) for n in range(3)]
        take({"all": made, "ä~?'": made[0]})

    etl()
    take_id = told.run("take").id
    upstream = connect().lineage(take_id)["upstream"]
    assert len(upstream) == 4
    assert connect().graph(take_id)["edges"] == upstream


def test_of_an_endless_flow_a_graph_has_the_first_runs(told: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("orion_nb.store.edges.MOST", 3)

    @flow
    def etl() -> None:
        for n in range(5):
            make(n)

    etl()
    graph = connect().graph(told.run("etl").id)
    assert [each["name"] for each in graph["runs"]] == ["etl", "make", "make"]
    assert graph["left_out"] == 3


class Thing:
    """A value that can be referred to weakly."""


def test_values_that_nobody_has_any_more_are_not_held() -> None:
    origins = Origins()
    for n in range(3 * MOST_HELD):
        origins.note([n], f"{n}")
        origins.note(n + 1000.5, f"{n}")
        origins.note(Thing(), f"{n}")
    gc.collect()
    held = len(origins._held) + len(origins._weak)
    assert held < 50


def test_values_that_somebody_has_are_known_up_to_a_bound() -> None:
    origins, kept = Origins(), [[n] for n in range(MOST_HELD + 500)]
    for n, value in enumerate(kept):
        origins.note(value, f"{n}")
    assert origins.of(kept[-1]) == f"{len(kept) - 1}"
    assert len(origins._held) <= MOST_HELD + 1
    origins, kept = Origins(), kept[:2000]
    for n, value in enumerate(kept):
        origins.note(value, f"{n}")
    assert [origins.of(value) for value in kept] == [f"{n}" for n in range(2000)]


def test_long_and_deep_arguments_cost_little() -> None:
    origins = Origins()
    made = [1]
    origins.note(made, "made")
    numbers = list(range(1_000_000))
    nested = [[[float(n) for n in range(100)] for _ in range(100)] for _ in range(100)]
    began = time.process_time()
    assert inputs_of(("x",), (numbers,), {}, origins) == ()
    assert inputs_of(("x",), (nested,), {}, origins) == ()
    assert time.process_time() - began < 1.0
    assert inputs_of(("x",), ([*numbers[:500], made],), {}, origins) == (("made", "x[500]"),)
    assert len(nested) ** 3 > 50 * MOST_LOOKED_AT


def test_a_future_far_back_in_a_long_list_is_waited_for(told: Any) -> None:
    @task
    def last(rows: list[Any]) -> Any:
        return rows[-1]

    @flow
    def etl() -> Any:
        make(5)
        return last([*range(5000), make.submit(9)])

    assert etl() == [9, 9000]
    assert edges(told, "last") == {("make 1", "rows[5000]")}


def test_a_list_that_contains_itself(told: Any) -> None:
    @flow
    def etl() -> int:
        make(1)
        rows: list[Any] = [1]
        rows.append(rows)
        return take(rows) + take.submit(rows).result()

    assert etl() == 2
