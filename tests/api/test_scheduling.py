"""What is due becomes a run, and one worker gets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from orion_nb.clock import SECOND

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion
    from orion_nb.clock import Frozen


def test_a_run_made_by_a_schedule_is_taken_by_a_worker(
    orion: Orion, other: Orion, clock: Frozen, tmp_path: Path
) -> None:
    notebook = tmp_path / "report.ipynb"
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebook.write_text(json.dumps(empty), encoding="utf-8")
    clock.advance(60)
    due = orion.create_deployment("report", str(notebook), schedules=["15m"])["next_due"]
    assert orion.schedule_due() == []
    clock.advance(16 * 60)
    (made,) = orion.schedule_due()
    assert made.scheduled_time == due
    assert made.scheduled_time % (900 * SECOND) == 0
    assert other.schedule_due() == []
    (taken,) = [*orion.claim(5), *other.claim(5)]
    assert taken.id == made.id
    assert taken.state.name == "Submitting"
