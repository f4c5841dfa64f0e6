"""What is kept of an attempt for whoever steps back into it: its inputs, and its frames."""

from __future__ import annotations

import contextlib
from typing import Any

from orion_nb.api.orion import Orion
from orion_nb.engine.options import Options
from orion_nb.errors import OrionError
from orion_nb.schemas.runs import Run
from orion_nb.schemas.values import frozen


@frozen
class Given:
    """The arguments of a call, as they were before its code could change them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def snapshot(self, orion: Orion) -> tuple[Any, str | None]:
        """As `Orion.keep_inputs` takes them; where not all can be kept, those that can, and why."""
        made = orion.snapshot({"args": list(self.args), "kwargs": self.kwargs})
        problem = getattr(made, "reason", None)
        if problem is None:
            return made, None
        missing: dict[str, str] = {}

        def kept(name: str, value: Any) -> Any:
            why = getattr(orion.snapshot(value), "reason", None)
            if why is not None:
                missing[name] = why
            return None if why is not None else value

        args = [kept(str(at), value) for at, value in enumerate(self.args)]
        named = {name: kept(name, value) for name, value in self.kwargs.items()}
        kwargs = {name: value for name, value in named.items() if name not in missing}
        told = {"args": args, "kwargs": kwargs, "missing": missing, "problem": problem}
        return orion.snapshot(told), problem


class Memory:
    """What one attempt was given, from before its code is called, to be kept if it fails."""

    __slots__ = ("_options", "_orion", "_snapshot")

    def __init__(self, orion: Orion, options: Options, given: Given | None) -> None:
        self._orion, self._options = orion, options
        self._snapshot = given.snapshot(orion) if given else None

    def keep_inputs(self, run: Run) -> None:
        """What it was given is kept now; once is enough."""
        if self._snapshot is not None:
            with contextlib.suppress(OrionError):
                self._orion.keep_inputs(run.id, run.attempt, *self._snapshot)
            self._snapshot = None

    def failed(self, run: Run, error: BaseException) -> None:
        """The attempt raised: its inputs are kept, and its frames where that is asked for."""
        if not isinstance(error, Exception):
            return
        self.keep_inputs(run)
        wanted = self._options.frames
        if self._orion.settings.frames if wanted is None else wanted:
            from orion_nb.engine.snapshots import keep_frames

            keep_frames(self._orion, run, error)
