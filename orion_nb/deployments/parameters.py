"""A notebook's parameters; what they are is told in `orion_nb.schemas.parameters`.

They live with the values because the API, a floor below, checks them too.
"""

from __future__ import annotations

from orion_nb.schemas.parameters import Parameter, Parameters, parse_pairs, read_parameters

__all__ = ["Parameter", "Parameters", "parse_pairs", "read_parameters"]
