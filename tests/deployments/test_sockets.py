from __future__ import annotations

import os
import subprocess
import sys

import pytest

from orion_nb.deployments import sockets
from orion_nb.deployments.sockets import OLD, SocketFolder, remove_abandoned


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A place for temporary folders with a short name, where nobody else has any."""
    monkeypatch.setattr(sockets.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sockets, "LONGEST_FOLDER", 500)
    return tmp_path


def test_a_folder_is_left_alone_as_long_as_its_owner_lives(place):
    mine = SocketFolder()
    assert mine.path.parent == place
    script = (
        "import sys, tempfile\ntempfile.tempdir = sys.argv[1]\n"
        "from orion_nb.deployments import sockets\nsockets.LONGEST_FOLDER = 500\n"
        "made = sockets.SocketFolder()\nprint(made.path, flush=True)\nsys.stdin.read()\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(place)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    path = owner.stdout.readline().strip()
    remove_abandoned()
    assert os.path.isdir(path)
    assert mine.path.is_dir()

    owner.kill()
    owner.communicate()
    assert remove_abandoned() >= 1

    assert not os.path.exists(path)
    assert mine.path.is_dir()
    assert mine.path.stat().st_mode & 0o777 == 0o700
    mine.remove()
    mine.remove()
    assert not mine.path.exists()


def test_a_folder_that_is_being_made_is_left_alone(place):
    young, old = place / "orion-kernel-a", place / "orion-kernel-b"
    young.mkdir()
    old.mkdir()
    before = young.stat().st_mtime - OLD - 1
    os.utime(old, (before, before))

    remove_abandoned()

    assert young.is_dir()
    assert not old.exists()


def test_what_is_not_ours_is_left_alone(place):
    other = place / "other"
    other.mkdir()
    (place / "orion-kernel-link").symlink_to(other)

    remove_abandoned()

    assert other.is_dir()
    assert (place / "orion-kernel-link").is_symlink()
