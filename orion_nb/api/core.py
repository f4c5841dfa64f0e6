"""What all parts of Orion stand on: the open database and this process's session."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from contextlib import suppress

from orion_nb import clock
from orion_nb.api.checks import check_ref
from orion_nb.api.heartbeat import Heartbeat
from orion_nb.errors import InvalidInput, OrionError, RunNotFound
from orion_nb.rules import POLICIES, SAYS, Policy, Rule
from orion_nb.rules.users import load_rules, with_user_rules
from orion_nb.schemas.runs import Kind, Run, is_hex, is_id, new_id
from orion_nb.settings import Settings
from orion_nb.store import listing, runs, sessions, sharing
from orion_nb.store.database import Connection, Database
from orion_nb.store.ids import Ids
from orion_nb.store.reports import Reports
from orion_nb.store.tallies import Tallies


class Core:
    """An open store; the parts of Orion are its subclasses."""

    #: How long lists, counts and histories are looked for (seconds); None: to the end.
    patience: float | None = None

    def __init__(self, settings: Settings, label: str | None = None) -> None:
        self.settings = settings
        self.label = label
        self.policies: dict[Kind, Policy] = dict(POLICIES)
        if settings.rules:
            self.use(*load_rules(settings.rules))
        self.database = Database(settings.database_path, settings.synchronous)
        sharing.note(settings.home, self.database.path)
        self.reports = Reports()
        self._reached: set[tuple[str, str]] = set()
        self.database.on_rollback += [self.reports.forget, self._reached.clear]
        self._session: tuple[int, str] | None = None
        self._session_lock = threading.Lock()
        self._heartbeat: Heartbeat | None = None
        self._ids, self._tallies = Ids(), Tallies()
        _open.add(self)

    def close(self) -> None:
        """The session ends and the file is closed; safe to call twice."""
        if self not in _open:
            return
        _open.discard(self)
        try:
            if self._heartbeat is not None:
                self._heartbeat.stop()
            if self._session and self._session[0] == os.getpid():
                key, now = self._session[1], clock.now()
                self.database.write(lambda tx: sessions.close(tx, key, now))
        finally:
            self.database.close()

    def use(self, *rules: Rule) -> None:
        """From now on these rules, too, are asked of all that this process proposes.

        They are asked last and can only narrow what the others let through. One of the same name
        takes the place of one that was in use before.

        Raises:
            InvalidInput: one is no rule, of another phase than USER, or named like a built-in one.
        """
        policies = {kind: with_user_rules(each, rules) for kind, each in self.policies.items()}
        SAYS.update((rule.name, rule.says) for rule in rules)
        self.policies = policies

    @property
    def has_own_rules(self) -> bool:
        """Rules that came by `use` are asked, too."""
        return any(self.policies[kind] is not POLICIES[kind] for kind in POLICIES)

    @property
    def is_closed(self) -> bool:
        """It can't be used any more."""
        return self.database.is_closed

    @property
    def session(self) -> str:
        """The id of this process's session; it is written when it is first asked for."""
        known = self._session
        if known is not None and known[0] == os.getpid():
            return known[1]
        with self._session_lock:
            if self._session is None or self._session[0] != os.getpid():
                made = sessions.this_session(new_id(), self.label, clock.now())
                self.database.write(lambda tx: sessions.insert(tx, made))
                self._session = (os.getpid(), made.id)
                self._heartbeat = Heartbeat(self._beat)
            return self._session[1]

    def _beat(self) -> bool:
        """This process lives; False if nobody needs to hear that any more."""
        if self.database.is_closed:
            return False
        if self._session is not None and not self.database.write(self._renew):
            self._reached.clear()  # whoever took us for dead forgot where our runs are
        return True

    def _renew(self, tx: Connection) -> bool:
        key, now = self.session, clock.now()
        if sessions.renew(tx, key, now):
            return True
        if sessions.read(tx, bytes.fromhex(key)) is None:  # we slept for days, and were forgotten
            sessions.insert(tx, sessions.this_session(key, self.label, now))
        return False

    def find(self, ref: str) -> Run:
        """The run of an id, of at least four last digits of one, or the newest of a name.

        Raises:
            RunNotFound: there is none; a server looks for names for a fraction of a second, and
                says how far it came.
            InvalidInput: the digits fit several runs; the message lists them.
        """
        check_ref("run", ref)
        with self.database.read() as connection:
            run_id, rest = self._resolve(connection, ref)
            run = runs.read(connection, run_id) if run_id else None
        if run is None:
            far = f" since {clock.iso(int(rest[:12], 16) * 1000)}" if rest else ""
            hint = "give its id" if rest else "`orion-nb runs ls` lists the runs there are"
            raise RunNotFound(f"no run {ref!r}{far}; {hint}")
        return run

    def _ending_in(self, connection: Connection, text: str) -> list[str]:
        if self.patience is None:
            return listing.ids_ending_in(connection, text)
        with self.database.read_committed() as committed:  # what it remembers stays true
            return self._ids.ending_in(committed, text)

    def _resolve(self, connection: Connection, ref: str) -> tuple[str | None, str | None]:
        """The id of the run that is meant, and the oldest id looked at if not all were."""
        text = ref.strip().lower().replace("-", "")
        if is_id(text):
            return text, None
        if 4 <= len(text) < 32 and is_hex(text):
            fitting = self._ending_in(connection, text)
            if len(fitting) > 1:
                listed = ", ".join(fitting)
                raise InvalidInput(
                    f"{ref!r} fits several runs: {listed}; give more digits", field="run"
                )
            if fitting:
                return fitting[0], None
        named, rest = listing.ids_named(connection, ref.strip(), 1, self.patience)
        return (named[0] if named else None), rest


_open: weakref.WeakSet[Core] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for core in list(_open):
        with suppress(OrionError):  # the process ends: others will see that its session has
            core.close()


def _after_fork() -> None:
    for core in _open:
        core._session_lock = threading.Lock()
        core._ids, core._tallies = Ids(), Tallies()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
