"""What runs return is kept, can be had again, and never fails or delays a run."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from orion_nb import connect, flow, task
from orion_nb.api.orion import Orion
from orion_nb.errors import ResultUnavailable, TamperedResult
from orion_nb.settings import Settings


class Odd:
    """A value of a user's own class."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Odd) and other.n == self.n

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "value",
    [None, True, 7, 10**30, 1.5, "x", {"a": [1, {"b": None}]}, "x" * 50_000, {1, 2}, b"\0\xff",
     Odd(3), [Odd(1), {2}], float("inf"), "\udcff"],
)  # fmt: skip
def test_what_is_returned_can_be_had_again(told: Any, other_orion: Orion, value: Any) -> None:
    @task
    def give() -> Any:
        return value

    assert give() == value
    assert other_orion.load(told.run("give").state.result) == value


@pytest.fixture
def other_orion(home: Path) -> Any:
    opened = Orion(connect().settings)
    yield opened
    opened.close()


LARGE = "x" * (2 * 1024 * 1024)


@pytest.mark.parametrize(
    ("persist", "value", "kept"),
    [(None, "small", True), (None, LARGE, False), (True, LARGE, True), (False, "small", False)],
)
def test_how_much_is_kept(told: Any, persist: bool | None, value: str, kept: bool) -> None:
    @task(persist=persist)
    def give() -> str:
        return value

    assert give() == value
    result = told.run("give").state.result
    if kept:
        assert connect().load(result) == value
        return
    with pytest.raises(ResultUnavailable):
        connect().load(result)
    assert told.run("give").state.name == "Completed"


def test_flows_keep_theirs_too(told: Any) -> None:
    @flow
    def etl() -> list[int]:
        return [1, 2]

    etl()
    assert connect().load(told.run("etl").state.result) == [1, 2]


def test_what_cant_be_kept_says_why_and_completes(told: Any) -> None:
    @task
    def give() -> Any:
        return threading.Lock()

    give()
    (problem,) = connect().result_problems()["problems"]
    assert problem["run"] == told.run("give").id
    assert problem["what"] == "result"
    assert "lock" in problem["reason"]
    shown = connect().read_result(told.run("give").id)["result"]
    assert "lock" in str(shown)


def test_a_folder_that_cant_be_written_fails_nothing_and_is_repaired(
    told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "results"
    place.write_text("a file where the folder should be")
    monkeypatch.setenv("ORION_NB_RESULTS_URL", place.as_uri())

    @task
    def give(n: int) -> str:
        return f"{n}" * 10_000

    assert give(1) == "1" * 10_000
    run = told.run("give")
    assert run.state.name == "Completed"
    assert connect().load(run.state.result) == "1" * 10_000
    (problem,) = connect().result_problems()["problems"]
    assert problem["run"] == run.id
    place.unlink()
    assert connect().flush_results(20)["left"] == 0
    assert connect().result_problems()["problems"] == []
    shutil.rmtree(Settings.load().home / "spool", ignore_errors=True)
    assert connect().load(run.state.result) == "1" * 10_000
    assert any(place.rglob("*"))


def test_what_was_tampered_with_is_not_read(told: Any, home: Path) -> None:
    @task
    def give() -> Any:
        return [Odd(n) for n in range(2000)]

    give()
    for file in (home / "results").rglob("*"):
        if file.is_file():
            file.chmod(0o600)
            file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(TamperedResult):
        connect().load(told.run("give").state.result)


@pytest.mark.parametrize("submitted", [True, False])
def test_the_inputs_of_a_failed_task_are_kept_as_they_were(told: Any, submitted: bool) -> None:
    @task
    def spoils(rows: list[int], *, more: dict[str, Any]) -> None:
        rows.clear()
        more["spoilt"] = True
        raise ValueError

    @flow
    def etl() -> None:
        if submitted:
            spoils.submit([1, 2], more={"a": {3}}).exception()
        else:
            spoils.run([1, 2], more={"a": {3}})

    etl()
    args, kwargs = connect().inputs_of(told.run("spoils").id)
    assert (args, kwargs) == (([1, 2],), {"more": {"a": {3}}})


def test_the_inputs_of_a_task_that_completed_are_not_kept(told: Any) -> None:
    @task
    def fine(n: int) -> int:
        return n

    fine(1)
    with pytest.raises(ResultUnavailable, match="inputs of this run were not kept"):
        connect().inputs_of(told.run("fine").id)


def test_inputs_that_cant_be_kept_are_a_problem_and_no_failure(told: Any) -> None:
    @flow
    def etl(lock: Any) -> None:
        raise ValueError

    assert etl.run(threading.Lock()).name == "Failed"
    (problem,) = connect().result_problems()["problems"]
    assert (problem["what"], problem["run"]) == ("inputs", told.run("etl").id)
    with pytest.raises(ResultUnavailable):
        etl.rerun(told.run("etl").id)


def test_a_value_whose_own_code_fails_when_it_is_kept(told: Any) -> None:
    class Broken:
        def __reduce__(self) -> Any:
            raise RuntimeError("not me")

    @task
    def give() -> Any:
        return Broken()

    assert isinstance(give(), Broken)
    assert "not me" in connect().result_problems()["problems"][0]["reason"]
