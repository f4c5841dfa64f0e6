"""The rules for flow runs alone, and those that are not asked of them."""

from __future__ import annotations

from orion_nb.rules import FLOW_POLICY, TASK_POLICY, Other
from orion_nb.rules.admission import heed_the_overlap, skip_what_was_missed
from orion_nb.rules.common import COMMON
from orion_nb.schemas.reports import Status
from orion_nb.schemas.states import Completed, Failed, Pending, Running
from tests.rules.asking import NOW, judged


def test_a_flow_has_the_common_rules_and_those_for_deployments():
    assert set(FLOW_POLICY) == {*COMMON, heed_the_overlap, skip_what_was_missed}
    assert set(COMMON) == set(FLOW_POLICY) & set(TASK_POLICY)


def test_a_flow_waits_for_no_upstream_and_is_in_no_cache():
    facts = {
        "upstream": (Other("2", "up", Failed()),),
        "cached": Other("3", "old", Completed(result="{}", timestamp=NOW)),
        "pulled": False,
    }
    report = judged(Pending(), Running(cache_key="key"), kind="flow", **facts)
    assert report.status is Status.ACCEPT


def test_a_flow_goes_back_to_no_upstream():
    told = {"rerun_from": "load", "inside": "0" * 32, "run_count": 1}
    assert judged(Running(), Failed(), kind="flow", **told).state.name == "Failed"
    assert judged(Running(), Failed(), kind="task", **told).state.name == "AwaitingRetry"
