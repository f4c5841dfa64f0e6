"""A run's lines, followed: what it logs and what its cells print, as it comes, each line once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from orion_nb.api.orion import Orion

#: How often a look is taken at what is new, and at whether processes live (seconds).
LOOK, LOOKOUT = 0.2, 2.0
PAGE = 1000
#: The logger of a line that a cell printed, and its level: that of printed text in flows, INFO.
CELL, LEVEL = "cell", 20
#: The logger of what a flow or a task prints; and from this level on Python shows a line that
#: nobody handles.
PRINT, WARNING = "print", 30
#: So many texts of either are remembered, which may have been printed and logged.
MOST = 50_000

Line = dict[str, Any]


def logged(orion: Orion, query: dict[str, Any], after: int = 0) -> Iterator[Line]:
    """The lines of a run's log after number `after`, oldest first."""
    cursor: int | None = after
    while cursor is not None:
        page = orion.filter_logs(**query, after=cursor, limit=PAGE)
        yield from page["lines"]
        cursor = page["cursor"]


class Following:
    """The lines of a run, those that there are and those to come, until it has ended.

    A line that a cell printed has no number `n`, but `cell` and `stream`; its message has the
    escape sequences of its colours. What a task or a flow in a cell prints is in its log, and is
    shown below the cell as well: it is told once. `look_after` is called now and then.
    """

    def __init__(
        self, orion: Orion, query: dict[str, Any], look_after: Callable[[], object]
    ) -> None:
        self._orion, self._query, self._look_after = orion, query, look_after
        self._after, self._place = 0, None
        #: Texts that were told because they were logged, or printed; the other is still to come.
        self._logged: Counter[str] = Counter()
        self._printed: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Line]:
        looked = time.monotonic()
        while True:
            # What a run says is written before its end is: asked in this order, nothing is lost.
            run = self._orion.find(self._query["run"])
            yield from self._news(run.name)
            if run.state.is_terminal:
                return
            time.sleep(LOOK)
            if time.monotonic() - looked > LOOKOUT:
                self._look_after()
                looked = time.monotonic()

    def _news(self, name: str) -> Iterator[Line]:
        printed = self._news_of_cells(name)
        found = list(logged(self._orion, self._query, self._after))
        if found:
            self._after = found[-1]["n"]
        news = [line for line in found if not self._was_printed(line)]
        yield from sorted([*news, *printed], key=lambda line: int(line["timestamp"]))

    def _news_of_cells(self, name: str) -> list[Line]:
        if not self._is_shown():
            return []
        found: list[Line] = []
        more = True
        while more:
            told = self._orion.read_printed(self._query["run"], after=self._place)
            self._place, more = told["cursor"], told["more"]
            if told["lost"]:
                found.append(_lost(told, self._query["run"], name))
            found += [
                {
                    "n": None, "run": told["run"], "name": name, "logger": CELL, "level": LEVEL,
                    "timestamp": each["timestamp"], "message": each["text"],
                    "cell": each["cell"], "stream": each["stream"],
                }
                for each in told["lines"]
                if not self._was_logged(each["text"])
            ]  # fmt: skip
        return found

    def _is_shown(self) -> bool:
        from orion_nb.api.logs import level_of

        level = self._query.get("level")
        return level is None or level_of(level) <= LEVEL

    def _was_logged(self, text: str) -> bool:
        if self._logged[text] > 0:
            self._logged[text] -= 1
            return True
        _remember(self._printed, [text])
        return False

    def _was_printed(self, line: Line) -> bool:
        """All of it was told as what a cell printed: a task's print, or a warning on the screen."""
        if line["logger"] != PRINT and line["level"] < WARNING:
            return False
        texts = Counter(line["message"].split("\n"))
        if all(self._printed[text] >= count for text, count in texts.items()):
            self._printed.subtract(texts)
            return True
        _remember(self._logged, texts)
        return False


def _remember(told: Counter[str], texts: Iterable[str]) -> None:
    if len(told) > MOST:  # a flood: the other of what was told so long ago does not come now
        told.clear()
    told.update(texts)


def _lost(told: dict[str, Any], run: str, name: str) -> Line:
    at = told["lines"][0]["timestamp"] if told["lines"] else 0
    says = f"… {told['lost']:,} lines came too fast to be followed …"
    return {
        "n": None, "run": run, "name": name, "logger": CELL, "level": LEVEL, "timestamp": at,
        "message": says, "cell": None, "stream": "stderr",
    }  # fmt: skip
