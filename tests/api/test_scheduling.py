"""What is due becomes a run, and one worker gets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orion_nb.clock import SECOND, iso, utc
from orion_nb.errors import Conflict
from orion_nb.schemas.states import SCHEDULED
from orion_nb.store import deployments
from orion_nb.store.listing import RunFilter

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion
    from orion_nb.clock import Frozen


def test_a_run_made_by_a_schedule_is_taken_by_a_worker(
    orion: Orion, other: Orion, clock: Frozen, tmp_path: Path
) -> None:
    notebook = tmp_path / "report.ipynb"
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebook.write_text(json.dumps(empty), encoding="utf-8")
    clock.advance(60)
    due = orion.create_deployment("report", str(notebook), schedules=["15m"])["next_due"]
    assert orion.schedule_due() == []
    clock.advance(16 * 60)
    (made,) = orion.schedule_due()
    assert made.scheduled_time == due
    assert made.scheduled_time % (900 * SECOND) == 0
    assert other.schedule_due() == []
    (taken,) = [*orion.claim(5), *other.claim(5)]
    assert taken.id == made.id
    assert taken.state.name == "Submitting"


def test_a_run_is_later_than_its_instant_by_its_jitter(
    orion: Orion, other: Orion, clock: Frozen, tmp_path: Path
) -> None:
    notebook = tmp_path / "report.ipynb"
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebook.write_text(json.dumps(empty), encoding="utf-8")
    told = orion.create_deployment("report", str(notebook), schedules=["1h"], jitter="20m")
    due = told["next_due"]
    assert told["jitter"] == 1200.0
    clock.advance((due - clock.at) / SECOND)
    (made,) = orion.schedule_due()
    waits = (made.scheduled_time or 0) - due
    assert 0 < waits < 1200 * SECOND, "one chance in a thousand million that it is nothing"
    assert other.schedule_due() == orion.claim(5) == []
    assert orion.next_due() == made.scheduled_time
    clock.advance(waits / SECOND)
    assert [run.id for run in orion.claim(5)] == [made.id]
    assert orion.read_deployment("report")["next_due"] == due + 3600 * SECOND


def test_no_run_is_made_after_a_schedule_has_ended(
    orion: Orion, clock: Frozen, tmp_path: Path
) -> None:
    notebook = tmp_path / "report.ipynb"
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebook.write_text(json.dumps(empty), encoding="utf-8")
    hour = 3600 * SECOND
    first = clock.at - clock.at % hour + 3 * hour
    bounds = {"starts": iso(first), "ends": iso(first + hour)}
    schedules = [{"kind": "interval", "every": "1h", **bounds}]
    orion.create_deployment("report", str(notebook), schedules=schedules, catch_up="all")
    made = []
    for _ in range(24):
        clock.advance(1800)
        made += [run.scheduled_time for run in orion.schedule_due()]
    assert made == [first, first + hour]
    assert orion.read_deployment("report")["next_due"] is None


def test_a_deployment_that_cant_be_read_holds_up_no_other(
    orion: Orion, clock: Frozen, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The time zone of one was taken out of the system's, say."""
    notebook = tmp_path / "report.ipynb"
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebook.write_text(json.dumps(empty), encoding="utf-8")
    for name in ("broken", "sound"):
        orion.create_deployment(name, str(notebook), schedules=["15m"])
    spec = "UPDATE deployments SET spec = replace(spec, 'UTC', 'Mars/Olympus') WHERE name = ?"
    orion.database.write(lambda tx: tx.execute(spec, ("broken",)))
    clock.advance(16 * 60)

    assert [run.name for run in orion.schedule_due()] == ["sound"]

    assert "deployment broken can't be read" in caplog.text
    assert "Mars/Olympus" in caplog.text
    clock.advance(15 * 60)
    caplog.clear()
    assert [run.name for run in orion.schedule_due()] == ["sound"]
    assert caplog.text == ""


