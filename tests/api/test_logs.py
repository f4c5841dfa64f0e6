from __future__ import annotations

import pytest

from orion_nb.api.logs import BATCH, level_of
from orion_nb.errors import InvalidInput, RunNotFound, TooLarge


@pytest.fixture
def run(orion):
    return orion.create_run("flow", "whole").id


def messages(orion, ref, **query):
    return [line["message"] for line in orion.read_logs(ref, **query)["lines"]]


def test_a_batch_is_written_and_read(orion, run, clock):
    told = orion.write_logs(
        [
            {"run": run, "message": "first"},
            {"run": run, "message": "second", "level": "warning", "logger": "db", "timestamp": 5},
        ]
    )
    assert told == {"stored": 2, "over": {}}
    assert orion.read_logs(run) == {
        "lines": [
            {"run": run, "timestamp": clock.at, "level": 20, "logger": None,
             "message": "first", "n": 1, "name": "whole"},
            {"run": run, "timestamp": 5, "level": 30, "logger": "db",
             "message": "second", "n": 2, "name": "whole"},
        ],
        "cursor": None,
    }  # fmt: skip


def test_pages_go_on_where_the_last_one_ended(orion, run):
    orion.write_logs([{"run": run, "message": str(n)} for n in range(5)])
    found, cursor = [], 0
    while cursor is not None:
        page = orion.read_logs(run, after=cursor, limit=2)
        found.append([line["message"] for line in page["lines"]])
        cursor = page["cursor"]
    assert found == [["0", "1"], ["2", "3"], ["4"]]


def test_the_newest_are_read_backwards_page_by_page(orion, run):
    orion.write_logs([{"run": run, "message": str(n)} for n in range(5)])
    found, cursor = [], None
    while True:
        page = orion.filter_logs(run=run, newest=True, before=cursor, limit=2)
        found.append([line["message"] for line in page["lines"]])
        cursor = page["cursor"]
        if cursor is None:
            break
    assert found == [["3", "4"], ["1", "2"], ["0"]]


def test_a_run_may_be_named_as_anywhere(orion, run):
    orion.write_logs([{"run": run, "message": "here"}])
    assert messages(orion, "whole") == messages(orion, run[-8:]) == ["here"]
    with pytest.raises(RunNotFound):
        orion.read_logs("nothing")


def test_the_least_level_is_a_name_or_a_number(orion, run):
    levels = ("debug", "info", "WARNING", 35, "40", "critical")
    orion.write_logs([{"run": run, "message": str(each), "level": each} for each in levels])
    assert messages(orion, run, level="warning") == ["WARNING", "35", "40", "critical"]
    assert messages(orion, run, level="35") == ["35", "40", "critical"]


def test_a_tree_tells_which_run_wrote_a_line(orion, run):
    task = orion.create_run("task", "load", parent=run)
    orion.write_logs([{"run": task.id, "message": "a"}, {"run": run, "message": "b"}])
    assert messages(orion, run) == ["b"]
    told = orion.read_logs(run, tree=True)["lines"]
    assert [(line["name"], line["message"]) for line in told] == [("load", "a"), ("whole", "b")]
    assert messages(orion, task.id, tree=True) == ["a"]


def test_lines_of_an_unknown_run_are_refused_and_nothing_is_written(orion, run):
    lines = [{"run": run, "message": "a"}, {"run": "0" * 32, "message": "b"}]
    with pytest.raises(RunNotFound, match="no run '00000000000000000000000000000000'"):
        orion.write_logs(lines)
    assert messages(orion, run) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"message": 5}, "lines: the message is a text, got 5"),
        ({}, "lines: the message is a text, got None"),
        ({"message": "m", "run": "4f2a"}, "lines: '4f2a' is not an id"),
        ({"message": "m", "run": 5}, "lines: a line names its run, got 5"),
        ({"message": "m", "level": "loud"}, "level: 'loud' is no level; there are notset, "),
        ({"message": "m", "level": True}, "level: True is no level"),
        ({"message": "m", "level": -1}, "level: -1 is no level"),
        ({"message": "m", "level": 2**40}, "level: 1099511627776 is no level"),
        ({"message": "m", "logger": 7}, "lines: 7 is no name of a logger"),
        ({"message": "m", "logger": "orion_nb.over"}, "lines: 'orion_nb.over' is no name"),
        ({"message": "m", "timestamp": 0.5}, "lines: the timestamp is in whole microseconds"),
        ({"message": "m", "timestamp": -5}, "lines: -5 µs since 1970 is not in the years"),
        ({"message": "m", "colour": "red"}, "lines: 'colour' is not known in a line"),
    ],
)
def test_a_line_that_cant_be_accepted_is_refused(orion, run, line, says):
    with pytest.raises(InvalidInput) as refused:
        orion.write_logs([{"run": run, **line}])
    assert str(refused.value).startswith(says)
    assert messages(orion, run) == []


def test_too_many_lines_at_once_are_refused(orion, run):
    with pytest.raises(TooLarge, match="at most 1000 at once, got 1001"):
        orion.write_logs([{"run": run, "message": ""}] * (BATCH + 1))


def test_what_a_writer_left_out_is_told(orion, run):
    told = orion.write_logs([], over={run: 7}, lost={run: 2})
    assert told == {"stored": 0, "over": {}}
    assert [text.partition(":")[0] for text in messages(orion, run)] == [
        "7 lines more were logged", "2 lines are missing",
    ]  # fmt: skip
    for wrong in ({run: 0}, {run: "5"}, {"4f2a": 1}):
        with pytest.raises(InvalidInput):
            orion.write_logs([], lost=wrong)


def test_names_of_loggers_are_cut(orion, run):
    orion.write_logs([{"run": run, "message": "m", "logger": "x" * 300}])
    assert orion.read_logs(run)["lines"][0]["logger"] == "x" * 255


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_page_has_a_limit(orion, run, limit):
    with pytest.raises(InvalidInput, match="is not between 1 and 1000"):
        orion.read_logs(run, limit=limit)


def test_levels_have_the_numbers_of_logging():
    assert [level_of(each) for each in ("Info", "30", 7, 0)] == [20, 30, 7, 0]
