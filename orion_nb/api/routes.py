"""`@route`: a method of Orion is a route; all else is read off its signature.

The HTTP handler, the OpenAPI document and the reference are made from these routes. Names in the
path's braces are path parameters; of the others, those in `query` (all of them for GET and DELETE)
come from the query string and the rest are fields of a JSON object in the body.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_type_hints

from orion_nb.schemas.values import frozen

Action = Literal["read", "write", "execute"]
Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]
F = TypeVar("F", bound=Callable[..., Any])


@frozen
class Route:
    """One route: how it is called over HTTP, and the method of Orion that answers it.

    `action` is what Jupyter's authorizer is asked for: `execute` for all that makes code run.
    """

    method: Method
    path: str
    name: str
    function: Callable[..., Any]
    action: Action
    status: int = 200
    query: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    @property
    def parameters(self) -> list[inspect.Parameter]:
        """The method's parameters, without `self`, annotations resolved."""
        signature = inspect.signature(self.function, eval_str=True)
        return list(signature.parameters.values())[1:]

    @property
    def hides(self) -> bool:
        """A parameter is a secret: nothing of the request is kept, not even a digest."""
        return any("hidden" in _metadata(each) for each in self.parameters)

    def place(self, parameter: str) -> Literal["path", "query", "body"]:
        """Where a parameter comes from."""
        if "{" + parameter + "}" in self.path:
            return "path"
        in_query = parameter in self.query or self.method in ("GET", "DELETE")
        return "query" if in_query else "body"


def route(
    method: Method,
    path: str,
    *,
    action: Action,
    status: int = 200,
    query: tuple[str, ...] = (),
) -> Callable[[F], F]:
    """The decorated method answers this route."""

    def mark(function: F) -> F:
        made = Route(method, path, function.__name__, function, action, status, query)
        function.__orion_route__ = made  # type: ignore[attr-defined]
        return function

    return mark


def _metadata(parameter: inspect.Parameter) -> tuple[Any, ...]:
    return getattr(parameter.annotation, "__metadata__", ())


def taking(fields: type, *, unless_given: Any = None) -> Callable[[F], F]:
    """A method that ends in `**fields: Unpack[...]` says in its signature what those are.

    `fields` is the TypedDict. What is not given stays out of them; `unless_given` is what the
    signature shows as the default: None, or `...` where None is a value too.
    """

    def mark(function: F) -> F:
        named = inspect.signature(function, eval_str=True)
        own = [each for each in named.parameters.values() if each.kind is not each.VAR_KEYWORD]
        hints = get_type_hints(fields, include_extras=True).items()
        only = inspect.Parameter.KEYWORD_ONLY
        more = [
            inspect.Parameter(name, only, default=unless_given, annotation=hint)
            for name, hint in hints
        ]
        function.__signature__ = named.replace(  # type: ignore[attr-defined]
            parameters=[*own, *more]
        )
        return function

    return mark


def routes_of(cls: type) -> list[Route]:
    """All routes of a class, sorted by path and method."""
    members = (getattr(cls, name) for name in dir(cls))
    found = [m.__orion_route__ for m in members if hasattr(m, "__orion_route__")]
    return sorted(found, key=lambda route: (route.path, route.method))
