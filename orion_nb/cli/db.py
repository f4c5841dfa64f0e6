"""`orion-nb db`: look at the database, forget old runs, back it up, put a backup back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orion_nb import clock
from orion_nb.cli import output
from orion_nb.cli.command import OK, command, group
from orion_nb.cli.options import Json, flag
from orion_nb.errors import InvalidInput

File = Annotated[Path, typer.Argument(metavar="FILE", help="A backup that `db backup` made.")]


def register(app: typer.Typer) -> None:
    db = group(app, "db", "Look after the database: backups, old runs, upgrades.", panel="Services")
    command(db, "info", examples=("orion-nb db info",))(info)
    old = (
        "orion-nb db prune --older-than 30d --dry-run",
        "orion-nb db prune --keep-last 100 --states completed --vacuum",
    )
    command(db, "prune", examples=old)(prune)
    command(db, "backup", examples=("orion-nb db backup", "orion-nb db backup b.db"))(backup)
    put_back = ("orion-nb db restore orion-backup.db", "orion-nb db restore b.db --verify")
    command(db, "restore", examples=put_back)(restore)
    command(db, "upgrade", examples=("orion-nb db upgrade",))(upgrade)


def info(as_json: Json = False) -> None:
    """Show the database: where it is, how large, and how many rows each table has.

    As JSON: {"path", "schema", "journal", "size", "free", "oldest_run", "rows",
    "counted"}; sizes in bytes, times in microseconds since the epoch.
    """
    from orion_nb.api.connect import connect
    from orion_nb.cli.looks import plain_table, relative

    told = connect().read_database()
    if as_json:
        return output.print_json(told)
    console = output.console()
    console.print(f"{told['path']}, schema {told['schema']}, {told['journal']}")
    free = f", {show_size(told['free'])} of it free" if told["free"] else ""
    console.print(f"{show_size(told['size'])}{free}")
    if told["oldest_run"] is not None:
        console.print(f"the oldest run was created {relative(told['oldest_run'], clock.now())}")
    table = plain_table("table", ("rows", "right"))
    for name, count in told["rows"].items():
        table.add_row(name, f"{count:,}")
    if told["counted"] is None:
        return console.print("the server still counts the rows: ask again in a moment")
    return console.print(table)


def prune(
    older_than: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Runs that ended longer ago than this: 90d, 12h."),
    ] = None,
    keep_last: Annotated[
        int, typer.Option(metavar="N", min=0, help="The newest N of each flow stay.")
    ] = 0,
    states: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATE", help="Only runs that ended so: completed, failed ... Can be repeated."
        ),
    ] = None,
    deployment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only runs of this deployment.")
    ] = None,
    dry_run: Annotated[bool, flag("--dry-run", help="Only say what would go.")] = False,
    vacuum: Annotated[
        bool,
        flag("--vacuum", help="Write the file anew, as small as can be; writers wait meanwhile."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Forget finished runs, with their tasks, logs, artifacts, results and executed notebooks.

    Without --older-than those older than 90 days go, or with --keep-last those of any age. What is
    unfinished or pinned stays, and what the cache gave to another run within that time. As JSON:
    {"runs", "trees", "stayed", "results", "folders", "sources", "errors", "before", "after",
    "dry_run"}; `before` and `after` are the size of the database in bytes.
    """
    from orion_nb.api.connect import connect
    from orion_nb.settings import Settings
    from orion_nb.store import health, retention

    settings = Settings.load()
    if vacuum and settings.api_url:
        raise InvalidInput("--vacuum: only where the database is, not over HTTP", field="vacuum")
    told = connect().prune(
        older_than=older_than,
        keep_last=keep_last,
        states=states,
        deployment=deployment,
        dry_run=dry_run,
    )
    if vacuum and not dry_run:
        retention.tidy(settings.database_path, vacuum=True)
        told["after"] = health.size(settings.database_path)
    if as_json:
        return output.print_json(told)
    word = "would be forgotten" if dry_run else "forgotten"
    output.say(f"{_count(told['runs'], 'run')} in {_count(told['trees'], 'tree')} {word}.")
    for why, count in told["stayed"].items():
        output.say(f"{_count(count, 'tree')} stayed: {why}.")
    if dry_run:
        return output.say(f"The database has {show_size(told['before'])}.")
    for error in told.get("errors", ()):
        output.say(error)
    back = f"; {show_size(gone)} given back" if (gone := told["before"] - told["after"]) > 0 else ""
    had, has = show_size(told["before"]), show_size(told["after"])
    return output.say(f"The database had {had}, it has {has}{back}.")


def backup(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The copy; else a name with the time, right here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy the database while others go on using it; the copy is checked before it gets its name.

    Results and executed notebooks are files of their own, beside the database, and are not in it.
    As JSON: {"path", "schema", "size", "runs"}.
    """
    from orion_nb.settings import Settings
    from orion_nb.store.backup import back_up

    stamp = clock.utc(clock.now()).strftime("%Y%m%dT%H%M%SZ")
    target = (file or Path(f"orion-{stamp}.db")).expanduser().absolute()
    if target.is_dir():
        target /= f"orion-{stamp}.db"
    source = Settings.load().database_path
    if target == source:
        raise InvalidInput(f"file: {str(target)!r} is the database itself", field="file")
    made = back_up(source, target)
    told = {"path": str(target), "schema": made.schema, "size": made.size, "runs": made.runs}
    if as_json:
        return output.print_json(told)
    return output.say(f"{target}: {_count(made.runs, 'run')}, {show_size(made.size)}, checked.")


def restore(
    file: File,
    verify: Annotated[bool, flag("--verify", help="Only check the copy; change nothing.")] = False,
    as_json: Json = False,
) -> int:
    """Put a backup in the place of the database; what was there is kept beside it.

    Nothing may be using the database. As JSON: {"path", "schema", "runs", "aside"}; aside is the
    file as it was.
    """
    from orion_nb.settings import Settings
    from orion_nb.store.backup import check
    from orion_nb.store.backup import restore as put_back

    copy = file.expanduser().absolute()
    target = Settings.load().database_path
    found = check(copy)
    aside = None if verify else put_back(copy, target)
    told = {"path": str(copy if verify else target), "schema": found.schema, "runs": found.runs}
    if as_json:
        output.print_json({**told, "aside": str(aside) if aside else None})
    elif verify:
        output.say(f"{copy} is whole: schema {found.schema}, {_count(found.runs, 'run')}.")
    else:
        output.say(f"{target} has {_count(found.runs, 'run')} now.")
        if aside is not None:
            output.say(f"What was there is {aside}.")
    return OK


def upgrade(as_json: Json = False) -> None:
    """Bring the database of an older orion-nb to this one's schema; a copy of it is kept.

    As JSON: {"path", "upgraded", "copy"}.
    """
    from orion_nb.settings import Settings
    from orion_nb.store import migrate

    path = Settings.load().database_path
    copy = migrate.upgrade(path)
    if as_json:
        told = {"path": str(path), "upgraded": copy is not None}
        return output.print_json({**told, "copy": str(copy) if copy else None})
    if copy is None:
        return output.say(f"{path} needs no upgrade.")
    return output.say(f"{path} is upgraded; as it was: {copy}")


def show_size(size: float) -> str:
    """Bytes as people read them: `812 B`, `3.4 KiB`, `1.2 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
