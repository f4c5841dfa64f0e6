"""Notifications over the API: who is told when a run fails, and what became of each delivery."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Unpack

from orion_nb import clock
from orion_nb.api.checks import check_text
from orion_nb.api.deployments import DeploymentRoutes
from orion_nb.api.routes import route, taking
from orion_nb.errors import Conflict, InvalidInput, NotFound
from orion_nb.schemas.fields import NotificationFields
from orion_nb.schemas.runs import is_id, new_id
from orion_nb.store import events
from orion_nb.store.database import Connection

if TYPE_CHECKING:
    from orion_nb.schemas.notifications import Delivery, Notification

PAGE = 50
LONGEST_PAGE = 200
SECRET_BYTES = 32
#: Fields whose values may be secrets: no error repeats them.
HIDDEN = ("secret", "headers", "webhook", "apprise")


class NotificationRoutes(DeploymentRoutes):
    """Who is told of what, and what was told."""

    @route("POST", "/notifications", action="execute", status=201)
    def add_notification(
        self,
        name: str,
        *,
        on: list[str] | None = None,
        deployment: str | None = None,
        flow: str | None = None,
        webhook: str | None = None,
        secret: str | None = None,
        headers: dict[str, str] | None = None,
        command: list[str] | None = None,
        call: str | None = None,
        apprise: list[str] | None = None,
        timeout: float | str | None = None,
        retries: int | None = None,
        retry_delay: float | str | None = None,
    ) -> dict[str, Any]:
        """From now on somebody is told when an outermost run enters a state, or is late.

        `on` lists when: failed, crashed, completed, cancelled, late, recovered (completed after it
        had failed), scheduled, pending, running, paused, cancelling, any; by default failed and
        crashed. It is about the runs of one `deployment`, of one `flow` (by name), or of all. It
        goes to a `webhook` (POST to this address; signed with `secret`, which is made up if it is
        left out, and shown by this answer alone), to a `command` (its payload is on stdin), to the
        function `call` (`module:function`), or to the URLs of `apprise`.
        """
        given = {
            "on": on, "flow": flow, "webhook": webhook, "secret": secret, "headers": headers,
            "command": command, "call": call, "apprise": apprise, "timeout": timeout,
            "retries": retries, "retry_delay": retry_delay,
        }  # fmt: skip
        told = {field: value for field, value in given.items() if value is not None}
        if webhook is not None and secret is None:
            told["secret"] = _secret()
        of = self.find_deployment(deployment).id if deployment is not None else None
        now = clock.now()
        about = {"id": new_id(), "name": name, "deployment": of, "created": now, "updated": now}
        made = _checked({**told, **about})

        def work(tx: Connection) -> Notification:
            if _rows().read_named(tx, name) is not None:
                raise Conflict(f"a notification {name!r} exists; choose another name")
            kept = made.model_copy(update={"seen": events.last(tx)})
            _rows().insert(tx, kept)
            return kept

        return {**self.database.write(work).as_json(), "secret": made.secret}

    @route("GET", "/notifications", action="read")
    def list_notifications(self) -> dict[str, Any]:
        """All notifications by name, without their secrets."""
        with self.database.read() as connection:
            found = _rows().read_all(connection)
        return {"notifications": [each.as_json() for each in found]}

    @route("GET", "/notifications/{notification}", action="read")
    def read_notification(self, notification: str) -> dict[str, Any]:
        """One notification, by name or id, without its secrets."""
        return self.find_notification(notification).as_json()

    @route("PATCH", "/notifications/{notification}", action="execute")
    @taking(NotificationFields, unless_given=...)
    def update_notification(
        self, notification: str, **fields: Unpack[NotificationFields]
    ) -> dict[str, Any]:
        """The given fields are changed; one that is null has its default again.

        A `webhook`, `command`, `call` or `apprise` takes the place of the way it went before. The
        secret of a webhook stays when its address changes; one that is new has a new secret, shown
        by this answer alone. While it is `paused` nothing is told, nor is it later.
        """
        told: dict[str, Any] = dict(fields)
        if told.get("deployment") is not None:
            told["deployment"] = self.find_deployment(told["deployment"]).id
        if "paused" in told:
            told["paused"] = bool(told["paused"])
        secret = _secret()
        made = self._alter(notification, lambda known: _changed(known, told, secret))
        is_new = made.secret == secret
        return made.as_json() | ({"secret": secret} if is_new else {})

    @route("DELETE", "/notifications/{notification}", action="execute")
    def delete_notification(self, notification: str) -> dict[str, Any]:
        """The notification is gone, with its deliveries."""
        known = self.find_notification(notification)
        self.database.write(lambda tx: _rows().delete(tx, known.id))
        return {"deleted": known.name, "id": known.id}

    @route("POST", "/notifications/{notification}/test", action="execute", status=201)
    def test_notification(self, notification: str) -> dict[str, Any]:
        """A delivery about no run is to be made now; `GET /deliveries/{id}` says how that went.

        A server or a worker makes it, in the same way as any other.
        """
        known = self.find_notification(notification)
        now = clock.now()

        def work(tx: Connection) -> str | None:
            cause = f"test:{new_id()}"
            made: str | None = _deliveries().add(tx, known.id, cause, "test", None, None, now)
            return made

        return self.read_delivery(self.database.write(work) or "")

    @route("GET", "/deliveries", action="read")
    def list_deliveries(
        self,
        notification: str | None = None,
        status: str | None = None,
        cursor: str | None = None,
        limit: int = PAGE,
    ) -> dict[str, Any]:
        """The newest deliveries: `waiting` to be tried (again), `delivered`, or `dead` (given up).

        `cursor` of the answer, if it is no null, gets the next page.
        """
        from orion_nb.schemas.notifications import STATUSES

        if status is not None and status not in STATUSES:
            says = f"status: {status!r} is none of {', '.join(STATUSES)}"
            raise InvalidInput(says, field="status")
        if not 1 <= limit <= LONGEST_PAGE:
            raise InvalidInput(f"limit: {limit} is not between 1 and {LONGEST_PAGE}", field="limit")
        if cursor is not None and not is_id(cursor):
            raise InvalidInput(f"cursor: {cursor!r} is none of ours", field="cursor")
        of = self.find_notification(notification).id if notification is not None else None
        with self.database.read() as connection:
            found = _deliveries().page(connection, of, status, cursor, limit)
            names = {each.id: each.name for each in _rows().read_all(connection)}
        return {
            "deliveries": [_shown(each, names.get(each.notification)) for each in found],
            "cursor": found[-1].id if len(found) == limit else None,
        }

    @route("GET", "/deliveries/{delivery}", action="read")
    def read_delivery(self, delivery: str) -> dict[str, Any]:
        """One delivery, by its id, and what was sent."""
        known = self.find_delivery(delivery)
        with self.database.read() as connection:
            of = _rows().read(connection, known.notification)
        return {**_shown(known, of.name if of else None), "payload": known.payload}

    @route("POST", "/deliveries/{delivery}/retry", action="execute")
    def retry_delivery(self, delivery: str) -> dict[str, Any]:
        """A delivery that was given up is tried again, as often as if it were new."""
        known = self.find_delivery(delivery)
        now = clock.now()
        if not self.database.write(lambda tx: _deliveries().retry(tx, known.id, now)):
            raise Conflict(f"delivery {known.id} is {known.status}; only a dead one is retried")
        return self.read_delivery(known.id)

    def find_notification(self, ref: str) -> Notification:
        """The notification of this name or id.

        Raises:
            NotFound: there is none.
        """
        with self.database.read() as connection:
            known: Notification | None = _rows().read_named(connection, ref)
            if known is None and is_id(ref):
                known = _rows().read(connection, ref)
        if known is None:
            says = f"no notification {ref!r}; `orion-nb notifications ls` lists those there are"
            raise NotFound(says)
        return known

    def find_delivery(self, ref: str) -> Delivery:
        """The delivery of this id.

        Raises:
            NotFound: there is none.
        """
        with self.database.read() as connection:
            known: Delivery | None = _deliveries().read(connection, ref) if is_id(ref) else None
        if known is None:
            says = f"no delivery {ref!r}; `orion-nb notifications deliveries` lists them"
            raise NotFound(says)
        return known

    def _alter(self, ref: str, change: Callable[[Notification], Notification]) -> Notification:
        known = self.find_notification(ref)

        def work(tx: Connection) -> Notification:
            current = _rows().read(tx, known.id)
            if current is None:
                raise NotFound(f"no notification {ref!r} any more")
            wanted: Notification = change(current)
            if current.paused and not wanted.paused:
                wanted = wanted.model_copy(update={"seen": events.last(tx)})
            wanted = wanted.model_copy(update={"updated": clock.now()})
            _rows().update(tx, wanted)
            return wanted

        return self.database.write(work)


def _shown(known: Delivery, name: str | None) -> dict[str, Any]:
    return {**known.as_json(), "notification": name or known.notification}


def _secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(SECRET_BYTES)).decode()


def _changed(known: Notification, changes: dict[str, Any], secret: str) -> Notification:
    """The notification with what was said; `secret` is for a webhook that has none."""
    from orion_nb.schemas.notifications import WAYS

    told = {**known.model_dump(), **changes}
    chosen = [way for way in WAYS if changes.get(way) is not None]
    if chosen:
        told |= {way: None for way in WAYS if way not in chosen}
    if told["webhook"] is None:
        told |= {"secret": None, "headers": changes.get("headers")}
    elif known.webhook is None:
        told["secret"] = secret
    optional = ("deployment", "flow", "secret", *WAYS)
    return _checked({name: v for name, v in told.items() if v is not None or name in optional})


def _checked(told: dict[str, Any]) -> Notification:
    """A notification from JSON values.

    Raises:
        InvalidInput: naming the field.
    """
    from pydantic import ValidationError

    from orion_nb.schemas.notifications import Notification

    for field in ("name", "flow"):
        if told.get(field) is not None:
            check_text(field, told[field])
    try:
        return Notification(**told)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "webhook"
        wanted = first["msg"].removeprefix("Value error, ")  # pydantic's word for our own
        hidden = not first["loc"] or field.partition(".")[0] in (
            "secret",
            "headers",
            "webhook",
            "apprise",
        )
        got = "" if hidden else f", got {first['input']!r}"
        raise InvalidInput(f"{field}: {wanted}{got}", field=field) from None


def _rows() -> Any:
    """The store's notifications; imported when first needed, for pydantic comes with it."""
    from orion_nb.store import notifications

    return notifications


def _deliveries() -> Any:
    from orion_nb.store import deliveries

    return deliveries
