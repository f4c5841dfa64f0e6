"""The words of a filter: what people type to find runs, read into conditions.

    state:failed tag:db -kind:task since:24h dur>5m "two words"

All conditions hold together; values between commas are alternatives; `-` turns a condition round.
One grammar serves the command line, the REST API and the dashboard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from orion_nb.errors import InvalidInput
from orion_nb.schemas.filter_values import KEYS, Key, Value, choices, read_value
from orion_nb.schemas.values import frozen

LONGEST = 2000
MOST = 50
#: Other words for the same keys.
ALIASES = {
    "status": "state", "tags": "tag", "deploy": "deployment", "duration": "dur", "took": "dur",
    "started": "start", "ended": "end", "finished": "end", "param": "param", "parameter": "param",
    "due": "scheduled", "marks": "mark", "attempts": "attempt",
}  # fmt: skip

_KEY = re.compile(r"([A-Za-z_]+)(:(?:>=|<=|>|<|=)?|>=|<=|>|<|=)")
_SPECIAL = re.compile(r"[\s\",]")


@frozen
class Term:
    """One condition: one of `values` holds for `key`, or none of them if it is `negated`.

    `key` is "text" for plain words; `at` is where it begins in what was typed, from 0.
    """

    key: str
    values: tuple[Value, ...]
    op: str = ":"
    negated: bool = False
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        sign = "-" if self.negated else ""
        if self.key == "text":
            return f"{sign}{_quoted(self.values[0], bare=True)}"
        written = ",".join(_quoted(value) for value in self.values)
        return f"{sign}{self.key}{self.op}{written}"


def parse_filter(text: str, now: int) -> tuple[Term, ...]:
    """The conditions that a filter's text means; an empty one means none.

    `now` (microseconds, UTC) is what `24h`, `today` and the like are counted from.

    Raises:
        InvalidInput: names the word, where it is, and what is possible there.
    """
    if len(text) > LONGEST:
        raise InvalidInput(f"q: at most {LONGEST} characters, got {len(text)}", field="q")
    terms = tuple(_term(word, now) for word in _words(text))
    if len(terms) > MOST:
        raise InvalidInput(f"q: at most {MOST} conditions, got {len(terms)}", field="q")
    return terms


def show_filter(terms: tuple[Term, ...]) -> str:
    """The text that is read as these conditions."""
    return " ".join(str(term) for term in terms)


def completions(incomplete: str) -> list[tuple[str, str]]:
    """What the last word of a filter may become, each with a line about it."""
    head, _, word = incomplete.rpartition(" ")
    before = f"{head} " if head else ""
    sign = "-" if word.startswith("-") else ""
    word = word.removeprefix("-")
    name, colon, begun = word.partition(":")
    if not colon:
        found = [(f"{key.name}{key.ops[0]}", key.says) for key in KEYS.values()]
    else:
        key = KEYS.get(ALIASES.get(name.lower(), name.lower()))
        done, comma, _ = begun.rpartition(",")
        found = [(f"{name}:{done}{comma}{each}", "") for each in choices(key)] if key else []
    return [
        (f"{before}{sign}{each}", says)
        for each, says in found
        if each.lower().startswith(word.lower())
    ]


@frozen
class _Word:
    """One word as it was typed, its values told apart: texts, and whether they were quoted."""

    raw: str
    at: int
    negated: bool
    key: str
    op: str
    values: tuple[tuple[str, bool], ...]


def _words(text: str) -> Iterator[_Word]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        began = at
        negated = text[at] == "-" and text[at + 1 : at + 2].strip() != ""
        at += negated
        key = _KEY.match(text, at)
        at = key.end() if key else at
        values, at = _values(text, at, began, splits=key is not None)
        op = key[2] if key else ":"
        yield _Word(text[began:at], began, negated, key[1] if key else "", op, values)


def _values(
    text: str, at: int, began: int, *, splits: bool
) -> tuple[tuple[tuple[str, bool], ...], int]:
    """The values up to the next blank, and where they end."""
    found: list[tuple[str, bool]] = []
    piece, quoted = "", False
    while at < len(text) and not text[at].isspace():
        letter = text[at]
        if letter == '"':
            part, at = _quote(text, at, began)
            piece, quoted = piece + part, True
        elif letter == "," and splits:
            found.append((piece, quoted))
            piece, quoted, at = "", False, at + 1
        else:
            piece, at = piece + letter, at + 1
    return (*found, (piece, quoted)), at


def _quote(text: str, at: int, began: int) -> tuple[str, int]:
    """What stands between quotes; a backslash takes the meaning from a quote or a backslash."""
    piece, end = "", at + 1
    while end < len(text) and text[end] != '"':
        end += text[end] == "\\" and text[end + 1 : end + 2] in ('"', "\\")
        piece, end = piece + text[end], end + 1
    if end >= len(text):
        raise _wrong(text[began:], began, 'the quote is not closed; end it with "')
    return piece, end + 1


def _term(word: _Word, now: int) -> Term:
    if not word.key:
        return Term("text", _read(KEYS["text"], ":", word, now), ":", word.negated, word.at)
    name = word.key.lower()
    key = KEYS.get(ALIASES.get(name, name))
    if key is None or key.name == "text":
        raise _unknown(word)
    op = ":" if word.op in (":", "=", ":=") else word.op.lstrip(":")
    if op not in key.ops:
        takes = " ".join(f"{key.name}{each}" for each in key.ops)
        raise _wrong(word.raw, word.at, f"{key.name} takes no {op}; there is {takes}")
    return Term(key.name, _read(key, op, word, now), op, word.negated, word.at)


def _read(key: Key, op: str, word: _Word, now: int) -> tuple[Value, ...]:
    if op != ":" and len(word.values) > 1:
        raise _wrong(word.raw, word.at, f"{key.name}{op} takes one value")
    try:
        return tuple(read_value(key, op, text, quoted, now) for text, quoted in word.values)
    except ValueError as error:
        raise _wrong(word.raw, word.at, str(error)) from None


def _unknown(word: _Word) -> InvalidInput:
    import difflib

    name = word.key
    known = [key for key in KEYS if key != "text"]
    close = difflib.get_close_matches(name.lower(), [*known, *ALIASES], 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    there = f"there are {', '.join(known)}; put it in quotes to look for the text"
    return _wrong(word.raw, word.at, f"{name!r} is no key; {hint}{there}")


def _wrong(word: str, at: int, why: str) -> InvalidInput:
    shown = word if len(word) <= 60 else word[:59] + "…"
    return InvalidInput(f"q: {shown!r} (character {at + 1}): {why}", field="q")


def _quoted(value: Value, *, bare: bool = False) -> str:
    """The value as it is typed; `bare` if no key stands before it."""
    text = value.text
    special = _SPECIAL.search(text) or ("*" in text and not value.wild)
    if special or text[0] in "<>=" or (bare and (_KEY.match(text) or text[0] == "-")):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return text
