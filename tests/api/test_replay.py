"""What is explained is what happens, and what was stored is why: on a real database."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from orion_nb import clock as orion_clock
from orion_nb.api.orion import Orion
from orion_nb.errors import Fenced, InvalidInput
from orion_nb.rules import SAYS, Note, Reject, Wait, evaluate, rule
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.reports import Abort, Status
from orion_nb.schemas.states import (
    COMPLETED,
    CRASHED,
    FAILED,
    PAUSED,
    RUNNING,
    SCHEDULED,
    Completed,
    Failed,
    Running,
    State,
    StateType,
    state,
)
from orion_nb.schemas.values import evolve
from orion_nb.settings import Settings
from orion_nb.store import facts, runs

START = 1_800_000_000_000_000

#: A flow with tasks: one is retried and limited, one waits for it, two have one cache key.
FAMILY = (
    ("flow", "flow", None, RunPolicy(timeout=60.0), ()),
    ("task", "load", "flow", RunPolicy(retries=2, retry_delay=(0.0, 5.0), retry_jitter=0.5), ()),
    ("task", "clean", "flow", RunPolicy(concurrency=(("db", 1),), sla=5.0), ("load",)),
    ("task", "one", "flow", RunPolicy(concurrency=(("db", 1),), retry_crashes=1), ()),
    ("task", "two", "flow", RunPolicy(cache_expires=30.0, sla_start=2.0), ()),
    ("task", "after", "flow", RunPolicy(trigger="any_failed"), ("one", "two")),
)
NAMES = [name for _, name, *_ in FAMILY]

#: Which run goes on, into which state ("well", "badly": the next on its way), who says so, whether
#: it is a rerun, and how much later (seconds).
operations = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.sampled_from([*["well"] * 12, *["badly"] * 4, *StateType]),
        st.sampled_from([*["owner"] * 6, "outside", "stale"]),
        st.booleans(),
        st.sampled_from([0.0, 0.001, 1.0, 10.0, 100.0]),
    ),
    min_size=5,
    max_size=30,
)


def proposed_for(kind, key):
    if kind is RUNNING:
        return Running(cache_key=key)
    if kind is COMPLETED:
        return Completed(cache_key=key, result='{"inline": 1}')
    return state(kind, scheduled_time=START + 5_000_000 if kind is SCHEDULED else None)


def claim_of(run, speaks):
    """What is shown with a proposal: nothing, the attempt and its token, or an attempt's before."""
    if speaks == "outside" or not run.attempt:
        return {}
    return {"claims": run.attempt - (speaks == "stale"), "token": run.token}


def without_token(report):
    told = report.as_json() | {"attempt": None, "token": None}
    told["state"] = told["state"] | {"n": 0}
    return told, report.fenced, report.marks, report.cancels


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    made = Orion(Settings.load(environ={}, home=str(tmp_path_factory.mktemp("replay"))))
    yield made
    made.close()


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations)
def test_what_is_explained_is_what_happens_and_the_facts_say_why(opened, done):
    with orion_clock.frozen(START) as clock:
        family = {}
        for kind, name, parent, policy, upstream in FAMILY:
            inside = family[parent] if parent else None
            made = opened.new_run(kind, name, parent=inside, policy=policy)
            family[name] = made.id
            opened.begin(made, None, [(family[each], "x") for each in upstream], owned=False)
        for name, kind, speaks, rerun, later in done:
            clock.advance(later)
            key = f"key of {family['flow']}" if name in ("one", "two") else None
            if kind in ("well", "badly"):
                is_running = opened.find(family[name]).state.type is RUNNING
                kind = RUNNING if not is_running else COMPLETED if kind == "well" else FAILED
            check(opened, family[name], proposed_for(kind, key), speaks, rerun)
        for run_id in family.values():
            check_history(opened, run_id)


def check(orion, run_id, proposed, speaks, rerun):
    before = orion.find(run_id)
    told = {**claim_of(before, speaks), "rerun": rerun}
    explained = orion.foresee(run_id, proposed, **told)
    assert orion.find(run_id) == before
    with orion.database.read() as connection:
        t = facts.gather(connection, before, proposed, orion_clock.now(), **told)
    replayed = evaluate(orion.policies[before.kind], t)
    after = before
    with contextlib.suppress(Fenced):
        after, report = orion.judge(run_id, proposed, **told)
        assert without_token(explained) == without_token(report)
        assert (report.status, report.rules) == (replayed.status, replayed.rules)
        assert report.status is not Status.WAIT or report.until == replayed.until
        stored = orion.find(run_id)
        assert evolve(stored, blocked=None) == evolve(after, blocked=None)
        # The same refusal once more is not written again: it keeps its first moment.
        assert (stored.blocked is None) == (after.blocked is None)
        assert stored.blocked is None or stored.blocked.reason == after.blocked.reason
    is_news = before.state.type is CRASHED and proposed.is_terminal
    claims = told.get("claims")
    assert explained.fenced == (claims is not None and (speaks == "stale" or is_news))
    if explained.fenced:
        assert orion.find(run_id) == before


