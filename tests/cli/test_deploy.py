"""`orion-nb deploy`, `deployments` and `schedule`: names, parameters, schedules and next times."""

from __future__ import annotations

import json
import os

import pytest

from orion_nb.api.orion import Orion

CELL = "day: str = 'today'\nlimit: int = 10\nwho: list[str] = []"


@pytest.fixture
def daily(notebook):
    return notebook("print(day)", parameters=CELL, name="daily")


def test_deploys_with_several_schedules_and_shows_the_next_five_times(call, daily):
    words = ["--cron", "0 7 * * 1-5", "--every", "1h", "--at", "2040-01-31T09:00"]
    done = call("deploy", daily, "--name", "daily", *words, "--tz", "Europe/Prague")
    assert done.code == 0
    assert str(daily) in done.out
    assert (
        "every weekday at 07:00 Europe/Prague · every hour · once at 2040-01-31 08:00" in done.out
    )
    assert done.out.count("Z ") == 5
    assert all(word in done.out for word in ("local", "UTC", "in "))


def test_it_is_said_whether_anybody_is_there_to_run_it(call, daily, orion):
    done = call("deploy", daily, "--name", "daily", "--every", "1h")
    assert "Nobody is there to run it: start `orion-nb server`" in done.err
    there = Orion(orion.settings, label="worker")
    try:
        assert there.session
        told = call("deployments", "show", "daily").err
    finally:
        there.close()
    assert f"It is run while one of these is: worker (pid {os.getpid()} on " in told
    assert "heard of " in told
    call("deployments", "pause", "daily")
    assert "Nobody is there" not in call("deployments", "show", "daily").err


