"""Proposals for tests of rules: made by hand, or any that can be thought of."""

from __future__ import annotations

from hypothesis import strategies as st

from orion_nb.clock import SECOND
from orion_nb.rules import POLICIES, Other, Place, Transition, evaluate
from orion_nb.schemas.policies import RunPolicy
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import NAMES, SCHEDULED, State, StateType, state
from orion_nb.schemas.values import evolve

NOW = 1_000_000 * SECOND
ID = "0" * 31 + "1"
PARENT = "0" * 31 + "9"

_ABOUT_THE_RUN = {
    "attempt", "run_count", "tags", "marks", "created", "scheduled_time", "start_time", "root",
    "session", "deployment", "name", "id",
}  # fmt: skip


def transition(current, proposed, *, kind="task", inside=None, **facts):
    """A proposal; what is said of the run or its policy is put there, the rest are facts.

    `inside` is the id of the run's parent; `parent` is the state that one is in.
    """
    run = {name: facts.pop(name) for name in list(facts) if name in _ABOUT_THE_RUN}
    granted = RunPolicy.__dataclass_fields__.keys() & facts.keys()
    policy = RunPolicy(**{name: facts.pop(name) for name in granted})
    run = {"id": ID, "name": "r", "root": ID, "parent": inside, **run}
    return Transition(Run(kind=kind, state=current, policy=policy, **run), proposed, NOW, **facts)


def asked(rule, *args, **facts):
    """What one rule says; it has to govern the transition."""
    t = transition(*args, **facts)
    assert rule.governs(t.current.type, t.proposed.type)
    return rule(t)


def judged(*args, **facts):
    """What the policy of the run's kind says."""
    t = transition(*args, **facts)
    return evaluate(POLICIES[t.run.kind], t)


def of(kind):
    """A state of this type, due in the past if it is scheduled."""
    return state(kind, scheduled_time=NOW - SECOND if kind is SCHEDULED else None)


# -- any that can be thought of --------------------------------------------------------------------

moments = st.integers(0, 2_000 * SECOND)
seconds = st.none() | st.floats(0, 2_000)
states = st.sampled_from(list(StateType)).flatmap(
    lambda kind: st.builds(
        State,
        st.just(kind),
        st.sampled_from(NAMES[kind]),
        timestamp=moments,
        message=st.none() | st.text(max_size=5),
        scheduled_time=st.none() | moments,
        cache_key=st.none() | st.just("key"),
        result=st.none() | st.just("{}"),
    )
)
policies = st.builds(
    RunPolicy,
    retries=st.integers(0, 3),
    retry_delay=st.lists(st.floats(0, 100), max_size=3).map(tuple),
    timeout=seconds,
    trigger=st.sampled_from(["all_completed", "all_finished", "any_failed", "function"]),
    retry_backoff=st.floats(1, 100),
    retry_delay_max=seconds,
    retry_jitter=st.floats(0, 1),
    retry_crashes=st.integers(0, 2),
    cache_expires=seconds,
    cache_refresh=st.booleans(),
    sla=seconds,
    sla_start=seconds,
    overlap=st.sampled_from(["allow", "queue", "skip", "cancel_running"]),
    catch_up=st.sampled_from(["latest", "all", "none"]),
    rerun_from=st.none() | st.just("load"),
    rerun_max=st.integers(1, 2),
)
others = st.builds(Other, st.sampled_from([PARENT, ID, "2"]), st.text(max_size=3), states)
places = st.builds(
    Place, st.text(max_size=3), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)
)


def _tuples(of_these):
    return st.lists(of_these, max_size=2).map(tuple)


runs = st.builds(
    Run,
    st.just(ID),
    st.sampled_from(["flow", "task"]),
    st.just("r"),
    states,
    st.just(ID),
    parent=st.none() | st.just(PARENT),
    deployment=st.none() | st.just("5"),
    policy=policies,
    attempt=st.integers(0, 2),
    run_count=st.integers(0, 4),
    created=moments,
    scheduled_time=st.none() | moments,
    start_time=st.none() | moments,
    marks=_tuples(st.sampled_from(["missed_sla", "missed_sla_start"])),
)
transitions = st.builds(
    Transition,
    runs,
    proposed=states,
    now=moments,
    claims=st.none() | st.integers(0, 2),
    token_matches=st.booleans(),
    held=st.booleans(),
    retriable=st.booleans(),
    parent=st.none() | states,
    upstream=_tuples(others),
    rerun=st.booleans(),
    pulled=st.none() | st.booleans(),
    cached=st.none() | others,
    filling=st.none() | others,
    places=_tuples(places),
    siblings=_tuples(others),
)


def _free(t):
    """The same from outside, about a run that no session holds: most others stop at the door."""
    return evolve(t, claims=None, token_matches=True, held=False)


proposals = transitions.map(_free)
