from __future__ import annotations

import time
from dataclasses import replace

import pytest

from orion_nb.store import logs
from orion_nb.store.logs import LINE, LINES, LOST, OVER, TEXT, Line, LogFilter


@pytest.fixture
def run(orion):
    return orion.create_run("flow", "whole").id


def lines_of(run, *messages):
    return [Line(run, at, 20, "x", message) for at, message in enumerate(messages)]


def put(orion, lines):
    over = orion.database.write(lambda tx: logs.put(tx, lines))
    orion.database.write(lambda tx: logs.note(tx, OVER, over, 0))
    return over


def page(orion, limit=LINES + 10, newest=False, **chosen):
    with orion.database.read() as connection:
        return logs.page(connection, LogFilter(**chosen), limit, newest)


def test_lines_are_found_in_the_order_they_were_written_in(orion, run):
    put(orion, lines_of(run, "b", "a", "c"))
    found = page(orion, run=run)
    assert [line.message for line in found] == ["b", "a", "c"]
    assert [line.name for line in found] == ["whole"] * 3
    assert [line.message for line in page(orion, 2, newest=True, run=run)] == ["a", "c"]
    assert [line.message for line in page(orion, run=run, after=found[0].n)] == ["a", "c"]
    assert [line.message for line in page(orion, run=run, before=found[2].n)] == ["b", "a"]


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("text", [None, "7", "no such"])
def test_who_has_only_so_long_finds_all_by_going_on(orion, run, monkeypatch, newest, text):
    monkeypatch.setattr(logs, "STRETCH", 10)
    ticks = iter(range(10**9))
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) / 1000)
    put(orion, lines_of(run, *map(str, range(300))))
    wanted = [line.n for line in page(orion, text=text)]
    found, chosen, pages = [], LogFilter(text=text), 0
    with orion.database.read() as connection:
        while True:
            lines, rest = logs.some(connection, chosen, 7, newest, 0.003)
            found = [*lines, *found] if newest else [*found, *lines]
            pages += 1
            if len(lines) == 7:
                rest = lines[0].n if newest else lines[-1].n
            if rest is None:
                break
            chosen = replace(chosen, before=rest) if newest else replace(chosen, after=rest)
    assert [line.n for line in found] == wanted
    assert pages > 3


def test_of_one_run_the_first_lines_are_kept_and_the_others_counted(orion, run):
    for begin in range(0, LINES + 2000, 500):
        put(orion, lines_of(run, *map(str, range(begin, begin + 500))))
    *kept, last = page(orion, run=run)
    assert [line.message for line in kept] == [str(n) for n in range(LINES)]
    assert last.message.startswith("2000 lines more")
    assert (last.logger, last.level) == (OVER, 30)


def test_of_one_run_so_many_bytes_are_kept_and_then_nothing_shorter_either(orion, run):
    half = "ä" * (TEXT // 4)  # two bytes each
    assert put(orion, lines_of(run, half, half[:-5], "x" * 20, "y")) == {run: 2}
    assert put(orion, lines_of(run, "z")) == {run: 1}
    *kept, last = page(orion, run=run)
    assert [len(line.message) for line in kept] == [len(half), len(half) - 5]
    assert last.message.startswith("3 lines more")


def test_a_full_run_takes_no_room_from_others(orion, run):
    other = orion.create_run("flow", "other").id
    mixed = [each for n in range(LINES) for each in lines_of(run, f"a{n}", f"b{n}")]
    assert put(orion, [*mixed, *lines_of(other, "here")]) == {run: LINES}
    assert [line.message for line in page(orion, run=other)] == ["here"]


def test_lines_that_are_lost_are_counted_and_fill_nothing(orion, run):
    for _ in range(2):
        orion.database.write(lambda tx: logs.note(tx, LOST, {run: 3}, 0))
    put(orion, lines_of(run, "after"))
    note, after = page(orion, run=run)
    assert note.message.startswith("6 lines are missing")
    assert (note.logger, after.message) == (LOST, "after")


def test_a_new_count_has_a_new_number_so_that_who_follows_sees_it(orion, run):
    seen = []
    for _ in range(3):
        orion.database.write(lambda tx: logs.note(tx, OVER, {run: 1}, 0))
        (line,) = page(orion, run=run)
        seen.append((line.n, line.message.partition(" ")[0]))
    assert [count for _, count in seen] == ["1", "2", "3"]
    numbers = [n for n, _ in seen]
    assert numbers == sorted(set(numbers))


def test_a_tree_is_a_run_and_all_that_run_in_it(orion):
    whole = orion.create_run("flow", "whole")
    inner = orion.create_run("flow", "inner", parent=whole.id)
    task = orion.create_run("task", "task", parent=inner.id, run_name="third")
    beside = orion.create_run("task", "beside", parent=whole.id)
    stranger = orion.create_run("flow", "stranger")
    for run in (task, whole, stranger, beside, inner):
        put(orion, lines_of(run.id, run.name))
    tree = [(line.name, line.message) for line in page(orion, root=whole.id)]
    assert tree == [
        ("third", "task"), ("whole", "whole"), ("beside", "beside"), ("inner", "inner"),
    ]  # fmt: skip
    with orion.database.read() as connection:
        within = logs.runs_in(connection, whole.id, inner.id)
    assert within == {inner.id, task.id}
    found = page(orion, 1, root=whole.id, within=within)
    found += page(orion, 9, root=whole.id, within=within, after=found[0].n)
    assert [line.message for line in found] == ["task", "inner"]


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({}, "abcd"),
        ({"level": 30}, "cd"),
        ({"logger": "db"}, "bd"),
        ({"text": "C IS"}, "c"),
        ({"text": "%"}, "d"),
        ({"since": 2, "until": 4}, "bc"),
        ({"level": 30, "logger": "db"}, "d"),
    ],
)
def test_a_filter_names_level_logger_text_and_time(orion, run, chosen, found):
    told = [(10, "x", "a"), (20, "db", "b"), (30, "x", "c is"), (40, "db", "d%")]
    put(orion, [Line(run, at, *each) for at, each in enumerate(told, 1)])
    assert "".join(line.message[0] for line in page(orion, **chosen)) == found


def test_a_line_is_cut_with_a_note_and_only_once():
    for text in ("x" * LINE, "é" * (LINE // 2), "short"):
        assert logs.fitting(text) == text
    for text in ("x" * (LINE + 1), "é" * LINE, "\ud800" * LINE):
        cut = logs.fitting(text)
        assert len(cut.encode()) <= LINE
        assert cut.endswith(f"… (cut; it has {len(text)} characters)")
        assert logs.fitting(cut) == cut


def test_half_a_character_is_kept_as_its_number():
    assert logs.fitting("a\udc80b") == "a\\udc80b"
