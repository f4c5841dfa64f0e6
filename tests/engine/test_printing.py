from __future__ import annotations

import builtins
import inspect
import io
import pickle
import sys
import threading
from contextlib import redirect_stdout

import pytest

from orion_nb import connect, flow, task
from orion_nb.engine import logs
from orion_nb.store.logs import LINE


def messages(name):
    return [line["message"] for line in connect().filter_logs(run=name, limit=1000)["lines"]]


def test_what_is_printed_is_kept_and_shown_as_ever(capsys):
    @task
    def load():
        print("a", 1, sep="-")
        print("no end", end="")
        print(", now", "it ends")
        print()
        print("two\nlines")
        print("to stderr", file=sys.stderr)
        print("the rest", end="", flush=True)

    print("outside")
    load()
    print("!")
    shown = capsys.readouterr()
    assert shown.out == "outside\na-1\nno end, now it ends\n\ntwo\nlines\nthe rest!\n"
    assert shown.err == "to stderr\n"
    told = [(line["level"], line["logger"]) for line in connect().read_logs("load")["lines"]]
    assert set(told) == {(20, "print")}
    assert messages("load") == ["a-1", "no end, now it ends", "two\nlines", "to stderr", "the rest"]


def test_what_is_printed_elsewhere_is_shown_there(tmp_path, capsys):
    class Screen(io.StringIO):
        """A stream that takes the place of stdout while a run goes on."""

    screen = Screen()

    @flow
    def whole():
        with (tmp_path / "out.txt").open("w") as file:
            print("to a file", file=file)
        with redirect_stdout(io.StringIO()) as held:
            print("held back")
        before, sys.stdout = sys.stdout, screen
        try:
            print("on another screen")
        finally:
            sys.stdout = before
        return held.getvalue()

    assert whole() == "held back\n"
    assert screen.getvalue() == "on another screen\n"
    assert (tmp_path / "out.txt").read_text() == "to a file\n"
    assert capsys.readouterr().out == ""
    assert messages("whole") == ["held back", "on another screen"]


def test_printing_two_things_at_once_mixes_no_runs():
    gate = threading.Barrier(2)

    def part(name):
        print(name, end=" ")
        gate.wait(30)
        print("begins", end=" ")
        gate.wait(30)
        print("and ends")

    @flow
    def whole():
        for future in [task(name=name)(part).submit(name) for name in ("one", "two")]:
            future.result()

    whole()
    assert messages("one") == ["one begins and ends"]
    assert messages("two") == ["two begins and ends"]


def test_of_a_progress_bar_its_last_look_is_kept():
    @flow
    def whole():
        for part in range(101):
            print(f"\r{part} %", end="")
        print(" done")
        print("windows\r\nlines\r")
        print("x" * (LINE + 10), end="")
        print("more")

    whole()
    first, second, third, fourth = messages("whole")
    assert (first, second, fourth) == ("100 % done", "windows\nlines", "more")
    assert third.startswith("xxx")
    assert third.endswith(f"(cut; it has {LINE + 10} characters)")


def test_each_value_is_made_text_once_and_errors_are_those_of_print(capsys):
    class Counting:
        seen = 0

        def __str__(self):
            Counting.seen += 1
            return "counted"

    class Broken:
        def __str__(self):
            raise LookupError("no text")

    @flow
    def whole():
        print(Counting(), Counting(), sep=None, end=None)
        for wrong in ({"sep": 5}, {"end": 5}, {"colour": "red"}):
            with pytest.raises(TypeError, match=r"int|colour"):
                print("x", **wrong)
        with pytest.raises(LookupError):
            print("before", Broken())
        shown, sys.stdout = sys.stdout, None
        print("nowhere")
        sys.stdout = shown

    whole()
    assert Counting.seen == 2
    assert capsys.readouterr().out == "counted counted\n"
    assert messages("whole") == ["counted counted", "nowhere"]


def test_print_looks_like_itself():
    logs.install()
    assert pickle.loads(pickle.dumps(print)) is print
    assert (print.__module__, print.__qualname__) == ("builtins", "print")
    assert "sep" in inspect.signature(print).parameters
    assert print is builtins.print
    printing = builtins.print
    logs.install()
    assert builtins.print is printing
