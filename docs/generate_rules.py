"""Writes docs/reference/rules.md, the reference of the rules, from the rules themselves.

    python docs/generate_rules.py

A test fails when the file is not what this would write.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

from orion_nb.rules import POLICIES, Phase, Rule, Transition, enters, evaluate
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Kind, Run
from orion_nb.schemas.states import NAMES, RUNNING, SCHEDULED, TERMINAL, StateType, look, state

TARGET = Path(__file__).parent / "reference" / "rules.md"

OPENING = """\
<!-- Written by docs/generate_rules.py; change the docstrings of the rules instead. -->

# Rules

Nobody sets the state of a run: it is *proposed*, and the rules answer. A rule looks at the run, at
the proposed state and at the facts of the moment, and says one of four things:

| verdict | what happens | the report's status |
| --- | --- | --- |
| nothing | the next rule is asked; when none objects, the proposed state is entered | `ACCEPT` |
| reject | another state is entered, or the run stays as it is | `REJECT` |
| wait | nothing is entered; propose again later, at a time that the report tells | `WAIT` |
| abort | nothing is entered; stop | `ABORT` |

Rules are asked in the order of their phases. The first wait or abort ends the asking. A state that
a rule puts in place of the proposed one is judged once more, by all rules after the phase of
identity. The report has a line for every rule that was asked; it is kept with the state, or with
the run if nothing was entered, and `orion-nb explain RUN` shows it.

A state can also be set by hand (`force`), without asking a rule; the report then says by whom and
why.
"""

TABLE = """\
## What becomes of a proposal

Proposed from outside, for a run that no live session executes, inside no other run, with no
retries left and its scheduled time passed:

- ✔ entered as proposed
- **State** entered instead
- – nothing is entered, the run stays as it is
- ✖ nothing is entered, stop

"""


def page() -> str:
    """The reference of all rules, as Markdown."""
    parts = [OPENING, *_states(), TABLE, *_tables(), *_diagram(), *_phases()]
    return "\n".join(parts).rstrip() + "\n"


def _states() -> Iterator[str]:
    yield "## States\n"
    yield "| | type | names, the default first | |"
    yield "| --- | --- | --- | --- |"
    for kind, names in NAMES.items():
        shown = ", ".join(names)
        end = "finished" if kind in TERMINAL else ""
        yield f"| {look(kind, names[0]).glyph} | `{kind}` | {shown} | {end} |"
    yield ""


def _answer(kind: Kind, leaving: StateType, entering: StateType) -> Report:
    current, proposed = (
        state(each, scheduled_time=0 if each is SCHEDULED else None) for each in (leaving, entering)
    )
    run = Run("0" * 32, kind, "run", current, "0" * 32, run_count=1, attempt=1)
    return evaluate(POLICIES[kind], Transition(run, proposed, now=1))


def _tables() -> Iterator[str]:
    """One table for both kinds where they agree, else one each."""
    tables = {kind: list(_table(kind)) for kind in POLICIES}
    if len({tuple(table) for table in tables.values()}) == 1:
        tables = {"run": tables["flow"]}
    for kind, table in tables.items():
        yield (
            f"| a {kind} that is ↓, proposed → | " + " | ".join(f"`{k}`" for k in StateType) + " |"
        )
        yield "| --- " * (len(StateType) + 1) + "|"
        yield from table
        yield ""


def _table(kind: Kind) -> Iterator[str]:
    for leaving in StateType:
        cells = [_cell(_answer(kind, leaving, entering)) for entering in StateType]
        yield f"| `{leaving}` | {' | '.join(cells)} |"


def _cell(report: Report) -> str:
    if report.status is Status.ACCEPT:
        return "✔"
    if report.status is Status.ABORT:
        return "✖"
    return f"**{report.state.name}**" if report.rules[-1].verdict != "reject" else "–"


def _diagram() -> Iterator[str]:
    yield "## The ways through the states\n"
    yield "```mermaid\nstateDiagram-v2"
    yield "    [*] --> SCHEDULED\n    [*] --> PENDING"
    for leaving in StateType:
        entered = {}
        for entering in StateType:
            report = _answer("flow", leaving, entering)
            before = state(leaving, scheduled_time=0 if leaving is SCHEDULED else None)
            if enters(report, report.state) and report.state != before:
                entered[report.state.type] = None
        for kind in entered:
            if kind is not leaving:
                label = ": retry" if (leaving, kind) == (RUNNING, SCHEDULED) else ""
                yield f"    {leaving} --> {kind}{label}"
    yield from (f"    {kind} --> [*]" for kind in StateType if kind in TERMINAL)
    yield "```\n"


def _phases() -> Iterator[str]:
    yield "## The rules, in the order in which they are asked\n"
    kinds: dict[Rule, list[str]] = {}
    for kind, policy in POLICIES.items():
        for rule in policy:
            kinds.setdefault(rule, []).append(kind)
    for phase in Phase:
        rules = [rule for rule in kinds if rule.phase is phase]
        if rules:
            yield f"### Phase {phase.value}: {phase.name.lower()}\n"
        for rule in rules:
            yield from _rule(rule, kinds[rule])


def _rule(rule: Rule, kinds: list[str]) -> Iterator[str]:
    yield f"#### `{rule.name}`\n"
    yield inspect.cleandoc(rule.judge.__doc__ or "") + "\n"
    runs = f"{kinds[0]} runs" if len(kinds) == 1 else "all runs"
    yield f"*Asked for {runs}, from {_listed(rule.leaving)} to {_listed(rule.entering)}.*\n"


def _listed(kinds: Iterable[StateType]) -> str:
    chosen = [kind for kind in StateType if kind in set(kinds)]
    if len(chosen) == len(StateType):
        return "any state"
    if len(chosen) > len(StateType) / 2 + 1:
        left = [kind for kind in StateType if kind not in chosen]
        return f"any state but {', '.join(f'`{kind}`' for kind in left)}"
    return ", ".join(f"`{kind}`" for kind in chosen)


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(page(), encoding="utf-8")
