"""Copies of pinned files: whole, whoever keeps the same one at the same time."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from orion_nb.errors import StoreUnavailable
from orion_nb.store.sources import Copies


def test_many_who_keep_the_same_text_find_it_whole(tmp_path):
    copies, body = Copies(tmp_path / "sources"), os.urandom(1_000_000)

    def keep(n):
        text = body + bytes([n // 6])
        assert copies.read(copies.keep(text)) == text

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(keep, range(120)))
    assert len(os.listdir(copies.folder)) == len(copies.names()) == 20


FULL = """
import resource, sys
from pathlib import Path
from orion_nb.errors import StoreUnavailable
from orion_nb.store.sources import Copies

resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
try:
    Copies(Path(sys.argv[1])).keep(b"x" * 1000)
except StoreUnavailable as error:
    print(error)
"""


def test_one_that_has_no_room_leaves_nothing_behind(tmp_path, script, finish):
    assert "can't be written" in finish(script(FULL, tmp_path / "sources"))
    assert os.listdir(tmp_path / "sources") == []


def test_one_that_can_not_be_kept_leaves_nothing_behind(tmp_path):
    copies = Copies(tmp_path)
    taken = tmp_path / hashlib.sha256(b"x").hexdigest()
    (taken / "in the way").mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match="can't be written"):
        copies.keep(b"x")
    assert os.listdir(tmp_path) == [taken.name]
