"""`%orion show, diff, rm, rerun, limits, notifications, secrets`: looked at, and looked after."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from IPython.core.error import UsageError

from orion_nb.api import plainly
from orion_nb.api.connect import connect
from orion_nb.errors import Conflict, InvalidInput
from orion_nb.notebook.deploying import Parser, Told, add_own, own_of, times_of
from orion_nb.schemas.runs import short
from orion_nb.schemas.states import SCHEDULED

Call = Callable[[Sequence[str]], Told]
#: The folder of the data folder with secrets that sign webhooks, each until its receiver has it.
SIGNING = "signing"


def show(words: Sequence[str]) -> Told:
    """What is said of a deployment, its next times and how its last runs ended."""
    name = _named("%orion show", "What is said of a deployment.", words)
    told = connect().read_deployment(name)
    said = [f"{fact}: {text}" for fact, text in plainly.facts_of(told).items()]
    if told["problem"]:
        said.append(f"it can't be read any more, and nothing of it is run: {told['problem']}")
    elif told["paused"]:
        said.append(plainly.pause_of(told))
    said += [f"next: {at}" for at in times_of(told)]
    said += [f"run {short(run['id'])}: {run['state']['name']}" for run in told["last_runs"]]
    return said, told["name"], told


def diff(words: Sequence[str]) -> Told:
    """How the file on disk differs from the pinned version that is run."""
    name = _named("%orion diff", "How the file on disk differs from what is pinned.", words)
    told = connect().diff_deployment(name)
    return list(plainly.diff_lines(told)), told["says"] or "the file is what is pinned", told


def rm(words: Sequence[str]) -> Told:
    """A deployment is removed; its runs stay."""
    name = _named("%orion rm", "Remove a deployment; its runs stay.", words)
    told = connect().delete_deployment(name)
    return [f"{told['deleted']} is removed; its runs stay"], "", told


def rerun(words: Sequence[str]) -> Told:
    """A finished run of a deployment is run once more, by a server or a worker."""
    parser = Parser("%orion rerun", "Run a finished run of a deployment once more.")
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--why", metavar="TEXT", help="why; it is kept")
    says = "refuse if what a completed task made was not kept"
    parser.add_argument("--from-failed", action="store_true", help=says)
    add_own(parser)
    told = parser.parse_args(words)
    orion = connect()
    run = orion.find(told.run)
    said = {"why": told.why, "from_failed": told.from_failed, **own_of(told)}
    report = orion.rerun(run.id, by="notebook", **said)
    if report.state.type is not SCHEDULED:
        raise Conflict(f"run {short(run.id)} can't be rerun: {report.reason or report.state}")
    reason = f", {report.reason}" if report.reason else ""
    return [f"{run.name} {short(run.id)}: {report.state.name}{reason}"], "", report.as_json()


def retry(words: Sequence[str]) -> Told:
    """The retry that a run awaits is due now, and those of the runs within it."""
    run = _named("%orion retry", "Wait no longer for the retry of a run.", words)
    told = connect().retry_now(run, by="notebook")
    said = [f"{each['name']} {short(each['id'])} is retried now" for each in told["retried"]]
    return said, "", told


def delete(words: Sequence[str]) -> Told:
    """A finished run is deleted, by its id, with all that belongs to it."""
    run = _named("%orion delete", "Delete a finished run, by its id.", words)
    told = connect().delete_run(run)
    return [f"{short(told['deleted'])} is deleted; runs that went: {told['runs']}"], "", told


def limits(words: Sequence[str]) -> Told:
    """How many runs may execute at once: listed, set, removed."""
    return _one_of("limits", {"ls": _limits_ls, "set": _limits_set, "rm": _limits_rm}, words)


def _limits_ls(words: Sequence[str]) -> Told:
    Parser("%orion limits ls", "The limits.").parse_args(words)
    found = connect().all_limits()["limits"]
    return [plainly.limit_of(each) for each in found] or ["no limits yet"], "", found


def _limits_set(words: Sequence[str]) -> Told:
    parser = Parser("%orion limits set", "So many runs that it counts may execute at once.")
    parser.add_argument("name")
    parser.add_argument("slots", type=int)
    given = parser.parse_args(words)
    told = connect().set_limit(given.name, given.slots)
    return [plainly.limit_of(told)], "", told


def _limits_rm(words: Sequence[str]) -> Told:
    told = connect().delete_limit(_named("%orion limits rm", "Remove a limit.", words))
    return [f"{told['deleted']} is removed"], "", told


def secrets(words: Sequence[str]) -> Told:
    """The names of secrets are listed; one is set, its value asked for, or removed."""
    return _one_of("secrets", {"ls": _secrets_ls, "set": _secrets_set, "rm": _secrets_rm}, words)


def _secrets_ls(words: Sequence[str]) -> Told:
    Parser("%orion secrets ls", "The names of secrets.").parse_args(words)
    found = connect().list_secrets()["secrets"]
    return [f"{each['name']}: {each['where']}" for each in found] or ["no secrets yet"], "", found


def _secrets_set(words: Sequence[str]) -> Told:
    from getpass import getpass

    name = _named("%orion secrets set", "Keep a secret; its value is asked for.", words)
    try:
        value = getpass(f"The value of {name}: ")  # never in the line: that is saved
    except NotImplementedError:
        says = "nobody can be asked here; `orion-nb secrets set` reads it from its input"
        raise InvalidInput(f"value: {says}", field="value") from None
    told = connect().set_secret(name, value)
    return [f"{name} is kept"], "", told


def _secrets_rm(words: Sequence[str]) -> Told:
    told = connect().delete_secret(_named("%orion secrets rm", "Remove a secret.", words))
    return [f"{told['deleted']} is removed"], "", told


def notifications(words: Sequence[str]) -> Told:
    """Who is told when runs fail: listed, added, tried out, paused, removed; and deliveries."""
    known = {
        "ls": _told_ls, "add": _told_add, "rm": _told_rm, "pause": _told_paused,
        "resume": _told_again, "test": _told_try, "deliveries": _deliveries, "retry": _retry,
    }  # fmt: skip
    return _one_of("notifications", known, words)


def _told_ls(words: Sequence[str]) -> Told:
    Parser("%orion notifications ls", "Who is told.").parse_args(words)
    found = connect().list_notifications()["notifications"]
    said = [plainly.tells(each) + (" Paused." if each["paused"] else "") for each in found]
    return said or ["nobody is told yet"], "", found


def add_parser() -> Parser:
    """The grammar of `%orion notifications add`: that of `orion-nb notifications add`."""
    parser = Parser("%orion notifications add", "Tell somebody when a run fails.")
    parser.add_argument("name")
    parser.add_argument("--on", metavar="WORD,WORD", help="failed, crashed, late, recovered, any")
    parser.add_argument("--deployment", metavar="NAME", help="about its runs alone")
    parser.add_argument("--flow", metavar="NAME", help="about runs of this name alone")
    parser.add_argument("--webhook", metavar="URL", help="POST it there, signed")
    parser.add_argument("--header", metavar="NAME=VALUE", action="append", help="of the webhook")
    parser.add_argument("--command", metavar="COMMAND", help="run this; JSON is on its stdin")
    parser.add_argument("--call", metavar="MODULE:FUNCTION", help="call this")
    parser.add_argument("--apprise", metavar="URL", action="append", help="an address of apprise")
    parser.add_argument("--timeout", metavar="DURATION", help="the longest a try may take")
    parser.add_argument("--retries", type=int, help="how often it is tried again")
    parser.add_argument("--retry-delay", metavar="DURATION", help="the first wait")
    return parser


def _told_add(words: Sequence[str]) -> Told:
    given = vars(add_parser().parse_args(words))
    given["on"] = given["on"].split(",") if given["on"] else None
    given["headers"] = plainly.headers_of(given.pop("header"))
    given["command"] = shlex.split(given["command"]) if given["command"] else None
    orion = connect()
    told = orion.add_notification(given.pop("name"), **given)
    said = [plainly.tells(told)]
    if told["secret"]:
        file = _put_aside(orion.settings.home / SIGNING / f"{told['name']}.txt", told["secret"])
        said.append(f"the secret that signs it is in {file}, which only you may read")
        said.append("give it to the receiver and delete the file: it is not shown again")
        told = {**told, "secret": "whsec_…", "secret_file": str(file)}
    return said, "", told


def _put_aside(path: Path, secret: str) -> Path:
    """A file that only its owner may read has the secret: what a cell shows is saved with it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secret + "\n")
    return path


