"""When a deployment gets runs: the instants of its schedules, and which missed ones count."""

from __future__ import annotations

from functools import lru_cache

from orion_nb.clock import SECOND, micros, utc
from orion_nb.schemas.policies import CatchUp
from orion_nb.schemas.schedules import Schedule
from orion_nb.schemas.values import frozen


@frozen
class Timing:
    """Schedules, and how far runs were made for them. Instants are microseconds, UTC.

    `next_due` is the first instant that has no run yet. Of those that were missed, the last one
    gets a run; with `catch_up` "all", up to `catch_up_max` of them do, the last ones.
    """

    schedules: tuple[Schedule, ...]
    next_due: int | None
    catch_up: CatchUp
    catch_up_max: int

    def upcoming(self, after: int, n: int) -> list[int]:
        """The next `n` instants of all schedules, at or after `after`, each once."""
        found: set[int] = set()
        for schedule in self.schedules:
            found.update(micros(at) for at in schedule.upcoming(utc(after), n=n))
        return sorted(found)[:n]

    def due_after(self, instant: int) -> int | None:
        """The first instant that is later than `instant`."""
        return next(iter(self.upcoming(instant + 1, 1)), None)

    def settle(self, until: int) -> tuple[list[int], int | None]:
        """The instants up to `until` that get a run, and the first one after; both at once.

        Most often there is one: then two instants of each schedule tell it all.
        """
        if self.next_due is None or self.next_due > until:
            return [], self.next_due
        firsts = [_first_two(each, self.next_due) for each in self.schedules]
        if any(len(each) > 1 and each[1] <= until for each in firsts):
            return self._missed(self.next_due, until), self.due_after(until)
        found = sorted({self.next_due, *(at for each in firsts for at in each)})
        slots = [at for at in found if at <= until]
        most = self.catch_up_max if self.catch_up == "all" else 1
        return slots[-most:], next((at for at in found if at > until), None)

    def _missed(self, since: int, until: int) -> list[int]:
        """The instants of a span that get a run, oldest first; `since` is one."""
        found = {since}
        most = self.catch_up_max if self.catch_up == "all" else 1
        for schedule in self.schedules:
            found.update(_lasts(schedule, since, until, most))
        return sorted(found)[-most:]


@lru_cache(maxsize=4096)
def _first_two(schedule: Schedule, after: int) -> tuple[int, ...]:
    """Its first two instants at or after this one; many deployments have the same schedule."""
    return tuple(micros(at) for at in schedule.upcoming(utc(after), n=2))


def _lasts(schedule: Schedule, after: int, until: int, n: int) -> list[int]:
    """The last `n` instants of a schedule in a span; looked for from the end, in growing steps."""
    step = SECOND // 1000  # a schedule may fire each microsecond
    while True:
        start = max(after, until - step)
        found = schedule.upcoming(utc(start), until=utc(until))
        if len(found) >= n or start == after:
            return [micros(at) for at in found[-n:]]
        step *= 4
