"""What cells print, as lines in a file that others follow."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orion_nb.api.following import Following
from orion_nb.api.printed import PRINTED
from orion_nb.deployments import printed
from orion_nb.deployments.printed import Printed
from orion_nb.errors import InvalidInput
from orion_nb.schemas.states import Completed, Running


@pytest.fixture
def run(orion):
    made = orion.begin(orion.new_run("flow", "work"), Running())[0]
    (orion.settings.notebooks / made.id).mkdir(parents=True)
    return made


@pytest.fixture
def writing(orion, run):
    made = []

    def begin(attempt=1):
        made.append(Printed(orion.settings.notebooks / run.id, attempt))
        return made[-1]

    yield begin
    for each in made:
        each.close()


def texts(told):
    return [(line["cell"], line["stream"], line["text"]) for line in told["lines"]]


def test_lines_are_told_when_they_have_an_end_and_from_where_one_was(orion, run, writing):
    assert orion.read_printed(run.id)["lines"] == []
    file = writing()
    file.add(1, "stdout", "one\ntw")
    told = orion.read_printed(run.id)
    assert texts(told) == [(1, "stdout", "one")]
    assert orion.read_printed(run.id, after=told["cursor"])["lines"] == []
    file.add(1, "stdout", "o\n")
    file.add(1, "stderr", "10%\r\x1b[31m20%\x1b[0m\r")
    file.add(2, "stdout", "\nno end")
    file.close()
    told = orion.read_printed(run.id, after=told["cursor"])
    assert texts(told) == [
        (1, "stdout", "two"),
        (1, "stderr", "\x1b[31m20%\x1b[0m"),
        (2, "stdout", ""),
        (2, "stdout", "no end"),
    ]
    assert (told["more"], told["lost"]) == (False, 0)


def test_of_a_progress_bar_its_last_state_is_told_however_long_it_was_at_it(orion, run, writing):
    file = writing()
    for n in range(5001):
        file.add(1, "stderr", f"\r{n:4} of 5000")
    file.close()
    assert texts(orion.read_printed(run.id)) == [(1, "stderr", "5000 of 5000")]


def test_of_a_flood_the_last_is_kept_and_what_is_lost_is_counted(orion, run, writing, monkeypatch):
    monkeypatch.setattr(printed, "LARGE", 2000)
    file = writing()
    file.add(1, "stdout", "first\n")
    place = orion.read_printed(run.id)["cursor"]
    for n in range(1000):
        file.add(1, "stdout", f"line {n}\n")
    told = orion.read_printed(run.id, after=place)
    assert told["lost"] + len(told["lines"]) == 1000
    assert 0 < told["lost"] < 1000
    assert told["lines"][-1]["text"] == "line 999"
    again = writing(attempt=2)
    again.add(1, "stdout", "anew\n")
    later = orion.read_printed(run.id, after=told["cursor"])
    assert (texts(later), later["lost"]) == ([(1, "stdout", "anew")], 0)


def test_a_line_that_a_full_disk_has_torn_is_passed_over(orion, run, writing):
    file = writing()
    file.add(1, "stdout", "one\n")
    with (orion.settings.notebooks / run.id / PRINTED).open("ab") as torn:
        torn.write(b'{"at":12,"ce\n')
    file.add(1, "stdout", "two\n")
    assert [line["text"] for line in orion.read_printed(run.id)["lines"]] == ["one", "two"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(alphabet="ab\n")))
def test_however_text_is_cut_into_pieces_its_lines_are_the_same(orion, run, writing, pieces):
    file, place, found = writing(), None, []
    for piece in pieces:
        file.add(3, "stdout", piece)
        told = orion.read_printed(run.id, after=place)
        place = told["cursor"]
        found += told["lines"]
    file.close()
    found += orion.read_printed(run.id, after=place)["lines"]
    assert [line["text"] for line in found] == _lines("".join(pieces))


def _lines(text):
    *whole, rest = text.split("\n")
    return [*whole, rest] if rest else whole


@pytest.mark.parametrize("after", ["", "7", "1.1:x:0", "1.1:-1:0", "1.1:9"])
def test_what_is_no_place_is_refused(orion, run, after):
    with pytest.raises(InvalidInput, match=r"after: .* is no place"):
        orion.read_printed(run.id, after=after)


def test_what_is_logged_before_it_is_printed_or_printed_before_comes_once(orion, run, writing):
    file = writing()
    line = {"run": run.id, "logger": "print", "timestamp": run.created}
    query = {"run": run.id, "level": None, "tree": False}
    following = iter(Following(orion, query, lambda: None))
    orion.write_logs([{**line, "message": "first logged"}])
    assert next(following)["logger"] == "print"
    file.add(1, "stdout", "first logged\nfirst printed\n")
    assert next(following)["message"] == "first printed"
    # Each comes once more than the other: those are lines of their own.
    orion.write_logs(2 * [{**line, "message": "first printed"}])
    file.add(1, "stdout", "first logged\n")
    orion.advance(run, Completed())
    rest = [(each["logger"], each["message"]) for each in following]
    assert rest == [("print", "first printed"), ("cell", "first logged")]


def test_what_is_printed_and_logged_is_followed_once(orion, run, writing):
    child = orion.begin(orion.new_run("task", "load", parent=run.id), Running())[0]
    line = {"run": child.id, "logger": "print", "timestamp": run.created}
    orion.write_logs([{**line, "message": "of a task"}, {**line, "message": "shown nowhere"}])
    mine = {"run": run.id, "logger": "orion_nb.run", "timestamp": run.created}
    orion.write_logs([{**mine, "message": "plain"}, {**mine, "level": 30, "message": "careful"}])
    file = writing()
    file.add(1, "stdout", "plain\nof a task\nplain\n")
    file.add(1, "stderr", "careful\n")
    file.close()
    orion.advance(run, Completed())

    def followed(**query):
        query = {"run": run.id, "level": None, "tree": False, **query}
        return sorted(each["message"] for each in Following(orion, query, lambda: None))

    # "plain" was printed twice, and logged by a logger whose lines are not shown in cells.
    assert followed(tree=True) == [
        "careful", "of a task", "plain", "plain", "plain", "shown nowhere",
    ]  # fmt: skip
    assert followed() == ["careful", "of a task", "plain", "plain", "plain"]
    assert followed(level="warning") == ["careful"]
