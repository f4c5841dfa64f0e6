"""The rules on transitions between states: pure functions, one policy of them per kind of run."""

from __future__ import annotations

from orion_nb.rules.core import (
    Other,
    Phase,
    Place,
    Policy,
    Rule,
    Transition,
    enters,
    evaluate,
    rule,
)
from orion_nb.rules.flows import FLOW_POLICY
from orion_nb.rules.tasks import TASK_POLICY
from orion_nb.schemas.reports import Abort, Note, Reject, Verdict, Wait
from orion_nb.schemas.runs import Kind

POLICIES: dict[Kind, Policy] = {"flow": FLOW_POLICY, "task": TASK_POLICY}

#: What each rule says of itself, by name; the last is no rule but a person's hand.
SAYS: dict[str, str] = {r.name: r.says for policy in POLICIES.values() for r in policy}
SAYS["set_by_hand"] = "The state was set by force; no rule was asked."
#: The names of those; what else SAYS gets to know are rules of the user's own.
BUILT_IN = frozenset(SAYS)

__all__ = [
    "BUILT_IN",
    "FLOW_POLICY",
    "POLICIES",
    "SAYS",
    "TASK_POLICY",
    "Abort",
    "Note",
    "Other",
    "Phase",
    "Place",
    "Policy",
    "Reject",
    "Rule",
    "Transition",
    "Verdict",
    "Wait",
    "enters",
    "evaluate",
    "rule",
]
