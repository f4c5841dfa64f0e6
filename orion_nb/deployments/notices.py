"""The teller: in a server or a worker, it finds what is to be told, and tells it."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from orion_nb import clock
from orion_nb.api.orion import Orion
from orion_nb.errors import NotFound, OrionError, RunNotFound
from orion_nb.schemas.notifications import Delivery, Notification

#: So many deliveries are tried at a time; one that is slow holds up no other.
TELLERS = 4
#: Seconds between two looks while something is committed, and the longest time between two.
LOOK = 0.1
IDLE = 1.0
#: Seconds between two looks for runs that are late.
LATE_LOOK = 2.0
#: No delivery is tried again sooner or later than this part of its wait.
JITTER = 0.1


class Notices:
    """States become deliveries, and deliveries are made. Any number may share a database."""

    def __init__(
        self,
        orion: Orion,
        log: logging.Logger | None = None,
        link: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.orion = orion
        self.log = log or logging.getLogger(__name__)
        self._link = link
        self._tellers: ThreadPoolExecutor | None = None
        self._busy: set[str] = set()
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._late_at = 0.0
        self._due: int | None = None
        self._look_at = 0.0

    def step(self) -> float:
        """One look; answers after how many seconds to look again."""
        seen = self.orion.version_seen()
        now = time.monotonic()
        if seen != self._seen:
            self.orion.note_states()
            self._due = self.orion.next_delivery()
        if now >= self._late_at:
            self._late_at = now + LATE_LOOK
            if self.orion.note_overdue():
                self._due = self.orion.next_delivery()
        self._seen = seen
        if self._due is not None and (self._due <= clock.now() or now >= self._look_at):
            self._look_at = now + IDLE  # somebody may have died while telling
            self._tell()
            self._due = self.orion.next_delivery()
        return LOOK

    def stop(self) -> None:
        """No further delivery is begun; those under way are waited for by nobody."""
        with self._lock:
            tellers, self._tellers = self._tellers, None
        if tellers is not None:
            tellers.shutdown(wait=False, cancel_futures=True)

    def _tell(self) -> None:
        with self._lock:
            room = TELLERS - len(self._busy)
        if room <= 0:
            return
        for delivery in self.orion.due_deliveries(TELLERS + room):
            with self._lock:
                if delivery.id in self._busy or len(self._busy) >= TELLERS:
                    continue
                self._busy.add(delivery.id)
                if self._tellers is None:
                    self._tellers = ThreadPoolExecutor(TELLERS, "orion-tell")
                self._tellers.submit(self._try, delivery)

    def _try(self, delivery: Delivery) -> None:
        try:
            if not self.orion.is_closed:
                self._deliver(delivery)
        except Exception:
            self.log.exception("delivery %s", delivery.id)
        finally:
            with self._lock:
                self._busy.discard(delivery.id)

    def _deliver(self, delivery: Delivery) -> None:
        try:
            known = self.orion.find_notification(delivery.notification)
        except NotFound:
            return  # it was deleted, with its deliveries
        claimed = self._claim(known, delivery)
        if claimed is None:
            return
        from orion_nb.deployments.sending import send
        from orion_nb.deployments.webhooks import Undelivered

        try:
            send(self.orion.settings, known, claimed)
        except Undelivered as error:
            self._not_taken(known, claimed, error, error.final)
        except OrionError as error:
            self._not_taken(known, claimed, error, final=False)
        except Exception as error:
            # It is counted as the others are: else it would be tried for ever, before all others.
            self.log.exception("delivery %s", claimed.id)
            told = OrionError(f"{type(error).__name__}: {error}"[:500])
            self._not_taken(known, claimed, told, final=False)
        else:
            self._settle(claimed, "delivered", None)

    def _claim(self, known: Notification, delivery: Delivery) -> Delivery | None:
        payload = delivery.payload
        if payload is None:
            from orion_nb.deployments.payloads import payload_of

            try:
                told = payload_of(self.orion, known, delivery, self._link())
            except RunNotFound as error:
                self._settle(delivery, "dead", f"{error}")
                return None
            except OrionError:
                raise
            except Exception as error:
                self.log.exception("delivery %s", delivery.id)
                says = f"what it is about can't be told: {type(error).__name__}: {error}"[:500]
                self._settle(delivery, "dead", says)
                return None
            payload = json.dumps(told, separators=(",", ":"))
        return self.orion.claim_delivery(delivery, payload, known.timeout)

    def _not_taken(
        self, known: Notification, claimed: Delivery, error: OrionError, final: bool
    ) -> None:
        if final or claimed.attempts > known.retries:
            self.log.warning("notification %s: given up: %s", known.name, error)
            self._settle(claimed, "dead", str(error))
            return
        wait = known.delay(claimed.attempts) * random.uniform(1 - JITTER, 1 + JITTER)
        self.log.info("notification %s: again in %.0f s: %s", known.name, wait, error)
        self._settle(claimed, "waiting", str(error), wait)

    def _settle(self, claimed: Delivery, status: str, error: str | None, wait: float = 0.0) -> None:
        """What became of it is written; if that is impossible, it will be told once more."""
        with suppress(OrionError):
            self.orion.settle_delivery(claimed, status, error, wait)
