"""`orion-nb artifacts`: what runs have shown: list it, look at it, save it to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orion_nb.cli import output
from orion_nb.cli.command import command, group
from orion_nb.cli.options import Json
from orion_nb.errors import InvalidInput

ArtifactRef = Annotated[
    str,
    typer.Argument(
        metavar="KEY|ID", help="A key, for its newest version, or an artifact's id or last digits."
    ),
]
READABLE = ("text/markdown", "text/plain", "application/json")


def register(app: typer.Typer) -> None:
    about = "List what runs have shown, look at one, save it to a file."
    made = group(app, "artifacts", about, panel="Runs")
    listing = ("orion-nb artifacts ls", "orion-nb artifacts ls --key sales-by-shop --json")
    command(made, "ls", examples=listing)(ls)
    one = ("orion-nb artifacts show sales-by-shop", "orion-nb artifacts show plot --out plot.png")
    command(made, "show", examples=one)(show)
    whole = ("orion-nb artifacts save daily", "orion-nb artifacts save 4f2a9c01 --out daily.zip")
    command(made, "save", examples=whole)(save)


def ls(
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Only versions of this key.")
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Only what this run has shown.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many to list: 1 to 200.")] = 20,
    cursor: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Go on where the last page ended.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List artifacts, newest first.

    As JSON: {"artifacts": ..., "cursor": ...}, without the contents.
    """
    from orion_nb.api.connect import connect

    found = connect().filter_artifacts(key=key, run=run, limit=limit, cursor=cursor)
    if as_json:
        return output.print_json(found)
    if not found["artifacts"]:
        return output.say("No artifact matches." if key or run else "No run has shown anything.")
    output.console().print(_table(found["artifacts"]))
    return output.say(f"More: --cursor {found['cursor']}") if found["cursor"] else None


def show(
    artifact: ArtifactRef,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save it to this file, in the format of its name."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show an artifact: what it is, and its text; or save it to a file.

    As JSON: the artifact with its contents by MIME type, those in "binary" in base64.
    """
    from orion_nb.api.archives import content, format_for
    from orion_nb.api.connect import connect

    told = connect().read_artifact(artifact)
    if out is not None:
        kind = format_for(told, out)
        _save(out, content(told, kind))
        output.say(f"{out}: {kind}")
    if as_json:
        return output.print_json(told)
    if out is not None:
        return None
    return _show(told)


def save(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id, its last digits, or a name.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The zip to write. [default: NAME-ID.zip]"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Save all that a run has shown as a zip: its artifacts, and its cells' images and HTML.

    As JSON: {"run": ..., "file": ..., "size": ..., "files": ...}.
    """
    import zipfile
    from io import BytesIO

    from orion_nb.api.archives import archive, archive_name
    from orion_nb.api.connect import connect

    found, packed = archive(connect(), run)
    path = out or Path(archive_name(found))
    _save(path, packed)
    with zipfile.ZipFile(BytesIO(packed)) as made:
        names = made.namelist()
    if as_json:
        told = {"run": found.id, "file": str(path), "size": len(packed), "files": names}
        return output.print_json(told)
    return output.say(f"{path}: {len(names)} files, {len(packed)} bytes")


def _save(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise InvalidInput(f"--out: {str(path)!r} can't be written: {error}", field="out") from None


def _show(told: dict[str, Any]) -> None:
    from rich.text import Text

    from orion_nb.api.archives import content
    from orion_nb.cli.looks import local
    from orion_nb.schemas.runs import short

    title = Text(output.plain(told["key"] or short(told["id"])), style="bold")
    if told["version"]:
        title.append(f" version {told['version']}", "default")
    title.append(f"  {local(told['created'])}, run {short(told['run'])}", "dim")
    console = output.console()
    console.print(title)
    for text in (told["description"], *told["notes"]):
        if text:
            console.print(Text(output.plain(text), style="italic"))
    kind = next((kind for kind in READABLE if kind in told["data"]), None)
    if kind is not None and kind not in told["binary"]:
        console.print(Text(output.plain(content(told, kind).decode())), soft_wrap=True)
    rest = [f"{each} ({len(content(told, each))} bytes)" for each in told["data"] if each != kind]
    if rest:
        console.print(Text(f"--out FILE saves {', '.join(rest)}", style="dim"))


def _table(found: list[dict[str, Any]]) -> Any:
    from orion_nb import clock
    from orion_nb.cli.looks import cut, plain_table, relative
    from orion_nb.schemas.runs import short

    now = clock.now()
    table = plain_table("artifact", "key", "version", "run", "when", ("bytes", "right"), "what")
    for each in found:
        kinds = ", ".join(kind for kind in each["types"] if kind != "text/plain")
        table.add_row(
            short(each["id"]),
            output.first_line(each["key"], 40),
            str(each["version"] or ""),
            short(each["run"]),
            relative(each["created"], now),
            str(each["size"]),
            cut(output.first_line(each["description"] or kinds or "text/plain")),
        )
    return table
