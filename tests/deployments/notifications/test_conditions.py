from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.deployments.runner import run_notebook
from orion_nb.deployments.upkeep import Upkeep
from orion_nb.errors import Conflict, InvalidInput, NotFound
from orion_nb.schemas.states import Cancelled, Completed, Crashed, Failed, Running
from tests.deployments.notifications.ending import deliveries, end


@pytest.mark.parametrize(
    ("on", "told"),
    [
        ("failed", ["failed"]),
        ("crashed", ["crashed"]),
        ("completed", ["completed", "completed"]),
        ("cancelled", ["cancelled"]),
        ("recovered", ["recovered"]),
        ("completed,recovered", ["recovered", "completed"]),
        ("running", ["running"] * 5),
    ],
)
def test_each_condition_is_told_of(orion, on, told):
    orion.add_notification("one", on=on.split(","), call="json:dumps")
    for state in (Failed(), Completed(), Completed(), Crashed(), Cancelled()):
        end(orion, "daily", state)
    orion.note_states()
    assert [each["condition"] for each in deliveries(orion)] == told


def test_any_state_is_told_of(orion):
    orion.add_notification("one", on=["any"], call="json:dumps")
    end(orion, "daily", Completed())
    orion.note_states()
    assert [each["condition"] for each in deliveries(orion)] == ["pending", "running", "completed"]


def test_a_run_that_completes_when_it_is_rerun_has_recovered(orion):
    orion.add_notification("one", on=["recovered"], call="json:dumps")
    run = end(orion, "daily", Failed())
    orion.judge(run.id, Running(), rerun=True)
    orion.judge(run.id, Completed())
    end(orion, "daily", Completed())
    orion.note_states()
    assert [each["run"] for each in deliveries(orion)] == [run.id]


def test_tasks_within_a_flow_are_part_of_it(orion):
    orion.add_notification("one", call="json:dumps")
    flow = end(orion)
    task = orion.create_run("task", "part", parent=flow.id, state="RUNNING")
    orion.judge(task.id, Failed())
    orion.note_states()
    assert deliveries(orion) == []


def test_a_task_that_is_called_alone_is_none_to_tell_of(orion):
    orion.add_notification("one", on=["any"], call="json:dumps")
    task = orion.create_run("task", "alone", state="RUNNING")
    orion.judge(task.id, Failed())
    orion.note_states()
    orion.note_overdue()
    assert deliveries(orion) == []


def test_it_can_be_about_one_flow_or_one_deployment(orion, write_notebook):
    path = str(write_notebook("1"))
    made = [orion.create_deployment(name, path) for name in ("a", "b")]
    orion.add_notification("of a", deployment="a", call="json:dumps")
    orion.add_notification("of f", flow="f", call="json:dumps")
    for each in made:
        end(orion, each["name"], Failed(), deployment=each["id"])
    end(orion, "f", Failed())
    orion.note_states()
    assert [each["notification"] for each in deliveries(orion)] == ["of a", "of f"]
    orion.delete_deployment("a")
    assert [each["name"] for each in orion.list_notifications()["notifications"]] == ["of f"]
    assert [each["notification"] for each in deliveries(orion)] == ["of f"]


def test_nothing_is_told_of_what_was_before_or_while_it_was_paused(orion):
    end(orion, "before", Failed())
    orion.add_notification("one", call="json:dumps")
    orion.update_notification("one", paused=True)
    end(orion, "paused", Failed())
    orion.note_states()
    orion.update_notification("one", paused=False)
    last = end(orion, "after", Failed())
    orion.note_states()
    assert [each["run"] for each in deliveries(orion)] == [last.id]


def test_what_happened_while_nobody_was_there_is_told(orion, other):
    orion.add_notification("one", call="json:dumps")
    runs = [end(other, "night", Failed()).id for _ in range(3)]
    with closing(Orion(orion.settings)) as third:
        for api in (orion, other, third):
            api.note_states()
            api.note_states()
    assert [each["run"] for each in deliveries(orion)] == runs


def test_a_place_is_kept_though_nothing_is_told(orion, monkeypatch):
    from orion_nb.api import telling

    monkeypatch.setattr(telling, "SELDOM", 10)
    monkeypatch.setattr(telling, "PAGE", 4)
    orion.add_notification("one", call="json:dumps")
    for _ in range(10):
        end(orion, "good", Completed())
    last = end(orion, "bad", Failed())
    for _ in range(10):
        orion.note_states()
    assert [each["run"] for each in deliveries(orion)] == [last.id]
    assert orion.find_notification("one").seen == orion.last_event()


