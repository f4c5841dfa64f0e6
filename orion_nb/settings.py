"""Where orion_nb keeps its data and how: read from the environment, once per connection.

Which variables there are says `orion_nb.config`; what the environment does not say may be kept in
the file `config.toml` of the data folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orion_nb import config
from orion_nb.errors import InvalidInput

#: The database of a data folder, unless another one is named.
DATABASE = "orion.db"
MOST_WARM = 64
TOKEN = "ORION_NB_API_TOKEN"

#: A server's address and its token, as this process was handed them.
_handed: tuple[str, str] = ("", "")


def hand_token(token: str) -> None:
    """This process has the token of the server that its environment names, from now on.

    It has it to itself: in its environment, all that it starts would inherit it. A variable that
    says another token goes before it; it goes before the file.
    """
    global _handed
    _handed = (os.environ.get("ORION_NB_API_URL", ""), token)


def adopt(environ: Mapping[str, str]) -> None:
    """This process has the settings that another one gives as variables (see `as_environ`)."""
    told = dict(environ)
    token = told.pop(TOKEN, "")
    os.environ.pop(TOKEN, None)
    os.environ.update(told)
    hand_token(token)


@dataclass(frozen=True, slots=True)
class Settings:
    """One set of settings; `load` reads them from the environment."""

    home: Path
    database_url: str = field(repr=False)
    synchronous: str = "normal"
    results_url: str | None = field(default=None, repr=False)
    api_url: str | None = None
    api_token: str = field(default="", repr=False)
    keep: str | None = None
    rules: tuple[str, ...] = ()
    warm_runners: int = 1
    webhook_allow: tuple[str, ...] = ()
    public_url: str | None = None
    frames: bool = False

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **changes: Any) -> Settings:
        """The settings of the environment and the file, with `changes` laid over them.

        Raises:
            InvalidInput: a variable has a value that can't be accepted; the file can't be read.
        """
        env = _own() if environ is None else environ
        home = _home(env, changes)
        env, kept = config.variables(env, home), config.read(home)
        # What the environment says of a database is not about a folder that is named here.
        url = (kept if "home" in changes else env).get("ORION_NB_DATABASE_URL")
        if not url:
            url = f"sqlite:///{home / DATABASE}"
        url = str(changes.get("database_url") or url)
        synchronous = str(changes.get("synchronous") or env.get("ORION_NB_SYNCHRONOUS") or "normal")
        if synchronous.lower() not in ("normal", "full"):
            raise InvalidInput(
                f"ORION_NB_SYNCHRONOUS: {synchronous!r} is not 'normal' or 'full'",
                field="ORION_NB_SYNCHRONOUS",
            )
        results = changes.get("results_url") or env.get("ORION_NB_RESULTS_URL") or None
        api_url, api_token = _api(env, changes)
        keep = changes.get("keep") or env.get("ORION_NB_KEEP") or None
        told = changes.get("rules") or env.get("ORION_NB_RULES") or ""
        rules = told.split(",") if isinstance(told, str) else told
        named = tuple(name.strip() for name in rules if name.strip())
        warm = _warm(changes.get("warm_runners", env.get("ORION_NB_WARM_RUNNERS") or 1))
        return cls(
            home,
            url,
            synchronous.lower(),
            results,
            api_url,
            api_token,
            keep,
            named,
            warm,
            _networks(changes.get("webhook_allow") or env.get("ORION_NB_WEBHOOK_ALLOW") or ""),
            _page(changes.get("public_url") or env.get("ORION_NB_PUBLIC_URL") or ""),
            _is_on(str(changes.get("frames", env.get("ORION_NB_FRAMES") or ""))),
        )

    @property
    def database_path(self) -> Path:
        """The SQLite file.

        Raises:
            InvalidInput: the URL names another database than a SQLite file.
        """
        scheme, _, rest = self.database_url.partition(":///")
        if scheme != "sqlite" or not rest or rest == ":memory:":
            raise InvalidInput(
                f"ORION_NB_DATABASE_URL: {shown_url(self.database_url)!r} is not supported; "
                "use sqlite:///PATH (one file)",
                field="ORION_NB_DATABASE_URL",
            )
        return Path(rest).expanduser().absolute()

    @property
    def notebooks(self) -> Path:
        """Where executed notebooks are kept, one folder per run."""
        return self.home / "runs"

    def as_environ(self) -> dict[str, str]:
        """The variables with which another process has the same settings."""
        told = {
            "ORION_NB_HOME": str(self.home),
            "ORION_NB_DATABASE_URL": self.database_url,
            "ORION_NB_SYNCHRONOUS": self.synchronous,
            "ORION_NB_RESULTS_URL": self.results_url,
            "ORION_NB_KEEP": self.keep,
            "ORION_NB_RULES": ",".join(self.rules) or None,
            "ORION_NB_WEBHOOK_ALLOW": ",".join(self.webhook_allow) or None,
            "ORION_NB_PUBLIC_URL": self.public_url,
            "ORION_NB_FRAMES": "1" if self.frames else None,
            "ORION_NB_API_URL": self.api_url or "",
            TOKEN: self.api_token,
        }
        return {name: value for name, value in told.items() if value is not None}


def _own() -> Mapping[str, str]:
    """The environment of this process, with the token it was handed for the server named there."""
    url, token = _handed
    if not token or os.environ.get("ORION_NB_API_URL") != url:
        return os.environ
    return {TOKEN: token, **os.environ}


def _warm(told: Any) -> int:
    """How many runners are kept ready; each is a process with another beside it."""
    if str(told).isascii() and str(told).isdigit() and int(told) <= MOST_WARM:
        return int(told)
    says = f"ORION_NB_WARM_RUNNERS: expected 0..{MOST_WARM}, got {told!r}"
    raise InvalidInput(says, field="ORION_NB_WARM_RUNNERS")


def _networks(told: str | tuple[str, ...]) -> tuple[str, ...]:
    """Networks like `127.0.0.0/8`, by commas; `localhost` is those of this machine."""
    if not told:
        return ()
    from ipaddress import ip_network

    listed = told.split(",") if isinstance(told, str) else told
    found: list[str] = []
    for each in (name.strip() for name in listed):
        for network in ("127.0.0.0/8", "::1/128") if each == "localhost" else (each,):
            try:
                found.append(str(ip_network(network)))
            except ValueError as error:
                says = f"ORION_NB_WEBHOOK_ALLOW: {error}; write 127.0.0.0/8 or localhost"
                raise InvalidInput(says, field="ORION_NB_WEBHOOK_ALLOW") from None
    return tuple(found)


def _page(url: str) -> str | None:
    """The address without a slash at its end."""
    if not url:
        return None
    if not url.startswith(("http://", "https://")) or not url.isprintable():
        says = f"ORION_NB_PUBLIC_URL: {url!r} is no address like https://jupyter.example.com/"
        raise InvalidInput(says, field="ORION_NB_PUBLIC_URL")
    return url.rstrip("/")


def _api(env: Mapping[str, str], changes: Mapping[str, Any]) -> tuple[str | None, str]:
    """The URL of the API and its token; none if the database was named instead, not by variables.

    An address as a browser shows it is taken too: with `?token=...`, and `/lab` or `/tree` behind.
    """
    from urllib.parse import parse_qsl, urlsplit

    named = changes.get("api_url")
    if named is None and not (changes.get("home") or changes.get("database_url")):
        named = env.get("ORION_NB_API_URL")
    if not named:
        return None, ""
    try:
        parts = urlsplit(str(named))
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or parts.username is not None or parts.password is not None:
        told = str(named).rpartition("@")[2].partition("?")[0]
        says = f"ORION_NB_API_URL: {told!r} is no address like http://localhost:8888"
        raise InvalidInput(says, field="ORION_NB_API_URL")
    path = re.sub(r"/(?:lab|tree|orion)(?:/.*)?$", "", parts.path).rstrip("/")
    shown = dict(parse_qsl(parts.query)).get("token", "")
    token = changes.get("api_token") or shown or env.get(TOKEN) or ""
    if not token.isascii() or not token.isprintable():
        raise InvalidInput(f"{TOKEN}: a token has visible ASCII characters only", field=TOKEN)
    return f"{parts.scheme}://{parts.netloc}{path}", token


def shown_url(url: str) -> str:
    """A URL as it may be told and logged: without user, password and query, which hold secrets."""
    scheme, mark, rest = url.partition("://")
    place = rest if scheme == "sqlite" else rest.rpartition("@")[2]
    return f"{scheme}{mark}{place}".partition("?")[0]


def variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment, with what the file of its data folder says where it says nothing.

    Raises:
        InvalidInput: the file can't be read.
    """
    env = os.environ if environ is None else environ
    return config.variables(env, _home(env, {}))


def is_disabled(environ: Mapping[str, str] | None = None) -> bool:
    """Decorators and magics do nothing at all: `ORION_NB_DISABLE` is set and not 0."""
    return _is_on((os.environ if environ is None else environ).get("ORION_NB_DISABLE", ""))


def _is_on(value: str) -> bool:
    return value.lower() not in ("", "0", "false", "no", "off")


def _home(env: Mapping[str, str], changes: Mapping[str, Any]) -> Path:
    try:
        told = changes.get("home") or env.get("ORION_NB_HOME") or _default_home()
        return Path(str(told)).expanduser().absolute()
    except RuntimeError as error:  # this user has no home folder
        says = f"ORION_NB_HOME: set it to a folder that you may write: {error}"
        raise InvalidInput(says, field="ORION_NB_HOME") from error


def _default_home() -> Path:
    from platformdirs import user_data_path

    return user_data_path("orion_nb", appauthor=False)
