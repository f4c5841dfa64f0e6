"""`orion-nb rules`: what there is, what each says, and what they answer."""

from __future__ import annotations

import pytest

from orion_nb.rules import POLICIES, Phase
from orion_nb.rules.table import DEFAULT, KINDS, LEGEND, cells, contexts
from orion_nb.schemas.states import StateType


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A rule of the user's own, named in the environment."""
    source = (
        "from orion_nb.rules import Note, rule\n\n\n"
        "@rule()\n"
        "def by_day(t):\n"
        '    """Heavy runs start at night."""\n'
        "    return Note('it is day')\n"
    )
    (tmp_path / "night_rules.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ORION_NB_RULES", "night_rules:by_day")


def test_all_rules_are_listed_in_the_order_of_asking(call):
    listed = call("rules", "ls", "--json").json["rules"]
    every = {rule for policy in POLICIES.values() for rule in policy}
    assert {each["rule"] for each in listed} == {rule.name for rule in every}
    phases = [Phase[each["phase"].upper()] for each in listed]
    assert phases == sorted(phases)
    told = call("rules", "ls").out
    for rule in every:
        assert rule.name in told
        assert rule.says in told


def test_it_says_for_which_runs_a_rule_is_asked(call):
    kinds = {each["rule"]: each["kinds"] for each in call("rules", "ls", "--json").json["rules"]}
    assert kinds["retry_failures"] == ["flow", "task"]
    assert kinds["heed_the_overlap"] == ["flow"]
    assert kinds["retrieve_from_cache"] == ["task"]


def test_a_rule_is_shown_with_its_source(call):
    told = call("rules", "show", "run_one_attempt_at_a_time").out
    assert "A run that is executing is not started a second time." in told
    assert "from RUNNING\nto   PENDING, RUNNING" in told
    assert "def run_one_attempt_at_a_time(t: Transition)" in told
    shown = call("rules", "show", "run_one_attempt_at_a_time", "--json").json
    assert (shown["phase"], shown["from"]) == ("finality", ["RUNNING"])
    assert "return Abort(" in shown["source"]


def test_a_rule_that_there_is_not_is_told_with_the_nearest(call):
    done = call("rules", "show", "retry_failure")
    assert (done.code, done.out) == (2, "")
    assert "there is no 'retry_failure'; did you mean `retry_failures`?" in done.err
    assert "`orion-nb rules ls` lists them" in call("rules", "show", "zzz").err


def test_a_rule_of_ones_own_is_listed_last_and_shown(call, own):
    last = call("rules", "ls", "--json").json["rules"][-1]
    assert (last["rule"], last["phase"], last["kinds"]) == ("by_day", "user", ["flow", "task"])
    assert "return Note('it is day')" in call("rules", "show", "by_day").out


def test_a_rule_of_ones_own_that_cant_be_had_is_told(call, monkeypatch):
    monkeypatch.setenv("ORION_NB_RULES", "no_such_module:mine")
    done = call("rules", "ls")
    assert done.code == 2
    assert "module 'no_such_module' can't be imported" in done.err


def test_the_plain_tables_are_printed_for_both_kinds(call):
    told = call("rules", "table").out
    for kind in KINDS:
        section = told.partition(f"{kind} runs, default\n")[2]
        for leaving, row in cells(POLICIES[kind], kind, DEFAULT).items():
            line = next(line for line in section.splitlines() if line.split()[:1] == [leaving])
            assert line.split()[1:] == list(row.values())
    for _, says in LEGEND:
        assert says in told


def test_all_tables_are_told_as_json(call):
    told = call("rules", "table", "--context", "all", "--json").json
    expected = [(kind, each.name) for kind in KINDS for each in contexts(kind)]
    assert [(each["kind"], each["context"]) for each in told["tables"]] == expected
    assert told["legend"] == dict(LEGEND)
    for each in told["tables"]:
        context = next(one for one in contexts(each["kind"]) if one.name == each["context"])
        assert each["answers"] == cells(POLICIES[each["kind"]], each["kind"], context)
        assert len(each["answers"]) == len(StateType)


def test_a_kind_and_contexts_are_chosen(call):
    options = ("--kind", "task", "--context", "rerun", "--context", "cache hit")
    told = call("rules", "table", *options, "--json").json["tables"]
    assert [(each["kind"], each["context"]) for each in told] == [
        ("task", "cache hit"), ("task", "rerun"),
    ]  # fmt: skip
    assert "Cached" in call("rules", "table", *options).out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--kind", "notebook"), "kind: 'notebook' is none of flow, task"),
        (("--context", "rain"), "context: 'rain' is none of default, retries left"),
        (("--kind", "flow", "--context", "cache hit"), "context: 'cache hit' is none of"),
    ],
)
def test_what_there_is_not_is_told(call, options, says):
    done = call("rules", "table", *options)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
