"""Mistakes put into the code on purpose, one at a time, in a process of its own.

Each is a piece of a function's text and what stands there instead; the checker has to notice. One
whose text is not found any more has to be written anew: the code that it spoils has changed.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mutant:
    """One mistake: in which function, what text becomes what, and what the checker calls it."""

    where: str
    text: str
    becomes: str
    noticed: frozenset[str]

    def change(self) -> None:
        """From now on this process makes the mistake."""
        holder, name, function = self._target()
        if isinstance(function, str):
            setattr(holder, name, self.source())
            return
        made: dict[str, Any] = {}
        exec(self.source(), function.__globals__, made)
        function.__code__ = made[name].__code__

    def source(self) -> str:
        """The text with the mistake in it."""
        _, _, found = self._target()
        text = found if isinstance(found, str) else textwrap.dedent(inspect.getsource(found))
        text = text if isinstance(found, str) else text[text.index("def ") :]
        if self.text not in text:
            raise LookupError(f"{self.where} has no {self.text!r} any more: write the mutant anew")
        return text.replace(self.text, self.becomes)

    def _target(self) -> tuple[Any, str, Any]:
        module, _, path = self.where.partition(":")
        *owners, name = path.split(".")
        holder: Any = importlib.import_module(module)
        for owner in owners:
            holder = getattr(holder, owner)
        found = getattr(holder, name)
        return holder, name, getattr(found, "judge", getattr(found, "fget", found))


def _mutant(where: str, text: str, becomes: str, *noticed: str) -> Mutant:
    return Mutant(f"orion_nb.{where}", text, becomes, frozenset(noticed))


COMMON = "rules.common:"
DATABASE = "store.database:Database."
PROPOSALS = "api.proposals:Proposals."
MUTANTS = {
    "a deferred transaction": _mutant(
        f"{DATABASE}_begin", "BEGIN IMMEDIATE", "BEGIN DEFERRED", "error"
    ),
    "no savepoint for each": _mutant(
        f"{DATABASE}_run_apart",
        '''self._writer.execute("ROLLBACK TO job")''',
        "pass",
        "reference", "orphan",
    ),
    "one commit in twenty forgotten": _mutant(
        f"{DATABASE}_commit_waiting",
        '''self._patiently("COMMIT")''',
        '''self._roll_back() if time.monotonic_ns() % 20 == 0 else self._patiently("COMMIT")''',
        "acknowledged",
    ),
    "what was rolled back is thought to be stored": _mutant(
        "store.reports:Reports.forget", "self._known.clear()", "pass", "reference"
    ),
    "no compare-and-swap": _mutant(
        "store.runs:MOVE_RUN", "runs.seq = ?", "runs.seq < ? + 1000", "orphan"
    ),
    "a lost race is taken for won": _mutant(
        f"{PROPOSALS}_record",
        "runs.withdraw(tx, after.state)\n        return None",
        "runs.withdraw(tx, after.state)\n        return after",
        "acknowledged",
    ),
    "nothing is withdrawn": _mutant(
        "store.runs:withdraw", "n=?", "n=? AND n < 0", "orphan"
    ),
    "an expected state is not asked for": _mutant(
        f"{PROPOSALS}judge", "(run, expected_seq)", "(run, None)", "lost update"
    ),
    "a repeated proposal is a new one": _mutant(
        f"{PROPOSALS}judge", "if transition_id and", "if not transition_id and", "error"
    ),
    "a second run takes the place of the first": _mutant(
        "store.runs:INSERT_RUN", "INSERT INTO", "INSERT OR REPLACE INTO", "orphan"
    ),
    "no fencing": _mutant(
        f"{COMMON}fence_stale_attempts", "t.claims is None", "True", "fencing"
    ),
    "finished runs go on": _mutant(
        f"{COMMON}keep_finished_runs_finished", "return Reject", "return None and Reject",
        "finality",
    ),
    "two attempts at a time": _mutant(
        f"{COMMON}run_one_attempt_at_a_time", "return Abort", "return None and Abort", "path"
    ),
    "what never ran completes": _mutant(
        f"{COMMON}complete_only_what_ran", "return Reject", "return None and Reject", "path"
    ),
    "one retry too many": _mutant(
        "rules.retries:retry_failures", "run.policy.retries:", "run.policy.retries + 1:",
        "retries",
    ),
    "attempts are not counted": _mutant(
        "rules.bookkeeping:bookkeep", "attempt += 1", "attempt = max(attempt, 1)", "attempt"
    ),
    "a limit is not heeded": _mutant(
        "rules.admission:take_a_place_within_limits", "if full is None", "if True", "limit"
    ),
    "one slot more than there is": _mutant(
        "rules.core:Place.is_full", ">= self.slots", "> self.slots", "limit"
    ),
    "a place is not given back": _mutant("store.limits:leave", "run=?", "run=? AND 0", "use"),
    "two compute the same": _mutant(
        "rules.cache:let_one_fill_the_cache", "return Wait", "return None and Wait", "limit"
    ),
    "a resumed run is a new attempt": _mutant(
        "rules.bookkeeping:bookkeep", "run.state.type is PAUSED and attempt", "False", "attempt"
    ),
    "a rerun has used up its retries": _mutant(
        "rules.bookkeeping:bookkeep", "run_count = 0", "run_count = run.run_count", "attempt"
    ),
}  # fmt: skip
#: Mistakes of whoever looks after those that were killed.
REAPERS = {
    "nothing is ended": _mutant(
        "api.liveness:_ends_with_it", "is not SCHEDULED", "is SCHEDULED", "left"
    ),
    "the dead are taken for alive": _mutant(
        "api.liveness:Liveness._missing", "exists is False", "exists is ...", "left"
    ),
}
