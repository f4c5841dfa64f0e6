"""Where the rules answer otherwise than Prefect 3, and nowhere else; the reference says why."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from orion_nb.rules import POLICIES
from orion_nb.rules.table import DEFAULT, cells, contexts
from orion_nb.schemas.states import TERMINAL, AwaitingRetry, Failed, Running, StateType
from tests.rules.asking import NOW, judged

DOCS = Path(__file__).parents[2] / "docs"

#: What Prefect 3 answers for a flow run of no deployment: + entered, = stays as it is, ! abort.
PREFECT = """
           SCHEDULED PENDING RUNNING COMPLETED FAILED CANCELLED CRASHED PAUSED CANCELLING
SCHEDULED  +         +       +       +         +      +         +       =      Cancelled
PENDING    +         !       +       +         +      +         +       =      +
RUNNING    +         !       +       +         +      +         +       +      +
COMPLETED  !         +       +       +         +      +         !       !      !
FAILED     !         +       +       +         +      +         !       !      !
CANCELLED  !         !       +       +         +      +         !       !      !
CRASHED    !         +       +       +         +      +         !       !      !
PAUSED     +         =       +       +         +      +         +       =      +
CANCELLING =         =       =       =         =      +         =       =      =
"""
SIGNS = {"+": "✔", "=": "–", "!": "✖"}


@pytest.fixture(scope="module")
def differences():
    """The rows of the reference: (number, from, to, Prefect's answer, ours), by their context."""
    told = runpy.run_path(str(DOCS / "generate_rules.py"))["DIFFERENCES"]
    return [
        (number, StateType(leaving), StateType(entering), theirs, ours, context or "default")
        for number, left, entered, theirs, ours, _, context in told
        for leaving in left.split()
        for entering in entered.split()
    ]


def prefect():
    head, *rows = (line.split() for line in PREFECT.strip().splitlines())
    return {
        (StateType(leaving), StateType(entering)): SIGNS.get(answer, answer)
        for leaving, *answers in rows
        for entering, answer in zip(head, answers, strict=True)
    }


def ours(context=DEFAULT, kind="flow"):
    table = cells(POLICIES[kind], kind, context)
    return {(one, other): answer for one, row in table.items() for other, answer in row.items()}


def test_the_table_differs_where_the_reference_says_so_and_nowhere_else(differences):
    here, there = ours(), prefect()
    assert set(there) == set(here)
    found = {pair: (there[pair], here[pair]) for pair in here if here[pair] != there[pair]}
    told = {
        (leaving, entering): (theirs, mine)
        for _, leaving, entering, theirs, mine, context in differences
        if context == "default"
    }
    assert found == told


def test_the_differences_in_other_circumstances_are_as_told(differences):
    there, by_name = prefect(), {each.name: each for each in contexts("flow")}
    for number, leaving, entering, theirs, mine, context in differences:
        assert there[leaving, entering] == theirs, number
        assert ours(by_name[context])[leaving, entering] == mine, number


def test_each_difference_is_told_once_with_a_reason(differences):
    keys = [(leaving, entering, context) for _, leaving, entering, _, _, context in differences]
    assert len(keys) == len(set(keys))
    page = (DOCS / "reference" / "rules.md").read_text(encoding="utf-8")
    section = page.partition("## Where it differs from Prefect")[2]
    numbers = [f"D{n}" for n in range(1, 14)]
    assert [
        number for number in numbers if f" {number} |" in section or f"{number}:" in section
    ] == (numbers)


def test_task_runs_obey_the_same_finality_as_flow_runs():
    assert ours(kind="task") == ours(kind="flow")


def test_delays_are_fractions_of_seconds_with_their_moment():
    report = judged(AwaitingRetry(NOW + 250_001), Running())
    assert (report.retry_after, report.until) == (0.250001, NOW + 250_001)
    report = judged(Running(), Failed(), run_count=1, retries=1, retry_delay=(0.25,))
    assert report.state.scheduled_time == NOW + 250_000


@pytest.mark.parametrize("born", [*sorted(TERMINAL), StateType.PAUSED, StateType.CANCELLING])
def test_no_run_is_born_but_scheduled_or_pending(orion, born):
    from orion_nb.errors import InvalidInput

    with pytest.raises(InvalidInput, match="no run is born"):
        orion.create_run("flow", "f", state=born)
