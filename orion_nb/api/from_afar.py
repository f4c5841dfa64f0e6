"""How a process proposes states to an API on a server, and goes on while that is away."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from orion_nb import clock
from orion_nb.api import codec, locally
from orion_nb.api.client import Client, error_of
from orion_nb.api.delivery import MOST
from orion_nb.api.orion import Orion
from orion_nb.api.outbox import Outbox
from orion_nb.api.sessions import as_told
from orion_nb.api.together import Together
from orion_nb.api.watcher import Watcher
from orion_nb.errors import InvalidInput, OrionError, ServerUnreachable, StoreUnavailable
from orion_nb.rules import POLICIES
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run, new_id
from orion_nb.schemas.states import Running, State
from orion_nb.schemas.values import evolve
from orion_nb.settings import Settings
from orion_nb.store import sessions

Told = dict[str, Any]
Judged = tuple[Run, Report | None]


class Proposal(NamedTuple):
    """A proposal for a run: as the server is told it, and how it is judged without the server."""

    run: Run
    told: Told
    alone: Callable[[], Judged]


class FromAfar(Orion):
    """The write path to a server: proposals in batches, and an outbox for when it is away."""

    def __init__(self, settings: Settings, label: str | None = None) -> None:
        # No database is opened, which is what the classes above would do.
        self.settings = settings
        self.label = label
        self.policies = dict(POLICIES)
        self.client = Client(settings.api_url or "", settings.api_token)
        self.outbox = Outbox(self.client, settings.home / "outbox", self._sender)
        self._watcher = Watcher(self.client)
        self._together: Together[list[Told], list[Told]] = Together(self._send, MOST)
        self._session_lock = threading.Lock()
        self._own: sessions.Session | None = None
        self._runs: dict[str, Run] = {}
        self._tokens: dict[str, dict[int, str]] = {}
        self._closed = False
        _open.add(self)

    def __getattr__(self, name: str) -> Any:
        if name == "database":
            says = "ORION_NB_API_URL: this needs the database itself; unset the variable for it"
            raise InvalidInput(says, field="ORION_NB_API_URL")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def is_closed(self) -> bool:
        """It can't be used any more."""
        return self._closed

    @property
    def session(self) -> str:
        """The id of this process's session; the server is told of it with the first proposal."""
        return str(self._sender()["id"])

    def close(self) -> None:
        """What waits is delivered, if that can be soon; the session ends. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        _open.discard(self)
        self._watcher.stop()
        self.outbox.close()
        if self._own is not None and not self.client.is_away():
            try:
                path = f"/sessions/{self._own.id}/end"
                self.client.ask("POST", path, {}, patience=sessions.BEAT)
            except OrionError:
                pass  # the server will see that this process is gone
        self.client.close()

    def version_seen(self) -> tuple[int, int] | None:
        """A value that is another one after somebody has committed a state."""
        return self._watcher.version()

    def begin(
        self,
        run: Run,
        proposed: State | None = None,
        upstream: Sequence[tuple[str, str]] = (),
        *,
        owned: bool = True,
        pulled: bool | None = None,
    ) -> Judged:
        """A new run is written, and `proposed` is put to the rules; see `Proposals.begin`."""
        return self._put(self._beginning_of(run, proposed, upstream, owned, pulled))[0]

    def advance(
        self,
        run: Run,
        proposed: State,
        *,
        retriable: bool = True,
        rerun: bool = False,
        pulled: bool | None = None,
    ) -> tuple[Run, Report]:
        """The owner of a run proposes its next state; see `Proposals.advance`.

        Raises:
            Fenced: another attempt owns the run now.
        """
        claim = {"retriable": retriable, "rerun": rerun, "pulled": pulled}
        return _reported(self._put(self._advance_of(run, proposed, claim))[0])

    def advance_and_begin(
        self,
        run: Run,
        proposed: State,
        following: Run,
        upstream: Sequence[tuple[str, str]],
        *,
        retriable: bool = True,
    ) -> tuple[tuple[Run, Report], Judged]:
        """`advance` of one run and `begin` of the one that follows it, at once."""
        begins = self._beginning_of(following, Running(), upstream)
        begins.told["joined"] = True
        ended, began = self._put(self._advance_of(run, proposed, {"retriable": retriable}), begins)
        return _reported(ended), began

    def judge(
        self,
        run_id: str,
        proposed: State,
        *,
        claims: int | None = None,
        token: str | None = None,
        transition_id: str | None = None,
        retriable: bool = True,
        expected_seq: int | None = None,
        session: str | None = None,
        rerun: bool = False,
        also: Callable[[Any], None] | None = None,
    ) -> tuple[Run, Report]:
        """Anybody proposes a state for the run of this id; see `Proposals.judge`."""
        assert also is None, "only the process that has the database can join a transaction"
        told = _told("advance", proposed) | {
            "run": run_id, "attempt": claims, "token": token, "retriable": retriable,
            "rerun": rerun, "seq": expected_seq, "owned": session is not None,
        }  # fmt: skip
        if transition_id is not None:
            told["transition_id"] = transition_id
        answer = self._together.do([told])[0]
        run = self.find(run_id)
        after, report = self._answered(run, told, answer)
        assert report is not None
        return after, report

    def foresee(
        self, run_id: str, proposed: State, *, transition_id: str | None = None, **claim: Any
    ) -> Report:
        """The same judgement as `judge`, and nothing is written nor handed out."""
        known = self.own_run(run_id)
        told = {
            "op": "foresee", "run": run_id, "state": codec.of_state(proposed),
            "transition_id": transition_id, "attempt": claim.get("claims"),
            **{name: value for name, value in claim.items() if name != "claims"},
        }  # fmt: skip
        if known is None or not self.outbox.is_open:
            try:
                return self._read(known or self.find(run_id), self._together.do([told])[0])
            except (ServerUnreachable, StoreUnavailable) as error:
                if known is None:
                    raise
                self.outbox.open(error)
        claim.pop("token", None)
        return self._judge_here(known, proposed, told, **claim)[1]

    def own_run(self, run_id: str) -> Run | None:
        """A run of this process that has not ended, as it was last known here."""
        return self._runs.get(run_id)

    def as_own(self, run: Run) -> Run:
        """The run with the secret of its attempt, if that belongs to this process."""
        token = self._tokens.get(run.id, {}).get(run.attempt)
        return run if token is None else evolve(run, token=token, session=self.session)

    def tell(self, run: str | None, path: str, body: Told) -> None:
        """Something is told of a run that needs no answer; later, if the server is away."""
        key = os.urandom(16).hex()
        told = {"method": "POST", "path": path, "body": body, "key": key}
        while True:
            if not self.outbox.is_open:
                try:
                    self.client.ask("POST", path, body, key=key)
                except (ServerUnreachable, StoreUnavailable) as error:
                    self.outbox.open(error)
                else:
                    return
            if self.outbox.put(run, told):
                return

    def _beginning_of(
        self,
        run: Run,
        proposed: State | None,
        upstream: Sequence[tuple[str, str]],
        owned: bool = True,
        pulled: bool | None = None,
    ) -> Proposal:
        told = _told("begin", proposed) | {
            "run": codec.of_born(run), "upstream": [list(each) for each in upstream],
            "owned": owned, "pulled": pulled,
        }  # fmt: skip

        def alone() -> Judged:
            made = locally.begin(run, self.session if proposed is not None and owned else None)
            if proposed is None:
                return made, None
            return self._judge_here(made, proposed, told, claims=0, pulled=pulled)

        return Proposal(run, told, alone)

    def _advance_of(self, run: Run, proposed: State, claim: dict[str, Any]) -> Proposal:
        token = run.token or self._tokens.get(run.id, {}).get(run.attempt)
        told = _told("advance", proposed) | {
            "run": run.id, "attempt": run.attempt, "token": token, **claim,
        }  # fmt: skip

        def alone() -> Judged:
            known = evolve(run, token=token)
            return self._judge_here(known, proposed, told, claims=run.attempt, **claim)

        return Proposal(run, told, alone)

    def _put(self, *proposals: Proposal) -> list[Judged]:
        """The server judges them; if it is away they are judged here, and told to it later.

        After an interrupt they may have been judged: then the secret is that of the attempt.
        """
        self.outbox.work()
        for each in proposals:
            self._tokens.setdefault(each.run.id, {})[each.run.attempt + 1] = each.told["secret"]
        if not self.outbox.is_open:
            try:
                answers = self._together.do([each.told for each in proposals])
            except (ServerUnreachable, StoreUnavailable) as error:
                self.outbox.open(error)
            else:
                answered = zip(proposals, answers, strict=True)
                return [self._note(*self._answered(p.run, p.told, told)) for p, told in answered]
        return [self._put_away(each) for each in proposals]

    def _put_away(self, proposal: Proposal) -> Judged:
        """It is judged here; by the server after all, if that is back before it was kept."""
        run, report = proposal.alone()
        if run.state is proposal.run.state:
            return self._note(run, report)  # nothing was entered, and so there is nothing to tell
        if self.outbox.put(run.id, _late(proposal.told, run, report)):
            return self._note(run, report)
        return self._put(proposal)[0]

    def _judge_here(
        self, run: Run, proposed: State, told: Told, **facts: Any
    ) -> tuple[Run, Report]:
        above = self._runs.get(run.parent or "")
        return locally.judge(
            self.policies[run.kind], run, proposed, parent=above.state if above else None,
            session=self.session, secret=told.get("secret", ""), **facts,
        )  # fmt: skip

    def _answered(self, run: Run, told: Told, answer: Told) -> Judged:
        """The run and the report as the server answered them."""
        report = self._read(run, answer) if "report" in answer or "error" in answer else None
        after = codec.moved(run, answer["run"])
        if after.attempt != run.attempt or (report is not None and report.token):
            token = (report.token if report else None) or told["secret"]
            after = evolve(after, token=token)
        entered = after.state.seq > max(run.state.seq, 1)
        return evolve(after, blocked=None if entered else report), report

    def _read(self, run: Run, answer: Told) -> Report:
        if "error" in answer:
            raise error_of(answer) or OrionError(str(answer.get("message")))
        state = codec.to_state(answer["run"]["state"]) if "run" in answer else run.state
        return codec.to_report(answer["report"], state)

    def _note(self, run: Run, report: Report | None) -> Judged:
        """What is known of own runs: enough to go on with them alone."""
        if run.state.is_terminal:
            self._runs.pop(run.id, None)
            self._tokens.pop(run.id, None)
            return run, report
        self._runs[run.id] = run
        if run.token is not None:
            self._tokens[run.id] = {run.attempt: run.token}
        return run, report

    def _send(self, asked: Sequence[list[Told]]) -> Sequence[list[Told]]:
        """The proposals of all who wait go with one request; each is given its own answers."""
        told = {"proposals": [each for one in asked for each in one], "session": self._sender()}
        answers = iter(self.client.ask("POST", "/batch", told)["answers"])
        return [[next(answers) for _ in one] for one in asked]

    def _sender(self) -> Told:
        """What this process says of itself."""
        with self._session_lock:
            if self._own is None or self._own.pid != os.getpid():
                self._own = sessions.this_session(new_id(), self.label, clock.now())
            return as_told(self._own)

    def _leave(self) -> None:
        """In a child after a fork: it has a session, and an outbox, of its own."""
        self._session_lock = threading.Lock()
        self.outbox.leave()
        self._watcher.leave()


def _told(op: str, proposed: State | None) -> Told:
    """What every proposal carries, so that it counts once however often it arrives."""
    state = None if proposed is None else codec.of_state(proposed)
    secrets = os.urandom(16).hex()
    return {"op": op, "state": state, "secret": secrets[:16], "transition_id": secrets[16:]}


def _reported(judged: Judged) -> tuple[Run, Report]:
    run, report = judged
    assert report is not None
    return run, report


def _late(told: Told, after: Run, report: Report | None) -> Told:
    """The proposal as what has become of it."""
    entered = None
    if report is not None and report.state.seq == after.state.seq and after.state.seq > 1:
        entered = codec.of_state(after.state)
    late = {**told, "state": entered, "at": after.state.timestamp}
    if entered is not None and report is not None:
        late["report"] = codec.of_report(evolve(report, attempt=None, token=None))
    return {name: value for name, value in late.items() if value is not None}


_open: weakref.WeakSet[FromAfar] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for each in list(_open):
        each.close()


def _after_fork() -> None:
    for each in _open:
        each._leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
