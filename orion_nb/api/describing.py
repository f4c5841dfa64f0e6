"""What can be said of a deployment, told to whoever makes a form of it: pages, other front ends."""

from __future__ import annotations

from typing import Any

from orion_nb.api import kernels
from orion_nb.api.core import Core
from orion_nb.api.routes import route
from orion_nb.store import limits

#: So many limits are named; a person types the others.
MOST_NAMED = 200


class DescribingRoutes(Core):
    """The options of `orion-nb deploy`, as data."""

    @route("GET", "/deployment-options", action="read")
    def deployment_options(self) -> dict[str, Any]:
        """What can be said of a deployment: the options of the command line, each with its field.

        `takes` says how a value is written: `flag`, `word` (one of `words`), `duration`, `whole`,
        `number`, `text`, `list`, `pairs` (NAME=VALUE) or `limits` (NAME or NAME=N). `names` says
        what the values are names of; those there are, of `kernels`, `zones` and `limits`, stand
        beside the options.
        """
        from zoneinfo import available_timezones

        from orion_nb.schemas.deploy_options import described

        with self.database.read() as connection:
            found = limits.read_page(connection, "", MOST_NAMED)
        return {
            "options": described(),
            "names": {
                "kernels": kernels.names(),
                "zones": sorted(available_timezones()),
                "limits": [each.name for each in found],
            },
        }