def test_a_late_run_is_told_of_once(orion):
    orion.add_notification("one", on=["late"], call="json:dumps")
    orion.add_notification("bad", call="json:dumps")
    now = clock.now()
    late = orion.create_run("flow", "late", scheduled_time=now - 20 * clock.SECOND)
    orion.create_run("flow", "soon", scheduled_time=now + 20 * clock.SECOND)
    assert [orion.note_overdue(), orion.note_overdue()] == [1, 0]
    assert [(each["run"], each["condition"]) for each in deliveries(orion)] == [(late.id, "late")]


def test_a_missed_sla_is_told_of_in_the_transaction_that_marks_it(orion, eventually):
    orion.add_notification("one", on=["late"], call="json:dumps")
    run = orion.create_run("flow", "slow", policy={"sla": 0.001}, state="RUNNING")
    upkeep = Upkeep(orion)
    eventually(lambda: upkeep.look() or orion.find(run.id).marks)
    orion.judge(run.id, Completed())
    upkeep.look()
    assert [each["run"] for each in deliveries(orion)] == [run.id]


def test_the_failing_cell_is_told(orion, receiver, tell, write_notebook):
    orion.add_notification("one", webhook=receiver.url)
    path = write_notebook("x = 1", "print('so far')\n1 / 0", "never = 1")
    outcome = run_notebook(path)
    tell()
    (told,) = receiver.told()
    cell = told["data"]["cell"]
    assert (cell["number"], cell["source"]) == (2, "print('so far')\n1 / 0")
    assert (cell["ename"], cell["evalue"]) == ("ZeroDivisionError", "division by zero")
    assert cell["output"].startswith("so far\n")
    assert "\x1b" not in cell["output"]
    assert told["data"]["run"]["id"] == outcome.run.id


def test_a_run_that_was_forgotten_is_given_up(orion, tell, home):
    orion.add_notification("one", call="json:dumps")
    run = end(orion, "daily", Failed())
    orion.note_states()
    with closing(sqlite3.connect(orion.database.path)) as raw, raw:
        raw.execute("DELETE FROM runs WHERE id = ?", (bytes.fromhex(run.id),))
    tell()
    (dead,) = deliveries(orion)
    assert dead["status"] == "dead"
    assert run.id in dead["error"]


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({}, "webhook"),
        ({"webhook": "ftp://x/y"}, "webhook"),
        ({"webhook": "https://user:hunter2@x/y"}, "webhook"),
        ({"webhook": "https://x/\r\nHost: y"}, "webhook"),
        ({"webhook": "https://x/", "call": "a:b"}, "webhook"),
        ({"webhook": "https://x/", "secret": "short"}, "secret"),
        ({"webhook": "https://x/", "headers": {"Host": "y"}}, "headers"),
        ({"webhook": "https://x/", "headers": {"A": "b\r\nC: d"}}, "headers"),
        ({"call": "no_function"}, "call"),
        ({"command": []}, "command"),
        ({"call": "a:b", "on": ["sometimes"]}, "on.0"),
        ({"call": "a:b", "on": []}, "on"),
        ({"call": "a:b", "timeout": 1000}, "timeout"),
        ({"call": "a:b", "retries": 51}, "retries"),
        ({"call": "a:b", "retry_delay": 0}, "retry_delay"),
    ],
)
def test_what_can_not_be_is_refused(orion, told, field):
    with pytest.raises(InvalidInput) as refused:
        orion.add_notification("one", **told)
    assert refused.value.field == field
    assert "hunter2" not in str(refused.value)


def test_secrets_are_shown_once(orion):
    made = orion.add_notification(
        "one", webhook="https://chat.example.com/T0/secret", headers={"Authorization": "Bearer x"}
    )
    assert made["secret"].startswith("whsec_")
    shown = orion.read_notification("one")
    assert (shown["webhook"], shown["secret"]) == ("https://chat.example.com/…", "whsec_…")
    assert shown["headers"] == {"Authorization": "…"}
    with pytest.raises(Conflict):
        orion.add_notification("one", call="a:b")
    with pytest.raises(NotFound):
        orion.read_notification("two")
    orion.delete_notification(made["id"])
    assert orion.list_notifications() == {"notifications": []}


def test_old_deliveries_are_forgotten_with_old_runs(orion, receiver, tell):
    orion.add_notification("one", webhook=receiver.url)
    end(orion, "daily", Failed())
    tell()
    orion.prune(older_than="0s")
    assert deliveries(orion) == []