@pytest.fixture
def hourly(clock: Frozen, deploy: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """A deployment that is due at nine, which it is, at ten, eleven ..."""
    return deploy("hourly", schedules=["0 * * * *"])


def test_nothing_is_made_before_its_time(orion: Orion, hourly: Any, clock: Frozen) -> None:
    assert hourly["next_due"] == clock.at == orion.next_due()
    assert len(orion.schedule_due()) == 1
    clock.advance(3599.999999)
    assert orion.schedule_due() == []
    clock.advance(0.000001)
    assert len(orion.schedule_due()) == 1


def test_a_run_of_a_schedule_is_as_its_deployment_says(
    orion: Orion, deploy: Callable[..., dict[str, Any]], clock: Frozen
) -> None:
    made = deploy(
        schedules=["0 * * * *"], parameters={"x": 5}, retries=1, retry_delay=3, tags=["a"]
    )
    (run,) = orion.schedule_due()
    assert run == orion.find(run.id)
    assert (run.kind, run.name, run.deployment) == ("flow", "report", made["id"])
    assert (run.parameters, run.tags, run.policy.retries) == ({"x": 5}, ("a",), 1)
    assert (run.state.name, run.scheduled_time) == ("Scheduled", clock.at)


def test_of_missed_instants_only_the_latest_is_made_up_for(
    orion: Orion, hourly: Any, clock: Frozen
) -> None:
    """The machine was off for two days and a half."""
    clock.advance(60 * 3600 + 1800)
    (run,) = orion.schedule_due()
    assert run.scheduled_time == hourly["next_due"] + 60 * 3600 * SECOND
    assert orion.next_due() == run.scheduled_time  # the run is yet to be started
    assert orion.read_deployment("hourly")["next_due"] == run.scheduled_time + 3600 * SECOND
    assert orion.schedule_due() == []
    listed = orion.list_runs(RunFilter(kind="flow"), 10)
    (skipped,) = (each for each in listed if each.id != run.id)
    assert (skipped.state.name, skipped.end_time) == ("Skipped", clock.at)
    assert skipped.scheduled_time == run.scheduled_time - 3600 * SECOND
    first, last = iso(hourly["next_due"]), iso(skipped.scheduled_time)
    says = f"missed 60 times, {first} to {last}: only the latest is made up for"
    assert skipped.state.message == says
    assert orion.claim(10) == [orion.find(run.id)]


def test_schedules_that_name_the_same_instant_make_one_run(
    orion: Orion, deploy: Callable[..., dict[str, Any]], clock: Frozen
) -> None:
    deploy(schedules=["0 * * * *", "0 9 * * *", "30m"])
    assert len(orion.schedule_due()) == 1


def test_each_instant_has_one_run_however_many_schedule(
    orion: Orion, other: Orion, deploy: Callable[..., dict[str, Any]], clock: Frozen
) -> None:
    for n in range(3):
        deploy(f"d{n}", schedules=["* * * * *"])
    made = []
    with ThreadPoolExecutor(4) as pool:
        for _ in range(15):
            rounds = pool.map(lambda api: api.schedule_due(), [orion, other] * 2)
            made += [run for found in rounds for run in found]
            clock.advance(60)
    slots = [(run.deployment, run.scheduled_time) for run in made]
    assert len(slots) == len(set(slots)) == 45
    assert len(orion.filter_runs(limit=200)["runs"]) == 45


def test_a_clock_that_is_set_back_makes_no_instant_run_again(
    orion: Orion, hourly: Any, clock: Frozen
) -> None:
    orion.schedule_due()
    clock.advance(3600)
    orion.schedule_due()
    clock.advance(-3600)
    orion.update_deployment("hourly", tags=["changed"])
    assert orion.schedule_due() == []
    assert len(orion.filter_runs()["runs"]) == 2


def test_a_scheduler_that_was_slow_does_not_set_another_back(
    orion: Orion, other: Orion, hourly: Any, clock: Frozen
) -> None:
    """It read what is due, and then slept while the other went on."""
    then = clock.at
    with orion.database.read() as connection:
        seen = deployments.read_due(connection, then, 10)
    clock.advance(2 * 3600)
    other.schedule_due()
    due = other.read_deployment("hourly")["next_due"]
    assert orion.database.write(orion._due(seen, then)) == []  # type: ignore[arg-type]
    assert other.read_deployment("hourly")["next_due"] == due


def test_one_that_was_deleted_or_paused_meanwhile_is_left(
    orion: Orion, other: Orion, deploy: Callable[..., dict[str, Any]], clock: Frozen
) -> None:
    for name in ("gone", "paused", "changed"):
        deploy(name, schedules=["0 * * * *"])
    with orion.database.read() as connection:
        seen = deployments.read_due(connection, clock.at, 10)
    other.delete_deployment("gone")
    other.pause_deployment("paused")
    other.update_deployment("changed", parameters={"x": 9})
    assert orion.database.write(orion._due(seen, clock.at)) == []  # type: ignore[arg-type]
    (run,) = orion.schedule_due()
    assert (run.name, run.parameters) == ("changed", {"x": 9})


def test_of_many_that_are_due_each_has_its_run_and_its_next_time(
    orion: Orion, other: Orion, deploy: Callable[..., dict[str, Any]], clock: Frozen
) -> None:
    """They are written at once; one that has a run for the instant already gets no other."""
    deploy("made", schedules=["0 * * * *"])
    orion.schedule_due()
    again = "UPDATE deployments SET next_due = ?"
    orion.database.write(lambda tx: tx.execute(again, (clock.at,)))
    for n in range(4):
        deploy(f"d{n}", schedules=["0 * * * *"], parameters={"x": n}, tags=[f"t{n}"])

    made = sorted(other.schedule_due(), key=lambda run: run.name)

    expected = [(f"d{n}", {"x": n}, (f"t{n}",)) for n in range(4)]
    assert [(run.name, run.parameters, run.tags) for run in made] == expected
    for run in made:
        assert orion.find(run.id) == run
        (born,) = orion.read_states(run.id)["states"]
        assert (born["n"], born["name"], born["timestamp"]) == (run.state.n, "Scheduled", clock.at)
    due = [each["next_due"] for each in orion.all_deployments()["deployments"]]
    assert due == [clock.at + 3600 * SECOND] * 5


def test_one_that_cant_be_written_spoils_no_other(
    orion: Orion, deploy: Callable[..., dict[str, Any]], clock: Frozen
) -> None:
    for name in ("refused", "sound"):
        deploy(name, schedules=["0 * * * *"])
    orion.database.write(
        lambda tx: tx.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON runs WHEN new.name = 'refused' "
            "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
        )
    )
    with pytest.raises(Conflict, match="not this one"):
        orion.schedule_due()
    assert [run["name"] for run in orion.filter_runs()["runs"]] == ["sound"]
    assert orion.read_deployment("refused")["next_due"] == clock.at


