"""`RemoteOrion`: the same API, on a server. Each route's method asks for its route over HTTP."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_type_hints
from urllib.parse import quote, urlencode

from orion_nb import clock
from orion_nb.api import codec, lists
from orion_nb.api.checks import check_ref
from orion_nb.api.from_afar import FromAfar
from orion_nb.api.liveness import First
from orion_nb.api.orion import ROUTES
from orion_nb.api.results import Inputs
from orion_nb.api.routes import Route
from orion_nb.errors import DeploymentUnreadable, InvalidInput, ServerUnreachable
from orion_nb.schemas.cursors import seal
from orion_nb.schemas.filters import show_filter
from orion_nb.schemas.pauses import Pause
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run
from orion_nb.schemas.states import PAUSED
from orion_nb.store.events import ALL, Event, EventFilter
from orion_nb.store.listing import RunFilter

if TYPE_CHECKING:
    from orion_nb.schemas.deployments import Deployment

PAGE = 200
#: How many runs a page has when nobody says.
SHORT = lists.PAGE
#: The events that are read at once to look for runs that were asked to stop.
MANY = 1000


class RemoteOrion(FromAfar):
    """Everything the API can do, on the server that `ORION_NB_API_URL` names.

    It is used as the `Orion` in this process is, by any number of threads. Its runs belong to this
    process; while the server is away they go on, and it is told about them later.
    """

    artifact_room = 640 * 1024  # a request has 1 MiB, and base64 takes a third more

    def find(self, ref: str) -> Run:
        """The run of an id, of at least four last digits of one, or the newest of a name."""
        check_ref("run", ref)
        known = self.own.get(ref)
        if known is not None and (self.outbox.is_about(ref) or self.client.is_away()):
            return known
        try:
            told = self.client.ask("GET", f"/runs/{quote(ref, safe='')}")
        except ServerUnreachable:
            if known is None:
                raise
            return known
        return self.as_own(codec.read_run(told))

    def children(self, run_id: str, root: str) -> list[Run]:
        """The runs that a run has called, in the order of their creation; none if it is away."""
        try:
            return self.list_runs(RunFilter(parent=run_id, root=root), limit=1_000_000)[::-1]
        except ServerUnreachable:
            return []

    def list_runs(self, chosen: RunFilter, limit: int = 50) -> list[Run]:
        """The newest runs that match, as values."""
        names = ("kind", "text", "name", "deployment", "parent", "root", "since")
        told = {name: value for name in names if (value := getattr(chosen, name)) is not None}
        told |= {"states": list(chosen.states) or None, "top_level": chosen.top_level}
        told["q"] = show_filter(chosen.terms) or None
        if chosen.cursor is not None:
            told["cursor"] = seal(bytes.fromhex(chosen.cursor), told)
        found: list[Run] = []
        while len(found) < limit:
            page = self.filter_runs(**{**told, "limit": min(PAGE, limit - len(found))})
            found += [self.as_own(codec.read_run(each)) for each in page["runs"]]
            told["cursor"] = page["cursor"]
            if page["cursor"] is None:
                break
        return found

    def inputs_within(self, run_id: str, root: str) -> dict[str, frozenset[str]]:
        """The runs that each run of a tree takes inputs from, by its id; none if it is away."""
        found: dict[str, set[str]] = {}
        with suppress(ServerUnreachable):
            for edge in self.graph(root)["edges"]:
                found.setdefault(edge["run"], set()).add(edge["upstream"])
        return {run: frozenset(upstream) for run, upstream in found.items()}

    def downstream(self, run_id: str) -> set[str]:
        """The ids of all runs that took inputs from a run, or from one that did."""
        below: dict[str, list[str]] = {}
        for edge in self.graph(run_id)["edges"]:
            below.setdefault(edge["upstream"], []).append(edge["run"])
        reached: set[str] = set()
        following = list(below.get(run_id, ()))
        while following:
            each = following.pop()
            if each not in reached:
                reached.add(each)
                following += below.get(each, ())
        return reached

    def find_deployment(self, ref: str) -> Deployment:
        """The deployment of this name or id."""
        from orion_nb.schemas.deployments import Deployment

        told = self.read_deployment(ref)
        if told["problem"]:
            raise DeploymentUnreadable(f"deployment {ref!r} can't be read: {told['problem']}")
        return Deployment(**{name: told[name] for name in Deployment.model_fields if name in told})

    def last_event(self) -> int:
        """The number of the newest event; 0 while the server is away."""
        try:
            return int(self.health()["last_event"])
        except ServerUnreachable:
            return 0

    def events_after(
        self,
        n: int,
        root: str | None = None,
        limit: int = MANY,
        chosen: EventFilter | None = None,
    ) -> list[Event]:
        """The states entered after event number `n`, oldest first; none while it is away."""
        while True:
            found, seen = self.events_through(n, limit, chosen or EventFilter(root))
            if found or seen <= n:
                return found
            n = seen  # the server looks for so long only

    def events_through(
        self, n: int, limit: int = MANY, chosen: EventFilter = ALL
    ) -> tuple[list[Event], int]:
        """The events after number `n` that the server found, and how far it has looked."""
        asked = {"after": n, "wait": 0, **chosen.as_query()}
        try:
            told = self.client.ask("GET", f"/events?{urlencode(asked)}")
        except ServerUnreachable:
            return [], n
        found = [codec.read_event(each) for each in told["events"]]
        return (found, told["last"]) if len(found) <= limit else (found[:limit], found[limit - 1].n)

    def stopping(self, after: int) -> tuple[list[str], int]:
        """The runs that were asked to stop after event number `after`, and the last number."""
        if after == 0:
            last = self.last_event()
            found = self.list_runs(RunFilter(states=("CANCELLING",)), MANY) if last else []
            return [run.id for run in found], last
        found_events = self.events_after(after)
        last = found_events[-1].n if found_events else after
        return [each.run for each in found_events if each.type == "CANCELLING"], last

    def keep_inputs(
        self, run_id: str, attempt: int, snapshot: Any, problem: str | None = None
    ) -> None:
        """The arguments of a run are kept, as `snapshot` took them; `problem`: some were not."""
        reference = self.keeper.keep(snapshot)
        told = {
            "reference": reference.to_text(), "attempt": attempt,
            "problem": reference.problem or problem,
        }  # fmt: skip
        self.tell(run_id, f"/runs/{run_id}/inputs", told)

    def kept_inputs(self, run_id: str) -> Inputs:
        """What was kept of the arguments that a run was given."""
        return self.inputs_at(self.read_inputs(run_id)["reference"])

    def keep_cache_parts(self, key: str, task: str, parts: dict[str, str]) -> None:
        """What the key was made of is remembered."""
        self.tell(None, "/cache", {"key": key, "task": task, "parts": parts})

    def write_logs(
        self,
        lines: list[dict[str, Any]],
        *,
        over: dict[str, int] | None = None,
        lost: dict[str, int] | None = None,
    ) -> dict[str, Any]:
        """The lines are added to the logs of their runs; later, if the server is away."""
        told = {"lines": lines, "over": over, "lost": lost}
        self.tell(None, "/logs", told)
        return {"stored": len(lines), "over": {}}

    def add_artifact(self, run_id: str, data: dict[str, Any], **told: Any) -> dict[str, Any]:
        """One thing that a run shows is kept with the run; later, if the server is away."""
        self.tell(run_id, f"/runs/{run_id}/artifacts", {"data": data, **told})
        return {}

    def ask_pause(self, pause: Pause) -> None:
        """The run is about to pause, and this is what it asks for."""
        names = ("key", "message", "schema", "until")
        told = {name: getattr(pause, name) for name in names}
        self.tell(pause.run, f"/runs/{pause.run}/pauses", told)

    def find_pause(self, run_id: str, key: str) -> Pause | None:
        """One pause of a run, answered or not; None while the server is away."""
        try:
            listed = self.read_pauses(run_id)["pauses"]
        except ServerUnreachable:
            return None
        return next((Pause(**each) for each in listed if each["key"] == key), None)

    def waiting_pause(self, run: Run) -> Pause | None:
        """The pause that the run asked for and that nobody has answered; None if there is none."""
        if run.state.type is not PAUSED:
            return None
        listed = [Pause(**each) for each in self.read_pauses(run.id)["pauses"]]
        return next((each for each in reversed(listed) if each.resumed is None), None)

    def executed_notebook(self, run_id: str) -> dict[str, Any]:
        """The executed notebook of a run in nbformat 4, as far as it came."""
        told: dict[str, Any] = self.client.ask("GET", f"/runs/{quote(run_id, safe='')}/notebook")
        return told

    def attendants(self) -> list[dict[str, Any]]:
        """The servers and workers that the server knows to be alive."""
        names, now = ("process", "host", "pid"), clock.now()
        found = {tuple(each[name] for name in names) for each in self.health()["services"]}
        return [{**dict(zip(names, each, strict=True)), "heard": now} for each in sorted(found)]

    def reap(
        self,
        why: str = "",
        *,
        runners: bool = True,
        spare: Collection[int] = (),
        first: First = lambda run, end: None,
    ) -> list[Run]:
        """Nothing: the server looks after runs whose process is gone."""
        return []


def _remote(route: Route) -> Callable[..., Any]:
    """The method of a route, as the server answers it."""
    signature = inspect.signature(route.function)
    returns = get_type_hints(route.function).get("return")
    decode: Callable[[Any], Any] | None = _DECODE.get(returns)

    @functools.wraps(route.function)
    def method(self: RemoteOrion, *args: Any, **kwargs: Any) -> Any:
        given = dict(signature.bind(self, *args, **kwargs).arguments)
        given.pop("self")
        path, query, body = _placed(route, given)
        key = os.urandom(16).hex() if route.action != "read" else None
        told = self.client.ask(route.method, path + query, body, key=key)
        return decode(told) if decode else told

    return method


def _followed(ask: Callable[..., Any], of: str) -> Callable[..., Any]:
    """Asks until the page is full or there is no more: a server looks for so long, and answers.

    It may find nothing in that time although there is something; its cursor leads on.
    """

    @functools.wraps(ask)
    def method(self: RemoteOrion, *args: Any, **asked: Any) -> Any:
        page = ask(self, *args, **asked)
        found = page[of]
        limit = asked.get("limit", SHORT)
        while page["cursor"] is not None and len(found) < limit:
            on = {"cursor": page["cursor"], "limit": limit - len(found)}
            page = ask(self, *args, **{**asked, **on})
            found += page[of]
        return {**page, of: found}

    return method


def _placed(route: Route, given: dict[str, Any]) -> tuple[str, str, dict[str, Any] | None]:
    """The path, the query and the body of a request with these arguments."""
    path, query = route.path, {}
    nulls = {each.name for each in route.parameters if each.default is ...}
    body: dict[str, Any] | None = None if route.method in ("GET", "DELETE") else {}
    for name, value in given.items():
        place = route.place(name)
        if place == "path":
            if not isinstance(value, str) or not value:
                raise InvalidInput(f"{name}: expected a text, got {value!r}", field=name)
            path = path.replace("{" + name + "}", quote(value, safe=""))
        elif value is None and name not in nulls:
            continue
        elif place == "query" or body is None:
            query[name] = str(value).lower() if isinstance(value, bool) else str(value)
        else:
            alone = name in _SEVERAL and isinstance(value, str | Mapping)
            body[name] = [value] if alone else value
    return path, f"?{urlencode(query)}" if query else "", body


#: Fields of which one alone may be given, as it may in this process.
_SEVERAL = frozenset({"schedules", "states", "tags"})
_DECODE: dict[Any, Callable[[Any], Any]] = {Run: codec.read_run, Report: codec.read_report}

#: Lists that a server may cut short, and what they are lists of.
_CUT_SHORT = {"filter_runs": "runs", "find_runs": "runs"}

for _route in ROUTES:
    if _route.name not in vars(RemoteOrion):
        _method = _remote(_route)
        if _route.name in _CUT_SHORT:
            _method = _followed(_method, _CUT_SHORT[_route.name])
        setattr(RemoteOrion, _route.name, _method)
