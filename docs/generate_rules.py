"""Writes docs/reference/rules.md, the reference of the rules, from the rules themselves.

    python docs/generate_rules.py

A test fails when the file is not what this would write.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

from orion_nb.rules import POLICIES, Phase, Rule
from orion_nb.rules.table import DEFAULT, KINDS, LEGEND, Context, cells, contexts, edges
from orion_nb.schemas.runs import Kind
from orion_nb.schemas.states import NAMES, TERMINAL, StateType, look

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

"""

USERS = """\
## Rules of your own

A rule is a function of what is known about a proposal; its docstring is shown in reports.

```python
from orion_nb.rules import Transition, Verdict, Wait, rule
from orion_nb.schemas.states import RUNNING


@rule(entering=[RUNNING])
def start_nothing_by_day(t: Transition) -> Verdict | None:
    \"\"\"Heavy runs start at night.\"\"\"
    hour = t.now // 3_600_000_000 % 24  # UTC
    return Wait("it is day", after=600) if "heavy" in t.run.tags and 6 <= hour < 20 else None
```

`ORION_NB_RULES=my_package.my_rules:start_nothing_by_day` has it asked wherever runs are judged;
`connect().use(start_nothing_by_day)` in this process alone. It is asked last, and can only narrow:

- It can have a run wait, stop it, or have it enter another state, which all rules judge again.
- It can't let through what another rule refuses, nor replace a state that a rule has replaced.
- A run that ends is not held up: a wait or abort on it is noted, and not heeded.
- If it raises, or answers what is no verdict, it passes, and the report says so.

It is asked while the database is locked for writing: it must be quick, and do no I/O.
"""

PREFECT = """\
## Where it differs from Prefect

Prefect 3 answers some proposals for flow runs in another way, each by intention.

| | from | to | Prefect | here | why |
| --- | --- | --- | --- | --- | --- |"""

ENDED = "COMPLETED FAILED CRASHED CANCELLED"

#: What differs: its number, the states left and proposed, both answers, why; and in which context.
DIFFERENCES = (
    ("D1", "SCHEDULED", "PENDING", "✔", "…",
     "A run is handed over when its time has come, not before.", "scheduled in future"),
    ("D2", ENDED, "COMPLETED FAILED CANCELLED", "✔", "–",
     "What has finished is not overwritten; `rerun` opens it again, `force` sets it by hand.", ""),
    ("D3", "CANCELLING", "COMPLETED FAILED CRASHED", "–", "Cancelled",
     "So no run stays Cancelling for ever; the message keeps what it would have been.", ""),
    ("D4", "RUNNING", "RUNNING", "✔", "✖", "One attempt runs at a time.", ""),
    ("D5", "COMPLETED FAILED CRASHED", "PENDING", "✔", "–",
     "Opened again only as `rerun`: a new attempt.", ""),
    ("D5", ENDED, "RUNNING", "✔", "–", "Opened again only as `rerun`: a new attempt.", ""),
    ("D8", ENDED, "SCHEDULED", "✖", "✔",
     "A run of no deployment can be scheduled again, too.", "rerun"),
    ("D9", "SCHEDULED PENDING", "COMPLETED", "✔", "–",
     "What never ran has no result; it can be Cached or Skipped.", ""),
    ("D10", "PENDING", "PENDING", "✖", "✔",
     "A run that is handed over says how it gets on: Submitting, NotReady.", ""),
    ("D11", "PENDING PAUSED", "CANCELLING", "✔", "Cancelled",
     "Nothing executes: there is nothing to wait for.", ""),
    ("D12", ENDED, "SCHEDULED PAUSED CANCELLING CRASHED", "✖", "–",
     "The answer carries the state that the run stays in.", ""),
    ("D12", "CANCELLED", "PENDING", "✖", "–",
     "The answer carries the state that the run stays in.", ""),
)  # fmt: skip

