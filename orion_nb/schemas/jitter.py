"""How much later than its instant a run begins, so that many deployments don't begin at once."""

from __future__ import annotations

import hashlib


def wait(deployment: str, slot: int, most: int) -> int:
    """Microseconds from 0 to `most`, included.

    They look like chance, and are the same whoever asks: schedulers that make the run of one
    deployment for one instant at once agree, and what a preview says holds.

    Args:
        deployment: its id.
        slot: the instant, in microseconds UTC.
        most: the longest wait, in microseconds.
    """
    drawn = hashlib.blake2b(f"{deployment} {slot}".encode(), digest_size=8).digest()
    return int.from_bytes(drawn) % (most + 1)
