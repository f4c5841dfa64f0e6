"""Secrets over the API: kept, listed by name, removed; and never told."""

from __future__ import annotations

import pytest

from orion_nb.api.orion import ROUTES
from orion_nb.api.wire import read_arguments
from orion_nb.errors import Conflict, InvalidInput, SecretNotFound
from orion_nb.secrets import find, redacted


def test_a_secret_is_kept_listed_and_removed(orion):
    home = orion.settings.home
    told = orion.set_secret("DB", "hunter2 it is")
    assert told == {"name": "DB", "where": "file"}
    assert find("DB", home) == "hunter2 it is"
    assert (home / "secrets" / "DB").stat().st_mode & 0o077 == 0
    assert redacted("it says hunter2 it is") == "it says ********"
    assert orion.list_secrets() == {"secrets": [told]}
    assert orion.delete_secret("DB") == {"deleted": "DB"}
    assert orion.list_secrets() == {"secrets": []}
    with pytest.raises(SecretNotFound, match="no secret 'DB'"):
        orion.delete_secret("DB")


def test_one_of_the_environment_stays(orion, monkeypatch):
    monkeypatch.setenv("ORION_NB_SECRET_API", "something")
    with pytest.raises(Conflict, match="environment; unset it there"):
        orion.delete_secret("API")


@pytest.mark.parametrize("name", ["../DB", "", "a b", ".hidden"])
def test_a_name_is_no_path(orion, name):
    for act in (lambda: orion.set_secret(name, "hunter2"), lambda: orion.delete_secret(name)):
        with pytest.raises(InvalidInput, match="name: letters"):
            act()


def test_a_refused_value_is_not_repeated(orion):
    with pytest.raises(InvalidInput, match="4 to 65536") as refused:
        orion.set_secret("DB", "abc")
    assert "abc" not in str(refused.value)
    route = next(each for each in ROUTES if each.name == "set_secret")
    with pytest.raises(InvalidInput) as refused:
        read_arguments(route, {"name": "DB"}, body=b'{"value": 314159}')
    assert "314159" not in str(refused.value)
    assert refused.value.field == "value"