def _told_rm(words: Sequence[str]) -> Told:
    name = _named("%orion notifications rm", "Remove a notification.", words)
    told = connect().delete_notification(name)
    return [f"{told['deleted']} is removed, with its deliveries"], "", told


def _told_paused(words: Sequence[str]) -> Told:
    name = _named("%orion notifications pause", "Tell nobody until it is resumed.", words)
    return [f"{name} is paused"], "", connect().update_notification(name, paused=True)


def _told_again(words: Sequence[str]) -> Told:
    name = _named("%orion notifications resume", "Tell again, from now on.", words)
    return [f"{name} tells again"], "", connect().update_notification(name, paused=False)


def _told_try(words: Sequence[str]) -> Told:
    name = _named("%orion notifications test", "Make a delivery about no run.", words)
    told = connect().test_notification(name)
    says = f"a server or a worker makes it: %orion notifications deliveries {name}"
    return [says], "", told


def _deliveries(words: Sequence[str]) -> Told:
    parser = Parser("%orion notifications deliveries", "What was told, and what could not be.")
    parser.add_argument("name", nargs="?")
    parser.add_argument("--dead", action="store_true", help="those that were given up")
    given = parser.parse_args(words)
    told = connect().list_deliveries(given.name, "dead" if given.dead else None)["deliveries"]
    return [plainly.delivery_of(each) for each in told] or ["no deliveries"], "", told


def _retry(words: Sequence[str]) -> Told:
    parser = Parser("%orion notifications retry", "Try deliveries again that were given up.")
    parser.add_argument("delivery", nargs="*")
    parser.add_argument("--all", action="store_true", help="all that were given up")
    given = parser.parse_args(words)
    if bool(given.delivery) == given.all:
        raise InvalidInput("DELIVERY: give ids, or --all", field="DELIVERY")
    orion = connect()
    which = given.delivery or plainly.dead_of(orion)
    told = [orion.retry_delivery(each) for each in which]
    return [f"to be tried again: {len(told)}"], "", told


#: What may stand behind the words that are about several things.
WITHIN = {
    "limits": ("ls", "set", "rm"),
    "secrets": ("ls", "set", "rm"),
    "notifications": ("ls", "add", "rm", "pause", "resume", "test", "deliveries", "retry"),
}


def _one_of(noun: str, known: Mapping[str, Call], words: Sequence[str]) -> Told:
    word, *rest = list(words) or ["ls"]
    if word in ("--help", "-h"):
        Parser(f"%orion {noun}", f"Give one of {', '.join(known)}.").parse_args(["--help"])
    if word not in known:
        close = difflib.get_close_matches(word, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        raise UsageError(f"%orion {noun}: no {word!r} ({hint})")
    return known[word](rest)


def _named(prog: str, says: str, words: Sequence[str]) -> str:
    parser = Parser(prog, says)
    parser.add_argument("name")
    return str(parser.parse_args(words).name)
