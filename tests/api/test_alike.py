"""Runs that are judged like the one before them leave the same rows as those judged one by one."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orion_nb import clock
from orion_nb.api.answers import Proposal
from orion_nb.api.orion import Orion
from orion_nb.rules import Phase, rule
from orion_nb.schemas.policies import DEFAULT_POLICY, RunPolicy
from orion_nb.schemas.reports import Reject
from orion_nb.schemas.states import RUNNING, Cancelling, Completed, Failed, Pending, Running, State
from orion_nb.schemas.values import evolve
from orion_nb.settings import Settings

#: The very same objects, as those that the engine uses.
BORN, START = Pending(), Running()
POLICIES = (
    DEFAULT_POLICY,
    RunPolicy(retries=1),
    RunPolicy(sla=1.0),
    RunPolicy(timeout=60.0),
    RunPolicy(concurrency=(("db", 2),)),
)
ENDS: tuple[State, ...] = (Completed(), Completed(result='{"inline":1}'), Failed("boom"))


class Api:
    """An API, and the ids that its runs have got, in order."""

    def __init__(self, folder: Path, *, alike: bool) -> None:
        self.orion = Orion(Settings.load(environ={}, home=str(folder)))
        if not alike:
            self.orion._alike = None
        self.flow = self.orion.begin(self.orion.new_run("flow", "f"), START)[0]
        self.runs: list[Any] = [self.flow]

    def begin(self, name: str, policy: RunPolicy, inside: bool, count: int) -> None:
        parent = self.flow.id if inside else None
        made = [
            evolve(self.orion.new_run("task", name, parent=parent, policy=policy), state=BORN)
            for _ in range(count)
        ]
        for answer in self.orion.put_all([Proposal(run, START) for run in made]):
            assert isinstance(answer, tuple)
            self.runs.append(answer[0])

    def begin_each(self, shapes: list[dict[str, Any]], inside: bool) -> None:
        parent = self.flow.id if inside else None
        made = []
        for shape in shapes:
            told = {"name": "a", **shape}
            fields = {key: value for key, value in told.items() if key != "name"}
            run = self.orion.new_run("task", told["name"], parent=parent, **fields)
            made.append(run if "scheduled_time" in shape else evolve(run, state=BORN))
        for answer in self.orion.put_all([Proposal(run, START) for run in made]):
            assert isinstance(answer, tuple)
            self.runs.append(answer[0])

    def end(self, state: State, count: int) -> None:
        chosen = [run for run in self.runs[1:] if run.state.type is RUNNING][:count]
        for run, answer in zip(
            chosen, self.orion.put_all([Proposal(run, state) for run in chosen]), strict=True
        ):
            assert isinstance(answer, tuple)
            self.runs[self.runs.index(run)] = answer[0]

    def rows(self) -> list[str]:
        """All rows of runs and states; ids and secrets are told by their place."""
        place = {bytes.fromhex(run.id): f"run {n}" for n, run in enumerate(self.runs)}
        with self.orion.database.read() as connection:
            chosen = "SELECT * FROM runs WHERE name <> 'elsewhere'"
            runs = connection.execute(chosen).fetchall()
            others = "SELECT id FROM runs WHERE name = 'elsewhere'"
            states = connection.execute(
                f"SELECT * FROM states WHERE run NOT IN ({others})"
            ).fetchall()
            reports = dict(connection.execute("SELECT digest, body FROM reports").fetchall())
        tokens = {run[13] for run in runs}
        session = {run[23] for run in runs}

        def told(value: Any) -> Any:
            if value in tokens and value is not None:
                return "token"
            if value in session and value is not None:
                return "session"
            return reports.get(value, place.get(value, value))

        return sorted(str([*map(told, row)]) for row in [*runs, *states])

    def close(self) -> None:
        self.orion.close()


VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"name": "b"},
    {"key": "another.key"},
    {"run_name": "by another name"},
    {"tags": ("x",)},
    {"parameters": {"x": 1}},
    {"scheduled_time": 1_600_000_000_000_000},
    *({"policy": policy} for policy in POLICIES[1:]),
    {"policy": RunPolicy(sla_start=0.5)},
)


@pytest.mark.parametrize("inside", [True, False])
def test_whatever_comes_after_what(inside, tmp_path):
    """Every variant of a run begins and completes after every other one."""
    told = []
    for alike in (True, False):
        with clock.frozen(1_700_000_000_000_000) as time:
            api = Api(tmp_path / str(alike), alike=alike)
            for first, second in itertools.product(VARIANTS, VARIANTS):
                api.begin_each([first, second, second, first], inside)
                time.advance(2.0)
                api.end(Completed(result='{"inline":null}'), 3)
                api.end(Completed(message="said"), 1)
                api.end(Completed(), 10)
            told.append(api.rows())
            api.close()
    assert told[0] == told[1]


def test_what_is_late_is_marked_after_what_was_not(tmp_path):
    with clock.frozen(1_700_000_000_000_000) as time:
        api = Api(tmp_path, alike=True)
        api.begin("a", RunPolicy(sla=1.0), True, 2)
        api.end(Completed(), 1)
        time.advance(2.0)
        api.end(Completed(), 1)
        assert [run.marks for run in api.runs[1:]] == [(), ("missed_sla",)]
        api.close()


step = st.one_of(
    st.tuples(
        st.just("begin"),
        st.sampled_from(["a", "b"]),
        st.sampled_from(POLICIES),
        st.booleans(),
        st.integers(1, 3),
    ),
    st.tuples(st.just("end"), st.sampled_from(ENDS), st.integers(1, 3)),
    st.just(("cancel",)),
    st.just(("other",)),
)


@given(steps=st.lists(step, max_size=12))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_same_is_written(steps, tmp_path):
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    told = []
    for alike in (True, False):
        with clock.frozen(1_700_000_000_000_000):
            api = Api(folder / str(alike), alike=alike)
            other = Orion(api.orion.settings)
            for kind, *args in steps:
                if kind == "begin":
                    api.begin(*args)
                elif kind == "end":
                    api.end(*args)
                elif kind == "cancel":
                    api.orion.judge(api.flow.id, Cancelling())
                else:
                    other.create_run("task", "elsewhere")
            told.append(api.rows())
            other.close()
            api.close()
    assert told[0] == told[1]


def test_a_parent_that_is_cancelled_is_seen_at_once(tmp_path):
    api = Api(tmp_path, alike=True)
    api.begin("a", DEFAULT_POLICY, True, 3)
    assert api.orion._alike.beginnings["task"].given.name == "a"
    other = Orion(api.orion.settings)
    other.judge(api.flow.id, Cancelling())
    api.begin("a", DEFAULT_POLICY, True, 1)
    assert api.runs[-1].state.name == "Cancelled"
    other.close()
    api.close()


def test_a_rule_of_ones_own_is_asked_of_each(tmp_path):
    @rule(Phase.USER, entering=[RUNNING])
    def not_the_third(t):
        """The third is not run."""
        return Reject(None, "it is the third") if len(asked) == 3 else asked.append(t.run.id)

    asked: list[str] = []
    api = Api(tmp_path, alike=True)
    api.begin("a", DEFAULT_POLICY, True, 1)
    api.orion.use(not_the_third)
    api.begin("a", DEFAULT_POLICY, True, 4)
    assert [run.state.name for run in api.runs[2:]] == ["Running"] * 3 + ["Pending"]
    api.close()


def test_runs_outside_of_a_flow_are_roots_of_their_own(tmp_path):
    api = Api(tmp_path, alike=True)
    api.begin("a", DEFAULT_POLICY, False, 3)
    assert [api.orion.find(run.id).root for run in api.runs[1:]] == [r.id for r in api.runs[1:]]
    api.close()
