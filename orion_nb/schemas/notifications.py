"""A notification: who is told, in which way, when a run enters a state or is late."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from orion_nb.schemas import durations
from orion_nb.schemas.states import StateType

Condition = Literal[
    "failed", "crashed", "completed", "cancelled", "late", "recovered", "scheduled", "pending",
    "running", "paused", "cancelling", "any",
]  # fmt: skip
CONDITIONS: tuple[str, ...] = get_args(Condition)
Status = Literal["waiting", "delivered", "dead"]
STATUSES: tuple[str, ...] = get_args(Status)

NAME = re.compile(r"[\w][\w .\-]{0,99}", re.ASCII)
TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)
#: An address of HTTP in visible ASCII characters (RFC 3986, of which it takes a part).
ADDRESS = re.compile(
    r"https?://(?:[A-Za-z0-9._~\-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?(?:[/?#][!-~]*)?"
)
HEADER = re.compile(r"[A-Za-z0-9\-]{1,100}")
#: Headers that a webhook sets itself, or that steer the connection.
OWN_HEADERS = ("host", "content-length", "content-type", "connection", "transfer-encoding")
#: How secrets of Standard Webhooks begin; base64 follows.
SECRET = "whsec_"
#: The longest wait between two tries (seconds).
LONGEST_DELAY = 3600.0
WAYS = ("webhook", "command", "call", "apprise")

Seconds = Annotated[float, BeforeValidator(durations.seconds)]


def _words(value: Any) -> Any:
    """`"failed,late"` is understood as well as `["failed", "late"]`."""
    told = value.split(",") if isinstance(value, str) else value
    if not isinstance(told, list | tuple):
        return told
    return tuple(each.strip().lower() if isinstance(each, str) else each for each in told)


class NotificationSpec(BaseModel):
    """What a person says about a notification. Durations are seconds, or texts like `10m`.

    One of `webhook` (a URL), `command` (a program and its arguments), `call` (`module:function`)
    and `apprise` (URLs of that library) says in which way. `flow` is the name of the runs that it
    is about, if it is not about all of them. A delivery that fails is tried again `retries` times:
    after `retry_delay`, then twice that, and so on up to an hour.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: Annotated[tuple[Condition, ...], BeforeValidator(_words), Field(min_length=1)] = (
        "failed",
        "crashed",
    )
    flow: str | None = None
    webhook: str | None = None
    secret: str | None = None
    headers: dict[str, str] = Field(default_factory=dict, max_length=20)
    command: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)] | None = None
    call: str | None = None
    apprise: Annotated[tuple[str, ...], Field(min_length=1, max_length=20)] | None = None
    timeout: Annotated[Seconds, Field(gt=0, le=300)] = 30.0
    retries: Annotated[int, Field(ge=0, le=50)] = 8
    retry_delay: Annotated[Seconds, Field(gt=0, le=LONGEST_DELAY)] = 10.0

    @field_validator("webhook")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        found = ADDRESS.fullmatch(url)
        if found is None or not 0 < int(found["port"] or 80) < 65536 or len(url) > 2000:
            raise ValueError(
                "expected an address like https://example.com/hook, with no password in it"
            )
        return url

    @field_validator("secret")
    @classmethod
    def _is_secret(cls, secret: str | None) -> str | None:
        if secret is None:
            return None
        try:
            key = base64.b64decode(secret.removeprefix(SECRET), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not secret.startswith(SECRET) or not 24 <= len(key) <= 64:
            raise ValueError("expected whsec_ and 24 to 64 bytes in base64; leave it out for one")
        return secret

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            own = name.lower() in OWN_HEADERS or name.lower().startswith("webhook-")
            if own or not HEADER.fullmatch(name):
                raise ValueError(f"{name[:100]!r} can't be set")
            if not value.isascii() or not value.isprintable() or len(value) > 2000:
                raise ValueError(f"{name}: expected up to 2000 visible ASCII characters")
        return headers

    @field_validator("call")
    @classmethod
    def _is_target(cls, target: str | None) -> str | None:
        if target is not None and not TARGET.fullmatch(target):
            raise ValueError("expected package.module:function")
        return target

    @field_validator("command", "apprise")
    @classmethod
    def _are_texts(cls, texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for each in texts or ():
            if not each or "\0" in each or len(each) > 8000:
                raise ValueError("expected texts of 1 to 8000 characters")
        return texts

    @model_validator(mode="after")
    def _goes_one_way(self) -> NotificationSpec:
        given = [name for name in WAYS if getattr(self, name) is not None]
        if len(given) != 1:
            told = ", ".join(given) or "none"
            raise ValueError(f"give one of {', '.join(WAYS)}; given: {told}")
        if self.webhook is None and (self.secret or self.headers):
            raise ValueError("secret and headers are for a webhook")
        return self

    @property
    def way(self) -> str:
        """How it is delivered: webhook, command, call or apprise."""
        return next(name for name in WAYS if getattr(self, name) is not None)

    def is_about(self, kind: StateType) -> bool:
        """A run that enters a state of this type is told of."""
        return "any" in self.on or kind.value.lower() in self.on

    def delay(self, attempts: int) -> float:
        """How long to wait after so many tries (seconds)."""
        doubled: float = self.retry_delay * 2.0 ** min(attempts - 1, 20)
        return min(LONGEST_DELAY, doubled)


class Notification(NotificationSpec):
    """A notification as it is kept. Times are microseconds since the epoch, UTC.

    Without a `deployment` (its id) it is about the outermost runs of all flows. `seen` is the
    number of the event up to which it has been looked at.
    """

    id: str
    name: str
    deployment: str | None = None
    paused: bool = False
    seen: int = 0
    created: int = 0
    updated: int = 0

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not NAME.fullmatch(name):
            raise ValueError("use 1 to 100 letters, digits, spaces, dots, dashes and underscores")
        return name

    def spec(self) -> dict[str, Any]:
        """The spec as JSON values, secrets and all: for the database alone."""
        return self.model_dump(mode="json", include=set(NotificationSpec.model_fields))

    def as_json(self) -> dict[str, Any]:
        """As it is shown: without secrets, of addresses the host alone, for the rest may be one."""
        told = self.spec()
        told["secret"] = None if self.secret is None else f"{SECRET}…"
        told["headers"] = dict.fromkeys(self.headers, "…")
        told["webhook"] = self.webhook and _host(self.webhook)
        told["apprise"] = self.apprise and [_host(each) for each in self.apprise]
        names = ("id", "name", "deployment", "paused", "created", "updated")
        return {name: getattr(self, name) for name in names} | {"way": self.way, **told}


class Delivery(BaseModel):
    """One message about one cause, and what became of it. Times are microseconds, UTC.

    It is `waiting` until it was taken (`delivered`) or given up (`dead`); `due` is the next try.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    notification: str
    cause: str
    condition: str
    run: str | None = None
    n: int | None = None
    status: Status = "waiting"
    attempts: int = 0
    due: int | None = None
    payload: str | None = None
    error: str | None = None
    created: int = 0
    ended: int | None = None

    def as_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"payload", "cause"})


def _host(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    # Of other schemes than HTTP the host may be a secret, too.
    return f"{scheme}://{host}/…" if scheme in ("http", "https") else f"{scheme}://…"
