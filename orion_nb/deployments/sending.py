"""One try of a delivery, in the way its notification says: webhook, command, call or apprise."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

from orion_nb import clock
from orion_nb.clock import SECOND
from orion_nb.deployments.environ import child_environ
from orion_nb.deployments.webhooks import Undelivered, post, sign
from orion_nb.schemas.notifications import Delivery, Notification
from orion_nb.settings import Settings

#: So much of what a command says when it fails is kept (characters).
SAID = 500


def send(settings: Settings, known: Notification, delivery: Delivery) -> None:
    """The delivery's payload has been taken, within the notification's timeout.

    Raises:
        Undelivered: it was not; the message says why.
    """
    body = (delivery.payload or "").encode()
    if known.webhook is not None:
        post(
            known.webhook, body, webhook_headers(known, delivery, body), known.timeout,
            settings.webhook_allow,
        )  # fmt: skip
        return
    if known.command is not None:
        _run(settings, list(known.command), body, delivery, known.timeout)
        return
    how: dict[str, Any] = {"call": known.call} if known.call else {"apprise": known.apprise}
    told = json.dumps({**how, "payload": json.loads(body)}).encode()
    module = [sys.executable, "-m", "orion_nb.deployments.called"]
    _run(settings, module, told, delivery, known.timeout)


def webhook_headers(known: Notification, delivery: Delivery, body: bytes) -> dict[str, str]:
    """The headers of a webhook, its signature among them; the time is now."""
    at = clock.now() // SECOND
    return {
        "Content-Type": "application/json",
        "User-Agent": "orion-nb",
        **known.headers,
        "webhook-id": delivery.id,
        "webhook-timestamp": str(at),
        "webhook-signature": sign(known.secret or "", delivery.id, at, body),
    }


def _run(
    settings: Settings, command: list[str], told: bytes, delivery: Delivery, timeout: float
) -> None:
    """The command has ended well; when its time is over, it and its children are killed."""
    told_to = {**settings.as_environ(), "ORION_NB_DELIVERY": delivery.id}
    environ = child_environ(os.environ, **told_to)
    try:
        process = subprocess.Popen(
            command, env=environ, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise Undelivered(f"{command[0]!r} can't be started: {error}") from error
    said, is_late = b"", False
    with process:
        try:
            _, said = process.communicate(told, timeout)
        except subprocess.TimeoutExpired as error:
            # It may have ended, and something that it left running holds the pipe.
            said, is_late = error.stderr or b"", process.poll() is None
            _end(process)
        except BaseException:
            _end(process)
            raise
    if is_late:
        raise Undelivered(f"not done within {timeout:g} s, and killed")
    if process.returncode != 0:
        text = said.decode("utf-8", "replace").strip()[-SAID:]
        raise Undelivered(f"exit code {process.returncode}: {text}".rstrip(": "))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of it is left. As long as one process of its group is, no other has its number."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
