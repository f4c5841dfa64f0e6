"""The announcement's examples of what an orchestrator does, each as its sentence says."""

from __future__ import annotations

import base64
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest

from orion_nb import artifact, connect, flow, task
from orion_nb.api.orion import Orion
from orion_nb.errors import InvalidInput
from orion_nb.schemas.schedules import Cron
from orion_nb.settings import Settings


def test_task_2_must_wait_for_task_1_to_complete_before_it_runs(seen):
    order = []

    @task
    def one():
        time.sleep(0.1)
        order.append(1)

    @task
    def two(_):
        order.append(2)

    @flow
    def both():
        two.submit(one.submit())

    both()
    assert order == [1, 2]
    assert seen.run("two")["start_time"] >= seen.run("one")["end_time"]
    orion = connect()
    first = orion.create_run("task", "first", state="RUNNING")
    second = orion.create_run("task", "second", upstream=[first.id])
    told = orion.propose(second.id, "RUNNING")
    assert (told.status, told.reason) == ("WAIT", "waits for first (Running)")
    orion.propose(first.id, "COMPLETED", attempt=first.attempt, token=first.token)
    assert orion.propose(second.id, "RUNNING").status == "ACCEPT"


def test_a_task_may_retry_up_to_three_times_on_failure(seen):
    @task(retries=3, retry_delay=[0, 0.01], retry_backoff=2, retry_jitter=0.1)
    def flaky():
        raise ConnectionError("no answer")

    assert flaky.run().name == "Failed"
    run = seen.run("flaky")
    assert run["attempt"] == 4
    tries = ["AwaitingRetry", "Retrying"]
    assert seen.names(run) == ["Pending", "Running", *tries, *tries, *tries, "Failed"]
    assert seen.rules(run, "rewrite") == ["retry_failures"] * 3


@pytest.mark.slow
def test_a_task_should_never_retry_if_the_infrastructure_it_runs_on_crashes(
    seen, script, eventually
):
    process = script(
        """
        import time
        from orion_nb import task

        @task(retries=3)
        def fragile():
            time.sleep(600)

        fragile()
        """
    )
    eventually(lambda: [run for run in seen.runs("fragile") if run["state"]["name"] == "Running"])
    process.send_signal(signal.SIGKILL)
    process.wait()
    eventually(lambda: connect().reap() or seen.run("fragile")["state"]["type"] == "CRASHED")
    assert seen.run("fragile")["run_count"] == 1
    assert seen.names(seen.run("fragile"))[-1] == "Crashed"


@pytest.mark.slow
def test_only_10_tasks_that_talk_to_a_database_can_be_running_at_any_time(seen, script):
    program = """
        import time
        from orion_nb import ThreadRunner, flow, task

        @task(concurrency={"database": 10})
        def query(n):
            time.sleep(0.05)

        @flow(runner=ThreadRunner(12))
        def load():
            query.map(range(30))

        load()
        """
    for process in [script(program) for _ in range(3)]:
        assert process.wait(60) == 0
    runs = connect().filter_runs(name="query", limit=200)["runs"]
    assert {run["state"]["type"] for run in runs} == {"COMPLETED"}
    ends = [(run["start_time"], 1) for run in runs] + [(run["end_time"], -1) for run in runs]
    at_once = peak = 0
    for _, step in sorted(ends, key=lambda each: (each[0], each[1])):
        at_once += step
        peak = max(peak, at_once)
    assert 2 <= peak <= 10
    assert "take_a_place_within_limits" in [r for run in runs for r in seen.rules(run, "rewrite")]


def test_tasks_should_start_at_9am_on_weekdays(home):
    cron = Cron("0 9 * * 1-5", timezone="Europe/Berlin")
    friday = datetime(2026, 3, 27, 9, 30, tzinfo=UTC)
    following = cron.upcoming(friday, n=2)
    # In between the clocks go forward: it stays nine in Berlin.
    assert [each.isoformat() for each in following] == [
        "2026-03-30T07:00:00+00:00",
        "2026-03-31T07:00:00+00:00",
    ]


