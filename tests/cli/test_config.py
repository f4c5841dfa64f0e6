"""`orion-nb config` and `orion-nb dashboard`."""

from __future__ import annotations

import json

import pytest

from orion_nb.settings import Settings


def test_a_setting_is_set_for_good_and_taken_back(call, home, monkeypatch):
    monkeypatch.delenv("ORION_NB_KEEP", raising=False)
    assert call("config", "get", "keep").out == ""
    done = call("config", "set", "keep", "90d")
    assert (done.code, done.out) == (0, "")
    assert "keep is set in" in done.err
    assert call("config", "get", "ORION_NB_KEEP").out == "90d\n"
    assert Settings.load().keep == "90d"

    (told,) = [each for each in call("config", "ls", "--json").json["settings"] if each["value"]
               and each["from"] == "file"]  # fmt: skip
    assert (told["name"], told["value"]) == ("keep", "90d")

    assert "is no longer set" in call("config", "unset", "keep").err
    assert "was not set" in call("config", "unset", "keep").err
    assert Settings.load().keep is None


def test_a_variable_goes_before_the_file_and_that_is_said(call, home, monkeypatch):
    monkeypatch.setenv("ORION_NB_KEEP", "1d")
    assert "goes before it" in call("config", "set", "keep", "90d").err
    told = call("config", "get", "keep", "--json").json
    assert (told["value"], told["from"]) == ("1d", "environment")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("kep", "1d", "did you mean 'keep'"),
        ("home", "/x", "only the variable ORION_NB_HOME can set it"),
        ("keep", "soon", "ORION_NB_KEEP: 'soon' is not a duration"),
        ("warm_runners", "many", "expected 0..64, got 'many'"),
        ("log_level", "loud", "'loud' is no level"),
        ("rules", "nowhere:rule", "nowhere"),
        ("database_url", "mysql://x/y", "is not supported"),
        ("api_url", "ftp://x", "is no address"),
    ],
)
def test_what_cant_be_accepted_is_not_kept(call, home, name, value, says):
    done = call("config", "set", name, value)
    assert done.code == 2
    assert says in done.err
    assert not (home / "config.toml").exists()


def test_a_token_is_not_shown(call, home):
    call("config", "set", "api_token", "geheim")
    for done in (call("config", "ls"), call("config", "get", "api_token")):
        assert "geheim" not in done.out + done.err
        assert "***" in done.out


def test_without_a_server_the_dashboard_says_how_to_start_one(call, home):
    done = call("dashboard")
    assert (done.code, done.out) == (6, "")
    assert "Start one: orion-nb server" in done.err


def test_the_dashboard_of_a_running_server_is_found(call, start, home):
    process = start("server", "--no-browser", "--json", "--", "--allow-root")
    told = json.loads(_json_from(process))
    done = call("dashboard", "--json")
    assert done.code == 0, done.err
    assert done.json == {key: told[key] for key in ("url", "dashboard", "pid")}


def _json_from(process):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("}") or line.rstrip().endswith("}"):
            break
    return "".join(lines)


def test_a_value_that_begins_with_a_minus_is_a_value(call, home):
    refused = call("config", "set", "keep", "-5d")
    assert (refused.code, "'-5d' is not a duration" in refused.err) == (2, True)
    slots = call("limits", "set", "db", "-1", "--json")
    assert (slots.code, slots.json["field"]) == (2, "slots")
    assert "No such option" in call("limits", "set", "db", "1", "--jsno").err
