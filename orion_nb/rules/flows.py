"""The rules for flow runs: FLOW_POLICY. An executed notebook is a flow run."""

from __future__ import annotations

from orion_nb.rules.admission import heed_the_overlap, skip_what_was_missed
from orion_nb.rules.common import COMMON
from orion_nb.rules.core import Policy

FLOW_POLICY: Policy = (*COMMON, heed_the_overlap, skip_what_was_missed)
