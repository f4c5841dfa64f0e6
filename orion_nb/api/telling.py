"""From states to deliveries: what each notification is about, and who tells it when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from orion_nb import clock
from orion_nb.api.notifications import NotificationRoutes
from orion_nb.clock import SECOND
from orion_nb.schemas.states import State, StateType, late_before
from orion_nb.store import events, runs
from orion_nb.store.database import Connection
from orion_nb.store.events import Event, EventFilter

if TYPE_CHECKING:
    from orion_nb.schemas.notifications import Delivery, Notification

PAGE = 1000
#: Whoever tells something has so much more time (seconds) than that may take, until others may.
MARGIN = 10.0
#: What may be told of; a task that is called alone is somebody's at work.
OUTERMOST = EventFilter(top_level=True, kind="flow")
#: `seen` is written when something is told, and else after so many events.
SELDOM = 5000


class Due(NamedTuple):
    """A state that a notification is about."""

    notification: str
    event: Event
    condition: str


class Telling(NotificationRoutes):
    """What a teller asks; any number of them may, on one database.

    A delivery is one row for each notification and cause: the states are read behind a place that
    each notification keeps, so none is left out while nobody is there, and none is told twice.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._looked_at: dict[str, int] = {}
        super().__init__(*args, **kwargs)

    def note_states(self) -> int:
        """A delivery is made for each new state that a notification is about; how many."""
        from orion_nb.store import deliveries, notifications

        with self.database.read() as connection:
            active = notifications.read_all(connection, active=True)
            if not active:
                return 0
            newest = events.last(connection)
            places = {each.id: max(each.seen, self._looked_at.get(each.id, 0)) for each in active}
            first = min(places.values())
            if first >= newest:
                return 0
            read = events.after(connection, first, OUTERMOST, PAGE, newest)
            upto = read[-1].n if len(read) == PAGE else newest
            found = [due for each in active for due in _of(connection, each, read, places)]
        self._looked_at = {key: max(place, upto) for key, place in places.items()}
        behind = [each.id for each in active if found or upto - each.seen > SELDOM]
        now = clock.now()

        def work(tx: Connection) -> int:
            made = 0
            for due in found:
                if notifications.is_active(tx, due.notification):
                    told = (due.notification, str(due.event.n), due.condition, due.event.run)
                    made += deliveries.add(tx, *told, due.event.n, now) is not None
            notifications.saw(tx, behind, upto)
            return made

        return self.database.write(work) if behind else 0

    def note_overdue(self) -> int:
        """A delivery is made for each run that is late, once; how many."""
        from orion_nb.store import deliveries, notifications

        with self.database.read() as connection:
            active = notifications.read_all(connection, active=True)
            active = [each for each in active if _is_about_late(each)]
            late = deliveries.overdue(connection, late_before(clock.now())) if active else []
            new = [
                (run, deployment, name)
                for run, deployment, name in late
                if any(_concerns(each, deployment, name) for each in active)
                and not deliveries.is_known(connection, f"late:{run}")
            ]
        if not new:
            return 0
        now = clock.now()

        def work(tx: Connection) -> int:
            return sum(note_late(tx, *each, f"late:{each[0]}", now) for each in new)

        return self.database.write(work)

    def state_of_event(self, run_id: str, n: int) -> State | None:
        """The state of the run with this number; None if it is not there."""
        with self.database.read() as connection:
            return next((each for each, _ in runs.history(connection, run_id) if each.n == n), None)

    def due_deliveries(self, limit: int) -> list[Delivery]:
        """The deliveries to be tried now; also those that somebody has died over."""
        from orion_nb.store import deliveries

        now = clock.now()
        with self.database.read() as connection:
            gone = deliveries.left_behind(connection)
        if gone:
            self.database.write(lambda tx: deliveries.free(tx, gone, now))
        with self.database.read() as connection:
            return deliveries.due(connection, now, limit)

    def next_delivery(self) -> int | None:
        """When the next delivery is to be tried (microseconds, UTC)."""
        from orion_nb.store import deliveries

        with self.database.read() as connection:
            return deliveries.next_due(connection)

    def claim_delivery(self, known: Delivery, payload: str, timeout: float) -> Delivery | None:
        """It is ours to tell now; None if somebody else does. A try takes up to `timeout` seconds.

        The payload is that of the first try, however often it is tried again.
        """
        from orion_nb.store import deliveries

        until = clock.now() + round((timeout + MARGIN) * SECOND)
        session = self.session
        return self.database.write(lambda tx: deliveries.claim(tx, known, session, payload, until))

    def settle_delivery(self, known: Delivery, status: str, error: str | None, wait: float) -> bool:
        """What became of a try; one that is still `waiting` is tried again in `wait` seconds."""
        from orion_nb.store import deliveries

        now = clock.now()
        due = now + round(wait * SECOND) if status == "waiting" else None
        return self.database.write(lambda tx: deliveries.settle(tx, known, status, due, error, now))

    def delivery_counts(self) -> dict[str, int]:
        """How many deliveries there are of each status."""
        from orion_nb.store import deliveries

        with self.database.read() as connection:
            return deliveries.counts(connection)


def note_late(
    tx: Connection, run: str, deployment: str | None, name: str, cause: str, now: int
) -> int:
    """Whoever wants to hear of late runs is told of this one; how many are."""
    from orion_nb.store import deliveries, notifications

    told = 0
    for each in notifications.read_all(tx, active=True):
        if _is_about_late(each) and _concerns(each, deployment, name):
            told += deliveries.add(tx, each.id, cause, "late", run, None, now) is not None
    return told


def _of(
    connection: Connection, known: Notification, read: list[Event], places: dict[str, int]
) -> list[Due]:
    """What the notification is about among the events, and under which condition."""
    from orion_nb.store import deliveries

    found = []
    for event in read:
        if event.n <= places[known.id] or not _concerns(known, event.deployment, event.name):
            continue
        if "recovered" in known.on and deliveries.has_recovered(connection, event):
            found.append(Due(known.id, event, "recovered"))
        elif known.is_about(StateType(event.type)):
            found.append(Due(known.id, event, event.type.lower()))
    return found


def _concerns(known: Notification, deployment: str | None, name: str) -> bool:
    return known.deployment in (None, deployment) and known.flow in (None, name)


def _is_about_late(known: Notification) -> bool:
    return "late" in known.on or "any" in known.on
