"""An outbox file: in order, owned by one process, read by anybody, gone when it is empty."""

from __future__ import annotations

import os

import pytest

from orion_nb.errors import StoreUnavailable
from orion_nb.store.outbox import Box, outboxes, peek

URL = "http://localhost:8888"
SENDER = {"id": "0" * 32, "host": "h", "pid": 1}


@pytest.fixture
def box(tmp_path):
    made = Box.make(tmp_path / "outbox", "mine", URL, SENDER)
    yield made
    made.close()


def test_letters_stay_in_order_until_they_are_taken_out(box):
    for n in range(5):
        box.put(f"run-{n % 2}", f'{{"n": {n}}}', n)
    assert [letter.told["n"] for letter in box.first(3)] == [0, 1, 2]
    assert (box.count(), box.runs()) == (5, {"run-0", "run-1"})
    box.take_out(box.first(2)[-1].n)
    assert [letter.told["n"] for letter in box.first(9)] == [2, 3, 4]


def test_what_is_refused_goes_aside_with_what_follows_of_the_same_run(box):
    for n in range(4):
        box.put(f"run-{n % 2}", f'{{"n": {n}}}', n)
    box.refuse("run-0", 1, "too late", 7)
    assert [letter.told["n"] for letter in box.first(9)] == [1, 3]
    assert [(each.told["n"], each.why, each.written) for each in box.refused()] == [
        (0, "too late", 7), (2, "too late", 7),
    ]  # fmt: skip
    box.refuse(None, 2, "odd", 8)
    assert [letter.told["n"] for letter in box.first(9)] == [3]
    box.forget_refused()
    assert box.refused() == []


def test_a_file_has_one_owner(box):
    assert Box.adopt(box.path) is None
    box.put("run", "{}", 1)
    box.close()
    other = Box.adopt(box.path)
    assert other is not None
    assert (other.url, other.session, other.count()) == (URL, SENDER, 1)
    other.close()


def test_a_file_is_kept_while_something_is_in_it(box):
    box.put("run", "{}", 1)
    box.close()
    assert outboxes(box.path.parent) == [box.path]
    again = Box.adopt(box.path)
    again.take_out(1)
    again.close()
    assert list(box.path.parent.iterdir()) == []


def test_anybody_may_look(box):
    box.put("run", '{"n": 1}', 1)
    box.put("other", '{"n": 2}', 2)
    box.refuse("other", 2, "why", 3)
    url, session, waiting, refused = peek(box.path)
    assert (url, session) == (URL, SENDER)
    assert [letter.told for letter in waiting] == [{"n": 1}]
    assert [letter.why for letter in refused] == ["why"]


def test_only_its_owner_may_read_it(box):
    assert os.stat(box.path).st_mode & 0o077 == 0
    assert os.stat(box.path.parent).st_mode & 0o077 == 0


def test_what_cant_be_opened_is_said_or_passed_over(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        Box.make(tmp_path / "file", "mine", URL, SENDER)
    odd = tmp_path / "odd.outbox"
    odd.write_bytes(b"no database" * 100)
    assert Box.adopt(odd) is None
    with pytest.raises(StoreUnavailable):
        peek(odd)
    assert outboxes(tmp_path / "nowhere") == []


def test_one_in_memory_is_like_the_others():
    box = Box.in_memory(URL, SENDER)
    box.put("run", '{"n": 1}', 1)
    assert [letter.told for letter in box.first(9)] == [{"n": 1}]
    assert (box.url, box.session) == (URL, SENDER)
    box.close()


def test_what_was_put_is_there_after_a_kill(tmp_path, script):
    process = script(
        """
        import os, sys
        from pathlib import Path
        from orion_nb.store.outbox import Box
        box = Box.make(Path(sys.argv[1]), "killed", "http://h", {"id": "x"})
        for n in range(100):
            box.put("run", '{"n": %d}' % n, n)
        os.kill(os.getpid(), 9)
        """,
        tmp_path / "outbox",
    )
    assert process.wait(60) == -9
    (path,) = outboxes(tmp_path / "outbox")
    box = Box.adopt(path)
    assert box is not None
    assert [letter.told["n"] for letter in box.first(1000)] == list(range(100))
    box.close()
