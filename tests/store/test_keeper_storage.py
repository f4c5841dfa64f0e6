"""Results on storage far away: reached in the background, tried again, never waited for."""

from __future__ import annotations

import os
import threading
import time

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from orion_nb.errors import ResultUnavailable, TamperedResult
from orion_nb.schemas.results import Reference
from orion_nb.store import courier as courier_module
from orion_nb.store.keeper import Keeper
from tests.store.moods import VALUE, Moody, feels, refuse
from tests.waiting import until

AT_ONCE = 20.0  # seconds; the machine may be busy, and the storage hangs for a minute


def test_other_storage_is_reached_in_the_background(keep):
    keeper = keep("memory://reached")
    reference = keeper.save(VALUE)
    assert reference.status == "spooled"
    assert reference.problem is None
    until(lambda: not keeper.problems())
    assert keeper.load(reference) == VALUE
    assert len(fsspec.filesystem("memory").find("/reached")) == 1


def test_storage_that_refuses_is_tried_again(keep, moody):
    feels(refuse)
    keeper = keep("moody://refusing")
    references = [keeper.save((n, VALUE)) for n in range(5)]
    until(lambda: keeper.problems()[0].tries >= 2)
    problems = keeper.problems()
    assert {one.key for one in problems} == {one.key for one in references}
    assert {one.reason for one in problems} == {"RuntimeError: 500 Internal Server Error"}
    assert all(one.url == "moody://refusing" and one.since > 10**15 for one in problems)
    assert [keeper.load(one) for one in references] == [(n, VALUE) for n in range(5)]
    feels(lambda: None)
    until(lambda: not keeper.problems())
    assert [keeper.load(one) for one in references] == [(n, VALUE) for n in range(5)]


def test_flush_tries_now_and_counts(keep, moody, monkeypatch):
    monkeypatch.setattr(courier_module, "FIRST_PAUSE", 1000.0)
    feels(refuse)
    keeper = keep("moody://flush")
    for n in range(4):
        keeper.save((n, VALUE))
    flushed = keeper.flush(20)
    assert (flushed.stored, flushed.left) == (0, 4)
    feels(lambda: None)
    flushed = keeper.flush(20)
    assert (flushed.stored, flushed.left) == (4, 0)
    assert keeper.flush(0).stored == 0


def test_one_result_that_is_never_taken_holds_no_other_up(keep, moody, monkeypatch):
    keeper = keep("moody://picky")
    feels(refuse)
    bad = [keeper.save((n, "bad")) for n in range(5)]
    until(lambda: keeper.problems()[0].tries)

    def pipe_file(self, path, value, **kwargs):
        if any(one.key in path for one in bad):
            raise OSError("413 too large")
        return MemoryFileSystem.pipe_file(self, path, value, **kwargs)

    monkeypatch.setattr(Moody, "pipe_file", pipe_file)
    feels(lambda: None)
    good = [keeper.save((n, "good")) for n in range(5)]
    until(lambda: {one.key for one in keeper.problems()} == {one.key for one in bad})
    assert [keeper.load(one)[1] for one in good] == ["good"] * 5


def test_storage_that_hangs_delays_nobody(keep, moody):
    gate = threading.Event()
    feels(lambda: gate.wait(60))
    try:
        keeper = keep("moody://hanging", deadline=1.0)
        began = time.monotonic()
        reference = keeper.save(VALUE)
        assert time.monotonic() - began < AT_ONCE
        assert keeper.load(reference) == VALUE
        until(lambda: keeper.problems()[0].tries)
        assert keeper.problems()[0].reason == "NoAnswer: no answer within 1 s"
        assert keeper.flush(0.2).left == 1
        elsewhere = keeper.save(VALUE, url="memory://other")
        until(lambda: [one.key for one in keeper.problems()] == [reference.key])
        assert keeper.load(elsewhere) == VALUE
    finally:
        gate.set()
    until(lambda: not keeper.problems())
    assert keeper.load(reference) == VALUE


def test_reading_from_storage_that_hangs_ends(keep, moody):
    keeper = keep("moody://mute", deadline=0.2)
    reference = keeper.save(VALUE)
    until(lambda: not keeper.problems())
    gate = threading.Event()
    feels(lambda: gate.wait(60))
    try:
        with pytest.raises(ResultUnavailable, match=r"moody://mute can't be read: no answer"):
            keeper.load(reference)
    finally:
        gate.set()


def test_a_process_ends_though_storage_hangs(home, script, finish):
    source = """
        import sys, threading, time
        from pathlib import Path
        import fsspec
        from fsspec.implementations.memory import MemoryFileSystem
        from orion_nb.store.keeper import Keeper

        class Hanging(MemoryFileSystem):
            protocol = "hanging"
            def pipe_file(self, path, value, **kwargs):
                time.sleep(600)

        fsspec.register_implementation("hanging", Hanging)
        keeper = Keeper(Path(sys.argv[1]), "hanging://here")
        print(keeper.save((1, 2)).to_text())
    """
    began = time.monotonic()
    text = finish(script(source, home))
    assert time.monotonic() - began < 60  # it would hang for ten minutes
    later = Keeper(home)
    assert [one.url for one in later.problems()] == ["hanging://here"]
    assert later.load(Reference.from_text(text)) == (1, 2)


