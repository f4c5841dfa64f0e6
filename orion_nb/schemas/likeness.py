"""Which of the names there are was probably meant by one that there is not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

#: How alike two names are to be, from 0 to 1; letters in another order always are.
ALIKE = 0.7


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, if one is like it at all.

    Of files it is what stands before the ending that counts.
    """
    from difflib import SequenceMatcher

    def likeness(other: str) -> float:
        one, two = PurePath(name.lower()).stem, PurePath(other.lower()).stem
        return 1.0 if sorted(one) == sorted(two) else SequenceMatcher(None, two, one).ratio()

    best = max(known, key=likeness, default=None)
    return best if best is not None and likeness(best) >= ALIKE else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'daily'?)`, or nothing when no known name is close."""
    close = closest(name, known)
    return f" (did you mean {close!r}?)" if close else ""