def test_task_data_should_be_cached_for_one_week(seen, clock):
    @task(cache="1w")
    def expensive(n):
        return {"n": n}

    days = timedelta(days=1).total_seconds()
    for wait in (0, 1, 6.9 * days, 0.2 * days, 1):
        clock.advance(wait)
        assert expensive(1) == {"n": 1}
    names = [run["state"]["name"] for run in seen.runs("expensive")]
    assert names == ["Completed", "Cached", "Cached", "Completed", "Cached"]
    assert "nothing was cached" not in str(expensive.explain_cache(2))
    assert "argument n changed" in str(expensive.explain_cache(2))


def test_tasks_should_be_run_on_specific_infrastructure(seen):
    import os

    from orion_nb import ProcessRunner

    runner = ProcessRunner(2)
    where = task(_process_id, name="where")

    @flow(runner=runner)
    def elsewhere():
        return {future.result() for future in where.map(range(4))}

    try:
        assert os.getpid() not in elsewhere()
    finally:
        runner.close()
    assert [run["state"]["name"] for run in seen.runs("where")] == ["Completed"] * 4
    with pytest.raises(InvalidInput, match="max_workers: 0"):
        ProcessRunner(0)


def test_if_data_validation_fails_rerun_part_of_the_upstream_flow(seen):
    downloads = []

    @task
    def download():
        downloads.append(len(downloads))
        return list(range(len(downloads)))

    @task(rerun_from="download", rerun_max=3, rerun_on=ValueError)
    def check(rows):
        if len(rows) < 3:
            raise ValueError(f"only {len(rows)} rows")
        return rows

    @flow
    def load():
        return check(download())

    assert load() == [0, 1, 2]
    assert seen.run("download")["attempt"] == 3
    assert seen.rules(seen.run("check"), "rewrite") == ["rerun_the_upstream"] * 2


def test_15_minute_slas_should_be_enforced_on_late_workflows(home, clock):
    with_sla = {"sla": "15m", "sla_action": "cancel"}
    opened = Orion(Settings.load(home=home))
    try:
        on_time = opened.create_run("flow", "on time", policy=with_sla, state="RUNNING")
        late = opened.create_run("flow", "late", policy=with_sla, state="RUNNING")
        clock.advance(14 * 60)
        opened.propose(on_time.id, "COMPLETED", attempt=1, token=on_time.token)
        clock.advance(2 * 60)
        report = opened.propose(late.id, "COMPLETED", attempt=1, token=late.token)
        assert opened.find(on_time.id).marks == ()
        assert opened.find(late.id).marks == ("missed_sla",)
        said = {line.rule: line.reason for line in report.rules}
        assert said["mark_a_late_end"] == "ended 60 s after its SLA"
    finally:
        opened.close()


def test_tracking_the_inputs_provided_from_one_task_to_another(seen):
    @task
    def customers():
        return [{"id": 1}]

    @task
    def orders():
        return [{"customer": 1, "total": 10}]

    @task
    def join(left, right, options):
        return left + right + options["extra"]

    @task
    def extra():
        return ["x"]

    @flow
    def report():
        return join(customers(), orders.submit(), {"extra": extra()})

    report()
    upstream = connect().lineage(seen.run("join")["id"])["upstream"]
    assert {(each["name"], each["path"]) for each in upstream} == {
        ("customers", "left"),
        ("orders", "right"),
        ("extra", "options['extra']"),
    }
    (edge,) = connect().lineage(seen.run("orders")["id"])["downstream"]
    assert edge["run"] == seen.run("join")["id"]


def _process_id(_):
    import os
    import time

    time.sleep(0.05)
    return os.getpid()


def test_rendering_artifacts_produced_by_tasks(seen):
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256))

    class Plot:
        def _repr_png_(self):
            return png

        def _repr_html_(self):
            return "<b>a plot</b>"

    @task
    def draw():
        print("drawing")
        return artifact(Plot(), key="plot", description="of today") is not None

    assert draw()
    run = seen.run("draw")
    (told,) = connect().read_artifacts(run["id"])["artifacts"]
    assert (told["key"], told["description"]) == ("plot", "of today")
    data = connect().read_artifact(told["id"])["data"]
    assert base64.b64decode(data["image/png"]) == png
    assert data["text/html"] == "<b>a plot</b>"
    (line,) = connect().read_logs(run["id"])["lines"]
    assert (line["message"], line["logger"]) == ("drawing", "print")
