"""The text that a cell prints, as it is kept: joined, and of a flood only its head and its tail."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from nbformat import NotebookNode

#: Characters of a cell's printed text that are kept: the first ones, and the last of each stream.
HEAD = 512 * 1024
TAIL = 256 * 1024

Outputs = list[NotebookNode]


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
        gap = f"\n… {self.dropped:,} characters are not kept …\n" if self.dropped else ""
        self.output["text"] = "".join(self.head) + gap + "".join(self.tail)


class Streams:
    """The stream outputs of one cell; `settle` brings the notebook up to date with them."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._room = self._head = head
        self._tail = tail
        self._pieces: list[_Piece] = []
        self._unsettled: set[_Piece] = set()

    def add(self, outputs: Outputs, name: str, text: str) -> None:
        """The kernel printed `text` on the stream `name`."""
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
