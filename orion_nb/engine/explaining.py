"""Why the cache answers a call, or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.engine.caching import Unhashable, changed
from orion_nb.schemas.durations import show
from orion_nb.schemas.runs import short
from orion_nb.schemas.values import frozen

if TYPE_CHECKING:
    from orion_nb.engine.work import Work


@frozen
class CacheExplanation:
    """What the cache says to a call: `hit`, the `key`, and the reasons as sentences.

    `parts` are what the key is made of; `run` is the run whose result would be used.
    """

    hit: bool
    key: str | None
    reasons: tuple[str, ...]
    parts: dict[str, str]
    run: str | None = None

    def __str__(self) -> str:
        return "; ".join((f"{'hit' if self.hit else 'miss'}", *self.reasons))


def explain_cache(task: Work[Any, Any], orion: Orion, args: Any, kwargs: Any) -> CacheExplanation:
    """Whether a call would be answered by the cache; if not, what changed since the last key."""
    if not task.options.cache:
        return CacheExplanation(False, None, ("the task has no cache: say cache=True",), {})
    try:
        made = task.cache_key_of(args, kwargs)
    except Unhashable as why:
        return CacheExplanation(False, None, (f"not cached: {why}",), {})
    found = orion.read_cache(made.key)
    reasons, hit = _judged(task, found)
    if found["run"] is None:
        reasons = _differences(orion, task, made.parts)
    return CacheExplanation(hit, made.key, (*reasons, *made.notes), made.parts, found["run"])


def _judged(task: Work[Any, Any], found: dict[str, Any]) -> tuple[tuple[str, ...], bool]:
    if found["run"] is None:
        return (), False
    age = (clock.now() - found["state"]["timestamp"]) / clock.SECOND
    told = f"computed {show(age)} ago by run {short(found['run'])}"
    expires = task.options.policy.cache_expires
    if task.options.policy.cache_refresh:
        return (told, "computed anew, as asked"), False
    if expires is not None and age > expires:
        return (told, f"expired: it is kept for {show(expires)}"), False
    return (told,), True


def _differences(orion: Orion, task: Work[Any, Any], parts: dict[str, str]) -> tuple[str, ...]:
    keys = orion.cache_keys(task.options.key or task.name)["keys"]
    if not keys:
        return ("nothing was cached for this task yet",)
    closest = min((changed(each["parts"], parts) for each in keys), key=len)
    return tuple(closest) or ("the result of this key is gone",)
