"""Which runs took inputs from which: upstream, downstream, and the runs within a run."""

from __future__ import annotations

from typing import Any, cast

from orion_nb.api.proposals import Proposals
from orion_nb.api.routes import route
from orion_nb.api.written import Written
from orion_nb.schemas.runs import Run
from orion_nb.store import edges, runs


class LineageRoutes(Proposals):
    """Edges between runs."""

    @route("GET", "/runs/{run_id}/lineage", action="read")
    def lineage(self, run_id: str) -> dict[str, Any]:
        """Whose results went into a run, and where its own went: run by run, with the argument."""
        run = self.find(run_id)
        with self.database.read() as connection:
            connection.execute("BEGIN")
            into = edges.into(connection, run.id)
            out_of = edges.out_of(connection, run.id)
        return {
            "run": run.id,
            "upstream": [each.as_json() for each in into],
            "downstream": [each.as_json() for each in out_of],
        }

    @route("GET", "/runs/{run_id}/graph", action="read")
    def graph(self, run_id: str) -> dict[str, Any]:
        """All runs of the tree that a run belongs to, in brief, and the edges between them.

        `GET /runs/{run_id}` has the rest of what there is to say of one. Of an endless
        flow these are the first 20,000 runs; `left_out` counts the others.
        """
        run = self.find(run_id)
        with self.database.read() as connection:
            written = Written(edges.graph(connection, run.root))
        # A server sends it as it is, and only a server is impatient.
        return cast("dict[str, Any]", written) if self.patience is not None else written.as_json()

    def children(self, run_id: str, root: str) -> list[Run]:
        """The runs that a run has called, in the order of their creation."""
        with self.database.read() as connection:
            where = "WHERE runs.root = ? AND runs.parent = ? ORDER BY runs.id"
            return runs.read_many(connection, where, (bytes.fromhex(root), bytes.fromhex(run_id)))

    def inputs_within(self, run_id: str, root: str) -> dict[str, frozenset[str]]:
        """The runs that each run that a run has called takes inputs from, by its id."""
        with self.database.read() as connection:
            return edges.within(connection, run_id, root)

    def downstream(self, run_id: str) -> set[str]:
        """The ids of all runs that took inputs from a run, or from one that did."""
        with self.database.read() as connection:
            return edges.reached_from(connection, run_id)
