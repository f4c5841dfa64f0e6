"""What was kept for a server is delivered: in order, in batches, each once."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orion_nb import clock
from orion_nb.api.client import ANSWER, Client
from orion_nb.errors import NotFound, OrionError, ServerUnreachable, StoreUnavailable, TooLarge
from orion_nb.store.outbox import Box, Letter, outboxes
from orion_nb.store.sessions import BEAT

#: So many proposals go with one request, of so many bytes together.
MOST = 200
LARGEST = 512 * 1024
#: What a letter is about may be in the outbox of another process: it waits for so long (seconds).
OTHERS = 600.0

Told = dict[str, Any]
log = logging.getLogger(__name__)


class Later(OrionError):
    """What this is about is not known to the server yet; it is delivered after that."""


def beat_at(client: Client, sender: Told) -> bool:
    """The server is told that the process lives; True if it had taken it for dead."""
    try:
        path = f"/sessions/{sender['id']}/beat"
        return bool(client.ask("POST", path, {}, patience=BEAT).get("missed"))
    except NotFound:
        client.ask("POST", "/sessions", sender, patience=BEAT)
        return False


def deliver_left(client: Client, folder: Path) -> int:
    """What processes that are gone had left for this server is delivered; says how much."""
    delivered = 0
    for path in outboxes(folder):
        box = Box.adopt(path)
        if box is None:
            continue
        try:
            if box.url == client.url:
                delivered += deliver(client, box)
        finally:
            box.close()
    return delivered


def deliver(client: Client, box: Box, patience: float = ANSWER) -> int:
    """All letters of an outbox have been delivered, or refused, when this returns; says how many.

    What was delivered and is not noted so, for this process was killed in between, is delivered
    again: the server takes it once.

    Raises:
        ServerUnreachable, StoreUnavailable: the rest stays where it is.
        Later: what is next is about a run that the server does not know yet.
    """
    delivered = 0
    while letters := box.first(MOST):
        if "path" in letters[0].told:
            letters = letters[:1]
            answers = [_ask(client, letters[0].told, patience)]
        else:
            letters = _fitting(letters)
            answers = _propose(client, letters, box.session, patience)
        delivered += _settle(box, letters, answers)
    return delivered


def _settle(box: Box, letters: Sequence[Letter], answers: Sequence[Told]) -> int:
    for letter, answer in zip(letters, answers, strict=True):
        why = refusal(letter.told, answer)
        if answer.get("status") == 503:
            box.take_out(letter.n - 1)
            raise StoreUnavailable(why or "")
        if answer.get("error") == "RunNotFound" and _is_fresh(letter):
            box.take_out(letter.n - 1)
            raise Later(why or "")
        if why is not None:
            box.refuse(letter.run, letter.n, why, clock.now())
            log.warning("the server refused what had happened to run %s: %s", letter.run, why)
    box.take_out(letters[-1].n)
    return len(letters)


def refusal(told: Told, answer: Told) -> str | None:
    """Why the server did not take what was told; None if it did."""
    if "error" in answer:
        return str(answer.get("message"))
    entered, report = told.get("state"), answer.get("report")
    if not entered or report is None or report["status"] == "ACCEPT":
        return None
    if report["status"] == "REJECT" and answer["run"]["state"]["name"] == entered["name"]:
        return None  # the rules had put it in place of what was proposed, there as here
    return str(report.get("reason") or report["status"])


def _propose(
    client: Client, letters: Sequence[Letter], session: Told, patience: float
) -> list[Told]:
    told = {"proposals": [each.told for each in letters], "session": session}
    try:
        answered = client.ask("POST", "/batch", told, patience=patience, anyway=True)
    except TooLarge as error:
        if len(letters) > 1:
            raise
        return [{**error.as_json(), "status": error.status}]
    answers: list[Told] = answered["answers"]
    return answers


def _ask(client: Client, told: Told, patience: float) -> Told:
    try:
        client.ask(
            told["method"], told["path"], told["body"], key=told["key"], patience=patience,
            anyway=True,
        )  # fmt: skip
    except (ServerUnreachable, StoreUnavailable):
        raise
    except OrionError as error:
        return {**error.as_json(), "status": error.status}
    return {}


def _fitting(letters: Sequence[Letter]) -> list[Letter]:
    """The first of them, up to a request's size, or to one that goes by itself."""
    taken: list[Letter] = []
    size = 0
    for letter in letters:
        size += len(json.dumps(letter.told))
        if taken and (size > LARGEST or "path" in letter.told):
            break
        taken.append(letter)
    return taken


def _is_fresh(letter: Letter) -> bool:
    return clock.now() - letter.written < OTHERS * clock.SECOND