@pytest.mark.parametrize(("catch_up", "made"), [("latest", ["10:30"]), ("all", ["10:00", "10:30"])])
def test_missed_instants_of_several_schedules_are_those_of_one_deployment(
    orion: Orion,
    deploy: Callable[..., dict[str, Any]],
    clock: Frozen,
    catch_up: str,
    made: list[str],
) -> None:
    deploy(schedules=["0 10 * * *", "30 10 * * *"], catch_up=catch_up)
    clock.advance(2 * 3600)
    due = [utc(run.scheduled_time or 0) for run in orion.schedule_due()]
    assert [f"{at:%H:%M}" for at in due] == made


def test_two_workers_never_get_the_same_run(
    orion: Orion, other: Orion, deploy: Callable[..., dict[str, Any]], clock: Frozen
) -> None:
    deploy()
    made = {orion.run_deployment("report").id for _ in range(40)}
    taken: list[str] = []

    def work(api: Orion) -> None:
        while found := api.claim(3):
            taken.extend(run.id for run in found)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, [orion, other] * 3))
    # Whoever is slower gets less, and then nothing: what is left is taken by who asks again.
    work(orion)
    assert len(taken) == 40
    assert set(taken) == made


def test_what_is_taken_is_the_most_overdue_and_no_more_than_asked_for(
    orion: Orion, deploy: Callable[..., dict[str, Any]], clock: Frozen
) -> None:
    deploy()
    runs = []
    for _ in range(3):
        runs.append(orion.run_deployment("report").id)
        clock.advance(1)
    assert [run.id for run in orion.claim(2)] == runs[:2]
    assert [run.id for run in orion.claim(2)] == runs[2:]


