"""The outputs of a cell, as they are kept: of a flood only its head and its tail."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from orion_nb.deployments.floods import HEAD, TAIL, cut, gap
from orion_nb.schemas.nesting import depth

#: Outputs of a cell that are kept; and what they show, in characters, all together.
MANY = 10_000
SHOWN = 16 * 1024 * 1024
#: Characters of the words of an error.
ERROR = 64 * 1024
#: JSON that is shown may be nested this deep: readers of notebooks go down level by level.
DEEPEST = 100

Outputs = list[NotebookNode]


class Shown:
    """What one cell displays, besides what it prints: so much of it is kept."""

    def __init__(self, room: int = SHOWN, many: int = MANY) -> None:
        self._room, self._most, self._many = room, room, many
        self._note: NotebookNode | None = None
        self.dropped = 0

    def is_full(self, outputs: Outputs) -> bool:
        """No more outputs are kept; the note behind the last one counts them."""
        if len(outputs) < self._many:
            return False
        if self._note is None:
            self._note = NotebookNode(output_type="stream", name="stderr", text="")  # type: ignore[no-untyped-call]
            outputs.append(self._note)
        self.dropped += 1
        self._note["text"] = gap(self.dropped, "outputs").lstrip("\n")
        return True

    def trim(self, output: NotebookNode) -> int:
        """What is too large gives way to a note; answers the characters that stay."""
        if output.output_type == "error":
            return _trim_error(output)
        data: dict[str, Any] = output.get("data", {})
        for kind in list(data):
            size = len(data[kind] if isinstance(data[kind], str) else json.dumps(data[kind]))
            if size > self._room:
                told = f"{kind}: {size:,} characters are not kept"
                data.setdefault("text/plain", told)
                if kind == "text/plain":
                    most = self._most
                    data[kind] = cut(
                        data[kind], min(HEAD // 8, most // 2), min(TAIL // 8, most // 4)
                    )
                else:
                    del data[kind]
        size = sum(len(value if isinstance(value, str) else "") for value in data.values())
        self._room = max(0, self._room - size)
        return size


def check_depth(msg: Mapping[str, Any]) -> None:
    """What a message shows is not nested too deep.

    Raises:
        RecursionError: it is.
    """
    if depth(msg["content"].get("data")) > DEEPEST:
        raise RecursionError(f"it is nested deeper than {DEEPEST} levels")


def _trim_error(output: NotebookNode) -> int:
    output["evalue"] = cut(str(output["evalue"]), ERROR // 2, ERROR // 2)
    lines = [cut(str(line), ERROR // 2, ERROR // 2) for line in output["traceback"]]
    output["traceback"] = lines if len(lines) < 2_000 else [*lines[:1000], "…", *lines[-999:]]
    return sum(map(len, output["traceback"]))


@dataclass(eq=False, slots=True)
class _Piece:
    """One stream output of the notebook, and the text that belongs into it."""

    output: NotebookNode
    head: list[str] = field(default_factory=list)
    tail: deque[str] = field(default_factory=deque)
    tail_size: int = 0
    dropped: int = 0

    def append(self, text: str, tail_limit: int) -> None:
        """`text` goes to the tail, and what is then too much falls out of its other end."""
        self.tail.append(text)
        self.tail_size += len(text)
        while self.tail_size - len(self.tail[0]) >= tail_limit:
            gone = len(self.tail.popleft())
            self.tail_size -= gone
            self.dropped += gone
        if (too_much := self.tail_size - tail_limit) > 0:
            self.tail[0] = self.tail[0][too_much:]
            self.tail_size -= too_much
            self.dropped += too_much

    def settle(self) -> None:
        between = gap(self.dropped, "characters") if self.dropped else ""
        self.output["text"] = "".join(self.head) + between + "".join(self.tail)


class Streams:
    """The stream outputs of one cell; `settle` brings the notebook up to date with them."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._room = self._head = head
        self._tail = tail
        self._pieces: list[_Piece] = []
        self._unsettled: set[_Piece] = set()

    def add(self, outputs: Outputs, name: str, text: str) -> None:
        """The kernel printed `text` on the stream `name`."""
        if len(outputs) >= MANY:
            self._room = 0
        piece = self._piece(outputs, name)
        head, tail = text[: self._room], text[self._room :]
        if head:
            piece.head.append(head)
            self._room -= len(head)
        if tail:
            piece.append(tail, self._tail)
        self._unsettled.add(piece)

    def clear(self) -> None:
        """The cell's outputs were cleared."""
        self._pieces.clear()
        self._unsettled.clear()
        self._room = self._head

    def settle(self) -> None:
        for piece in self._unsettled:
            piece.settle()
        self._unsettled.clear()

    def _piece(self, outputs: Outputs, name: str) -> _Piece:
        """The piece to add to: the last output; in a flood, the one with the stream's tail."""
        for piece in reversed(self._pieces):
            is_last = bool(outputs) and piece.output is outputs[-1]
            if piece.output["name"] == name and (is_last or (not self._room and piece.tail)):
                return piece
        made = NotebookNode(output_type="stream", name=name, text="")  # type: ignore[no-untyped-call]
        outputs.append(made)
        self._pieces.append(_Piece(made))
        return self._pieces[-1]
