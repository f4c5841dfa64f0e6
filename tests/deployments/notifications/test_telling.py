"""How deliveries reach who is told: tried again, given up, by webhook, command, function."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading

import pytest
import standardwebhooks

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.deployments.duties import Duties
from orion_nb.deployments.files import NOTEBOOK, run_folder
from orion_nb.errors import Conflict
from orion_nb.schemas.states import Completed, Failed
from orion_nb.settings import Settings
from tests.deployments.notifications.ending import SERVER, deliveries, end


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


def test_a_delivery_is_tried_again_with_the_same_content(orion, receiver, tell):
    made = orion.add_notification("one", webhook=receiver.url, retry_delay=10)
    receiver.answers = [500, 302, 404]
    with clock.frozen(clock.now()) as time:  # whoever verifies one looks at the time as well
        end(orion, "daily", Failed("once"))
        for status, wait in ((500, 10), (302, 20), (404, 40)):
            tell()
            (known,) = deliveries(orion)
            assert known["status"] == "waiting"
            assert f"127.0.0.1 answered {status}" in known["error"]
            time.advance(wait / 2)
            tell()
            assert len(receiver.got) == known["attempts"]  # not yet
            time.advance(wait)
        tell()
    assert [each["status"] for each in deliveries(orion)] == ["delivered"]
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


def test_two_processes_tell_each_state_once(orion, script, receiver, eventually):
    orion.add_notification("one", webhook=receiver.url)
    tellers = [script(SERVER) for _ in range(2)]
    assert [each.stdout.readline() for each in tellers] == ["ready\n"] * 2
    runs = {end(orion, "daily", Failed()).id for _ in range(30)}
    eventually(lambda: len(deliveries(orion, status="delivered")) == 30)
    assert sorted(each["data"]["run"]["id"] for each in receiver.told()) == sorted(runs)


def test_what_a_killed_process_was_telling_is_told_by_another(orion, script, receiver, eventually):
    orion.add_notification("one", webhook=receiver.url, timeout=300)
    receiver.hold = threading.Event()
    teller = script(SERVER)
    teller.stdout.readline()
    end(orion, "daily", Failed())
    eventually(lambda: receiver.got)
    os.kill(teller.pid, signal.SIGKILL)
    teller.wait()
    receiver.hold.set()
    second = script(SERVER)
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


def test_what_can_not_be_told_at_all_is_given_up_and_holds_up_no_other(orion, receiver, tell):
    """A row that was damaged, say: whatever is wrong with it, its tries are counted."""
    orion.add_notification("broken", call="json:dumps", retries=0)
    orion.add_notification("team", webhook=receiver.url)
    run = end(orion, "daily", Failed("no data"))
    folder = run_folder(orion.settings, run.id)
    (folder / NOTEBOOK).write_text("[" * 100_000, "utf-8")  # nor is this a notebook

    def damage(tx):
        key = bytes.fromhex(orion.find_notification("broken").id)
        tx.execute("UPDATE deliveries SET payload = '{' WHERE notification = ?", (key,))

    orion.note_states()
    orion.database.write(damage)
    tell()
    told = {each["notification"]: each for each in deliveries(orion)}
    assert (told["broken"]["status"], told["team"]["status"]) == ("dead", "delivered")
    assert "JSONDecodeError" in told["broken"]["error"]
    assert len(receiver.got) == 1