def test_a_short_process_gets_its_results_away(home, tmp_path, script, finish):
    (tmp_path / "far").mkdir()
    source = f"""
        import sys
        from pathlib import Path
        import fsspec
        from fsspec.implementations.local import LocalFileSystem
        from orion_nb.store.keeper import Keeper

        class Far(LocalFileSystem):
            protocol = "far"
            @classmethod
            def _strip_protocol(cls, path):
                return {str(tmp_path)!r} + path[path.index("/far"):]

        fsspec.register_implementation("far", Far)
        keeper = Keeper(Path(sys.argv[1]), "far:///far")
        print(keeper.save((1, 2)).key)
    """
    key = finish(script(source, home)).strip()
    assert len(list((tmp_path / "far").rglob(key))) == 1
    assert Keeper(home).problems() == []


def test_what_a_process_left_behind_another_takes_on(keep, moody):
    feels(refuse)
    first = keep("moody://left")
    reference = first.save(VALUE)
    until(lambda: first.problems()[0].tries)
    first.close(0)
    feels(lambda: None)
    second = keep()
    second.resume()
    until(lambda: not second.problems())
    assert keep("moody://left").load(reference) == VALUE


def test_moved_storage_is_found(keep, moody):
    reference = keep("moody://old").save(VALUE)
    until(lambda: not keep().problems())
    Moody.store = {name.replace("/old/", "/new/"): file for name, file in Moody.store.items()}
    with pytest.raises(ResultUnavailable, match="moody://old"):
        keep().load(reference)
    assert keep("moody://new").load(reference) == VALUE


def test_a_password_is_neither_stored_nor_told(keep, moody):
    feels(refuse)
    url = "moody://me:secret@bucket"
    keeper = keep(url)
    reference = keeper.save(VALUE)
    until(lambda: keeper.problems()[0].tries)
    assert "secret" not in reference.to_text() + repr(keeper.problems())
    feels(lambda: None)
    until(lambda: not keeper.problems())
    assert keeper.load(reference) == VALUE


def test_a_tampered_spool_is_not_decoded(keep, moody, home):
    feels(refuse)
    keeper = keep("moody://tampered")
    reference = keeper.save(VALUE)
    until(lambda: keeper.problems()[0].tries)
    [path] = (home / "spool").rglob(reference.key)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"x")
    with pytest.raises(TamperedResult):
        keeper.load(reference)
    feels(lambda: None)
    assert keeper.flush(20).left == 1
    assert "damaged" in keeper.problems()[0].reason


def test_another_secret_is_foreign(keep, home):
    reference = keep().save(VALUE)
    (home / "results.key").unlink()
    with pytest.raises(TamperedResult, match="not signed with the secret"):
        keep().load(reference)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_has_a_courier_of_its_own(keep, moody):
    feels(refuse)
    keeper = keep("moody://forked")
    keeper.save(VALUE)
    until(lambda: keeper.problems()[0].tries)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            feels(lambda: None)
            keeper.save((2, VALUE))
            flushed = keeper.flush(20)  # its own courier may have stored them before
            code = 0 if flushed.left == 0 and not keeper.problems() else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert keeper.problems() == []
    feels(lambda: None)
    keeper.save((3, VALUE))
    until(lambda: not keeper.problems())


def test_many_threads_keep_at_once(keep, moody, home):
    keeper = keep("moody://many")
    references: list[Reference] = []

    def work(first):
        references.extend(keeper.save((n, VALUE)) for n in range(first, first + 50))

    threads = [threading.Thread(target=work, args=(50 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keeper.flush(60)
    assert keeper.problems() == []
    assert sorted(keeper.load(one)[0] for one in references) == list(range(200))
    assert [path for path in (home / "spool").rglob("*") if len(path.name) > 20] == []


def test_a_closed_keeper_opens_again(keep, moody):
    keeper = keep("moody://closed")
    keeper.save(VALUE)
    keeper.close()
    until(lambda: not keeper.problems())
    keeper.save((2, VALUE))
    until(lambda: not keeper.problems())


def test_a_folder_far_away_is_written_in_the_background(keep, tmp_path, monkeypatch):
    monkeypatch.setattr("orion_nb.store.keeper.filesystem", lambda _: "nfs4")
    keeper = keep(str(tmp_path / "far"))
    reference = keeper.save(VALUE)
    assert reference.status == "spooled"
    until(lambda: not keeper.problems())
    assert len(list((tmp_path / "far").rglob(reference.key))) == 1
