"""A notification is changed: who it is about, how it goes, when."""

from __future__ import annotations

import pytest

from orion_nb.errors import InvalidInput

HOOK = "https://example.com/hook"


@pytest.fixture
def team(orion):
    return orion.add_notification("team", webhook=HOOK, headers={"X-Team": "a"}, flow="etl")


def test_what_is_not_given_stays_and_null_is_the_default(orion, team):
    told = orion.update_notification("team", on=["late"], retries=1, flow=None)
    assert (told["on"], told["retries"], told["flow"]) == (["late"], 1, None)
    known = orion.find_notification("team")
    assert (known.webhook, known.secret, known.headers) == (HOOK, team["secret"], {"X-Team": "a"})
    told = orion.update_notification("team", on=None, retries=None)
    assert (told["on"], told["retries"]) == (["failed", "crashed"], 8)


def test_it_is_about_the_runs_of_another(orion, team, deploy):
    made = deploy()
    assert orion.update_notification("team", deployment="report")["deployment"] == made["id"]
    assert orion.find_notification("team").deployment == made["id"]
    assert orion.update_notification("team", deployment=None)["deployment"] is None


def test_another_address_has_the_same_secret(orion, team):
    told = orion.update_notification("team", webhook="https://example.org/other")
    assert told["secret"] == "whsec_…"
    known = orion.find_notification("team")
    assert (known.webhook, known.secret) == ("https://example.org/other", team["secret"])


def test_it_goes_another_way_and_back_with_a_new_secret(orion, team):
    told = orion.update_notification("team", command=["notify-send", "Orion"])
    assert (told["way"], told["webhook"], told["secret"], told["headers"]) == (
        "command", None, None, {},
    )  # fmt: skip
    told = orion.update_notification("team", webhook=HOOK)
    assert told["way"] == "webhook"
    assert told["secret"] == orion.find_notification("team").secret != team["secret"]
    assert orion.read_notification("team")["secret"] == "whsec_…"


def test_what_cant_be_is_refused_and_nothing_changes(orion, team):
    for said in (
        {"on": ["never"]}, {"webhook": "ftp://x"}, {"webhook": HOOK, "call": "a:b"},
        {"webhook": None}, {"command": ["x"], "headers": {"X": "y"}}, {"retries": 99},
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            orion.update_notification("team", **said)
    known = orion.find_notification("team")
    assert (known.webhook, known.on, known.retries) == (HOOK, ("failed", "crashed"), 8)
