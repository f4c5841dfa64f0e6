"""Widgets for notebooks: leaves that know JSON and binary frames, and nothing of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orion_nb_widgets.run_card import RunCard

__all__ = ["RunCard"]


def __getattr__(name: str) -> Any:
    """`RunCard` is imported when first asked for, so that this package costs nothing by itself."""
    if name == "RunCard":
        from orion_nb_widgets.run_card import RunCard

        return RunCard
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
