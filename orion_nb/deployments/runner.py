"""The process that executes one run: `python -m orion_nb.deployments.runner RUN`.

It proposes Running, executes the notebook and proposes how it ended; the rules answer.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orion_nb import clock
from orion_nb.api.connect import connect
from orion_nb.api.orion import Orion
from orion_nb.deployments.adhoc import Interrupted, Outcome, run_notebook, run_notebook_async
from orion_nb.deployments.endings import Ending
from orion_nb.deployments.files import Spec, run_folder
from orion_nb.errors import Conflict, OrionError, StoreUnavailable
from orion_nb.schemas.reports import Report, Status
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import RUNNING, SCHEDULED, Running
from orion_nb.secrets import redacted, watch_all

if TYPE_CHECKING:
    from orion_nb.deployments.attempt import Attempt
    from orion_nb.deployments.standby import Standby

__all__ = ["Interrupted", "Outcome", "Runner", "main", "run_notebook", "run_notebook_async"]

#: Where a notebook or a flow asks for a secret by name.
SECRETS = re.compile(r"secret\(\s*\\?[\"']([A-Za-z_][A-Za-z0-9_.-]{0,99})\\?[\"']")

log = logging.getLogger(__name__)

#: While it waits for a run's time, a runner looks this often whether the run was cancelled.
LOOK = 0.25
#: Seconds between attempts to write the final state into a database that can't be written.
PATIENCE = (0.5, 2.0, 10.0, 30.0, 60.0)


class Runner:
    """Executes one run, attempt after attempt as long as the rules say so."""

    def __init__(self, orion: Orion, run_id: str, standby: Standby | None = None) -> None:
        self.orion = orion
        self.run_id = run_id
        self.standby = standby

    def run(self) -> None:
        """The run is executed, or found to be none of our business, when this returns.

        A deployed run that is to be retried is left to the workers; any other is retried here.
        """
        while (begun := self._begin()) is not None:
            run, report = begun
            spec = Spec.read(run_folder(self.orion.settings, run.id))
            watch_secrets(spec, run, self.orion.settings.home)
            attempt = self._attempt(run, report, spec)
            try:
                after = self._play(run, attempt)
            finally:
                attempt.close()
            if after is None or after.state.type is not SCHEDULED or after.deployment:
                return

    def _play(self, run: Run, attempt: Attempt) -> Run | None:
        """The run after this attempt; None if it is not ours any more."""
        ending = _redacted(asyncio.run(attempt.play()))
        log.info("run %s, attempt %d: %s", run.id, run.attempt, ending.state)
        ended = self._end(run, ending) if attempt.ours else None
        if ended is None:
            return None
        attempt.tell(*ended)
        return ended[0]

    def _attempt(self, run: Run, report: Report, spec: Spec) -> Attempt:
        # A tenth of a second of imports that the run needs not wait for to be Running.
        if spec.flow is not None:
            from orion_nb.deployments.flows import FlowAttempt

            return FlowAttempt(self.orion, run, spec, self.standby, began=report)
        from orion_nb.deployments.attempt import Attempt

        return Attempt(self.orion, run, spec, self.standby)

    def _begin(self) -> tuple[Run, Report] | None:
        """The run, RUNNING and ours; None if it is somebody else's, or not to be run."""
        while True:
            run = self.orion.find(self.run_id)
            if (left := _seconds_left(run)) > 0:
                time.sleep(min(left, LOOK))
                continue
            try:
                after, report = self.orion.judge(
                    run.id, Running(), claims=run.attempt, session=self.orion.session
                )
            except Conflict as error:
                log.info("run %s: %s", run.id, error)
                return None
            if report.status is Status.WAIT:
                time.sleep(max(report.retry_after or 0.0, LOOK))
            elif after.attempt == run.attempt + 1 and after.state.type is RUNNING:
                return after, report
            else:
                log.info("run %s: %s (%s)", run.id, after.state, report.reason)
                return None

    def _end(self, run: Run, ending: Ending) -> tuple[Run, Report] | None:
        """The run after its end was proposed; None if another attempt owns it by now."""
        for pause in (*PATIENCE, None):
            try:
                after, report = self.orion.advance(run, ending.state, retriable=ending.retriable)
            except Conflict as error:
                log.warning("run %s: %s", run.id, error)
                return None
            except StoreUnavailable:
                if pause is None:
                    raise
                log.warning("run %s: trying again in %g s", run.id, pause, exc_info=True)
                time.sleep(pause)
            else:
                if report.status is not Status.WAIT or pause is None:
                    log.info("run %s: %s (%s)", run.id, after.state, report.reason or "accepted")
                    return after, report
                time.sleep(report.retry_after or LOOK)
        raise AssertionError("unreachable: the last round returns or raises")


def watch_secrets(spec: Spec, run: Run, home: Path) -> None:
    """What this run could show of secrets is blotted out: of all kept here, and those it names."""
    named: list[str] = []
    with suppress(OSError, OrionError):
        text = Path(spec.text or spec.path).read_bytes()
        named += SECRETS.findall(text.decode(errors="replace"))
        if run.parameters and b"Secret" in text:
            from orion_nb.api.sources import inspect
            from orion_nb.schemas.literals import SecretName

            taken = inspect(spec.path, spec.flow, text=text).parameters.validate(run.parameters)
            named += [value for value in taken.values() if isinstance(value, SecretName)]
    watch_all(home, named)


def _redacted(ending: Ending) -> Ending:
    state = ending.state
    if not state.message:
        return ending
    return replace(ending, state=replace(state, message=redacted(state.message)))


def _seconds_left(run: Run) -> float:
    """Until the time of a scheduled run; it is not asked for before, each answer would be kept."""
    if run.state.type is not SCHEDULED or run.state.scheduled_time is None:
        return 0.0
    return (run.state.scheduled_time - clock.now()) / clock.SECOND


def forgo_grammar() -> None:
    """From now on nbformat is imported in a fraction of the time.

    Its check of notebooks imports a grammar of internationalised URLs that takes two seconds to
    build and is never asked for here; with None in its place it is not imported.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def main(arguments: list[str], standby: Standby | None = None) -> int:
    """The exit code is 0 when the run was dealt with, however it ended."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    forgo_grammar()
    (run_id,) = arguments
    try:
        orion = connect(label=f"runner of {run_id}")
        try:
            Runner(orion, run_id, standby).run()
        finally:
            orion.close()
    finally:
        if standby is not None:
            standby.drop()  # the run was none of ours, or needed another kernel
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
