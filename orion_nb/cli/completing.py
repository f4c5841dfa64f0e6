"""What the shell offers behind an option: the names there are, of kernels, zones and limits."""

from __future__ import annotations

from collections.abc import Callable

from orion_nb.schemas.deploy_options import Option

Completes = Callable[[str], list[str]]


def of(option: Option) -> Completes | None:
    """What completes the option's value; None leaves it to the shell, which knows files."""
    if option.words:
        return _beginning(lambda: list(option.words))
    if option.completes in ("", "files"):
        return None
    from orion_nb.api.naming import names

    return _beginning(lambda: names(option.completes))


def _beginning(known: Callable[[], list[str]]) -> Completes:
    def complete(incomplete: str) -> list[str]:
        return [each for each in known() if each.lower().startswith(incomplete.lower())]

    return complete