PREFECT_ENDING = """\

- D6: the table is that of flow runs; here task runs obey it too, where Prefect lets them enter
  nearly anything.
- D7: delays are fractions of seconds, and the moment is told as well.
- D13: a run is born SCHEDULED or PENDING; Prefect creates runs in any state but PAUSED.
"""


def page() -> str:
    """The reference of all rules, as Markdown."""
    tables = (line for kind in KINDS for line in _of_kind(kind))
    parts = [OPENING, *_states(), TABLE.rstrip(), *_legend(), *tables]
    parts += [*_phases(), USERS, *_prefect()]
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


def _legend() -> Iterator[str]:
    yield ""
    for sign, says in LEGEND:
        yield f"- {_shown(sign)} {says}"
    yield ""
    yield "`orion-nb rules table` prints these tables, by asking the rules.\n"


def _of_kind(kind: Kind) -> Iterator[str]:
    yield f"### {kind.capitalize()} runs\n"
    yield f"{DEFAULT.says}\n"
    yield f"| a {kind} that is ↓, proposed → | " + " | ".join(f"`{k}`" for k in StateType) + " |"
    yield "| --- " * (len(StateType) + 1) + "|"
    for leaving, row in cells(POLICIES[kind], kind, DEFAULT).items():
        yield f"| `{leaving}` | {' | '.join(map(_shown, row.values()))} |"
    yield "\nIn other circumstances these answers are others:\n"
    yield "| | | answer |\n| --- | --- | --- |"
    for context in contexts(kind):
        if context is not DEFAULT:
            yield f"| **{context.name}** | {context.says} | {_differing(kind, context)} |"
    yield f"\nThe ways through the states of a {kind} run, with the circumstances they need:\n"
    yield from _diagram(kind)


def _differing(kind: Kind, context: Context) -> str:
    """Where the answers differ from the plain ones, those of one answer together."""
    plainly = cells(POLICIES[kind], kind, DEFAULT)
    found: dict[str, dict[tuple[StateType, ...], list[StateType]]] = {}
    for leaving, row in cells(POLICIES[kind], kind, context).items():
        for answer in dict.fromkeys(row.values()):
            entering = [
                each for each, said in row.items() if said == answer != plainly[leaving][each]
            ]
            if entering:
                found.setdefault(answer, {}).setdefault(tuple(entering), []).append(leaving)
    parts = []
    for answer, ways in found.items():
        told = "; ".join(f"{_listed(left)} → {_listed(to)}" for to, left in ways.items())
        parts.append(f"{_shown(answer)}: {told}")
    return "<br>".join(parts) or "the same"


def _shown(answer: str) -> str:
    return f"**{answer}**" if answer.isalpha() else answer


def _diagram(kind: Kind) -> Iterator[str]:
    yield "```mermaid\nstateDiagram-v2"
    yield "    [*] --> SCHEDULED\n    [*] --> PENDING"
    for leaving, entering, context in edges(POLICIES[kind], kind):
        # A colon would end the label.
        label = f": {context.replace(':', ' =')}" if context else ""
        yield f"    {leaving} --> {entering}{label}"
    yield from (f"    {kind} --> [*]" for kind in StateType if kind in TERMINAL)
    yield "```\n"


def _prefect() -> Iterator[str]:
    yield PREFECT
    for number, left, entered, theirs, ours, why, context in DIFFERENCES:
        states = (" ".join(f"`{each}`" for each in text.split()) for text in (left, entered))
        where = f" ({context})" if context else ""
        yield f"| {number} | {' | '.join(states)}{where} | {theirs} | {_shown(ours)} | {why} |"
    yield PREFECT_ENDING


def _phases() -> Iterator[str]:
    yield "## The rules, in the order in which they are asked\n"
    kinds: dict[Rule, list[str]] = {}
    for kind in reversed(KINDS):  # tasks have more rules, and an order among them
        for rule in POLICIES[kind]:
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
