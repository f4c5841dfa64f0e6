"""The rules on results that are known already."""

from __future__ import annotations

from orion_nb.clock import SECOND
from orion_nb.rules.core import Phase, Transition, rule
from orion_nb.schemas.reports import Note, Reject, Verdict, Wait
from orion_nb.schemas.states import PENDING, RUNNING, SCHEDULED, TERMINAL, Cached

LEAVING = [SCHEDULED, PENDING, *TERMINAL]


@rule(Phase.CACHE, leaving=LEAVING, entering=[RUNNING])
def retrieve_from_cache(t: Transition) -> Verdict | None:
    """A task whose result is in the cache does not run: it is Cached, with that result.

    The key has to be the same, and the result not older than the policy allows.
    """
    key, policy = t.proposed.cache_key, t.run.policy
    if key is None:
        return None
    if t.cached is None:
        return Note("nothing in the cache for this key", facts={"key": key})
    age = (t.now - t.cached.state.timestamp) / SECOND
    facts = {"key": key, "run": t.cached.id, "age": age}
    if policy.cache_refresh:
        return Note("computed anew, as asked", facts=facts)
    if t.rerun and t.cached.id == t.run.id:
        return Note("computed anew: it is rerun, and the cache has its own result", facts=facts)
    if policy.cache_expires is not None and age > policy.cache_expires:
        return Note(f"expired: {age:.4g} s old, kept for {policy.cache_expires:g} s", facts=facts)
    found = Cached(t.cached.state.result, cache_key=key)
    return Reject(found, f"computed {age:.3g} s ago by run {t.cached.id[-8:]}", facts)


@rule(Phase.CACHE, leaving=LEAVING, entering=[RUNNING])
def let_one_fill_the_cache(t: Transition) -> Verdict | None:
    """While another run is computing the same result, a task waits for it.

    It does not if it is to compute it anew, nor for the run that it is a part of.
    """
    if t.filling is None or t.proposed.cache_key is None or t.run.policy.cache_refresh:
        return None
    if t.filling.id in (t.run.parent, t.run.root):
        return None
    reason = f"run {t.filling.id[-8:]} is computing the same"
    return Wait(reason, after=1.0, facts={"key": t.proposed.cache_key, "run": t.filling.id})
