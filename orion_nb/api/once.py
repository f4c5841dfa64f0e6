"""A request with an Idempotency-Key is done once, however often it is sent."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any, TypeVar

from orion_nb import clock
from orion_nb.api import seen
from orion_nb.api.core import Core
from orion_nb.errors import Conflict, Fenced, IdempotencyKeyReuse, InvalidInput
from orion_nb.store import requests, sessions
from orion_nb.store.database import Connection
from orion_nb.store.inside import Before, Inside, ToBeWritten
from orion_nb.store.requests import Answered

C = TypeVar("C", bound=Core)

HEADER = "Idempotency-Key"
#: The status of a request that is being done; its body is the session that does it.
CLAIMED = 0
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def check_key(key: str) -> str:
    """A key is 1 to 255 visible ASCII characters.

    Raises:
        InvalidInput: it is not.
    """
    if not _KEY.fullmatch(key):
        says = f"{HEADER}: 1 to 255 visible ASCII characters, got {key[:100]!r}"
        raise InvalidInput(says, field=HEADER)
    return key


def digest(given: Mapping[str, Any]) -> str:
    """What tells one request to a route from another: its fields, and a digest of each value."""
    return json.dumps({name: _short(value) for name, value in sorted(given.items())})


def differing(known: str, asked: str) -> list[str]:
    """The fields that two requests to one route differ in, by their digests."""
    ours, theirs = json.loads(known), json.loads(asked)
    return sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def answer_once(
    orion: C, key: str, route: str, asked: str, answer: Callable[[C], tuple[int, bytes]]
) -> tuple[int, bytes, bool]:
    """Status and body of `answer(orion)`; those of the first time if the key is known.

    All that it writes, and the answer, is committed at once: either both are there or neither.
    An error is not kept, for nothing was done. The last value tells whether it is a repetition.

    Raises:
        IdempotencyKeyReuse: the key was used for another request.
    """
    check_key(key)

    def work(tx: Connection) -> tuple[int, bytes, bool] | Fenced:
        known = _recall(tx, key, route, asked)
        if known is not None:
            return known.status, known.body.encode(), True
        try:
            status, body = answer(seen_inside(orion, tx))
        except Fenced as error:
            return error  # that it came too late has been noted on the run
        requests.keep(tx, key, Answered(route, asked, status, body.decode()), clock.now())
        return status, body, False

    answered = orion.database.write(work)
    if isinstance(answered, Fenced):
        raise answered
    return answered


def answer_read(
    orion: C, key: str, route: str, asked: str, answer: Callable[[C], tuple[int, bytes]]
) -> tuple[int, bytes, bool]:
    """The same for what reads files before it writes: it reads while others may write.

    All is done up to the first write, and left; then once more, as `answer_once` does it. What was
    read of files that have not changed since is not read again.

    Raises:
        IdempotencyKeyReuse: the key was used for another request.
    """
    check_key(key)
    with orion.database.read() as connection:
        is_new = _recall(connection, key, route, asked) is None
    with seen.remembering():
        if is_new:
            ahead = copy.copy(orion)
            ahead.database = Before(orion.database)
            with suppress(ToBeWritten):
                answer(ahead)
        return answer_once(orion, key, route, asked, answer)


def answer_apart(
    orion: C, key: str, route: str, asked: str, answer: Callable[[C], tuple[int, bytes]]
) -> tuple[int, bytes, bool]:
    """The same for what takes long, or asks others: nobody waits for it to write meanwhile.

    The key is claimed, then it is done, then the answer is kept. If this process dies meanwhile the
    next request with the key does it again, so `answer` must be such that this does no harm.

    Raises:
        IdempotencyKeyReuse: the key was used for another request.
        Conflict: the request is being done, by a process that lives.
    """
    check_key(key)
    session = orion.session

    def claim(tx: Connection) -> Answered | None:
        known = _recall(tx, key, route, asked)
        if known is not None and known.status != CLAIMED:
            return known
        if known is not None:
            claimer = sessions.read(tx, bytes.fromhex(known.body))
            if claimer is not None and claimer.is_alive:
                raise Conflict(f"{HEADER}: the request with {key!r} is being done; ask again later")
            requests.forget(tx, key)
        requests.keep(tx, key, Answered(route, asked, CLAIMED, session), clock.now())
        return None

    known = orion.database.write(claim)
    if known is not None:
        return known.status, known.body.encode(), True
    try:
        status, body = answer(orion)
    except BaseException:
        orion.database.write(lambda tx: requests.forget(tx, key))
        raise
    done = Answered(route, asked, status, body.decode())
    orion.database.write(lambda tx: _keep_instead(tx, key, done))
    return status, body, False


def _keep_instead(tx: Connection, key: str, answered: Answered) -> None:
    requests.forget(tx, key)
    requests.keep(tx, key, answered, clock.now())


def _recall(tx: Connection, key: str, route: str, asked: str) -> Answered | None:
    """What is kept with the key, if it was used for this very request."""
    known = requests.recall(tx, key)
    if known is not None and (known.route, known.digest) != (route, asked):
        raise _reused(key, known, route, asked)
    return known


def _reused(key: str, known: Answered, route: str, asked: str) -> IdempotencyKeyReuse:
    says = f"{HEADER}: {key!r} was used for another request ({known.route})"
    if known.route != route:
        return IdempotencyKeyReuse(says, field=HEADER)
    names = differing(known.digest, asked)
    says = f"{says}, which differs in {', '.join(names)}; take a new key"
    return IdempotencyKeyReuse(says, field=names[0])


def seen_inside(orion: C, tx: Connection) -> C:
    """The API from inside an open write: all that it does becomes part of it."""
    inner = copy.copy(orion)
    inner.database = Inside(orion.database, tx)
    return inner
