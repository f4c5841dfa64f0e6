from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import sys
import threading
from contextlib import closing

import pytest
import standardwebhooks

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.deployments.duties import Duties
from orion_nb.deployments.notices import Notices
from orion_nb.deployments.runner import run_notebook
from orion_nb.deployments.upkeep import Upkeep
from orion_nb.errors import Conflict, InvalidInput, NotFound
from orion_nb.schemas.states import Cancelled, Completed, Crashed, Failed, Running
from orion_nb.settings import Settings
from tests.deployments.receiving import Receiver

TELLER = """
    import os, sys
    os.environ["ORION_NB_WEBHOOK_ALLOW"] = "localhost"
    from orion_nb.api.connect import connect
    from orion_nb.deployments.duties import Duties
    import logging

    duties = Duties(connect(label="teller"), logging.getLogger())
    duties.start()
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def orion(home):
    opened = Orion(Settings.load(home=home, webhook_allow="localhost"))
    yield opened
    opened.close()


@pytest.fixture
def receiver():
    opened = Receiver()
    yield opened
    opened.close()


@pytest.fixture
def tell(orion, eventually):
    """Looks for what there is to tell, and waits until each delivery was tried."""
    notices = Notices(orion, link=lambda: "http://here/orion")

    def work():
        def quiet():
            notices.step()
            due = orion.next_delivery()
            return not notices._busy and (due is None or due > clock.now())

        eventually(quiet)

    yield work
    notices.stop()


def end(orion, name="daily", *states, **more):
    run = orion.begin(orion.new_run("flow", name, **more), Running(), owned=False)[0]
    for state in states:
        orion.judge(run.id, state)
    return run


def deliveries(orion, **chosen):
    return orion.list_deliveries(**chosen)["deliveries"][::-1]


def test_a_failure_is_posted_and_can_be_verified(orion, receiver, tell):
    made = orion.add_notification("team", webhook=receiver.url, headers={"X-Team": "data"})
    run = end(orion, "daily", Failed("no data"), parameters={"day": 1, "db_password": "hunter2"})
    end(orion, "good", Completed())
    tell()
    ((headers, body),) = receiver.got
    verified = standardwebhooks.Webhook(made["secret"]).verify(body, headers)
    data = verified["data"]
    assert verified["type"] == "run.failed"
    assert headers["x-team"] == "data"
    assert (data["run"]["id"], data["state"]["message"]) == (run.id, "no data")
    assert data["link"] == f"http://here/orion/#/runs/{run.id}"
    assert data["run"]["parameters"] == {"day": 1, "db_password": "(hidden)"}
    assert data["why"]
    assert data["title"] == "✖ daily: Failed (attempt 1)"
    (delivery,) = deliveries(orion)
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 1)
    assert headers["webhook-id"] == delivery["id"] == verified["id"]


def test_a_forged_body_is_not_verified(orion, receiver, tell):
    made = orion.add_notification("team", webhook=receiver.url)
    end(orion, "daily", Failed())
    tell()
    ((headers, body),) = receiver.got
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(made["secret"]).verify(body.replace(b"daily", b"dally"), headers)


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
    for api in (orion, other, Orion(orion.settings)):
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


def test_a_delivery_is_tried_again_with_the_same_content(orion, receiver, tell, eventually):
    made = orion.add_notification("one", webhook=receiver.url, retry_delay=0.05)
    receiver.answers = [500, 302, 404]
    end(orion, "daily", Failed("once"))
    tell()
    (first,) = deliveries(orion)
    assert first["status"] == "waiting"
    assert "127.0.0.1 answered 500" in first["error"]

    def done():
        tell()
        return deliveries(orion)[0]["status"] == "delivered"

    eventually(done)
    assert len({body for _, body in receiver.got}) == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len(receiver.got) == 4
    for headers, body in receiver.got:
        standardwebhooks.Webhook(made["secret"]).verify(body, headers)


def test_what_is_given_up_is_dead_and_can_be_retried(orion, receiver, tell):
    orion.add_notification("one", webhook=receiver.url, retries=0)
    receiver.answers = [503]
    end(orion, "daily", Failed())
    tell()
    (dead,) = deliveries(orion, status="dead")
    assert (dead["attempts"], dead["ended"] is not None) == (1, True)
    again = orion.retry_delivery(dead["id"])
    assert (again["status"], again["attempts"]) == ("waiting", 0)
    tell()
    assert [each["status"] for each in deliveries(orion)] == ["delivered"]
    with pytest.raises(Conflict, match="only a dead one"):
        orion.retry_delivery(dead["id"])


def test_who_is_gone_is_not_asked_again(orion, receiver, tell):
    orion.add_notification("one", webhook=receiver.url)
    receiver.answers = [410]
    end(orion, "daily", Failed())
    tell()
    assert [each["status"] for each in deliveries(orion)] == ["dead"]


def test_the_waits_double_up_to_an_hour(orion):
    orion.add_notification("one", call="json:dumps", retry_delay="10s")
    known = orion.find_notification("one")
    assert [known.delay(n) for n in (1, 2, 3, 9, 10, 40)] == [10, 20, 40, 2560, 3600, 3600]


def test_a_command_gets_the_payload_and_no_token_of_the_server(orion, tell, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_TOKEN", "the-token")
    monkeypatch.setenv("ORION_NB_API_TOKEN", "the-token")
    work = "import os, sys; open('told', 'w').write(sys.stdin.read() + repr(dict(os.environ)))"
    monkeypatch.chdir(tmp_path)
    orion.add_notification("one", command=[sys.executable, "-c", work])
    run = end(orion, "daily", Failed())
    tell()
    told = (tmp_path / "told").read_text()
    assert run.id in told
    assert "the-token" not in told
    assert [each["status"] for each in deliveries(orion)] == ["delivered"]


def test_a_command_that_fails_or_hangs_is_tried_again(orion, tell, tmp_path):
    sleep = "import time; time.sleep(60)"
    slow = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {sleep!r}])"
    bad = "import sys; sys.exit('no such channel')"
    orion.add_notification("slow", command=[sys.executable, "-c", slow], timeout=0.5)
    orion.add_notification("bad", command=[sys.executable, "-c", bad])
    orion.add_notification("none", command=[str(tmp_path / "none")])
    end(orion, "daily", Failed())
    tell()
    errors = {each["notification"]: each["error"] for each in deliveries(orion)}
    assert errors["bad"] == "exit code 1: no such channel"
    assert errors["slow"] == "not done within 0.5 s, and killed"
    assert "can't be started" in errors["none"]


def test_a_function_is_called_in_a_process_of_its_own(orion, tell, tmp_path, monkeypatch):
    (tmp_path / "hooks.py").write_text(
        "import os, json\n"
        "def told(payload):\n"
        "    open('called', 'w').write(json.dumps([os.getpid(), payload['type']]))\n"
    )
    monkeypatch.chdir(tmp_path)
    orion.add_notification("one", call="hooks:told")
    orion.add_notification("none", call="hooks:nothing")
    end(orion, "daily", Failed())
    tell()
    pid, kind = json.loads((tmp_path / "called").read_text())
    assert pid != os.getpid()
    assert kind == "run.failed"
    told = {each["notification"]: each for each in deliveries(orion)}
    assert told["one"]["status"] == "delivered"
    assert "AttributeError" in told["none"]["error"]


def test_apprise_is_told(orion, receiver, tell):
    url = receiver.url.replace("http://", "json://").partition("?")[0]
    orion.add_notification("one", apprise=[url], on=["completed"])
    end(orion, "daily", Completed())
    tell()
    (told,) = receiver.told()
    assert (told["title"], told["type"]) == ("✔ daily: Completed", "success")


def test_a_webhook_to_this_machine_is_refused_unless_it_is_allowed(home, receiver, eventually):
    orion = Orion(Settings.load(home=home))
    orion.add_notification("one", webhook=receiver.url)
    end(orion, "daily", Failed())
    duties = Duties(orion, logging.getLogger("test"))
    duties.start()
    try:
        (dead,) = eventually(lambda: deliveries(orion, status="dead"))
    finally:
        duties.stop()
        orion.close()
    assert "ORION_NB_WEBHOOK_ALLOW" in dead["error"]
    assert receiver.got == []


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


def test_two_processes_tell_each_state_once(orion, script, receiver, eventually):
    orion.add_notification("one", webhook=receiver.url)
    tellers = [script(TELLER) for _ in range(2)]
    assert [each.stdout.readline() for each in tellers] == ["ready\n"] * 2
    runs = {end(orion, "daily", Failed()).id for _ in range(30)}
    eventually(lambda: len(deliveries(orion, status="delivered")) == 30)
    assert sorted(each["data"]["run"]["id"] for each in receiver.told()) == sorted(runs)


def test_what_a_killed_process_was_telling_is_told_by_another(orion, script, receiver, eventually):
    orion.add_notification("one", webhook=receiver.url, timeout=300)
    receiver.hold = threading.Event()
    teller = script(TELLER)
    teller.stdout.readline()
    end(orion, "daily", Failed())
    eventually(lambda: receiver.got)
    os.kill(teller.pid, signal.SIGKILL)
    teller.wait()
    receiver.hold.set()
    second = script(TELLER)
    second.stdout.readline()
    eventually(lambda: deliveries(orion, status="delivered"))
    ids = {headers["webhook-id"] for headers, _ in receiver.got}
    assert (len(ids), len(receiver.got)) == (1, 2)


def test_a_test_is_a_delivery_about_no_run(orion, receiver, tell):
    orion.add_notification("one", webhook=receiver.url)
    made = orion.test_notification("one")
    assert made["status"] == "waiting"
    tell()
    assert orion.read_delivery(made["id"])["status"] == "delivered"
    assert receiver.told()[0]["type"] == "notification.test"


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
