"""When a deployment gets runs: the instants of its schedules, and which missed ones count."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from orion_nb.clock import SECOND, iso, micros, utc
from orion_nb.schemas.policies import CatchUp
from orion_nb.schemas.schedules import Schedule
from orion_nb.schemas.values import frozen

#: So many instants that were missed are counted.
MOST_COUNTED = 1000


@frozen
class PassedOver:
    """Instants that were missed and get no run: how many, the first and the last of them.

    `count` is `MOST_COUNTED` + 1 if there are more than are counted.
    """

    count: int
    first: int
    last: int

    def told(self, catch_up: CatchUp) -> str:
        """Why they get no run, in words."""
        many = f"more than {MOST_COUNTED}" if self.count > MOST_COUNTED else str(self.count)
        times = "time" if self.count == 1 else "times"
        span = iso(self.first) if self.count == 1 else f"{iso(self.first)} to {iso(self.last)}"
        kept = {
            "latest": "only the latest is made up for",
            "all": "only the last ones are made up for (catch_up_max)",
            "none": "missed instants are not made up for",
        }
        return f"missed {many} {times}, {span}: {kept[catch_up]}"


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

    def passed_over(self, made: Sequence[int]) -> PassedOver | None:
        """What is due before the first of the instants that get a run, and gets none.

        Args:
            made: what `settle` answered first.
        """
        if self.next_due is None or not made or made[0] <= self.next_due:
            return None
        since, until = self.next_due, made[0] - 1
        counted = [_count(each, since, until) for each in self.schedules]
        last = max(
            [since, *(at for each in self.schedules for at in _lasts(each, since, until, 1))]
        )
        # Of several schedules that name the same instant one counts: nobody counts to that end.
        return PassedOver(max(1, *counted), since, last)

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


@lru_cache(maxsize=4096)
def _count(schedule: Schedule, since: int, until: int) -> int:
    """How many instants a schedule has in a span; at most one more than are counted."""
    return len(schedule.upcoming(utc(since), n=MOST_COUNTED + 1, until=utc(until)))


def _lasts(schedule: Schedule, after: int, until: int, n: int) -> list[int]:
    """The last `n` instants of a schedule in a span; looked for from the end, in growing steps."""
    step = SECOND // 1000  # a schedule may fire each microsecond
    while True:
        start = max(after, until - step)
        found = schedule.upcoming(utc(start), until=utc(until))
        if len(found) >= n or start == after:
            return [micros(at) for at in found[-n:]]
        step *= 4
