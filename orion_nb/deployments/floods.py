"""Of a flood of text its head and its tail are kept, with the number of what is left out."""

from __future__ import annotations

#: Characters of a cell's printed text that are kept: the first ones, and the last of each stream.
HEAD = 512 * 1024
TAIL = 256 * 1024


def room(limit: int | None) -> tuple[int, int]:
    """The characters that are kept of a beginning and of an end, if so many are all together."""
    if limit is None:
        return HEAD, TAIL
    tail = limit // 3
    return limit - tail, tail


def cut(text: str, head: int, tail: int) -> str:
    """The text, or if it is longer its head and its tail, with the number of what is left out."""
    dropped = len(text) - head - tail
    if dropped <= 0:
        return text
    return f"{text[:head]}{gap(dropped, 'characters')}{text[len(text) - tail :]}"


def gap(dropped: int, what: str) -> str:
    return f"\n… {dropped:,} {what} are not kept …\n"
