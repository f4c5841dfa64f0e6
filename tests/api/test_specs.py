"""What is said of a deployment is refused where it could not be kept to."""

from __future__ import annotations

import pytest

from orion_nb.errors import InvalidInput


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"db": -5}, "slots"),
        ({"db": 2**40}, "slots"),
        ({"": 1}, "concurrency"),
        ({"a\0b": 1}, "concurrency"),
        ({"l" * 256: 1}, "concurrency"),
        ({f"l{n}": 1 for n in range(21)}, "concurrency"),
    ],
)
def test_its_limits_are_checked_as_those_of_a_run_are(deploy, limits, field):
    with pytest.raises(InvalidInput) as caught:
        deploy(concurrency=limits)
    assert caught.value.field == field


def test_it_has_no_more_schedules_than_can_be_looked_at(deploy):
    with pytest.raises(InvalidInput, match=r"schedules: at most 1000, got 1001"):
        deploy(schedules=["15m"] * 1001)


def test_its_environment_is_one_that_a_process_can_be_given(deploy):
    with pytest.raises(InvalidInput, match=r"env: at most 100000 bytes .*, got 100003"):
        deploy(env={"A": "x" * 100_000})
    assert deploy(env={"A": "x" * 99_000})["env"]["A"] == "x" * 99_000
    with pytest.raises(InvalidInput, match=r"env: .*'A' can't be an environment variable"):
        deploy("half", env={"A": "\ud800"})


def test_its_name_is_no_word_of_the_api(orion, deploy):
    with pytest.raises(InvalidInput, match=r"name: 'check' is a word of the API"):
        deploy("check")
    assert orion.list_deployments()["deployments"] == []


@pytest.mark.parametrize(
    "said",
    [
        {"kernel": "python3"},
        {"allow_missing_kernel": True},
        {"allow_untagged": True},
        {"cell_timeout": "1m"},
        {"start_timeout": 5},
        {"output_limit": 1000},
    ],
)
def test_of_a_flow_nothing_is_taken_that_holds_for_cells(orion, tmp_path, said):
    file = tmp_path / "etl.py"
    file.write_text("from orion_nb import flow\n\n@flow\ndef nightly(): ...\n", "utf-8")
    (name,) = said
    with pytest.raises(InvalidInput, match=f"{name}: it holds for notebooks; 'etl' is a flow"):
        orion.create_deployment("etl", f"{file}:nightly", **said)
    orion.create_deployment("etl", f"{file}:nightly", isolated=True, grace=1, retries=1)
    with pytest.raises(InvalidInput, match=name):
        orion.update_deployment("etl", **said)
