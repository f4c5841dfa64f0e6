"""What a process knows of the runs that it executes: enough to go on with them alone."""

from __future__ import annotations

from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import CANCELLING, PAUSED, RUNNING, State


class OwnRuns:
    """The unfinished runs of this process as they were last known, and the secrets of attempts."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._tokens: dict[str, dict[int, str]] = {}

    def get(self, run_id: str) -> Run | None:
        return self._runs.get(run_id)

    def state_of(self, run_id: str | None) -> State | None:
        """The state of one of them; None if it is none of them."""
        known = self._runs.get(run_id or "")
        return known.state if known else None

    def executing(self) -> list[Run]:
        """Those whose code is being executed, or waits in this process."""
        held = (RUNNING, PAUSED, CANCELLING)
        return [run for run in list(self._runs.values()) if run.state.type in held]

    def token(self, run: Run) -> str | None:
        """The secret of the attempt that the run is in, if that belongs to this process."""
        return run.token or self._tokens.get(run.id, {}).get(run.attempt)

    def expect(self, run: Run, secret: str) -> None:
        """An attempt may be about to begin; its secret is this, though its answer may be lost."""
        self._tokens.setdefault(run.id, {})[run.attempt + 1] = secret

    def note(self, run: Run) -> None:
        """The run is like this now; one that has ended is forgotten."""
        if run.state.is_terminal:
            self._runs.pop(run.id, None)
            self._tokens.pop(run.id, None)
            return
        self._runs[run.id] = run
        if run.token is not None:
            self._tokens[run.id] = {run.attempt: run.token}
