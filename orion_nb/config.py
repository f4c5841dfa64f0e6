"""The settings there are, and the file in the data folder that keeps what was set for good.

The file is `config.toml`, one line for each setting; a variable of the environment goes before it.
`orion-nb config` reads and writes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orion_nb.errors import InvalidInput

FILE = "config.toml"
PREFIX = "ORION_NB_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name in the file; its variable is the name in capitals with a prefix.

    `is_kept` is false for what only a variable can say, since it is needed to find the file, or
    asked where nothing can be read.
    """

    name: str
    meaning: str
    default: str
    is_kept: bool = True
    is_secret: bool = False

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


ALL = (
    Setting("home", "data folder", "the platform's user data folder + `orion_nb`", is_kept=False),
    Setting("database_url", "the database", "`sqlite:///$ORION_NB_HOME/orion.db`"),
    Setting("synchronous", "`normal` survives kill -9, `full` survives power loss", "`normal`"),
    Setting("results_url", "where results are kept, as fsspec has it", "`$ORION_NB_HOME/results`"),
    Setting("api_url", "a Jupyter server whose Orion is used instead of a database", "none"),
    Setting("api_token", "a token of that server", "none", is_secret=True),
    Setting("keep", "finished runs are forgotten after this time, `90d` say", "for ever"),
    Setting("warm_runners", "runners that a worker or server keeps ready, 100 MB each", "`1`"),
    Setting("rules", "rules of your own, each `package.module:rule`, by commas", "none"),
    Setting(
        "hide",
        "names of variables that notebooks don't see, by commas",
        "`*_SECRET`",
        is_kept=False,
    ),
    Setting("webhook_allow", "networks of this machine that webhooks may go to", "none"),
    Setting("public_url", "the server's address as people see it, for links", "none"),
    Setting("log_level", "the least level that runs keep: `debug` ... or `off`", "`info`"),
    Setting("log_prints", "`0`: what runs print is not kept", "on"),
    Setting("frames", "`1`: a run that fails keeps what the names of its frames held", "off"),
    Setting("disable", "`1`: decorators and magics do nothing", "off", is_kept=False),
)
KEPT = {each.name: each for each in ALL if each.is_kept}


def read(home: Path) -> dict[str, str]:
    """What the file says, by variable; nothing without a file.

    Raises:
        InvalidInput: the file can't be read, or names what is no setting.
    """
    path = home / FILE
    if not path.exists():
        return {}
    import tomllib

    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} can't be read: {error}", field=FILE) from error
    for name in told:
        if name not in KEPT:
            raise InvalidInput(f"{path}: {_unknown(name)}", field=name)
    return {KEPT[name].variable: _text(value) for name, value in told.items()}


def write(home: Path, kept: Mapping[str, str]) -> Path:
    """The file says this from now on, by variable, and no more; it is its owner's alone."""
    path, draft = home / FILE, home / f"{FILE}.{os.getpid()}"
    home.mkdir(parents=True, exist_ok=True)
    said = {each.name: kept[each.variable] for each in ALL if each.variable in kept}
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in said.items()]
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"# Settings of orion_nb; see `orion-nb config`.\n{''.join(lines)}")
    draft.replace(path)
    return path


def name_of(told: str) -> str:
    """The name of a setting, which may be given as a variable, too: `ORION_NB_KEEP`, `keep`.

    Raises:
        InvalidInput: there is none of this name, or only a variable can set it.
    """
    name = told.removeprefix(PREFIX).lower().replace("-", "_")
    if name in KEPT:
        return name
    if any(each.name == name for each in ALL):
        only = PREFIX + name.upper()
        raise InvalidInput(f"{name}: only the variable {only} can set it", field=name)
    raise InvalidInput(_unknown(told), field=told)


def variables(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment, with what the file says where it says nothing.

    Raises:
        InvalidInput: the file can't be read.
    """
    return {**read(home), **environ}


def _unknown(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name.lower(), KEPT, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(KEPT)}"
    return f"{name!r} is no setting; {hint}"


def _text(value: Any) -> str:
    """As a variable has it: lists by commas, true and false as 1 and 0."""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(int(value)) if isinstance(value, bool) else str(value)
