"""Databases that keep files in one data folder leave each other's alone."""

from __future__ import annotations

import os

from orion_nb.api.orion import Orion
from orion_nb.settings import Settings
from orion_nb.store import sharing
from tests.store.forgetting import later


def make_old(folder):
    for path in folder.rglob("*"):
        os.utime(path, (1, 1))


def test_nothing_that_belongs_to_another_database_is_cleared_up(orion, home, make, clock):
    run = make()
    (orion.settings.notebooks / run.id).mkdir(parents=True)
    copy = orion.copies.keep(b"x = 1")
    make_old(home)
    with_path = Settings.load(home=home, database_url=f"sqlite:///{home / 'second.db'}")
    other = Orion(with_path)
    told = other.prune(older_than="0s")
    assert (told["folders"], told["sources"]) == (0, 0)
    assert told["errors"] == [f"files stay: {home} is also used by {home / 'orion.db'}"]
    assert (orion.settings.notebooks / run.id).is_dir()
    assert orion.copies.read(copy) == b"x = 1"
    other.close()

    later(orion, clock, 91)
    told = orion.prune()  # nor does the folder's own database
    assert (told["trees"], told["folders"], told["sources"]) == (1, 0, 0)
    assert (orion.settings.notebooks / run.id).is_dir()

    (home / "second.db").unlink()
    make_old(home)
    told = orion.prune()
    assert (told["folders"], told["sources"], told["errors"]) == (1, 1, [])


def test_it_is_noted_once_who_uses_a_folder(home):
    for _ in range(2):
        Orion(Settings.load(home=home, database_url=f"sqlite:///{home / 'b.db'}")).close()
    Orion(Settings.load(home=home)).close()
    assert (home / sharing.LIST).read_text("utf-8") == f"{home / 'b.db'}\n"
    assert sharing.others(home, home / "orion.db") == [home / "b.db"]


def test_a_database_by_another_path_is_no_other(home, tmp_path):
    Orion(Settings.load(home=home)).close()
    (tmp_path / "link").symlink_to(home)
    linked = tmp_path / "link" / "orion.db"
    Orion(Settings.load(home=home, database_url=f"sqlite:///{linked}")).close()
    assert sharing.others(home, linked) == []
    assert sharing.others(home, home / "orion.db") == []
