from __future__ import annotations

import pytest

from orion_nb.deployments.environ import TOKENS, child_environ


@pytest.mark.parametrize("name", [*TOKENS, TOKENS[0].lower(), "OAUTH_CLIENT_SECRET"])
def test_tokens_and_secrets_of_servers_are_left_out(name):
    assert child_environ({name: "x", "PATH": "/bin"}) == {"PATH": "/bin"}


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "TOKEN"])
def test_what_notebooks_work_with_stays(name):
    assert child_environ({name: "x"}) == {name: "x"}


def test_what_is_hidden_is_a_setting():
    environ = {"ORION_NB_HIDE": "GH_*, my_key", "GH_PAT": "x", "MY_KEY": "x", "A_SECRET": "x"}
    kept = {"ORION_NB_HIDE": "GH_*, my_key"}
    assert child_environ(environ | {"JPY_API_TOKEN": "x"}) == kept | {"A_SECRET": "x"}
    assert child_environ({"ORION_NB_HIDE": "", "A_SECRET": "x"})["A_SECRET"] == "x"


def test_changes_are_laid_over_and_hold_no_token_either():
    told = child_environ({"A": "1"}, A="2", ORION_NB_API_TOKEN="x", MY_SECRET="given")
    assert told == {"A": "2", "MY_SECRET": "given"}
