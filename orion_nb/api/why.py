"""What happened to a run and why, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from orion_nb.clock import SECOND, utc
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run, short
from orion_nb.schemas.states import COMPLETED, State, is_late

History = Sequence[tuple[State, Report | None]]


def summarize(
    run: Run,
    history: History,
    children: Sequence[Run],
    now: int,
    notes: Sequence[tuple[int, str]] = (),
) -> list[str]:
    """A sentence for each state entered, then what the run waits for, then what failed in it.

    `notes` are told between the states, each at its time (microseconds, UTC).
    """
    lines: list[str] = []
    waiting = list(notes)
    for state, report in history:
        while waiting and waiting[0][0] < state.timestamp:
            lines.append(_noted(*waiting.pop(0)))
        lines.append(_sentence(state, report))
    lines += [_noted(*note) for note in waiting]
    if run.blocked is not None:
        lines.append(f"blocked: {_refusal(run.blocked)}")
    if is_late(run.state.type, run.state.scheduled_time, now):
        due = run.state.scheduled_time or now
        lines.append(
            f"late by {(now - due) / SECOND:.0f} s: nobody has started it; "
            "is a server or a worker running?"
        )
    bad = [c for c in children if c.state.is_terminal and c.state.type is not COMPLETED]
    lines += [f"in it, {c.kind} {c.name} ({short(c.id)}) is {c.state}" for c in bad[:10]]
    if len(bad) > 10:
        lines.append(f"in it, {len(bad) - 10} more did not complete")
    return lines


def _sentence(state: State, report: Report | None) -> str:
    said = f"{_time(state.timestamp)} {state.name}"
    if state.message:
        said += f" ({_first_line(state.message)})"
    if report is None:
        return f"{said}: created so"
    if report.status is Status.REJECT:
        rule = next((line.rule for line in report.rules if line.verdict == "rewrite"), "a rule")
        asked = f"{report.proposed} was proposed"
        return f"{said}: {asked}; {rule} entered {state.name} instead: {report.reason}"
    if state.reason:
        return f"{said}: {state.reason}"
    passed = len(report.rules)
    return f"{said}: accepted, {passed} rule{'s' * (passed != 1)} asked"


def _noted(at: int, text: str) -> str:
    return f"{_time(at)} {text}"


def _time(micros: int) -> str:
    return utc(micros).isoformat(timespec="milliseconds")[11:23] + "Z"


def _refusal(report: Report) -> str:
    rule = next((line.rule for line in reversed(report.rules) if line.verdict != "pass"), "")
    return f"{report.proposed} was proposed, {rule} said {report.status.value}: {report.reason}"


def _first_line(text: str) -> str:
    first = text.strip().partition("\n")[0]
    return first if len(first) <= 200 else first[:199] + "…"
