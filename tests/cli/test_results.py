"""`orion-nb results`, `lineage` and `cache`, on what real runs returned."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orion_nb import flow, task
from orion_nb.api.orion import Orion
from orion_nb.errors import TamperedResult

ROWS = list(range(3000))


@task(cache=True)
def load(day: str) -> list[int]:
    return ROWS


@task
def clean(rows, extra):
    return [row + 1 for row in rows if row % 2]


@task
def count(rows) -> int:
    return len(rows)


@task
def lock():
    return threading.Lock()


@task
def opaque():
    return {1, 2, 3}


@flow
def etl(day: str = "mon") -> int:
    rows = load(day)
    return count(clean(rows, {"all": [rows]}))


@pytest.fixture
def told(here: Orion) -> Orion:
    etl()
    return here


# -- results ---------------------------------------------------------------------------------------


def test_a_result_is_shown_by_its_preview(call, told):
    shown = call("results", "show", "load").out
    assert "stored" in shown
    assert "(3,000 items)" in shown
    assert "2999" not in shown
    as_json = call("results", "show", "load", "--json").json
    assert as_json["result"]["status"] == "stored"
    assert "value" not in as_json


def test_a_result_is_loaded_when_so_asked(call, told):
    assert call("results", "show", "load", "--load", "--json").json["value"] == ROWS
    assert "2999" in call("results", "show", "load", "--load").out
    assert call("results", "show", "etl", "--load", "--json").json["value"] == 1500


def test_what_json_can_not_hold_is_told_as_text(call, told):
    opaque()
    done = call("results", "show", "opaque", "--load", "--json").json
    assert "value" not in done
    assert done["text"] == "{1, 2, 3}"


def test_a_changed_result_is_refused_and_nothing_of_it_decoded(call, told, home):
    key = call("results", "show", "load", "--json").json["result"]["key"]
    (stored,) = Path(home).glob(f"results/*/*/{key}")
    body = bytearray(stored.read_bytes())
    body[-1] ^= 1
    stored.write_bytes(body)
    done = call("results", "show", "load", "--load", "--json")
    assert done.code != 0
    assert done.json["error"] == TamperedResult.__name__
    assert "the stored bytes were changed" in done.err


def test_a_result_signed_with_another_key_is_refused(call, told, home, monkeypatch):
    (home / "results.key").write_text("ab" * 32, encoding="ascii")
    told.close()  # whoever comes next reads the key anew
    done = call("results", "show", "load", "--load")
    assert "it was not signed with the secret of this data folder" in done.err
    assert done.code != 0


def test_who_has_no_result_says_why(call, here):
    run = here.create_run("flow", "f")
    assert "it has no result: it is Pending" in call("results", "show", "f").err
    assert call("results", "show", "f", "--json").json == {"run": run.id, "result": None}
    done = call("results", "show", "f", "--load")
    assert done.code == 2
    assert "orion-nb runs why" in done.err


def test_results_that_were_not_kept_are_listed_with_the_reason(call, here):
    lock()
    listed = call("results", "problems").out
    assert "not kept" in listed
    assert "cannot pickle" in listed
    (one,) = call("results", "problems", "--json").json["problems"]
    assert one["run"] == here.find("lock").id
    assert "its result is unpersisted" in call("runs", "why", "lock").out
    assert "lock object" in call("results", "show", "lock").out


def test_no_problems_are_no_table(call, told):
    assert "No problems" in call("results", "problems").err
    assert call("results", "problems", "--json").json == {"problems": []}


def test_what_waits_is_taken_on_when_storage_is_there_again(call, home, tmp_path, monkeypatch):
    place = tmp_path / "away"
    place.write_text("a file where the folder is to be")
    monkeypatch.setenv("ORION_NB_RESULTS_URL", f"file://{place}")
    etl()
    assert "on its way" in call("results", "problems").out
    last = call("runs", "why", "load", "--json").json["summary"][-1]
    assert last.endswith("`orion-nb results flush` takes it on")
    stuck = call("results", "flush", "--timeout", "1s")
    assert stuck.code == 1
    assert "left: `orion-nb results problems` says why" in stuck.err
    place.unlink()
    done = call("results", "flush", "--json")
    assert done.code == 0
    assert done.json["left"] == 0
    assert call("results", "problems", "--json").json == {"problems": []}
    told = call("results", "show", "load", "--load", "--json").json
    assert told["value"] == ROWS
    assert told["result"]["status"] == "stored"


# -- lineage ---------------------------------------------------------------------------------------


def test_lineage_tells_whose_results_went_in_and_through_which_argument(call, told):
    shown = call("lineage", "count").out
    lines = [line.strip(" └├─│") for line in shown.splitlines()]
    assert lines[1] == "comes from"
    assert lines[2].startswith("clean ")
    assert "as rows" in lines[2]
    assert lines[3].startswith("load ")
    assert "as extra['all'][0], rows" in lines[3]


def test_lineage_tells_where_a_result_went(call, told):
    shown = call("lineage", "load").out
    assert "went into" in shown
    assert "its extra['all'][0], rows" in shown
    assert shown.index("clean") < shown.index("count")


def test_lineage_is_a_list_of_edges_as_json(call, told):
    as_json = call("lineage", "clean", "--json").json
    assert [(edge["name"], edge["path"]) for edge in as_json["upstream"]] == [
        ("load", "extra['all'][0]"),
        ("load", "rows"),
    ]
    assert [edge["name"] for edge in as_json["downstream"]] == ["count"]


def test_the_whole_tree_is_shown_with_who_called_whom(call, told):
    shown = call("lineage", "clean", "--tree").out.splitlines()
    assert shown[0].startswith("etl ")
    assert [line.split()[1] for line in shown[1:]] == ["load", "clean", "count"]
    assert "← load" in shown[2]
    assert shown[2].endswith("◀")
    graph = call("lineage", "etl", "--tree", "--json").json
    assert graph["root"] == told.find("etl").id
    assert len(graph["runs"]) == 4


def test_who_took_nothing_and_gave_nothing_says_so(call, told):
    assert "No result of another run went into it" in call("lineage", "etl").err


def test_a_wide_graph_shows_no_run_twice_unfolded(call, here):
    @task
    def one():
        return object()

    @task
    def both(a, b):
        return object()

    @flow
    def diamond():
        first = one()
        left, right = both(first, 0), both(first, 1)
        return both(left, right) and None

    diamond()
    shown = call("lineage", "both").out
    assert shown.count("one ") == 2


# -- cache -----------------------------------------------------------------------------------------


def test_the_keys_of_a_task_are_listed_with_the_runs_that_computed_them(call, here):
    etl("mon")
    first = here.find("load").id
    etl("tue")
    etl("mon")  # answered by the cache
    told = call("cache", "ls", "load", "--json").json
    assert told["task"].endswith(".load")
    assert [each["run"] == first for each in told["keys"]] == [False, True]
    assert "argument day" in call("cache", "ls", "load").out
    assert call("cache", "ls", told["task"], "--json").json == told


def test_what_differs_between_the_last_two_keys_is_said(call, here):
    etl("mon")
    done = call("cache", "explain", "load")
    assert done.code == 2
    assert "has only one key in the cache" in done.err
    etl("tue")
    assert call("cache", "explain", "load", "--json").json["changed"] == ["argument day changed"]
    assert "argument day changed" in call("cache", "explain", "load").out


def test_a_task_without_a_cache_says_so(call, told):
    assert "is it @task(cache=True)?" in call("cache", "ls", "count").err
    done = call("cache", "ls", "nope")
    assert done.code == 2
    assert "no task 'nope' has run" in done.err
