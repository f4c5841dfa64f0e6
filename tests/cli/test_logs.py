from __future__ import annotations

import re
import threading

import pytest

from orion_nb import flow, get_logger, task
from orion_nb.cli.logs import line_text


@task
def load():
    print("\x1b]0;title\x07rows\n  of a table")
    get_logger().warning("few rows")


@flow
def whole():
    print("begin")
    load()
    get_logger().error("a [bold]mark[/bold]")


@pytest.fixture
def ran(home, capsys):
    whole()
    capsys.readouterr()


def shown(text):
    """The lines without their times."""
    return [re.sub(r"^\d\d:\d\d:\d\d\.\d\d\d  ", "", line) for line in text.splitlines()]


def test_a_run_shows_its_lines(call, ran):
    assert shown(call("runs", "logs", "whole").out) == [
        "INFO     begin", "ERROR    a [bold]mark[/bold]",
    ]  # fmt: skip


def test_a_tree_names_who_wrote_and_nothing_steers_the_terminal(call, ran):
    assert shown(call("runs", "logs", "whole", "--tree").out) == [
        "INFO     whole  begin",
        "INFO     load  rows",
        "      of a table",
        "WARNING  load  few rows",
        "ERROR    whole  a [bold]mark[/bold]",
    ]


def test_a_level_and_a_limit_show_less(call, ran):
    found = call("runs", "logs", "whole", "--tree", "--level", "warning")
    assert [line.split()[0] for line in shown(found.out)] == ["WARNING", "ERROR"]
    found = call("runs", "logs", "whole", "--limit", "1")
    assert shown(found.out) == ["INFO     begin"]
    assert found.err == "There are more: --limit 1 was reached.\n"
    assert call("runs", "logs", "whole", "--level", "critical").err == "No line was logged.\n"


def test_as_json_it_is_one_value(call, ran):
    told = call("runs", "logs", "whole", "--json").json
    assert [line["message"] for line in told["lines"]] == ["begin", "a [bold]mark[/bold]"]
    assert told["cursor"] is None
    told = call("runs", "logs", "whole", "--json", "--limit", "1").json
    assert told["cursor"] == told["lines"][0]["n"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nothing"], "no run 'nothing'"),
        (["whole", "--level", "loud"], "level: 'loud' is no level"),
    ],
)
def test_what_is_not_there_is_said(call, ran, args, says):
    done = call("runs", "logs", *args)
    assert done.code == 2
    assert says in done.err


@pytest.mark.slow
def test_where_the_cells_of_a_notebook_have_printed_is_said(call, orion_nb, notebook):
    ran = orion_nb("run", notebook("print('quiet')"), "--json").json
    said = f"what its cells print is kept in {ran['notebook']}"
    assert call("runs", "logs", ran["run_id"]).err == f"No line was logged; {said}.\n"


def test_following_shows_lines_as_they_come_and_ends_with_the_run(start, here):
    told = threading.Event()

    @flow
    def slow():
        print("first")
        assert told.wait(60)
        print("last")

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        while not here.filter_runs(name="slow")["runs"]:
            assert thread.is_alive()
        process = start("runs", "logs", "slow", "--follow")
        assert process.stdout.readline().endswith("INFO     first\n")
    finally:
        told.set()
        thread.join()
    out, err = process.communicate(timeout=60)
    assert shown(out) == ["INFO     last"]
    assert (process.returncode, err) == (0, "")


def test_levels_have_colours():
    line = {"timestamp": 0, "logger": "db", "message": "m", "name": "load"}
    styles = {
        level: {str(span.style) for span in line_text({**line, "level": level}).spans}
        for level in (10, 20, 30, 40, 50)
    }
    assert [sorted(styles[level] - {""}) for level in styles] == [
        ["dim"], ["dim"], ["dim", "yellow"], ["dim", "red"], ["bold red", "dim"],
    ]  # fmt: skip
    assert "25 " in line_text({**line, "level": 25}).plain
