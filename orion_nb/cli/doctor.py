"""`orion-nb doctor`: checks of what Orion stands on, each with a remedy."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from orion_nb import clock
from orion_nb.cli import output
from orion_nb.cli.command import OK, RUN_FAILED, command
from orion_nb.cli.options import Json
from orion_nb.errors import OrionError
from orion_nb.schemas.durations import show
from orion_nb.store.services import ATTENDANTS

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion
    from orion_nb.store.health import Health

EXAMPLES = ("orion-nb doctor", "orion-nb doctor --json")
LITTLE = 1024**3  # bytes: with less free space than this a warning is due
NONE = 64 * 1024**2
SLOW = 0.05  # seconds to keep a page: each commit of a server takes as long
AHEAD = 60.0  # seconds; less is a clock that is set by the network
LISTEN = 0.1  # seconds
#: Labels of sessions that start scheduled runs.
GLYPHS = {"ok": ("✔", "green"), "warn": ("!", "yellow"), "fail": ("✖", "bold red")}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, how it is, and what to do if it is not well."""

    name: str
    status: Literal["ok", "warn", "fail"]
    says: str
    remedy: str | None = None


def register(app: typer.Typer) -> None:
    command(app, "doctor", panel="Services", examples=EXAMPLES)(doctor)


def doctor(as_json: Json = False) -> int:
    """Check the database, the disk, Jupyter and the kernels; say what to do about what is wrong.

    Exit code 1 if a check fails; warnings are no failure. As JSON: {"ok", "checks"}.
    """
    checks = list(examine())
    well = all(check.status != "fail" for check in checks)
    if as_json:
        output.print_json({"ok": well, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    return OK if well else RUN_FAILED


def examine() -> Iterator[Check]:
    """Every check; those of the database only if it can be opened."""
    from orion_nb.api.orion import version
    from orion_nb.settings import Settings

    yield Check("version", "ok", f"orion-nb {version()}, Python {sys.version.split()[0]}")
    try:
        settings = Settings.load()
        path = settings.database_path
    except OrionError as error:
        yield Check("settings", "fail", str(error), "Correct the environment variable.")
        return
    told = "ORION_NB_HOME" if os.environ.get("ORION_NB_HOME") else "the default; see ORION_NB_HOME"
    yield Check("data folder", "ok", f"{settings.home} ({told})")
    if settings.api_url is not None:
        yield _server(settings.api_url)
    if settings.api_url is None or path.exists():
        yield from _database(path)
    yield _disk(path)
    yield _outbox(settings.home / "outbox")
    yield _extension()
    yield _kernel()


def _database(path: Path) -> Iterator[Check]:
    from orion_nb.api.connect import connect
    from orion_nb.store import health

    try:
        orion = connect(api_url="")
        found = health.examine(orion.database)
    except OrionError as error:
        yield Check("database", "fail", str(error), "Set ORION_NB_HOME to a folder you may write.")
        return
    yield _file(path, found)
    yield _sqlite(found)
    yield _journal(found)
    yield _sync(found)
    yield _clock(found)
    yield _lost(found)
    yield _silent(found)
    yield _problems(found)
    yield _starters(orion, found)
    yield _services(orion)
    yield _deliveries(orion)


def _server(url: str) -> Check:
    from orion_nb.api.connect import connect

    try:
        told = connect().health()
    except OrionError as error:
        remedy = "Runs go on meanwhile, and are told to it later; look whether the server runs."
        return Check("server", "fail", str(error), remedy)
    return Check("server", "ok", f"{url}, orion-nb {told['version']}")


def _file(path: Path, found: Health) -> Check:
    size = path.stat().st_size / 1024**2
    says = f"{path}, {size:.1f} MiB, schema {found.schema}, on {found.filesystem or 'unknown'}"
    if found.intact == "ok":
        return Check("database", "ok", says)
    return Check(
        "database",
        "fail",
        f"{path} is damaged: {output.first_line(found.intact)}",
        "Stop all that uses it, then `orion-nb db restore BACKUP`; or `sqlite3 FILE .recover`.",
    )


def _sqlite(found: Health) -> Check:
    says = f"SQLite {'.'.join(map(str, found.sqlite))}"
    if not found.has_wal_reset_bug:
        return Check("sqlite", "ok", says)
    return Check(
        "sqlite",
        "warn",
        f"{says} can corrupt a file when two programs checkpoint at once (mended in 3.51.3)",
        "orion_nb takes turns and is safe; let no other program write to the database.",
    )


def _journal(found: Health) -> Check:
    if found.wanted_journal != "wal":
        return Check(
            "journal",
            "warn",
            f"{found.journal}: on {found.filesystem} write-ahead logging does not work",
            "Set ORION_NB_HOME to a folder on a local disk; one machine at a time may use this.",
        )
    if found.journal == "wal":
        return Check("journal", "ok", "write-ahead log")
    return Check("journal", "warn", f"{found.journal}, slower than wal", "Move the data folder.")


def _sync(found: Health) -> Check:
    says = f"the disk keeps a page in {found.sync * 1000:.1f} ms"
    if found.sync < SLOW:
        return Check("fsync", "ok", says)
    return Check("fsync", "warn", f"{says}: slow", "Move the data folder to a faster disk.")


def _clock(found: Health) -> Check:
    """Times that have not come yet; and whether the clock is being moved right now."""
    began, ticks = clock.now(), time.monotonic()
    time.sleep(LISTEN)
    moved = (clock.now() - began) / clock.SECOND - (time.monotonic() - ticks)
    if abs(moved) > LISTEN:
        says = f"the clock was moved by {moved:.1f} s during the last {LISTEN:g} s"
        return Check("clock", "warn", says, "Let one program keep the time: NTP, say.")
    if found.ahead > AHEAD:
        says = f"the database has a time that is {show(found.ahead)} later than now"
        remedy = "Set the clock of this computer, or that of the one that wrote it."
        return Check("clock", "warn", says, remedy)
    return Check("clock", "ok", "nothing in the database is later than now")


def _silent(found: Health) -> Check:
    if not found.silent:
        return Check("sessions", "ok", f"{len(found.living)} alive, none silent")
    who = ", ".join(f"{each.label or 'a process'} on {each.host}" for each in found.silent[:3])
    return Check(
        "sessions",
        "warn",
        f"{len(found.silent)} not heard of for a while, and not to be seen from here: {who}",
        "A server or a worker ends their runs as Lost: start one.",
    )


def _problems(found: Health) -> Check:
    if not found.problems:
        return Check("results", "ok", "all results are where they belong")
    says = f"{found.problems} result{'s' * (found.problems != 1)} could not be kept as they should"
    return Check("results", "warn", says, "`orion-nb results problems` says why.")


def _outbox(folder: Path) -> Check:
    from orion_nb.store.outbox import outboxes, peek

    letters = refused = 0
    for path in outboxes(folder):
        with suppress(OrionError):
            _, _, waiting, back = peek(path)
            letters, refused = letters + len(waiting), refused + len(back)
    if not letters and not refused:
        return Check("outbox", "ok", "nothing waits for a server")
    says = f"{letters} message{'s' * (letters != 1)} for a server not delivered, {refused} refused"
    remedy = "They are delivered when a process with this ORION_NB_API_URL reaches the server."
    return Check("outbox", "warn", says, remedy)


def _lost(found: Health) -> Check:
    if not found.lost:
        return Check("lost runs", "ok", "no process died with unfinished runs")
    count = sum(n for _, n in found.lost)
    who = ", ".join(f"{each.label or 'a process'} (pid {each.pid})" for each, _ in found.lost[:3])
    return Check(
        "lost runs",
        "warn",
        f"{count} unfinished run{'s' * (count != 1)} of processes that died: {who}",
        "A server or a worker ends them as Crashed: start one.",
    )


def _starters(orion: Orion, found: Health) -> Check:
    alive = [each for each in found.living if (each.label or "") in ATTENDANTS]
    if alive:
        told = ", ".join(f"{each.label} (pid {each.pid} on {each.host})" for each in alive)
        return Check("schedules", "ok", f"started by {told}")
    waiting = orion.all_deployments()["deployments"]
    due = [each for each in waiting if each["schedules"] and not each["paused"]]
    if not due:
        return Check("schedules", "ok", "nothing is scheduled")
    return Check(
        "schedules",
        "warn",
        f"{len(due)} deployment{'s' * (len(due) != 1)} scheduled, and nobody seems to start runs",
        "Start `orion-nb server`, a Jupyter server, or `orion-nb worker`.",
    )


def _services(orion: Orion) -> Check:
    found = orion.services()
    bad = [each for each in found if each["status"] in ("failing", "stuck")]
    if not bad:
        return Check("services", "ok", f"{len(found)} loops of servers and workers, all well")
    told = "; ".join(
        f"{each['name']} of {each['process']} (pid {each['pid']}) is {each['status']}: "
        f"{each['error']}"
        for each in bad
    )
    return Check("services", "fail", told, "Its log says more; restart it if it does not recover.")


def _deliveries(orion: Orion) -> Check:
    dead = orion.delivery_counts().get("dead", 0)
    if not dead:
        return Check("notifications", "ok", "none was given up")
    told = f"{dead} given up"
    return Check("notifications", "warn", told, "See `orion-nb notifications deliveries --dead`.")


def _disk(path: Path) -> Check:
    there = next(each for each in (path, *path.parents) if each.exists())
    free = shutil.disk_usage(there).free
    says = f"{free / 1024**3:.1f} GiB free"
    if free >= LITTLE:
        return Check("disk", "ok", says)
    return Check("disk", "fail" if free < NONE else "warn", says, "Make room on this disk.")


def _extension() -> Check:
    from orion_nb.cli.jupyter import EXTENSION

    if importlib.util.find_spec(EXTENSION) is None:
        return Check("extension", "fail", f"{EXTENSION} is not installed", "pip install orion-nb")
    from jupyter_core.paths import jupyter_config_path

    for folder in reversed(jupyter_config_path()):
        for file in sorted(Path(folder).glob("jupyter_*config.d/*.json")) + sorted(
            Path(folder).glob("jupyter_*config.json")
        ):
            enabled = _enabled_in(file, EXTENSION)
            if enabled is not None:
                return _extension_said(enabled, file)
    return Check(
        "extension",
        "warn",
        "no configuration of Jupyter enables the extension",
        f"jupyter server extension enable {EXTENSION}",
    )


def _extension_said(enabled: bool, file: Path) -> Check:
    if enabled:
        return Check("extension", "ok", f"enabled by {file}")
    from orion_nb.cli.jupyter import EXTENSION

    remedy = f"jupyter server extension enable {EXTENSION}"
    return Check("extension", "warn", f"switched off by {file}", remedy)


def _enabled_in(file: Path, extension: str) -> bool | None:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        value = told["ServerApp"]["jpserver_extensions"][extension]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return bool(value)


def _kernel() -> Check:
    from orion_nb.deployments.kernel import find_kernel

    try:
        spec = find_kernel("python3")
    except OrionError as error:
        return Check("kernel", "fail", str(error), "pip install ipykernel")
    # jupyter_client takes a bare `python` for the Python that it runs in.
    program = sys.executable if spec.argv[0].startswith("python") else spec.argv[0]
    return Check("kernel", "ok", f"python3 is {program}")


def _print(checks: list[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for check in checks:
        glyph, style = GLYPHS[check.status]
        says = Text(output.plain(check.says))
        if check.remedy:
            says.append(f"\n→ {output.plain(check.remedy)}", style="cyan")
        table.add_row(Text(f"{glyph} {check.name}", style=style), says)
    output.console().print(table)