def test_what_is_not_deployed_or_not_due_or_stopped_is_not_taken(
    orion: Orion, deploy: Callable[..., dict[str, Any]], clock: Frozen
) -> None:
    deploy(schedules=["30 9 * * *"])
    orion.create_run("flow", "by hand", scheduled_time=clock.at)
    orion.cancel(orion.run_deployment("report").id)
    assert orion.claim(5) == []
    clock.advance(1800)
    (run,) = orion.schedule_due()
    orion.propose(run.id, SCHEDULED, scheduled_time=clock.at + SECOND)
    assert orion.claim(5) == []
    clock.advance(1)
    assert len(orion.claim(5)) == 1


def test_a_run_that_is_taken_belongs_to_who_took_it(
    orion: Orion, deploy: Callable[..., dict[str, Any]], clock: Frozen
) -> None:
    deploy()
    orion.run_deployment("report")
    (run,) = orion.claim(1)
    assert run == orion.find(run.id)
    assert (run.state.name, run.session) == ("Submitting", orion.session)


@pytest.mark.parametrize(
    ("catch_up", "made", "skipped"), [("latest", 1, 0), ("all", 10, 0), ("none", 1, 1)]
)
def test_what_was_missed_is_made_up_for_as_its_deployment_says(
    orion: Orion,
    deploy: Callable[..., dict[str, Any]],
    clock: Frozen,
    catch_up: str,
    made: int,
    skipped: int,
) -> None:
    deploy("often", schedules=["5m"], catch_up=catch_up)
    clock.advance(3 * 3600 + 20)  # nobody was there for three hours
    runs = orion.schedule_due()
    assert len(runs) == made
    assert orion.schedule_due() == []
    times = [run.scheduled_time for run in runs]
    assert times == [clock.at - 20 * SECOND - 300 * SECOND * n for n in range(made)][::-1]
    taken = orion.claim(20)
    assert len(taken) == made - skipped
    if skipped:
        state = orion.find(runs[0].id).state
        assert (state.name, state.message) == (
            "Skipped", "missed by 20 s, and missed instants are not made up for",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("overlap", "first", "second"),
    [
        ("allow", "Running", "Submitting"),
        ("queue", "Running", "Scheduled"),
        ("skip", "Running", "Skipped"),
        ("cancel_running", "Cancelling", "Scheduled"),
    ],
)
def test_a_run_that_is_due_while_another_is_under_way_does_as_the_overlap_says(
    orion: Orion,
    deploy: Callable[..., dict[str, Any]],
    clock: Frozen,
    overlap: str,
    first: str,
    second: str,
) -> None:
    deploy("often", schedules=["5m"], overlap=overlap)
    (one,) = orion.schedule_due() and orion.claim(5)
    report = orion.propose(one.id, "RUNNING")
    clock.advance(300)
    (two,) = orion.schedule_due()
    orion.claim(5)
    assert [orion.find(run.id).state.name for run in (one, two)] == [first, second]
    if second == "Scheduled":  # once the first has ended, its turn has come
        ended = "CANCELLED" if overlap == "cancel_running" else "COMPLETED"
        orion.propose(one.id, ended, attempt=report.attempt, token=report.token)
        (taken,) = orion.claim(5)
        assert taken.id == two.id
