"""`--watch` shows anew what a command shows; `replay` does what a run did anew."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from orion_nb.cli import output, watching
from orion_nb.schemas.states import Completed, Running


class Screen(io.StringIO):
    """What was printed; whoever waits for a text is told when it is there."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal, self.news = terminal, threading.Condition()

    def isatty(self):
        return self.terminal

    def write(self, text):
        with self.news:
            super().write(text)
            self.news.notify_all()
        return len(text)

    def shows(self, text):
        with self.news:
            return self.news.wait_for(lambda: text in self.getvalue(), 60)


@pytest.mark.parametrize("terminal", [False, True])
def test_what_changes_is_shown_anew(orion, monkeypatch, terminal):
    screen = Screen(terminal)
    console = Console(file=screen, force_terminal=terminal, width=100, markup=False)
    monkeypatch.setattr(output, "console", lambda: console)
    run, _ = orion.begin(orion.new_run("flow", "nightly"), Running())
    looker = threading.Thread(
        target=watching.watch,
        args=(orion, lambda: f"nightly is {orion.find(run.id).state.name}"),
        kwargs={"until": lambda: orion.find(run.id).state.is_terminal},
    )
    looker.start()
    assert screen.shows("nightly is Running")
    orion.advance(run, Completed())
    assert screen.shows("nightly is Completed")
    looker.join(60)
    assert not looker.is_alive()


@pytest.mark.parametrize(
    "words", [("runs", "ls"), ("deployments", "ls"), ("limits", "ls"), ("runs", "show", "f")]
)
def test_one_json_value_can_not_be_watched(call, orion, words):
    orion.begin(orion.new_run("flow", "f"), Running())
    done = call(*words, "--watch", "--json")
    assert done.code == 2
    assert "watch: --json prints one value" in done.err


def test_a_run_that_has_ended_is_shown_once(call, orion):
    run, _ = orion.begin(orion.new_run("flow", "f"), Running())
    orion.advance(run, Completed())
    done = call("runs", "show", "f", "--watch")
    assert (done.code, done.out.count("f ")) >= (0, 1)
    assert "Completed" in done.out


def test_a_replay_is_a_new_run_with_the_same_parameters(call, orion, notebook):
    path = notebook("print(day)", parameters="day = 'monday'\nlimit = 5")
    orion.create_deployment("daily", str(path))
    first = orion.run_deployment("daily", {"day": "friday"})
    orion.cancel(first.id)

    told = call("replay", first.id, "-p", "limit=7", "--json").json

    made = orion.find(told["run_id"])
    assert made.id != first.id
    assert made.parameters == {"day": "friday", "limit": 7}
    assert f"a replay of {first.id[-8:]}" in (made.state.message or "")
    assert "is scheduled, a replay of" in call("replay", first.id).out


def test_a_run_of_no_deployment_is_not_replayed(call, orion):
    orion.begin(orion.new_run("flow", "by hand"), Running())
    done = call("replay", "by hand")
    assert done.code != 0
    assert "it is no run of a deployment" in done.err
