"""Results and inputs of runs: kept, found again, and what went wrong with them.

Values are kept by the process that has them; what the database and the API see of one is a
reference, with a preview.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from orion_nb import clock
from orion_nb.api.proposals import Proposals
from orion_nb.api.routes import route
from orion_nb.errors import Interruption, InvalidInput, ResultUnavailable
from orion_nb.schemas.results import is_key
from orion_nb.schemas.values import evolve, frozen
from orion_nb.store import kept

if TYPE_CHECKING:
    from orion_nb.schemas.results import Reference
    from orion_nb.store.keeper import Keeper

#: Results and inputs of up to so many bytes are kept without being asked to.
SMALL = 1024 * 1024
NOTHING = '{"inline":null}'
_lock = threading.Lock()


@frozen
class Inputs:
    """The arguments of a run, by position and by name.

    `missing` says why one was not kept, by its name or its position (`"0"`); in `args` its place is
    taken by None. `problem` is why they are not whole, if they aren't.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    missing: dict[str, str]
    problem: str | None = None


class ResultRoutes(Proposals):
    """What runs returned and were given."""

    _keeper: Keeper | None = None

    @property
    def keeper(self) -> Keeper:
        """Keeps the values of this process; made when the first is to be kept in a file."""
        if self._keeper is None:
            from orion_nb.store.keeper import Keeper

            with _lock:
                if self._keeper is None:
                    through = (KeyboardInterrupt, Interruption)
                    self._keeper = Keeper(
                        self.settings.home, self.settings.results_url, through=through
                    )
        return self._keeper

    def keep(self, value: Any, limit: int | None = SMALL) -> str:
        """The value is kept, and its reference answered as text; it says why if it was not."""
        kind = type(value)
        if value is None:
            return NOTHING
        if kind is bool:
            return '{"inline":true}' if value else '{"inline":false}'
        if kind is int and -1_000_000_000 < value < 1_000_000_000:
            return f'{{"inline":{value}}}'
        return self.keeper.save(value, limit).to_text()

    def keep_described(self, value: Any, schema: Any = None) -> str:
        """The same, with the JSON Schema of the value, if that is JSON; it says why if not kept.

        With a `schema`, as `described.declared` takes it, what is kept is the value as JSON.

        Raises:
            InvalidInput: the schema is none, or the value doesn't fit it.
        """
        from orion_nb.schemas.described import declared

        if schema is None:
            return with_schema(self.keep(value), value)
        plain, made = declared(schema, value)
        return with_schema(self.keep(plain), plain, made)

    def load(self, text: str | None) -> Any:
        """The value that a reference points to.

        Raises:
            ResultUnavailable: it was not kept, or can't be had now.
            TamperedResult: what is stored is not what was stored; nothing of it was decoded.
        """
        if text == NOTHING:
            return None
        if text is None:
            raise ResultUnavailable("the value was not kept; persist=True keeps it")
        return self.keeper.load(_reference(text))

    def snapshot(self, value: Any) -> Any:
        """The value as it is now, in memory, for `keep_inputs`; nothing is written yet."""
        from orion_nb.store.serializers import serialize

        return serialize(value, SMALL, through=(KeyboardInterrupt, Interruption))

    def keep_inputs(
        self, run_id: str, attempt: int, snapshot: Any, problem: str | None = None
    ) -> None:
        """The arguments of a run are kept, as `snapshot` took them; `problem`: some were not."""
        reference, now = self.keeper.keep(snapshot), clock.now()
        text, problem = reference.to_text(), reference.problem or problem

        def work(tx: Any) -> None:
            kept.put_inputs(tx, run_id, text, attempt, now, problem)

        self.database.write(work)

    def inputs_of(self, run_id: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments that a run was given, by position and by name.

        Raises:
            ResultUnavailable: they were not kept, or not all of them.
        """
        found = self.kept_inputs(run_id)
        if found.problem is not None:
            raise ResultUnavailable(found.problem)
        return found.args, found.kwargs

    def kept_inputs(self, run_id: str) -> Inputs:
        """What was kept of the arguments that a run was given.

        Raises:
            ResultUnavailable: nothing was.
        """
        with self.database.read() as connection:
            return self.inputs_at(kept.inputs_of(connection, self.find(run_id).id))

    def inputs_at(self, reference: str | None) -> Inputs:
        """The arguments that a reference points to.

        Raises:
            ResultUnavailable: they were not kept.
        """
        if reference is None:
            raise ResultUnavailable("the inputs of this run were not kept")
        told = self.load(reference)
        missing = dict(told.get("missing", {}))
        return Inputs(tuple(told["args"]), dict(told["kwargs"]), missing, told.get("problem"))

    @route("GET", "/runs/{run_id}/result", action="read")
    def read_result(self, run_id: str) -> dict[str, Any]:
        """What is known of a run's result: where it is kept and a preview; if it is small, all.

        `schema` is the JSON Schema (2020-12) of a result that is JSON: as its notebook or its flow
        declared it, else as it was read off the value; null if the result is anything else. A small
        result has its `value` here.
        """
        run = self.find(run_id)
        if run.state.result is None:
            return {"run": run.id, "result": None}
        try:
            told = _reference(run.state.result).as_json()
        except InvalidInput:  # whoever proposed it over HTTP keeps results in their own way
            told = {"status": "foreign", "preview": run.state.result[:1000], "schema": None}
        return {"run": run.id, "result": told}

    @route("GET", "/results/{key}", action="read")
    def read_stored_result(self, key: str) -> dict[str, Any]:
        """Where a result is kept that is stored under this key, the SHA-256 of what is stored.

        `serializer` and `size` (bytes) are what its envelope says; its signature is checked by
        whoever loads the value. `status` is `stored`, or `spooled` while it waits to be taken to
        where it belongs.
        """
        if not is_key(key):
            says = f"key: {key!r:.100} is no key of a result (64 hexadecimal digits)"
            raise InvalidInput(says, field="key")
        return {"key": key, **self.keeper.describe(key)}

    @route("GET", "/results/problems", action="read")
    def result_problems(self, limit: int = 100) -> dict[str, Any]:
        """The results and inputs that were not kept, or wait to be taken to where they belong."""
        if not 1 <= limit <= 1000:
            raise InvalidInput(f"limit: {limit} is not between 1 and 1000", field="limit")
        self._forget_delivered()
        with self.database.read() as connection:
            listed = kept.problems(connection, limit)
        return {"problems": [each.as_json() for each in listed]}

    @route("POST", "/results/flush", action="execute")
    def flush_results(self, timeout: float = 60.0) -> dict[str, Any]:
        """What waits in the spool is taken to where it belongs, now; says what is left."""
        done = self.keeper.flush(timeout)
        self._forget_delivered()
        return {"stored": done.stored, "left": done.left}

    def _forget_delivered(self) -> None:
        """What has been taken to its place meanwhile is no problem any more."""
        with self.database.read() as connection:
            listed = kept.problems(connection, 100_000)
        left = {problem.key for problem in self.keeper.problems()} if listed else set()
        for each in listed:
            reference = _reference(each.reference) if each.reference else None
            if reference is not None and reference.key and reference.key not in left:
                self._forget(each)

    def _forget(self, each: kept.Trouble) -> None:
        self.database.write(lambda tx: kept.forget_problem(tx, each.run, each.what))


def with_schema(text: str, value: Any, schema: dict[str, Any] | None = None) -> str:
    """The reference with a schema of its value: this one, or that read off a value that is JSON.

    What is inline needs no other than a declared one: it is read off it whenever it is asked for.
    """
    reference = _reference(text)
    if schema is None and reference.serializer == "json":
        from orion_nb.schemas.described import inferred

        schema = None if reference.inline is not None else inferred(value)
    if schema is None or not reference.is_kept:
        return text
    told = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return evolve(reference, schema=told).to_text()


def with_annotation(text: str, value: Any, annotation: Any) -> str:
    """The reference with the schema of an annotation, if the value fits that; else with its own."""
    from orion_nb.schemas.described import annotated

    reference = _reference(text)
    is_small = reference.inline is not None or (
        reference.serializer == "json" and reference.size <= SMALL
    )
    return with_schema(text, value, annotated(annotation, value) if is_small else None)


def _reference(text: str) -> Reference:
    from orion_nb.schemas.results import Reference

    return Reference.from_text(text)
