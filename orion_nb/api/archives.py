"""What a run has shown as files: one artifact in a format, or all of them in a zip."""

from __future__ import annotations

import base64
import json
import mimetypes
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orion_nb import clock
from orion_nb.errors import InvalidInput, NotFound
from orion_nb.schemas.runs import Run, short

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

#: What is saved when nothing says which format: the first of these there is.
FIRST = (
    "image/png image/jpeg image/svg+xml application/pdf application/octet-stream text/html "
    "text/markdown application/json text/plain"
).split()
#: Extensions that the systems' tables don't agree about.
EXTENSIONS = {
    "application/octet-stream": ".bin",
    "image/jpeg": ".jpg",
    "text/latex": ".tex",
    "text/markdown": ".md",
    "text/plain": ".txt",
}
#: What is in each archive: all that is known of its files.
INDEX = "index.json"

Json = dict[str, Any]


def format_for(told: Json, path: Path) -> str:
    """The format that a file of this name is to have: its own, or the richest there is.

    Raises:
        InvalidInput: the artifact has no such format.
    """
    data, suffix = told["data"], path.suffix.lower()
    original = told["metadata"].get("file", {})
    if original.get("type") in data and Path(original["name"]).suffix.lower() == suffix:
        return str(original["type"])
    wanted = {".md": "text/markdown", ".txt": "text/plain"}.get(suffix)
    wanted = wanted or mimetypes.guess_type(path.name)[0]
    if wanted in data:
        return str(wanted)
    if suffix and wanted and original.get("type") not in data:
        says = f"--out: it has no {wanted}; there are {', '.join(data)}"
        raise InvalidInput(says, field="out")
    return richest(told)


def richest(told: Json) -> str:
    """The format that says most of an artifact: that of the file it is, an image, a page."""
    original = told.get("metadata", {}).get("file", {}).get("type")
    if original in told["data"]:
        return str(original)
    return next((kind for kind in FIRST if kind in told["data"]), next(iter(told["data"])))


def content(told: Json, kind: str) -> bytes:
    """One format of an artifact, as the bytes it had."""
    value = told["data"][kind]
    if kind in told["binary"]:
        return base64.b64decode(value)
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return text.encode("utf-8", "replace")


def file_name(told: Json, kind: str) -> str:
    """What an artifact is called as a file of this format: no folder, no dot in front."""
    original = told.get("metadata", {}).get("file", {})
    if original.get("type") == kind:
        stem, suffix = Path(original["name"]).stem, Path(original["name"]).suffix
    else:
        stem, suffix = told["key"] or f"artifact-{short(told['id'])}", extension(kind)
    return slug(stem) + slug(suffix, ".")


def extension(kind: str) -> str:
    plain = kind.partition(";")[0]
    return EXTENSIONS.get(plain) or mimetypes.guess_extension(plain, strict=False) or ".bin"


def slug(name: str, more: str = "") -> str:
    """The name with letters, digits, `-` and `_` alone, and what else is allowed."""
    plain = "".join(each if each.isalnum() or each in f"-_{more}" else "-" for each in name)
    return plain.strip("-")[:80] or "x"


def archive(orion: Orion, ref: str) -> tuple[Run, bytes]:
    """A run, and a zip of its artifacts, of the images and the HTML of its cells, and an index.

    Artifacts are in `artifacts/`, each in its richest format; older ones of the same name have
    numbers. Outputs are in `outputs/`, named by cell and place.

    Raises:
        RunNotFound: there is no such run.
        NotFound: it has shown nothing.
    """
    run = orion.find(ref)
    index: Json = {"run": run.id, "name": run.name, "artifacts": [], "outputs": []}
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data, told in _artifacts(orion, run.id):
            _write(made, name, data, told["created"])
            index["artifacts"].append({"file": name, **told})
        at = run.end_time or run.created
        for name, data, told in _outputs(orion, run.id):
            _write(made, name, data, at)
            index["outputs"].append({"file": name, **told})
        _write(made, INDEX, json.dumps(index, indent=2, ensure_ascii=False).encode(), at)
    if not index["artifacts"] and not index["outputs"]:
        raise NotFound(f"run {short(run.id)} ({run.name}) has shown nothing")
    return run, packed.getvalue()


def archive_name(run: Run) -> str:
    return f"{slug(run.name)}-{short(run.id)}.zip"


def _artifacts(orion: Orion, run_id: str) -> Iterator[tuple[str, bytes, Json]]:
    taken: Counter[str] = Counter()
    cursor = None
    while True:
        page = orion.filter_artifacts(run=run_id, limit=200, cursor=cursor)
        for each in page["artifacts"]:
            told = orion.read_artifact(each["id"])
            kind = richest(told)
            name = Path(file_name(told, kind))
            taken[name.name.lower()] += 1
            count = taken[name.name.lower()]
            number = f"-{count}" if count > 1 else ""
            yield f"artifacts/{name.stem}{number}{name.suffix}", content(told, kind), each
        cursor = page["cursor"]
        if cursor is None:
            return


def _outputs(orion: Orion, run_id: str) -> Iterator[tuple[str, bytes, Json]]:
    for each in orion.read_outputs(run_id, contents=True)["outputs"]:
        if each["data"] is None:
            continue
        kind = richest(each)
        try:
            data = content(each, kind)
        except ValueError:  # a notebook may hold anything
            continue
        cell = each["cell"] if each["cell"] is not None else f"at-{each['index']}"
        told = {name: value for name, value in each.items() if name not in ("data", "binary")}
        yield f"outputs/cell-{cell}-{each['place']}{extension(kind)}", data, told


def _write(made: zipfile.ZipFile, name: str, data: bytes, at: int) -> None:
    when = time.gmtime(max(at, 315_532_800 * clock.SECOND) // clock.SECOND)  # zip begins in 1980
    info = zipfile.ZipInfo(name, when[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    made.writestr(info, data)