def test_what_is_given_is_what_is_kept(call, here, daily, tmp_path):
    done = call(
        "deploy", daily, "--name", "daily", "-p", "limit=5", "-p", "day=12", "-p", 'who=["Ada"]',
        "--retries", 2, "--retry-delay", "10s", "--timeout", "1h", "--cell-timeout", "90s",
        "--start-timeout", "2m", "--grace", "5s",
        "--kernel", "python3", "--cwd", tmp_path, "--tags", "bi,nightly", "--paused", "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    told = done.json
    assert told["parameters"] == {"limit": 5, "day": "12", "who": ["Ada"]}
    assert (told["retries"], told["retry_delay"]) == (2, 10.0)
    assert (told["timeout"], told["cell_timeout"]) == (3600.0, 90.0)
    assert (told["start_timeout"], told["grace"]) == (120.0, 5.0)
    assert (told["kernel"], told["cwd"], told["paused"]) == ("python3", str(tmp_path), True)
    assert told["tags"] == ["bi", "nightly"]
    assert here.find_deployment("daily").id == told["id"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--cron", "0 25 * * *"], "hour '25'"),
        (["--every", "1x"], "'1x' is not a duration"),
        (["--at", "15m"], "at: '15m' is not a date and time"),
        (["--tz", "Praha"], "'Praha' is not a time zone"),
        (
            ["-p", "limti=3"],
            "error: UnknownParameter: 'limti' (notebook takes: day: str = 'today', ",
        ),
        (["-p", "limit=many"], "limit: Input should be a valid integer"),
        (["-p", "limit"], "'limit' is not NAME=VALUE (try -p limit=100)"),
        (["--env", "FOO"], "'FOO' is not NAME=VALUE (try --env STAGE=test)"),
        (["--retries", "101"], "retries"),
        (["--cwd", "/nowhere/at/all"], "is no folder"),
        (["--name", "a/b"], "error: name: use 1 to 100 letters"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_can_not_be_deployed_is_one_line(call, here, daily, words, says):
    done = call("deploy", daily, "--name", "daily", *words)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert says in done.err
    assert ("Did you mean 'limit'?" in done.err) == ("limti=3" in words)
    assert here.list_deployments()["deployments"] == []


def test_a_notebook_that_is_not_there_is_named_with_the_nearest(call, daily):
    done = call("deploy", daily.with_name("dialy.ipynb"), "--name", "daily")
    assert done.code == 2
    assert "did you mean 'daily.ipynb'?" in done.err


def test_a_flow_is_deployed_by_its_file_or_its_module(call, tmp_path, monkeypatch):
    etl = tmp_path / "pack" / "etl.py"
    etl.parent.mkdir()
    (etl.parent / "__init__.py").write_text("1/0  # nothing is imported", "utf-8")
    etl.write_text("@flow(retries=2)\ndef load(day: date, n: int = 3):\n    pass", "utf-8")
    told = call("deploy", f"{etl}:load", "--name", "load", "-p", "day=2024-02-29", "--json").json
    assert (told["path"], told["flow"], told["retries"]) == (str(etl), "load", 2)
    assert f"{etl}:load" in call("deployments", "show", "load").out
    monkeypatch.chdir(tmp_path)
    words = ["deploy", "pack.etl:load", "--name", "again", "-p", "day=2024-02-29", "--json"]
    assert call(*words, "--retries", 0).json["path"] == str(etl)
    refused = call("deploy", "pack.elt:load", "--name", "x")
    assert refused.code == 2
    assert "no module 'pack.elt' can be imported here" in refused.err
    refused = call("deploy", f"{etl}:load", "--name", "x")
    assert refused.code == 2
    assert "day: a value is required" in refused.err


def test_all_that_a_deployment_may_be_told_has_an_option(call, daily):
    words = [
        "--schedule", '{"kind": "cron", "cron": "30 2 * * *", "dst": "skip"}', "--schedule", "2h",
        "--tz", "Europe/Prague", "--pin", "--limit", "db=2", "--limit", "api", "--sla", "1h",
        "--sla-start", "5m", "--sla-action", "cancel", "--catch-up", "all", "--catch-up-max", 3,
        "--retry-backoff", 2, "--retry-jitter", 0.5, "--retry-delay-max", "1m",
        "--retry-crashes", 1, "--output-limit", 5000, "--overlap", "skip",
    ]  # fmt: skip
    told = call("deploy", daily, *words, "--json").json
    assert told["name"] == "daily"
    cron, every = told["schedules"]
    assert (cron["dst"], cron["timezone"], every["kind"]) == ("skip", "Europe/Prague", "interval")
    assert told["concurrency"] == {"db": 2, "api": None}
    assert (told["sla"], told["sla_start"], told["sla_action"]) == (3600.0, 300.0, "cancel")
    assert (told["catch_up"], told["catch_up_max"], told["overlap"]) == ("all", 3, "skip")
    assert (told["retry_backoff"], told["retry_jitter"], told["retry_delay_max"]) == (2, 0.5, 60)
    assert (told["retry_crashes"], told["output_limit"], told["track"]) == (1, 5000, "pinned")
    shown = call("deployments", "show", "daily").out
    assert all(word in shown for word in ("output limit", "5000", "db=2, api", "sla action"))
    assert "grace" not in shown


def test_a_dry_run_checks_and_shows_and_writes_nothing(call, here, daily):
    words = ["deploy", daily, "--every", "1h", "--dry-run"]
    done = call(*words, "--pin")
    assert (done.code, done.out.count("Z ")) == (0, 5)
    assert "Nothing was written" in done.err
    assert here.list_deployments()["deployments"] == []
    assert not (here.settings.home / "sources").exists()
    assert "not a duration" in call(*words, "--timeout", "1x").err
    call("deploy", daily)
    assert "--update" in call(*words).err
    again = call(*words, "--update", "--retries", 4, "--json").json
    assert (again["words"], again["retries"]) == (["every hour"], 4)
    assert here.read_deployment("daily")["retries"] == 0


def test_a_name_that_is_taken_needs_update(call, daily):
    call("deploy", daily, "--name", "daily")
    again = call("deploy", daily, "--name", "daily", "--every", "1h")
    assert again.code == 1
    assert "--update" in again.err
    done = call("deploy", daily, "--name", "daily", "--every", "1h", "--update", "--json")
    assert (done.code, done.json["words"]) == (0, ["every hour"])


def test_parameters_come_from_files_and_stdin_too(call, daily, tmp_path):
    toml = tmp_path / "given.toml"
    toml.write_text('limit = 3\nday = "monday"', encoding="utf-8")
    words = ["deploy", daily, "--name", "daily", "--update", "--json", "--params-file"]
    told = call(*words, toml, "-p", "limit=4").json
    assert told["parameters"] == {"limit": 4, "day": "monday"}
    yaml = tmp_path / "given.yaml"
    yaml.write_text("limit: 3\nday: 2024-02-29\nwho: [Ada, Bob]", encoding="utf-8")
    told = call(*words, yaml).json
    assert told["parameters"] == {"limit": 3, "day": "2024-02-29", "who": ["Ada", "Bob"]}
    told = call(*words, "-", stdin="limit: 6").json
    assert told["parameters"] == {"limit": 6}
    yaml.write_text("limit: [3", encoding="utf-8")
    assert "can't be read" in call(*words, yaml).err
    told = call(*words, "-", stdin=json.dumps({"limit": 6})).json
    assert told["parameters"] == {"limit": 6}
    (tmp_path / "given.json").write_text('{"limit": 3,}', encoding="utf-8")
    assert "Expecting property name" in call(*words, tmp_path / "given.json").err
    done = call(*words, tmp_path / "nowhere.json")
    assert (done.code, done.json["error"]) == (2, "InvalidInput")


def test_a_notebook_without_parameters_cell_takes_some_only_if_allowed(call, notebook):
    path = notebook("print(x)", name="plain")
    refused = call("deploy", path, "--name", "plain", "-p", "x=5")
    assert refused.code == 2
    assert "the notebook has no parameters cell" in refused.err
    words = ["deploy", path, "--name", "plain", "-p", "x=5", "--allow-untagged", "--json"]
    told = call(*words).json
    assert (told["parameters"], told["allow_untagged"]) == ({"x": 5}, True)


@pytest.mark.parametrize("option", ["--json", "--json-schema"])
def test_what_a_notebook_or_a_flow_takes_is_a_json_schema(call, daily, tmp_path, option):
    schema = call("params", daily, option).json
    assert schema["properties"]["limit"] == {"default": 10, "title": "limit", "type": "integer"}
    etl = tmp_path / "etl.py"
    etl.write_text("1/0\n@flow\ndef etl(day: date, n: int = 3):  # how many\n    pass", "utf-8")
    schema = call("params", f"{etl}:etl", option).json
    assert schema["required"] == ["day"]
    assert schema["properties"]["n"]["description"] == "how many"
    missing = call("params", f"{etl}:elt")
    assert missing.code == 2
    assert "no flow 'elt' in etl.py (did you mean 'etl'?)" in missing.err


def test_what_is_pinned_is_shown_with_what_has_changed_since(call, notebook):
    path = notebook("print(1)", name="pinned")
    words = ["deploy", path, "--name", "x", "--track", "pinned", "--env", "WHO=Ada"]
    assert call(*words, "--json").json["env"] == {"WHO": "Ada"}
    assert "what is pinned" in call("deployments", "diff", "x").err
    notebook("print(2)", name="pinned")
    assert "notebook differs from pinned: 1 cell" in call("deployments", "show", "x").out
    done = call("deployments", "diff", "x")
    assert "-print(1)\n+print(2)\n" in done.out
    assert "differs from pinned: 1 cell" in done.err
    assert call("deployments", "diff", "x", "--json").json["cells"][0]["change"] == "changed"
    call("deploy", path, "--name", "x", "--update")
    assert "what is pinned" in call("deployments", "diff", "x").err


def test_lists_shows_pauses_resumes_and_removes(call, here, daily):
    assert "orion-nb deploy" in call("deployments", "ls").err
    call("deploy", daily, "--name", "daily", "--every", "1h")
    assert "every hour" in call("deployments", "ls").out
    assert call("deployments", "ls", "--json").json["deployments"][0]["name"] == "daily"
    assert call("deployments", "pause", "daily").code == 0
    assert "orion-nb deployments resume daily" in call("deployments", "show", "daily").err
    assert call("deployments", "resume", "daily", "--json").json["paused"] is False
    run = call("deployments", "run", "daily", "-p", "limit=2", "--json").json
    assert here.find(run["run_id"]).parameters == {"limit": 2}
    assert run["run_id"][-8:] in call("deployments", "show", "daily").out
    assert call("deployments", "rm", "daily").code == 0
    assert call("deployments", "show", "daily").code == 2


def test_a_run_is_told_a_kernel_and_variables_of_its_own(call, here, daily):
    call("deploy", daily, "--name", "daily", "--env", "STAGE=live")
    own = ("--kernel", "python3", "--env", "STAGE=test", "--env", "MORE=a b=c")
    told = {"STAGE": "test", "MORE": "a b=c"}
    for words in (("deployments", "run", "daily", *own), ("run", "daily", "--no-wait", *own)):
        run = here.find(call(*words, "--json").json["run_id"])
        assert (run.policy.kernel, dict(run.policy.env)) == ("python3", told)
        shown = " ".join(call("runs", "show", run.id).out.split())
        assert "kernel python3" in shown
        assert "env STAGE=test MORE=a b=c" in shown
        here.cancel(run.id)
        done = call("runs", "rerun", run.id, "--env", "STAGE=two")
        assert (done.code, dict(here.find(run.id).policy.env)) == (0, {"STAGE": "two"})
        refused = call("runs", "rerun", run.id, "--kernel", "klingon")
        assert (refused.code, here.find(run.id).policy.kernel) == (2, "python3")
        assert "kernel 'klingon' not found; have: " in refused.err


def test_a_schedule_that_names_no_time_is_kept_and_told_of(call, daily):
    done = call("deploy", daily, "--name", "daily", "--cron", "0 9 31 2 *")
    assert done.code == 0
    assert "no time to come" in done.err
    assert "never" in call("deployments", "ls").out
    assert "no time to come" not in call("deploy", daily, "--name", "by-hand").err


def test_schedules_have_a_start_and_an_end(call, daily):
    line = ("deploy", daily, "--cron", "0 9 * * *", "--every", "1d", "--tz", "Europe/Prague")
    told = call(*line, "--starts", "2040-01-01", "--ends", "2040-01-02", "--dry-run", "--json").json
    assert [at[:16] for at in told["local_times"]] == [
        "2040-01-01T00:00", "2040-01-01T09:00", "2040-01-02T00:00", "2040-01-02T09:00",
    ]  # fmt: skip
    assert told["words"][0] == "every day at 09:00 Europe/Prague, from 2040-01-01, until 2040-01-02"
    own = '{"kind": "cron", "cron": "0 9 * * *", "ends": "2040-01-01T09:00Z"}'
    line = ("deploy", daily, "--schedule", own, "--schedule", "15m")
    told = call(*line, "--starts", "2040-01-01T08:00", "--ends", "2041-01-01", "--dry-run").out
    assert "until 2040-01-01 09:00 UTC" in told
    assert "until 2041-01-01" in told
    done = call("deploy", daily, "--ends", "2041-01-01")
    assert (done.code, "no schedule is given" in done.err) == (2, True)
    done = call("deploy", daily, "--every", "1h", "--starts", "2040-01-02", "--ends", "2040-01-01")
    assert (done.code, "ends: 2040-01-01 is before starts" in done.err) == (2, True)
    done = call("schedule", "preview", "0 7 * * *", "--starts", "2040-03-01", "-n", 1, "--json")
    assert done.json["local_times"] == ["2040-03-01T07:00:00+00:00"]


def test_a_start_is_on_the_clock_of_the_schedule_that_names_one(call, daily):
    late = '{"kind": "cron", "cron": "0 22 * * *", "timezone": "America/New_York"}'
    day = ("--starts", "2040-03-01", "--ends", "2040-03-01")
    done = call("deploy", daily, "--schedule", late, "--tz", "Asia/Kolkata", *day, "--json")
    assert done.json["local_times"] == ["2040-03-01T22:00:00-05:00"]
    done = call("schedule", "preview", late, *day, "--json")
    assert done.json["local_times"] == ["2040-03-01T22:00:00-05:00"]


def test_previews_schedules(call):
    done = call("schedule", "preview", "0 7 * * *", "--tz", "Europe/Prague", "-n", 3)
    assert "every day at 07:00 Europe/Prague" in done.out
    assert done.out.count("07:00:00") == 3
    assert len(call("schedule", "preview", "90m", "-n", 10, "--json").json["next_times"]) == 10
    assert "never" in call("schedule", "preview", "30 2 31 2 *").err
    assert call("schedule", "preview", "soon").code == 2


def test_a_date_without_an_offset_is_in_utc_wherever_it_is_said(call, daily):
    date = "2040-01-31"
    at = ["2040-01-31T00:00:00+00:00"]
    assert call("schedule", "preview", date, "--json").json["local_times"] == at
    for option in ("--at", "--schedule"):
        assert call("deploy", daily, option, date, "--dry-run", "--json").json["local_times"] == at


def test_an_empty_name_is_refused(call, daily):
    done = call("deploy", daily, "--name", "")
    assert (done.code, "name: use 1 to 100 letters" in done.err) == (2, True)


def test_shows_the_parameters_of_a_notebook(call, daily, notebook):
    shown = call("params", daily).out
    assert all(word in shown for word in ("day", "limit", "int", "'today'"))
    schema = call("params", daily, "--json").json
    assert schema["properties"]["limit"]["default"] == 10
    assert "no cell is tagged" in call("params", notebook("1", name="bare")).err


def test_the_shell_completes_names(call, here, daily, orion_nb):
    call("deploy", daily, "--name", "daily")
    done = orion_nb(
        _ORION_NB_COMPLETE="complete_bash",
        COMP_WORDS="orion-nb deployments show da",
        COMP_CWORD="3",
    )
    assert done.out.split() == ["daily"]


ICS = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:1
SUMMARY:Stand-up
DTSTART;TZID=Europe/Prague:20400102T090000
RRULE:FREQ=WEEKLY
END:VEVENT
BEGIN:VEVENT
UID:2
SUMMARY:Retro
DTSTART:20400103T120000Z
END:VEVENT
END:VCALENDAR
"""


def test_deploys_by_rules_and_calendars(call, daily, tmp_path):
    calendar = tmp_path / "team.ics"
    calendar.write_text(ICS)
    told = call(
        "deploy", daily, "--name", "daily", "--rrule", "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9",
        "--ics", f"{calendar}#Stand-up", "--ics", f"{calendar}#2", "--tz", "Asia/Tokyo", "--json",
    ).json  # fmt: skip
    assert told["words"] == [
        "every week on Monday at 09:00 Asia/Tokyo",
        "Stand-up: every week on Monday at 09:00 Europe/Prague",
        "Retro: once at 2040-01-03 12:00:00 UTC",
    ]


def test_previews_rules_and_calendars(call, tmp_path):
    calendar = tmp_path / "team.ics"
    calendar.write_text(ICS)
    told = call("schedule", "preview", f"{calendar}#Stand-up", "-n", 2, "--json").json
    assert told["next_times"] == [2209104000000000, 2209708800000000]
    done = call("schedule", "preview", calendar)
    assert done.code == 2
    assert "2 events are in it; choose one by its UID or summary: 'Stand-up' (1)" in done.err
    done = call("schedule", "preview", "FREQ=MONTHLY;BYDAY=-1FR", "--tz", "Europe/Prague")
    assert "every month on the last Friday at 00:00 Europe/Prague" in done.out


def test_a_pause_says_until_when_by_whom_and_why(call, here, daily):
    call("deploy", daily, "--name", "daily", "--every", "1h")
    done = call(
        "deployments", "pause", "daily", "--until", "2040-01-01T00:00Z", "--why", "it moved"
    )
    assert "daily is paused until 2040-01-01T00:00:00Z by cli: it moved" in done.out + done.err
    done = call("deployments", "show", "daily")
    assert "until 2040-01-01T00:00:00Z by cli: it moved" in done.out + done.err
    assert "2040-01-01 00:00:00Z" in done.out
    assert call("deployments", "resume", "daily", "--json").json["pause"]["resumed_by"] == "cli"
