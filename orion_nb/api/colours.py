"""Text of others on a terminal: its colours may stay, nothing else in it steers the terminal."""

from __future__ import annotations

import re

#: A terminal's escape sequences: colours, cursor moves, titles, links.
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
#: What else steers a terminal, or turns the direction of text around.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
#: The sequences that say colours and styles (SGR in ECMA-48).
_COLOURS = re.compile(r"(\x1b\[[0-9;:]*m)")


def plain(text: str) -> str:
    """The text without anything that steers a terminal; line ends and tabs stay."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _SEQUENCES.sub("", text))


def only_colours(text: str) -> str:
    """The same, but the sequences that say colours and styles stay, and are ended at its end."""
    parts = _COLOURS.split(text)
    kept = "".join(part if at % 2 else plain(part) for at, part in enumerate(parts))
    return kept if len(parts) == 1 else f"{kept}\x1b[0m"
