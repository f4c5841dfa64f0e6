"""Where orion_nb keeps its data and how: read from the environment, once per connection.

| variable | meaning | default |
| --- | --- | --- |
| `ORION_NB_HOME` | data folder | the platform's user data folder + `orion_nb` |
| `ORION_NB_DATABASE_URL` | the database | `sqlite:///$ORION_NB_HOME/orion.db` |
| `ORION_NB_SYNCHRONOUS` | `normal` survives kill -9, `full` survives power loss | `normal` |
| `ORION_NB_RESULTS_URL` | where results are kept, as fsspec writes it | `$ORION_NB_HOME/results` |
| `ORION_NB_DISABLE` | `1`: decorators and magics do nothing | off |
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orion_nb.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Settings:
    """One set of settings; `load` reads them from the environment."""

    home: Path
    database_url: str
    synchronous: str = "normal"
    results_url: str | None = None

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **changes: Any) -> Settings:
        """The environment's settings, with `changes` laid over them.

        Raises:
            InvalidInput: a variable has a value that can't be accepted.
        """
        env = os.environ if environ is None else environ
        home = Path(str(changes.get("home") or env.get("ORION_NB_HOME") or _default_home()))
        home = home.expanduser().absolute()
        url = env.get("ORION_NB_DATABASE_URL") or ""
        if not url or "home" in changes:
            url = f"sqlite:///{home / 'orion.db'}"
        url = str(changes.get("database_url") or url)
        synchronous = str(changes.get("synchronous") or env.get("ORION_NB_SYNCHRONOUS") or "normal")
        if synchronous.lower() not in ("normal", "full"):
            raise InvalidInput(
                f"ORION_NB_SYNCHRONOUS: {synchronous!r} is not 'normal' or 'full'",
                field="ORION_NB_SYNCHRONOUS",
            )
        results = changes.get("results_url") or env.get("ORION_NB_RESULTS_URL") or None
        return cls(home, url, synchronous.lower(), results)

    @property
    def database_path(self) -> Path:
        """The SQLite file.

        Raises:
            InvalidInput: the URL names another database than a SQLite file.
        """
        scheme, _, rest = self.database_url.partition(":///")
        if scheme != "sqlite" or not rest or rest == ":memory:":
            raise InvalidInput(
                f"ORION_NB_DATABASE_URL: {self.database_url!r} is not supported; "
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
        }
        return {name: value for name, value in told.items() if value is not None}


def is_disabled(environ: Mapping[str, str] | None = None) -> bool:
    """Decorators and magics do nothing at all: `ORION_NB_DISABLE` is set and not 0."""
    value = (os.environ if environ is None else environ).get("ORION_NB_DISABLE", "")
    return value.lower() not in ("", "0", "false", "no", "off")


def _default_home() -> Path:
    from platformdirs import user_data_path

    return user_data_path("orion_nb", appauthor=False)
