"""What Tab offers in a `%orion` or `%%task` line: its words, options, and the names there are."""

from __future__ import annotations

import shlex
from typing import Any

from orion_nb.api.naming import names
from orion_nb.notebook import options, replaying
from orion_nb.notebook.deploying import deploy_parser
from orion_nb.notebook.magics import WORDS
from orion_nb.notebook.managing import WITHIN, add_parser
from orion_nb.notebook.replay_magics import WORDS as REPLAY_WORDS
from orion_nb.schemas.deploy_options import OPTIONS, Option

_OPTIONS = {flag: option for option in OPTIONS for flag in option.flags}
#: Options of the other words that may follow `%orion`.
_OTHERS = {
    "runs": ("--tasks",),
    "logs": ("--level", "--tree", "--limit", "--follow"),
    "run": ("-p", "--kernel", "--env"),
    "pause": ("--until", "--why"),
    "preview": ("--tz", "--starts", "--ends", "-n"),
    "rerun": ("--why", "--from-failed", "--kernel", "--env"),
    "notifications deliveries": ("--dead",),
    "notifications retry": ("--all",),
}
#: Options of the words that may follow `%replay`.
_REPLAYED = {"commit": ("--resume", "--why")}
#: What the name behind these words is one of.
_NAMED = {
    **dict.fromkeys(("run", "pause", "resume", "show", "diff", "rm"), "deployments"),
    **dict.fromkeys(("why", "cancel", "logs", "rerun", "retry"), "runs"),
    **dict.fromkeys(("limits set", "limits rm"), "limits"),
    **dict.fromkeys(("secrets set", "secrets rm"), "secrets"),
    **dict.fromkeys(
        [f"notifications {word}" for word in ("rm", "pause", "resume", "test", "deliveries")],
        "notifications",
    ),
}


def register(shell: Any) -> None:
    """Tab completes our magics."""
    shell.set_hook("complete_command", lambda _, event: orion(event.line), str_key="%orion")
    shell.set_hook("complete_command", lambda _, event: replay(event.line), str_key="%replay")
    shell.set_hook("complete_command", lambda _, event: task(event.line), str_key="%%task")


def orion(line: str) -> list[str]:
    """What may stand at the end of a `%orion` line."""
    before, word = _split(line)
    if not before:
        return _beginning(WORDS, word)
    if before[0] in WITHIN and len(before) == 1:
        return _beginning(WITHIN[before[0]], word)
    said = " ".join(before[: 2 if before[0] in WITHIN else 1])
    if said in _NAMED and said == " ".join(before) and not word.startswith("-"):
        return _beginning(names(_NAMED[said]), word)
    if said == "notifications add":
        return _beginning(add_parser()._option_string_actions, word)
    if said != "deploy":
        return _beginning(_OTHERS.get(said, ()), word)
    behind = _OPTIONS.get(before[-1])
    if behind is not None and behind.metavar:
        return _beginning(_values(behind), word)
    return _beginning(deploy_parser()._option_string_actions, word)


def task(line: str) -> list[str]:
    """What may stand at the end of a `%%task` line."""
    return _beginning(options.parser()._option_string_actions, _split(line)[1])


def replay(line: str) -> list[str]:
    """What may stand at the end of a `%replay` line."""
    before, word = _split(line)
    if before and before[0] in REPLAY_WORDS:
        return _beginning(_REPLAYED.get(before[0], ()), word)
    if not before and not word.startswith("-"):
        return _beginning(REPLAY_WORDS, word)
    return _beginning(replaying.parser()._option_string_actions, word)


def _values(option: Option) -> list[str]:
    return [*option.words] or ([] if option.completes in ("", "files") else names(option.completes))


def _split(line: str) -> tuple[list[str], str]:
    """The whole words behind the magic, and the beginning of one that is being typed."""
    try:
        told = shlex.split(line)
    except ValueError:
        told = line.split()
    words = told[1:]
    if line[-1:].isspace() or not words:
        return words, ""
    return words[:-1], words[-1]


def _beginning(known: Any, word: str) -> list[str]:
    return [each for each in known if each.startswith(word)]
