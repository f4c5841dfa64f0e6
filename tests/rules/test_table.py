"""The truth table: computed by asking, whole, and the same wherever it is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orion_nb.rules import POLICIES
from orion_nb.rules.table import (
    CONTEXTS,
    DEFAULT,
    KINDS,
    LEGEND,
    answers,
    cells,
    contexts,
    edges,
    plain,
    table,
)
from orion_nb.schemas.reports import Status
from orion_nb.schemas.states import NAMES, RUNNING, StateType

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rules.md"

IN_CONTEXTS = [(kind, context) for kind in KINDS for context in contexts(kind)]
EACH = pytest.mark.parametrize(
    ("kind", "context"), IN_CONTEXTS, ids=[f"{kind}-{each.name}" for kind, each in IN_CONTEXTS]
)


@EACH
def test_each_table_is_whole_and_says_only_what_the_legend_explains(kind, context):
    signs = {sign for sign, _ in LEGEND} - {"State"}
    names = {name for each in NAMES.values() for name in each}
    found = cells(POLICIES[kind], kind, context)
    assert list(found) == list(StateType)
    for row in found.values():
        assert list(row) == list(StateType)
        assert set(row.values()) <= signs | names


@EACH
def test_a_cell_is_what_the_rules_answer(kind, context):
    reports = table(POLICIES[kind], kind, context)
    words = {"✔": Status.ACCEPT, "…": Status.WAIT, "✖": Status.ABORT}
    for leaving, row in cells(POLICIES[kind], kind, context).items():
        for entering, answer in row.items():
            report = reports[leaving][entering]
            assert report.status is words.get(answer, Status.REJECT)
            if answer.isalpha():
                assert report.state.name == answer


@EACH
def test_a_context_is_a_change_that_matters_or_says_that_nothing_does(kind, context):
    same = cells(POLICIES[kind], kind, context) == cells(POLICIES[kind], kind, DEFAULT)
    assert same == (context.name in ("default", "retries used up"))


def test_contexts_are_named_once_and_end_with_a_stop():
    assert len({each.name for each in CONTEXTS}) == len(CONTEXTS)
    assert all(each.says.endswith(".") for each in CONTEXTS)


def test_every_rule_but_those_that_only_mark_decides_somewhere():
    """A context that is missing here would be a rule that no table shows."""
    deciding = {
        line.rule
        for kind, context in IN_CONTEXTS
        for row in table(POLICIES[kind], kind, context).values()
        for report in row.values()
        for line in report.rules
        if line.verdict != "pass"
    }
    every = {rule.name for policy in POLICIES.values() for rule in policy}
    assert every - deciding == {"mark_a_late_start", "mark_a_late_end"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_ways_are_those_that_some_context_opens(kind):
    open_ways = set()
    for context in contexts(kind):
        for leaving in StateType:
            for entering in StateType:
                _, report = answers(POLICIES[kind], kind, context, leaving, entering)
                if report.state.type is not leaving:
                    open_ways.add((leaving, report.state.type))
    assert {
        (leaving, entering) for leaving, entering, _ in edges(POLICIES[kind], kind)
    } == open_ways


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_has_these_tables_and_this_diagram(kind):
    section = PAGE.read_text(encoding="utf-8").partition(f"### {kind.capitalize()} runs\n")[2]
    for leaving, row in cells(POLICIES[kind], kind, DEFAULT).items():
        line = next(line for line in section.splitlines() if line.startswith(f"| `{leaving}` |"))
        assert [cell.strip(" *") for cell in line.split("|")[2:-1]] == list(row.values())
    diagram = section.partition("```mermaid\n")[2].partition("```")[0]
    drawn = re.findall(r"^    ([A-Z]+) --> ([A-Z]+)", diagram, flags=re.M)
    assert drawn == [tuple(way) for *way, _ in edges(POLICIES[kind], kind)]


def test_a_policy_with_another_rule_is_another_table():
    without = [rule for rule in POLICIES["flow"] if rule.name != "run_one_attempt_at_a_time"]
    assert cells(without, "flow", DEFAULT)[RUNNING][RUNNING] == "✔"
    assert plain("flow", RUNNING, RUNNING).run.state.type is RUNNING
