"""Settings that are kept in the data folder's file go below the environment."""

from __future__ import annotations

import stat
from dataclasses import fields

import pytest

from orion_nb import config
from orion_nb.errors import InvalidInput
from orion_nb.settings import Settings, variables


@pytest.fixture
def kept(tmp_path):
    def put(text):
        (tmp_path / config.FILE).write_text(text, encoding="utf-8")
        return {"ORION_NB_HOME": str(tmp_path)}

    return put


def test_what_is_kept_is_heeded_and_a_variable_goes_before_it(kept):
    env = kept('keep = "90d"\nwarm_runners = 3\nlog_prints = false\nrules = ["a:b", "c:d"]\n')
    found = Settings.load(env)
    assert (found.keep, found.warm_runners, found.rules) == ("90d", 3, ("a:b", "c:d"))
    assert variables(env)["ORION_NB_LOG_PRINTS"] == "0"
    assert Settings.load({**env, "ORION_NB_KEEP": "1d"}).keep == "1d"
    assert Settings.load({**env, "ORION_NB_KEEP": ""}).keep is None


def test_a_folder_that_is_named_has_its_own_database(kept, tmp_path):
    kept(f'database_url = "sqlite:///{tmp_path}/mine.db"\n')
    elsewhere = {"ORION_NB_DATABASE_URL": "sqlite:////else/x.db"}
    assert Settings.load(elsewhere, home=tmp_path).database_path == tmp_path / "mine.db"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("keep = ", "config.toml can't be read"),
        ("kep = '1d'", "'kep' is no setting; did you mean 'keep'"),
        ("home = '/x'", "'home' is no setting"),
        ("\xff", "can't be read"),
    ],
)
def test_a_file_that_cant_be_read_is_told(kept, text, says):
    with pytest.raises(InvalidInput, match=says):
        Settings.load(kept(text))


def test_what_is_written_is_read_again_and_is_its_owners_alone(tmp_path):
    said = {"ORION_NB_API_TOKEN": 'a"b\\c\u00e9', "ORION_NB_KEEP": "90d"}
    path = config.write(tmp_path / "new", said)
    assert config.read(tmp_path / "new") == said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_every_setting_has_a_variable():
    known = {each.name for each in config.ALL}
    assert {each.name for each in fields(Settings)} <= known
    assert config.name_of("ORION_NB_KEEP") == config.name_of("keep") == "keep"
    with pytest.raises(InvalidInput, match="only the variable ORION_NB_HOME"):
        config.name_of("home")
