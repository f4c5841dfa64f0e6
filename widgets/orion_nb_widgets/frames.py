"""Encodes the states of many tasks as one small binary frame, as the run card reads it."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Sequence

VERSION = 1
DELTA = 1
UNSEEN = 255

#: version u8, kind u8, flags u16, epoch u32, seq u64, ts f64 (ms), n u32; little endian.
HEADER = struct.Struct("<BBHIQdI")

StateKey = tuple[str, str]


def encode_frame(seq: int, ts: float, indices: Sequence[int], codes: Iterable[int]) -> bytes:
    """A header, then `u32 index[n]`, then `u8 code[n]`; `ts` is milliseconds since the epoch."""
    n = len(indices)
    header = HEADER.pack(VERSION, DELTA, 0, 0, seq, ts, n)
    return header + struct.pack(f"<{n}I", *indices) + bytes(codes)


def encode_cells(codes: bytes | bytearray) -> str:
    """One code per task, as base64 for a JSON snapshot; `UNSEEN` where nothing is known."""
    return base64.b64encode(codes).decode("ascii")


class Codebook:
    """Gives each state (type, name) it is shown a small number, in order of appearance."""

    def __init__(self) -> None:
        self.states: list[StateKey] = []
        self._codes: dict[StateKey, int] = {}

    def code(self, state: StateKey) -> int:
        if state not in self._codes:
            if len(self.states) == UNSEEN:
                return UNSEEN
            self._codes[state] = len(self.states)
            self.states.append(state)
        return self._codes[state]
