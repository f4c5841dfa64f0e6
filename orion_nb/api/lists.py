"""Lists of runs over the API: pages, counts and history of those that fit a filter."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, TypedDict, Unpack

from orion_nb import clock
from orion_nb.api.checks import check_moment, check_text
from orion_nb.api.proposals import Proposals
from orion_nb.api.routes import route, taking
from orion_nb.errors import DeploymentNotFound, InvalidInput
from orion_nb.schemas import cursors, durations
from orion_nb.schemas.filter_values import STATES, Value
from orion_nb.schemas.filters import Term, parse_filter
from orion_nb.schemas.likeness import closest
from orion_nb.schemas.runs import Kind, Run, is_id
from orion_nb.schemas.states import StateType
from orion_nb.store import listing
from orion_nb.store.listing import RunFilter

#: A moment: microseconds since the epoch, UTC; over HTTP ISO 8601 with an offset is read as well.
Moment = Annotated[int, "moment"]
PAGE = 50
LONGEST_PAGE = 200
BUCKETS = 60
MOST_BUCKETS = 1000


class Chosen(TypedDict, total=False):
    """What runs are chosen by; all that is given has to hold."""

    q: str | None
    kind: Kind | None
    states: list[str] | None
    text: str | None
    name: str | None
    deployment: str | None
    parent: str | None
    root: str | None
    since: Moment | None


class ListRoutes(Proposals):
    """Which runs there are."""

    @route("GET", "/runs", action="read")
    def find_runs(
        self, q: str | None = None, *, limit: int = PAGE, cursor: str | None = None
    ) -> dict[str, Any]:
        """The runs that match a filter as people type it, newest first, a page at a time.

        `q` is like `state:failed tag:db since:24h dur>5m "two words"`; the guide to the REST API
        has all of its words. `limit` is 1 to 200; `cursor` asks for the page behind the one it
        came with.
        """
        return self.filter_runs(q=q, limit=limit, cursor=cursor)

    @route("POST", "/runs/filter", action="read")
    @taking(Chosen)
    def filter_runs(
        self,
        *,
        top_level: bool = False,
        limit: int = PAGE,
        cursor: str | None = None,
        **chosen: Unpack[Chosen],
    ) -> dict[str, Any]:
        """The runs that match, newest first, a page at a time; `cursor` asks for the next page.

        All that is given has to hold. `q` is a filter as people type it:
        `state:failed tag:db since:24h dur>5m`. `limit` is 1 to 200. A server looks for a fraction
        of a second: a page may have fewer runs, or none, and a cursor from which it looks on.
        """
        asked = {**dict.fromkeys(Chosen.__annotations__), **chosen, "top_level": top_level}
        check_limit(limit, LONGEST_PAGE)
        wanted = self._filter(top_level=top_level, **chosen)
        if cursor is not None:
            wanted = replace(wanted, cursor=cursors.unseal(cursor, asked).hex())
        with self.database.read() as connection:
            found, rest = listing.some(connection, wanted, limit + 1, clock.now(), self.patience)
        last = found[limit - 1].id if len(found) > limit else rest
        more = None if last is None else cursors.seal(bytes.fromhex(last), asked)
        return {"runs": [run.as_json() for run in found[:limit]], "cursor": more}

    @route("POST", "/runs/count-by", action="read")
    @taking(Chosen)
    def count_runs(
        self,
        *,
        by: listing.By = "state",
        top_level: bool = False,
        **chosen: Unpack[Chosen],
    ) -> dict[str, Any]:
        """How many runs match, by state type or by something else of theirs.

        Scheduled runs that are late are counted as Late. By `deployment` the keys are ids, and
        `""` for runs of none; a run counts for each of its tags. The 1,000 largest are told.

        A server counts for a fraction of a second, the newest runs first: if it was not through
        with them, `complete` is false, and `since` is when the oldest was made that it counted.
        """
        wanted = self._filter(top_level=top_level, **chosen)
        with self.database.read() as connection:
            told, rest = listing.counted(connection, wanted, clock.now(), by, self.patience)
        return {"counts": told, **_through(rest)}

    @route("POST", "/runs/history", action="read")
    def run_history(
        self,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        step: float | str | None = None,
        q: str | None = None,
        kind: Kind | None = None,
        deployment: str | None = None,
        top_level: bool = False,
    ) -> dict[str, Any]:
        """How many of the runs that match were made in each stretch of time, by state type now.

        `since` (default: a day before `until`) to before `until` (default: now) is cut into
        stretches of `step`, a duration such as `15m` (default: a 60th of it), of which there may
        be 1,000; the last may be shorter. Each tells its `start` and `end`, `counts` by state
        type, and `total_time`, the microseconds that its runs have run for. `complete` is false
        if a server was not through with them in time: what is older than `counted_since` is not in.
        """
        end = clock.now() if until is None else until
        begin = max(0, end - 24 * 3600 * clock.SECOND) if since is None else since
        check_moment("since", begin)
        check_moment("until", end)
        if begin >= end:
            raise InvalidInput(f"since: {begin} is not before {end}, which is until", field="since")
        width = -(-(end - begin) // BUCKETS)
        if step is not None:
            width = durations.micros(step, field="step")
        if not width > 0 or (end - begin) / width > MOST_BUCKETS:
            says = f"step: {step!r} would make more than {MOST_BUCKETS} stretches of time"
            raise InvalidInput(says, field="step")
        chosen = self._filter(q=q, kind=kind, deployment=deployment, top_level=top_level)
        with self.database.read() as connection:
            told, rest = listing.history(
                connection, chosen, clock.now(), begin, end, width, self.patience
            )
        span = {"since": begin, "until": end, "step": width / clock.SECOND}
        return {**span, "buckets": told, **_through(rest, "counted_since")}

    def list_runs(self, chosen: RunFilter, limit: int = PAGE) -> list[Run]:
        """The newest runs that match, as values."""
        with self.database.read() as connection:
            return listing.page(connection, chosen, limit, clock.now())

    def deployment_id(self, ref: str) -> str:
        """The id of a deployment, by name or id; an id of one that is gone is taken as it is."""
        with self.database.read() as connection:
            found = listing.deployment_named(connection, ref)
        if found is None:
            if is_id(ref):
                return ref
            raise DeploymentNotFound(f"no deployment {ref!r}; `orion-nb deployments ls` lists them")
        return found

    def _filter(self, *, top_level: bool = False, **chosen: Unpack[Chosen]) -> RunFilter:
        check_moment("since", chosen.get("since"))
        if text := chosen.get("text"):
            check_text("text", text)
        deployment, parent, root = (
            chosen.get("deployment"),
            chosen.get("parent"),
            chosen.get("root"),
        )
        states = chosen.get("states") or ()
        return RunFilter(
            kind=chosen.get("kind"),
            states=tuple(map(_state_word, (states,) if isinstance(states, str) else states)),
            text=text,
            name=chosen.get("name"),
            deployment=None if deployment is None else self.deployment_id(deployment),
            parent=self.find(parent).id if parent else None,
            root=self.find(root).id if root else None,
            top_level=top_level,
            since=chosen.get("since"),
            terms=tuple(
                self._known(term) for term in parse_filter(chosen.get("q") or "", clock.now())
            ),
        )

    def _known(self, term: Term) -> Term:
        """The term with what it names looked up."""
        if term.key in ("root", "parent"):
            return replace(term, values=tuple(Value(self.find(v.text).id) for v in term.values))
        if term.key == "deployment":
            for value in term.values:
                if not value.wild:
                    self._check_deployment(value.text, term)
        return term

    def _check_deployment(self, name: str, term: Term) -> None:
        with self.database.read() as connection:
            known = listing.deployment_names(connection)
        if is_id(name) or name.lower() in (each.lower() for each in known):
            return
        close = closest(name, known)
        hint = f"; did you mean {close!r}?" if close else "; `orion-nb deployments ls` lists them"
        says = f"q: '{term}' (character {term.at + 1}): no deployment {name!r}{hint}"
        raise InvalidInput(says, field="q")


def _through(rest: str | None, since: str = "since") -> dict[str, Any]:
    """Whether all runs were looked at; if not, when the oldest was made that was."""
    if rest is None:
        return {"complete": True, since: None}
    return {"complete": False, since: int(rest[:12], 16) * 1000}


def check_limit(limit: int, most: int) -> None:
    """A page has so many entries at most, and one at least."""
    if not 1 <= limit <= most:
        raise InvalidInput(f"limit: {limit} is not between 1 and {most}", field="limit")


def _state_word(word: str) -> str:
    # "Running" is both a name and, in capitals, the type: the name in capitals means the type.
    check_text("states", word)
    if word in set(StateType):
        return word
    try:
        return STATES[word.lower()]
    except KeyError:
        import difflib

        known = ", ".join(sorted({*STATES.values()}))
        close = difflib.get_close_matches(word.lower(), STATES, 1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        says = f"states: {word!r} is no state{hint}; there are {known}"
        raise InvalidInput(says, field="states") from None
