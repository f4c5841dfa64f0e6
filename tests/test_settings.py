"""Settings come from the environment, with changes laid over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from orion_nb.errors import InvalidInput
from orion_nb.settings import Settings, is_disabled


def test_the_defaults():
    found = Settings.load({})
    assert found.home.name == "orion_nb"
    assert found.home.is_absolute()
    assert found.database_path == found.home / "orion.db"
    assert (found.synchronous, is_disabled({})) == ("normal", False)


def test_the_environment_is_read(tmp_path):
    found = Settings.load(
        {
            "ORION_NB_HOME": str(tmp_path),
            "ORION_NB_SYNCHRONOUS": "FULL",
            "ORION_NB_DATABASE_URL": f"sqlite:///{tmp_path}/other.db",
        }
    )
    assert found == Settings(tmp_path, f"sqlite:///{tmp_path}/other.db", "full")
    assert found.database_path == tmp_path / "other.db"


def test_changes_win(tmp_path):
    env = {"ORION_NB_HOME": "/else", "ORION_NB_DATABASE_URL": "sqlite:////else/x.db"}
    found = Settings.load(env, home=tmp_path, synchronous="full")
    assert found.database_path == tmp_path / "orion.db"
    assert found.synchronous == "full"
    assert Settings.load(env, database_url="sqlite:////b.db").database_path == Path("/b.db")


def test_another_process_is_given_the_same_settings(tmp_path):
    found = Settings.load({}, home=tmp_path, synchronous="full")
    assert Settings.load(found.as_environ()) == found


def test_home_may_be_written_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings.load({"ORION_NB_HOME": "~/data"}).home == tmp_path / "data"


def test_a_setting_that_cant_be_accepted_is_named():
    with pytest.raises(InvalidInput, match="ORION_NB_SYNCHRONOUS: 'off' is not 'normal' or 'full'"):
        Settings.load({"ORION_NB_SYNCHRONOUS": "off"})


@pytest.mark.parametrize(
    "url", ["postgresql://x/y", "sqlite://", "sqlite:///", "sqlite:///:memory:", "orion.db"]
)
def test_a_database_that_is_no_file_is_refused(url):
    with pytest.raises(InvalidInput, match="is not supported; use sqlite:///PATH"):
        _ = Settings.load({"ORION_NB_DATABASE_URL": url}).database_path


@pytest.mark.parametrize("password", ["hunter2", "hunter2/b", "hunter2@b"])
def test_a_password_in_an_address_is_told_nobody(password):
    url = f"postgresql://ann:{password}@host:5432/db?sslpassword=hunter2"
    settings = Settings.load({"ORION_NB_DATABASE_URL": url, "ORION_NB_RESULTS_URL": url})
    with pytest.raises(InvalidInput, match="postgresql://host:5432/db") as refused:
        _ = settings.database_path
    assert "hunter2" not in f"{refused.value} {settings!r}"


@pytest.mark.parametrize(
    ("value", "disabled"),
    [("1", True), ("true", True), ("yes", True), ("", False), ("0", False), ("off", False),
     ("False", False), ("no", False)],
)  # fmt: skip
def test_disable_is_read_as_people_write_it(value, disabled):
    assert is_disabled({"ORION_NB_DISABLE": value}) is disabled


def test_who_has_no_home_is_told_what_to_set(monkeypatch):
    def nobody(uid):
        raise KeyError(uid)

    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(InvalidInput, match="ORION_NB_HOME: set it to a folder"):
        Settings.load({})
    with pytest.raises(InvalidInput, match="ORION_NB_HOME: set it to a folder"):
        Settings.load({"ORION_NB_HOME": "~/data"})
