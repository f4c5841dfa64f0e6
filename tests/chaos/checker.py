"""What must be true of a database, whatever was done to the processes that wrote it.

It knows the file and the history that the processes wrote, and none of the code that it checks:
this module imports nothing of orion_nb, and has tables of its own.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

ENDS = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
IDLE = frozenset({"SCHEDULED", "PENDING"})

#: From which type of state a run may get to which, by the rules alone.
PATHS = {
    None: IDLE,
    "SCHEDULED": IDLE | ENDS | {"RUNNING"},
    "PENDING": IDLE | ENDS | {"RUNNING"},
    "RUNNING": ENDS | {"SCHEDULED", "PAUSED", "CANCELLING"},
    "PAUSED": IDLE | ENDS | {"RUNNING"},
    "CANCELLING": {"CANCELLED"},
    **dict.fromkeys(ENDS, frozenset[str]()),
}
NAMES = {
    "SCHEDULED": {"Scheduled", "AwaitingRetry", "AwaitingSlot"},
    "PENDING": {"Pending", "Submitting", "NotReady"},
    "RUNNING": {"Running", "Retrying", "Rerunning"},
    "PAUSED": {"Paused"},
    "CANCELLING": {"Cancelling"},
    "COMPLETED": {"Completed", "Cached", "Skipped"},
    "FAILED": {"Failed", "TimedOut", "UpstreamFailed"},
    "CRASHED": {"Crashed", "Lost"},
    "CANCELLED": {"Cancelled"},
}
#: What a run can complete as that never ran.
UNRUN = frozenset({"Cached", "Skipped"})
#: What a report has on a state that was set by hand.
BY_HAND = '[["set_by_hand",'
#: How a call may be refused; any other error is one too many.
REFUSALS = frozenset({"Conflict", "Fenced"})
#: Which column names a row of which table; a column `run` names a run, in any table.
REFERENCES = (
    ("runs", "state_n", "states", "n"),
    ("runs", "parent", "runs", "id"),
    ("runs", "root", "runs", "id"),
    ("runs", "session", "sessions", "id"),
    ("states", "prev", "states", "n"),
    ("states", "report", "reports", "digest"),
    ("edges JOIN runs ON id = run AND attempt > 0", "upstream", "runs", "id"),
    ("session_roots", "session", "sessions", "id"),
    ("session_roots", "root", "runs", "id"),
)


class Violation(NamedTuple):
    """What is not as it must be: the invariant in a word, and what was found."""

    what: str
    found: str


class State(NamedTuple):
    """One row of the states table, and which rules were asked about it."""

    n: int
    run: str
    seq: int
    type: str
    name: str
    attempt: int
    message: str | None
    cache_key: str | None
    transition_id: str | None
    report: int | None
    prev: int | None


@dataclass
class Facts:
    """A database, read once."""

    runs: dict[str, sqlite3.Row]
    states: dict[int, State]
    by_hand: set[int]  # the reports on states that were set by hand
    lives: set[str]  # the sessions whose process still exists
    uses: dict[str, set[str]]  # with which limits a run counts
    trouble: list[Violation]
    chains: dict[str, list[State]] = field(default_factory=dict)
    reruns: set[str] = field(default_factory=set)  # the runs that somebody asked to open again


@dataclass
class Op:
    """One call: what was asked, and what was told."""

    asked: dict[str, Any]
    told: dict[str, Any] | None = None

    @property
    def entered(self) -> bool:
        return self.told is not None and bool(self.told.get("entered"))


def check(
    database: Path,
    history: Path | None = None,
    *,
    limits: Mapping[str, int] | None = None,
    settled: bool = False,
) -> list[Violation]:
    """All that is wrong with a database, and with what was told about it; empty if all is well.

    `limits`: how many may run at once that are subject to the limit, or compute for the cache key,
    of this name. `settled`: no process lives, and a reaper was there: nothing executes any more.
    """
    try:
        facts = read(database)
    except sqlite3.DatabaseError as error:
        return [Violation("integrity", str(error))]
    ops = operations(read_history(history)) if history else []
    facts.reruns = {op.asked["run"] for op in ops if op.asked.get("rerun")}
    found = list(facts.trouble)
    for run, chain in facts.chains.items():
        found += _check_run(facts, facts.runs[run], chain, settled)
    for name, slots in (limits or {}).items():
        peak = peak_of(place for run in facts.runs for place in places_of(facts, run, name))
        if peak > slots:
            found.append(Violation("limit", f"{peak} at once hold {name!r}, which has {slots}"))
    found += [*_check_errors(ops), *_check_answers(facts, ops), *_check_order(ops)]
    return [*found, *_check_claims(facts, ops), *_check_counts(facts, ops)]


def read(database: Path) -> Facts:
    """The rows of a copy: the next process finds the file and its log as they were left."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.db")
        for ending in ("", "-wal"):
            if Path(f"{database}{ending}").exists():
                shutil.copyfile(f"{database}{ending}", f"{copy}{ending}")
        with closing(sqlite3.connect(copy)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous=off")
            return _read(connection)


def _read(connection: sqlite3.Connection) -> Facts:
    said = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    trouble = [Violation("integrity", line) for line in said if line != "ok"]
    sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%run BLOB%'"
    of_runs = [(table, "run", "runs", "id") for (table,) in connection.execute(sql)]
    for table, column, other, key in [*REFERENCES, *of_runs]:
        sql = (
            f"SELECT hex({column}), count(*) FROM {table} WHERE {column} IS NOT NULL AND "
            f"{column} NOT IN (SELECT {key} FROM {other}) GROUP BY 1 LIMIT 5"
        )
        for value, count in connection.execute(sql):
            trouble.append(Violation("reference", f"{count} × {table}.{column} = {value}: none"))
    rows = connection.execute(f"SELECT {', '.join(State._fields)} FROM states ORDER BY n")
    sessions = connection.execute("SELECT id, pid, pid_start FROM sessions WHERE ended IS NULL")
    reports = connection.execute("SELECT digest, body FROM reports")
    facts = Facts(
        runs={row["id"].hex(): row for row in connection.execute("SELECT * FROM runs")},
        states={row[0]: State(row[0], row[1].hex(), *row[2:]) for row in rows},
        by_hand={digest for digest, body in reports if BY_HAND in body},
        lives={row[0].hex() for row in sessions if _lives(row[1], row[2])},
        uses=defaultdict(set),
        trouble=trouble,
    )
    for name, run in connection.execute("SELECT limit_name, run FROM uses"):
        facts.uses[run.hex()].add(name)
    facts.trouble.extend(_follow(facts))
    return facts


def _lives(pid: int, since: str | None) -> bool:
    """The process exists, is no zombie, and began when the session says."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z" and (since is None or since.endswith(f"-{fields[19]}"))


def _follow(facts: Facts) -> Iterator[Violation]:
    """Each run's states, from the one it is in back to its first; no state is left over."""
    reached: set[int] = set()
    for run, row in facts.runs.items():
        chain: list[State] = []
        at = row["state_n"]
        while at is not None and at in facts.states and at not in reached:
            reached.add(at)
            chain.append(facts.states[at])
            at = chain[-1].prev
        facts.chains[run] = chain[::-1]
        if at is not None or any(state.run != run for state in chain):
            yield Violation("chain", f"run {run}: state n={at} is gone, or a state is another's")
    for n in sorted(facts.states.keys() - reached):
        state = facts.states[n]
        yield Violation("orphan", f"{state.name} (seq {state.seq}) of run {state.run}")


def _check_run(
    facts: Facts, row: sqlite3.Row, chain: list[State], settled: bool
) -> Iterator[Violation]:
    run = row["id"].hex()
    if not chain:
        yield Violation("chain", f"run {run} has no state")
        return
    last, seqs = chain[-1], [state.seq for state in chain]
    stands = (row["state_type"], row["state_name"], row["seq"], row["attempt"])
    if stands != (last.type, last.name, last.seq, last.attempt):
        yield Violation("current", f"run {run} is {stands}, its last state {last}")
    if seqs != list(range(1, len(chain) + 1)) or chain != sorted(chain):
        yield Violation("seq", f"run {run}: seqs {seqs}, written as {[s.n for s in chain]}")
    if any(state.report is None for state in chain[1:]):
        yield Violation("report", f"run {run} entered a state without a report")
    if (row["end_time"] is not None) != (last.type in ENDS):
        yield Violation("current", f"run {run} is {last.name}, its end is {row['end_time']}")
    wanted, used = set(limits_of(row)), facts.uses.get(run, set())
    if (last.type in ENDS and used) or (last.type == "RUNNING" and not wanted <= used):
        yield Violation("use", f"run {run} is {last.name}, and counts with {used} of {wanted}")
    yield from _check_path(facts, row, chain)
    if settled and last.type not in ENDS and _is_left(facts, row, chain):
        yield Violation("left", f"run {run} is {last.name}, and nobody lives who could end it")


def _is_left(facts: Facts, row: sqlite3.Row, chain: list[State]) -> bool:
    """Its process is gone; and since it last ran, nobody set it by hand, nor does it wait alone."""
    start = max((at for at, state in enumerate(chain) if state.type == "RUNNING"), default=0)
    for state in chain[start:]:
        within = row["deployment"] is None and (row["parent"] or state.name == "AwaitingSlot")
        if state.report in facts.by_hand or (state.type == "SCHEDULED" and not within):
            return False
    return row["session"] is not None and row["session"].hex() not in facts.lives


def _check_path(facts: Facts, row: sqlite3.Row, chain: list[State]) -> Iterator[Violation]:
    """Each step is one that the rules allow, or was made by hand; attempts and retries count up."""
    run, attempt, starts, retries, kind = row["id"].hex(), 0, 0, 0, None
    policy = json.loads(row["policy"]) if row["policy"] else {}
    granted = max(policy.get(name, 0) for name in ("retries", "retry_crashes", "rerun_max"))
    granted = max(granted, "rerun_from" in policy)
    for state in chain:
        by_hand = state.report in facts.by_hand
        anew = kind in ENDS and (by_hand or run in facts.reruns)
        if state.name not in NAMES.get(state.type, ()):
            yield Violation("path", f"run {run}: {state.type} named {state.name}")
        if state.type not in PATHS.get(kind, ()) and not by_hand and not anew:
            what = "finality" if kind in ENDS else "path"
            yield Violation(what, f"run {run}: {kind} -> {state.name} (seq {state.seq})")
        if kind in IDLE and state.type == "COMPLETED" and not (state.name in UNRUN or by_hand):
            yield Violation("path", f"run {run} is {state.name}, and never ran")
        starts = 0 if anew and state.type not in ENDS else starts
        retries = 0 if by_hand or anew else retries
        if state.type == "RUNNING" and not (kind == "PAUSED" and attempt):
            starts, attempt = starts + 1, attempt + 1
        retries += state.name == "AwaitingRetry" and kind == "RUNNING"
        if retries > granted:
            yield Violation("retries", f"run {run}: retry {retries}, {granted} were granted")
        if state.attempt != attempt:
            yield Violation("attempt", f"run {run}: {state}, and the attempt is {attempt}")
            attempt = state.attempt
        kind = state.type
    if row["run_count"] != starts:
        yield Violation("attempt", f"run {run} counts {row['run_count']} starts of {starts}")
    if (row["token"] is None) != (row["attempt"] == 0):
        yield Violation("attempt", f"run {run}: attempt {row['attempt']}, token {row['token']}")


def places_of(facts: Facts, run: str, name: str) -> Iterator[tuple[int, int]]:
    """From which to which state of all a run takes a slot of the limit, or computes for the key."""
    chain, subject = facts.chains[run], name in limits_of(facts.runs[run])
    for state, after in zip(chain, [*(state.n for state in chain[1:]), 2**62], strict=False):
        takes = state.type in ("RUNNING", "PAUSED", "CANCELLING") or state.name == "Submitting"
        if (subject and takes) or (state.cache_key == name and state.type == "RUNNING"):
            yield state.n, after


def limits_of(row: sqlite3.Row) -> Iterable[str]:
    """The limits that a run's policy names."""
    return (json.loads(row["policy"]) if row["policy"] else {}).get("concurrency", ())


def peak_of(intervals: Iterable[tuple[int, int]]) -> int:
    """How many intervals overlap at most; one that ends where another begins does not."""
    edges = sorted(edge for begin, end in intervals for edge in ((begin, 1), (end, -1)))
    return max(accumulate(step for _, step in edges), default=0)


def read_history(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a history; one that a kill cut short tells nothing."""
    for text in path.read_bytes().splitlines():
        with suppress(ValueError):
            yield json.loads(text)


def operations(lines: Iterable[dict[str, Any]]) -> list[Op]:
    """The calls of a history, with their answers."""
    ops: dict[str, Op] = {}
    for line in lines:
        if line["what"] == "invoke":
            ops[line["op"]] = Op(line)
        elif line["what"] in ("ok", "fail"):
            ops[line["op"]].told = line
    return list(ops.values())


def _check_errors(ops: Iterable[Op]) -> Iterator[Violation]:
    for op in ops:
        if op.told is None or op.told["what"] != "fail":
            continue
        # A proposal that is repeated is answered as the first time, and never refused.
        repeated = op.told["error"] == "Conflict" and op.asked.get("transition_id")
        if op.told["error"] not in REFUSALS or repeated:
            yield Violation("error", f"{op.asked['call']}: {op.told}")


def _check_answers(facts: Facts, ops: Iterable[Op]) -> Iterator[Violation]:
    """What was acknowledged is there, once, and to one caller only."""
    told: set[tuple[str, int]] = set()
    for op in ops:
        if not op.entered or op.told is None:
            continue
        run, seq = op.asked["run"], op.told["seq"]
        chain = facts.chains.get(run, [])
        there = chain[seq - 1] if seq <= len(chain) else None
        said = tuple(op.told[key] for key in ("type", "name", "attempt"))
        if there is None or (there.type, there.name, there.attempt) != said:
            yield Violation("acknowledged", f"{said} (seq {seq}) of run {run}; there is {there}")
        if (run, seq) in told:
            yield Violation("lost update", f"seq {seq} of run {run} was given to two callers")
        told.add((run, seq))
    ids = Counter((s.run, s.transition_id) for s in facts.states.values() if s.transition_id)
    for twice in (key for key, count in ids.items() if count > 1):
        yield Violation("once", f"{twice} has more than one effect")


def _check_order(ops: Iterable[Op]) -> Iterator[Violation]:
    """No answer is older than what had been told to anybody when it was asked for."""
    moments = []
    for op in ops:
        if op.told is not None and op.told["what"] == "ok":
            moments += [(op.asked["t"], 0, op), (op.told["t"], 1, op)]
    known: dict[str, int] = defaultdict(int)
    floor: dict[str, int] = {}
    for _, side, op in sorted(moments, key=lambda moment: moment[:2]):
        run, name = op.asked["run"], op.asked["op"]
        if side == 0:
            floor[name] = known[run] + (op.entered and known[run] > 0)
            continue
        seq = op.told["seq"] if op.told else 0
        known[run] = max(known[run], seq)
        if seq < floor.pop(name):
            yield Violation("order", f"{op.asked['call']} of run {run} was told seq {seq}, late")


def _check_claims(facts: Facts, ops: Iterable[Op]) -> Iterator[Violation]:
    """An attempt belongs to one caller, and enters nothing once a newer one was given out."""
    owners: dict[tuple[str, int], str] = {}
    for op in ops:
        if not op.entered or op.told is None:
            continue
        run, told = op.asked["run"], op.told
        if told.get("token") and told["type"] == "RUNNING":
            owner = owners.setdefault((run, told["attempt"]), told["token"])
            if owner != told["token"]:
                yield Violation("fencing", f"attempt {told['attempt']} of {run} has two tokens")
        claims = op.asked.get("claims")
        chain = facts.chains.get(run, [])[: told["seq"] - 1]
        if claims is not None and chain and chain[-1].attempt > claims:
            yield Violation("fencing", f"run {run}: {told} for attempt {claims}, after {chain[-1]}")


def _check_counts(facts: Facts, ops: Iterable[Op]) -> Iterator[Violation]:
    """A run whose message is a count, read and written by many, has counted every one of them."""
    counted: dict[str, list[int]] = defaultdict(list)
    unknown: Counter[str] = Counter()
    for op in ops:
        if "counts" in op.asked and op.entered:
            counted[op.asked["run"]].append(op.asked["counts"])
        elif "counts" in op.asked and op.told is None:
            unknown[op.asked["run"]] += 1
    for run, values in counted.items():
        last = facts.chains[run][-1] if facts.chains.get(run) else None
        value = int((last.message if last else None) or 0)
        if len(set(values)) != len(values):
            yield Violation("lost update", f"run {run}: a count was reached twice")
        if not len(values) <= value <= len(values) + unknown[run]:
            yield Violation("lost update", f"run {run}: {len(values)} counts came to {value}")
