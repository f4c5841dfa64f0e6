"""How a process proposes states to an API on a server, and goes on while that is away."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from orion_nb import clock
from orion_nb.api import answers, codec, locally
from orion_nb.api.answers import Answer
from orion_nb.api.client import ADDRESS, Client
from orion_nb.api.delivery import MOST
from orion_nb.api.letters import Judged, Proposal, Told, answered, late, read, reported, told_of
from orion_nb.api.orion import Orion
from orion_nb.api.outbox import Outbox
from orion_nb.api.own import OwnRuns
from orion_nb.api.sessions import as_told
from orion_nb.api.together import Together
from orion_nb.api.watcher import Watcher
from orion_nb.errors import (
    AccessDenied,
    InvalidInput,
    OrionError,
    ServerUnreachable,
    StoreUnavailable,
    TooLarge,
)
from orion_nb.rules import POLICIES, Rule
from orion_nb.rules.users import load_rules
from orion_nb.schemas.reports import Report
from orion_nb.schemas.runs import Run, new_id
from orion_nb.schemas.states import State
from orion_nb.schemas.values import evolve
from orion_nb.settings import Settings
from orion_nb.store import sessions


class FromAfar(Orion):
    """The write path to a server: proposals in batches, and an outbox for when it is away."""

    def __init__(self, settings: Settings, label: str | None = None) -> None:
        # No database is opened, which is what the classes above would do.
        self.settings = settings
        self.label = label
        self.policies = dict(POLICIES)
        if settings.rules:  # for while the server is away
            super().use(*load_rules(settings.rules))
        self.client = Client(settings.api_url or "", settings.api_token)
        folder = settings.home / "outbox"
        self.outbox = Outbox(self.client, folder, self._sender, self._going_on)
        self._watcher = Watcher(self.client)
        self._together: Together[list[Told], list[Told]] = Together(self._send, MOST)
        self._session_lock = threading.Lock()
        self._process: sessions.Session | None = None
        self.own = OwnRuns()
        self._closed = self._was_heard = False
        _open.add(self)

    def __getattr__(self, name: str) -> Any:
        if name == "database":
            says = f"{ADDRESS}: this needs the database itself; unset the variable for it"
            raise InvalidInput(says, field=ADDRESS)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def use(self, *rules: Rule) -> None:
        """A server asks its own rules, and none of this process."""
        says = "rules: a server asks its own; set ORION_NB_RULES where it runs"
        raise InvalidInput(says, field="rules")

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
        if self._process is not None and not self.client.is_away():
            try:
                path = f"/sessions/{self._process.id}/end"
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
        return reported(self._put(self._advance_of(run, proposed, claim))[0])

    def put_all(self, told: Sequence[answers.Proposal]) -> list[Answer]:
        """The owner's proposals are judged in order; see `Proposals.put_all`."""
        return [_caught(judged) for judged in self._sent([self._made_of(each) for each in told])]

    def _made_of(self, each: answers.Proposal) -> Proposal:
        if each.run.state.seq == 0:
            return self._beginning_of(each.run, each.state, each.upstream, pulled=each.pulled)
        claim = {"retriable": each.retriable, "rerun": each.rerun, "pulled": each.pulled}
        return self._advance_of(each.run, each.state, claim)

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
        told = told_of("advance", proposed) | {
            "run": run_id, "attempt": claims, "token": token, "retriable": retriable,
            "rerun": rerun, "seq": expected_seq, "owned": session is not None,
        }  # fmt: skip
        if transition_id is not None:
            told["transition_id"] = transition_id
        answer = self._together.do([told])[0]
        return reported(answered(self.find(run_id), told, answer))

    def foresee(
        self, run_id: str, proposed: State, *, transition_id: str | None = None, **claim: Any
    ) -> Report:
        """The same judgement as `judge`, and nothing is written nor handed out."""
        known = self.own.get(run_id)
        told = {
            "op": "foresee", "run": run_id, "state": codec.of_state(proposed),
            "transition_id": transition_id, "attempt": claim.get("claims"),
            **{name: value for name, value in claim.items() if name != "claims"},
        }  # fmt: skip
        if known is None or not self.outbox.is_open:
            try:
                return read(known or self.find(run_id), self._together.do([told])[0])
            except (ServerUnreachable, StoreUnavailable) as error:
                if known is None:
                    raise
                self._go_on_without(error)
        claim.pop("token", None)
        return self._judge_here(known, proposed, told, **claim)[1]

    def as_own(self, run: Run) -> Run:
        """The run with the secret of its attempt, if that belongs to this process."""
        token = self.own.token(run)
        return run if token is None else evolve(run, token=token, session=self.session)

    def tell(self, run: str | None, path: str, body: Told) -> None:
        """Something is told of a run that needs no answer; later, if the server is away."""
        key = os.urandom(16).hex()
        told = {"method": "POST", "path": path, "body": body, "key": key}
        while True:
            if not self.outbox.is_open:
                try:
                    self.client.ask("POST", path, body, key=key)
                except OrionError as error:
                    self._go_on_without(error)
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
        told = told_of("begin", proposed) | {
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
        token = self.own.token(run)
        told = told_of("advance", proposed) | {
            "run": run.id, "attempt": run.attempt, "token": token, **claim,
        }  # fmt: skip

        def alone() -> Judged:
            known = evolve(run, token=token)
            return self._judge_here(known, proposed, told, claims=run.attempt, **claim)

        return Proposal(run, told, alone)

    def _put(self, *proposals: Proposal) -> list[Judged]:
        """The server judges them; if it is away they are judged here, and told to it later."""
        return [judged() for judged in self._sent(proposals)]

    def _sent(self, proposals: Sequence[Proposal]) -> list[Callable[[], Judged]]:
        """They are sent to the server, if it is there; what is answered says what came of each.

        After an interrupt they may have been judged: then the secret is that of the attempt.
        """
        self.outbox.work()
        for each in proposals:
            self.own.expect(each.run, each.told["secret"])
        if not self.outbox.is_open:
            try:
                answers = self._together.do([each.told for each in proposals])
            except OrionError as error:
                self._go_on_without(error)
            else:
                pairs = zip(proposals, answers, strict=True)
                return [partial(self._heard, each, told) for each, told in pairs]
        return [partial(self._put_away, each) for each in proposals]

    def _heard(self, proposal: Proposal, told: Told) -> Judged:
        return self._noted(answered(proposal.run, proposal.told, told))

    def _go_on_without(self, error: OrionError) -> None:
        """The server is away; so is one that has taken proposals, and now refuses all of them.

        It was started again with another token, say, or something else has its port.
        """
        refuses_all = type(error) in (OrionError, AccessDenied) or error.field == ADDRESS
        if isinstance(error, ServerUnreachable | StoreUnavailable) or (
            refuses_all and self._was_heard
        ):
            self.outbox.open(error)
        else:
            raise error

    def _put_away(self, proposal: Proposal) -> Judged:
        """It is judged here; by the server after all, if that is back before it was kept."""
        judged = run, report = proposal.alone()
        if run.state is proposal.run.state:
            return self._noted(judged)  # nothing was entered, and so there is nothing to tell
        if self.outbox.put(run.id, late(proposal.told, run, report)):
            return self._noted(judged)
        return self._put(proposal)[0]

    def _noted(self, judged: Judged) -> Judged:
        self.own.note(judged[0])
        return judged

    def _judge_here(
        self, run: Run, proposed: State, told: Told, **facts: Any
    ) -> tuple[Run, Report]:
        return locally.judge(
            self.policies[run.kind], run, proposed, parent=self.own.state_of(run.parent),
            session=self.session, secret=told.get("secret", ""), **facts,
        )  # fmt: skip

    def _send(self, asked: Sequence[list[Told]]) -> Sequence[list[Told]]:
        """The proposals of all who wait go with one request; each is given its own answers."""
        told = {"proposals": [each for one in asked for each in one], "session": self._sender()}
        try:
            answered = self.client.ask("POST", "/batch", told)
        except TooLarge:
            if len(asked) == 1:
                raise
            half = len(asked) // 2
            return [*self._send(asked[:half]), *self._send(asked[half:])]
        self._was_heard = True
        if answered.get("missed"):
            self.outbox.say_alive()
        answers = iter(answered["answers"])
        return [[next(answers) for _ in one] for one in asked]

    def _going_on(self) -> list[Told]:
        """What is told of the runs that are executed here after a silence: that they go on."""
        now = clock.now()
        return [
            {"op": "advance", "run": run.id, "attempt": run.attempt, "token": run.token, "at": now}
            for run in self.own.executing()
        ]

    def _sender(self) -> Told:
        """What this process says of itself."""
        with self._session_lock:
            if self._process is None or self._process.pid != os.getpid():
                self._process = sessions.this_session(new_id(), self.label, clock.now())
            return as_told(self._process)

    def _leave(self) -> None:
        """In a child after a fork: it has a session, and an outbox, of its own."""
        self._session_lock = threading.Lock()
        self.outbox.leave()
        self._watcher.leave()


def _caught(judged: Callable[[], Judged]) -> Answer:
    try:
        return reported(judged())
    except OrionError as error:
        return error


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
