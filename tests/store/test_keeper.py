"""Results are kept whatever the storage does, at once, and reach it when it is well again."""

from __future__ import annotations

import threading

import pytest

from orion_nb.errors import ResultUnavailable
from orion_nb.schemas.results import Reference
from orion_nb.store.keeper import Keeper
from tests.store.moods import VALUE, feels, refuse
from tests.waiting import until

# -- folders ---------------------------------------------------------------------------------------


def test_small_plain_values_cost_no_file(keep, home):
    keeper = keep()
    for value in (None, 7, "text", [1, {"a": None}]):
        reference = keeper.save(value)
        assert reference.status == "inline"
        assert keeper.load(Reference.from_text(reference.to_text())) == value
    assert not home.exists()


def test_other_values_are_in_the_data_folder(keep, home):
    keeper = keep()
    reference = keeper.save(VALUE)
    assert reference.status == "stored"
    assert reference.url == f"file://{home}/results"
    assert reference.preview == "(1, {'a'})"
    assert keeper.load(reference) == VALUE
    assert keeper.problems() == []
    assert not (home / "spool").exists()


def test_a_value_that_can_not_be_kept_says_why(keep):
    reference = keep().save({"a": threading.Lock()})
    assert str(reference) == "unpersisted: value['a']: cannot pickle '_thread.lock' object"
    assert reference.preview.startswith("{'a': <unlocked _thread.lock")
    with pytest.raises(ResultUnavailable, match=r"_thread\.lock"):
        keep().load(reference)
    assert str(keep().save("x" * 100, 50)) == "unpersisted: larger than 50 bytes"


def test_a_folder_that_fails_is_replaced_by_the_spool(keep, tmp_path):
    (tmp_path / "file").write_text("no folder")
    keeper = keep(f"file://{tmp_path}/file/results")
    reference = keeper.save(VALUE)
    assert reference.status == "spooled"
    assert "NotADirectoryError" in reference.problem
    assert keeper.load(reference) == VALUE
    until(lambda: keeper.problems()[0].tries)
    [problem] = keeper.problems()
    assert problem.key == reference.key
    assert "NotADirectoryError" in problem.reason
    (tmp_path / "file").unlink()
    keeper.flush(10)
    assert keeper.problems() == []
    assert keeper.load(reference) == VALUE
    assert len(list((tmp_path / "file").rglob(reference.key))) == 1


def test_without_any_place_the_run_goes_on(keep, tmp_path, home):
    home.mkdir()
    (home / "spool").write_text("in the way")
    (home / "results").write_text("in the way")
    reference = keep().save(VALUE)
    assert reference.status == "unpersisted"
    assert "results" in reference.problem
    assert "nor can it wait in the spool" in reference.problem
    assert reference.preview == "(1, {'a'})"


def test_without_a_data_folder_the_run_goes_on(tmp_path):
    (tmp_path / "file").write_text("")
    keeper = Keeper(tmp_path / "file" / "home")
    assert keeper.save(7).status == "inline"
    assert "NotADirectoryError" in str(keeper.save(VALUE))
    assert keeper.problems() == []
    keeper.resume()


def test_a_full_spool_takes_no_more(keep, moody):
    feels(refuse)
    keeper = keep("moody://full")
    keeper._spool._most = 3000
    kept = [keeper.save((n, "x" * 1000)) for n in range(4)]
    assert [one.status for one in kept] == ["spooled", "spooled", "unpersisted", "unpersisted"]
    assert "the spool is full" in kept[-1].problem
    feels(lambda: None)
    keeper.flush(10)
    assert keeper.save((5, "x" * 1000)).status == "spooled"


# -- other storage ---------------------------------------------------------------------------------


def test_nothing_heavy_is_imported_for_plain_values(home, script, finish):
    source = """
        import sys
        from pathlib import Path
        from orion_nb.store.keeper import Keeper
        keeper = Keeper(Path(sys.argv[1]))
        keeper.save([1, "x"]), keeper.save(list(range(5000)))
        print(sorted({"numpy", "fsspec", "cloudpickle", "pyarrow"} & set(sys.modules)))
    """
    assert finish(script(source, home)) == "[]\n"