def check_history(orion, run_id):
    """What was stored with each state names rules there are, in order, and how it was entered."""
    with orion.database.read() as connection:
        history = runs.history(connection, run_id)
    assert [entered.seq for entered, _ in history] == list(range(1, len(history) + 1))
    for entered, report in history[1:]:
        event(entered.name)
        assert report.status in (Status.ACCEPT, Status.REJECT)
        assert (report.status is Status.REJECT) == any(
            line.verdict == "rewrite" for line in report.rules
        )
        assert entered.reason == report.reason
        assert all(line.says == SAYS[line.rule] for line in report.rules)


# -- rules of the user's own -----------------------------------------------------------------------


@rule(entering=[RUNNING])
def nothing_heavy(t):
    """Heavy runs wait."""
    return Wait("too heavy", after=60.0) if "heavy" in t.run.tags else None


@rule(entering=[COMPLETED])
def no_empty_results(t):
    """A run without a result has failed."""
    return None if t.proposed.result else Reject(Failed("no result"), "no result")


@rule()
def breaks(t):
    """I am wrong."""
    raise ValueError("oh")


@pytest.fixture
def forgets():
    """What was learnt of rules in a test is forgotten after it."""
    known = dict(SAYS)
    yield
    SAYS.clear()
    SAYS.update(known)


def test_a_rule_is_used_from_now_on_by_this_process(orion, other, forgets):
    orion.use(nothing_heavy, no_empty_results)
    heavy, _ = orion.begin(orion.new_run("task", "t", tags=("heavy",)), Running())
    assert (heavy.state.name, heavy.blocked.reason) == ("Pending", "too heavy")
    assert heavy.blocked.retry_after == 60
    run, _ = orion.begin(orion.new_run("task", "t"), Running())
    run, report = orion.advance(run, Completed())
    assert (run.state.name, report.reason) == ("Failed", "no result")
    assert other.judge(heavy.id, Running())[1].status is Status.ACCEPT


def test_a_rule_is_explained_like_any(orion, forgets):
    orion.use(nothing_heavy)
    run, _ = orion.begin(orion.new_run("flow", "f", tags=("heavy",)))
    explained = orion.propose(run.id, RUNNING, explain=True)
    report = orion.propose(run.id, RUNNING)
    assert explained.rules == report.rules
    assert (report.status, report.rules[-1].says) == (Status.WAIT, "Heavy runs wait.")


def test_a_stored_report_says_what_the_rule_said_to_whoever_knows_it_not(orion, forgets):
    orion.use(nothing_heavy)
    run, _ = orion.begin(orion.new_run("flow", "f"), Running())
    SAYS.pop("nothing_heavy")
    told = orion.read_states(run.id)["states"][1]["report"]["rules"]
    assert told[-1]["rule"] == "nothing_heavy"
    assert told[-1]["says"] == "Heavy runs wait."


def test_a_rule_that_is_wrong_stops_nothing(orion, forgets):
    orion.use(breaks)
    run, _ = orion.begin(orion.new_run("task", "t"), Running())
    run, report = orion.advance(run, Completed())
    assert (run.state.name, report.status) == ("Completed", Status.ACCEPT)
    assert report.rules[-1].reason == "it raised ValueError: oh; it was not heeded"


def test_a_rule_that_is_used_again_takes_its_own_place(orion, forgets):
    @rule()
    def mine(t):
        """Old."""
        return Abort("old")

    old = mine

    @rule()
    def mine(t):
        """New."""
        return Note("new")

    orion.use(old)
    orion.use(mine)
    _, report = orion.begin(orion.new_run("task", "t"), Running())
    lines = [line for line in report.rules if line.rule == "mine"]
    assert [(line.says, line.reason) for line in lines] == [("New.", "new")]


def test_rules_are_named_in_the_settings(home, tmp_path, monkeypatch, forgets):
    source = (
        "from orion_nb.rules import Abort, rule\n\n\n"
        "@rule(entering=['PAUSED'])\n"
        "def never_pause(t):\n"
        '    """No run is paused here."""\n'
        "    return Abort('not here')\n"
    )
    (tmp_path / "pause_rules.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    orion = Orion(Settings.load(home=home, rules="pause_rules:never_pause"))
    run, _ = orion.begin(orion.new_run("flow", "f"), Running())
    report = orion.propose(run.id, PAUSED)
    assert (report.status, report.reason) == (Status.ABORT, "not here")
    assert Settings.load(orion.settings.as_environ()).rules == ("pause_rules:never_pause",)
    orion.close()


def test_settings_that_name_no_rule_are_refused_before_anything_is_opened(home):
    with pytest.raises(InvalidInput, match="module 'nowhere' can't be imported"):
        Orion(Settings.load(home=home, rules=("nowhere:rule",)))
    assert not home.exists()


def test_a_state_put_in_place_by_a_rule_of_ones_own_is_a_state_like_any(orion, forgets):
    @rule(entering=[RUNNING])
    def later(t):
        """Later."""
        return Reject(State(SCHEDULED, "Scheduled", scheduled_time=t.now + 1), "later")

    orion.use(later)
    run, report = orion.begin(orion.new_run("task", "t"), Running())
    assert (run.state.name, run.state.seq, report.reason) == ("Scheduled", 2, "later")
    assert orion.find(run.id).scheduled_time == run.state.scheduled_time
