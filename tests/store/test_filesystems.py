"""Where a database lies decides how it keeps its journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from orion_nb.store import filesystems
from orion_nb.store.filesystems import filesystem, journal_mode

TABLE = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 0:40 / /home rw - nfs4 server:/home rw
31 22 0:41 / /home/ann/local rw shared:1 - xfs /dev/sdb rw
32 22 0:42 / /mnt/my\\040disk rw - fuse.sshfs host: rw
33 22 0:43 / /mnt/usb rw - fuseblk /dev/sdc rw
34 22 0:44 / /mnt/share rw - cifs //host/share rw
"""


@pytest.fixture
def mounts(monkeypatch):
    read = Path.read_text

    def told(path, **more):
        return TABLE if path == Path("/proc/self/mountinfo") else read(path, **more)

    monkeypatch.setattr(Path, "read_text", told)


@pytest.mark.parametrize(
    ("path", "kind", "journal"),
    [
        ("/data/orion.db", "ext4", "wal"),
        ("/homework/orion.db", "ext4", "wal"),
        ("/home/ann/orion.db", "nfs4", "delete"),
        ("/home/ann/local/x/orion.db", "xfs", "wal"),
        ("/mnt/my disk/orion.db", "fuse.sshfs", "delete"),
        ("/mnt/usb/orion.db", "fuseblk", "wal"),
        ("/mnt/share/orion.db", "cifs", "delete"),
    ],
)
def test_the_file_system_is_that_of_the_innermost_mount(mounts, path, kind, journal):
    assert filesystem(Path(path)) == kind
    assert journal_mode(Path(path)) == journal


def test_a_link_is_followed(mounts, tmp_path):
    (tmp_path / "data").symlink_to("/home/ann")
    assert filesystem(tmp_path / "data" / "orion.db") == "nfs4"


def test_where_it_cant_be_told_a_local_disk_is_assumed(monkeypatch):
    def nothing(path, **more):
        raise OSError

    monkeypatch.setattr(Path, "read_text", nothing)
    assert filesystems.filesystem(Path("/data")) == ""
    assert journal_mode(Path("/data")) == "wal"
