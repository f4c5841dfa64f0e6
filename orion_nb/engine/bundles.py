"""Bundles: an object in all the formats in which a notebook could show it, within a size.

Nothing is imported for it: whoever made the object has loaded what it needs.
"""

from __future__ import annotations

import base64
import json
import math
import mimetypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from orion_nb.store.previews import said

#: Bytes of all formats together, of a file, and of a text that only stands for the object.
MOST = 4 * 1024 * 1024
MOST_OF_FILE = 1024 * 1024
MOST_OF_TEXT = 64 * 1024
#: So much of a table is shown.
ROWS, COLUMNS = 20, 20
#: How deep JSON may be nested, and how many values it may have.
DEPTH, MOST_VALUES = 50, 1_000_000
MOST_OF_METADATA = 32 * 1024

TEXT, MARKDOWN, HTML, JSON, PNG = (
    "text/plain",
    "text/markdown",
    "text/html",
    "application/json",
    "image/png",
)
#: The methods by which objects show themselves in notebooks.
METHODS = {
    HTML: "_repr_html_",
    MARKDOWN: "_repr_markdown_",
    "image/svg+xml": "_repr_svg_",
    PNG: "_repr_png_",
    "image/jpeg": "_repr_jpeg_",
    "text/latex": "_repr_latex_",
    JSON: "_repr_json_",
    "application/javascript": "_repr_javascript_",
    "application/pdf": "_repr_pdf_",
}
#: An object that has this method answers to any name, and is asked nothing.
_CANARY = "_ipython_canary_method_should_not_exist_"


@dataclass(slots=True)
class Bundle:
    """One thing in several formats, by MIME type; those in `binary` are in base64.

    `notes` say what was left out, and why.
    """

    data: dict[str, Any] = field(default_factory=dict)
    binary: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def bundle_of(obj: object, room: int = MOST) -> Bundle:
    """The object as a notebook would show it, in `room` bytes.

    Never raises what the object's own code raises.
    """
    made = Bundle()
    parts: dict[str, Any] = {}
    try:
        parts = _parts(obj, made)
    except Exception as error:
        made.notes.append(f"it could not be shown: {said(error)}")
    if TEXT not in parts and not (isinstance(obj, str) and MARKDOWN in parts):
        parts[TEXT] = _repr(obj)
    _fill(made, parts, room)
    return made


def _parts(obj: object, made: Bundle) -> dict[str, Any]:
    """What there is of the object, by MIME type: texts, bytes, JSON values."""
    if isinstance(obj, str):
        return {MARKDOWN: str(obj)}
    if isinstance(obj, Path):
        return _of_file(obj, made)
    if isinstance(obj, bytes | bytearray | memoryview):
        data = bytes(obj)
        return {"application/octet-stream": data, TEXT: f"{len(data)} bytes"}
    if type(obj) in (dict, list, tuple):
        return {JSON: _plain(obj)}
    if _is(obj, "pandas", "DataFrame"):
        return _of_table(obj, made)
    if _is(obj, "matplotlib", "Figure"):
        return _of_figure(obj)
    return _as_in_notebooks(obj, made)


def _as_in_notebooks(obj: object, made: Bundle) -> dict[str, Any]:
    shell = _shell()
    if shell is not None and not hasattr(type(obj), "_ipython_display_"):
        data, metadata = shell.display_formatter.format(obj)
        made.metadata.update(_plain(metadata))
        return dict(data)
    if isinstance(obj, type) or hasattr(obj, _CANARY):
        return {}
    parts: dict[str, Any] = {}
    for kind, name in METHODS.items():
        if (told := _asked(obj, name, made)) is not None:
            parts[kind] = told
    return parts | dict(_asked(obj, "_repr_mimebundle_", made) or {})


def _asked(obj: object, name: str, made: Bundle) -> Any:
    """What a method of the object tells, None if there is nothing; it may tell metadata too."""
    try:
        method = getattr(obj, name, None)
        told = method() if callable(method) else None
        if isinstance(told, tuple) and len(told) == 2 and isinstance(told[1], Mapping):
            told, metadata = told
            made.metadata.update(_plain(metadata))
        return told
    except Exception as error:
        made.notes.append(f"{name} raised {said(error)}")
        return None


def _shell() -> Any:
    """IPython where it shows HTML, as in a kernel: it knows formats that the object does not."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    formatter = getattr(shell, "display_formatter", None)
    return shell if HTML in getattr(formatter, "active_types", ()) else None


def _of_table(table: Any, made: Bundle) -> dict[str, Any]:
    head = table.head(ROWS)
    made.metadata.update(rows=len(table), columns=len(table.columns))
    if len(table) > ROWS:
        made.notes.append(f"the first {ROWS} of {len(table)} rows")
    if len(table.columns) > COLUMNS:
        made.notes.append(f"{COLUMNS} of {len(table.columns)} columns")
    return {
        HTML: head.to_html(max_cols=COLUMNS, border=0),
        TEXT: head.to_string(max_cols=COLUMNS, line_width=160),
    }


def _of_figure(figure: Any) -> dict[str, Any]:
    target = BytesIO()
    figure.savefig(target, format="png", bbox_inches="tight")
    return {PNG: target.getvalue()}


def _of_file(path: Path, made: Bundle) -> dict[str, Any]:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    about: dict[str, Any] = {"name": path.name, "type": kind}
    made.metadata["file"] = about
    if not path.is_file():
        made.notes.append("there is no such file" if not path.exists() else "it is no plain file")
        return {TEXT: _valid(path.name)}
    about["size"] = path.stat().st_size
    parts: dict[str, Any] = {TEXT: f"{_valid(path.name)}, {about['size']} bytes"}
    with path.open("rb") as file:
        content = file.read(MOST_OF_FILE + 1)
    if len(content) > MOST_OF_FILE:
        made.notes.append("only what is known of the file is kept: it is larger than 1 MiB")
        return parts
    about["size"] = len(content)
    return parts | {kind: _as_text(content) if kind.startswith("text/") else content}


def _fill(made: Bundle, parts: Mapping[str, Any], room: int) -> None:
    """The parts are taken, the smallest first, as long as there is room."""
    ready = []
    for kind, value in parts.items():
        try:
            ready.append((kind, *_ready(kind, value)))
        except (TypeError, ValueError, RecursionError) as error:
            made.notes.append(f"{kind} was left out: {said(error)}")
    kept = set()
    for kind, _, _, size in sorted(ready, key=lambda each: each[3]):
        if size > room:
            made.notes.append(f"{kind} was left out: it has {size} bytes, there is room for {room}")
            continue
        room -= size
        kept.add(kind)
    for kind, value, is_binary, _ in ready:
        if kind in kept:
            made.data[kind] = value
            if is_binary:
                made.binary.append(kind)
    if len(json.dumps(made.metadata)) > MOST_OF_METADATA:
        made.metadata.clear()
        made.notes.append("the metadata was left out: it is larger than 32 KiB")
    if not made.data:
        made.data[TEXT] = "(nothing of it could be kept)"


def _ready(kind: str, value: Any) -> tuple[Any, bool, int]:
    """A part as it is stored, whether that is base64, and its size in bytes."""
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii"), True, len(value)
    if isinstance(value, str):
        if _is_binary(kind):  # images come as base64 already from objects that IPython displays
            data = base64.b64decode("".join(value.split()), validate=True)
            return base64.b64encode(data).decode("ascii"), True, len(data)
        text = _valid(value)
        return text, False, len(text.encode())
    plain = _plain(value)
    return plain, False, len(json.dumps(plain))


def _is_binary(kind: str) -> bool:
    top, _, name = kind.partition("/")
    is_image = top in ("image", "audio", "video") and not name.endswith("+xml")
    return is_image or kind in ("application/pdf", "application/octet-stream")


def _plain(value: Any) -> Any:
    """The value as JSON has it; what JSON has no word for becomes text."""
    left = MOST_VALUES

    def plain(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > DEPTH:
            says = f"it is nested deeper than {DEPTH} levels, or has over {MOST_VALUES} values"
            raise ValueError(says)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return _valid(value)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(value)
        if isinstance(value, Mapping):
            return {_valid(str(key)): plain(each, depth + 1) for key, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [plain(each, depth + 1) for each in value]
        item = getattr(value, "item", None)
        if callable(item) and getattr(value, "shape", None) == ():  # a number of numpy's
            return plain(item(), depth + 1)
        return _valid(str(value))

    return plain(value, 0)


def _is(obj: object, package: str, name: str) -> bool:
    """The object's class, or one it derives from, has this name in this package."""
    return any(
        each.__name__ == name and each.__module__.partition(".")[0] == package
        for each in type(obj).__mro__
    )


def _repr(obj: object) -> str:
    try:
        text = repr(obj)
    except Exception as error:
        return f"<{type(obj).__name__}: {said(error)}>"
    if len(text) > MOST_OF_TEXT:
        text = f"{text[:MOST_OF_TEXT]}… (cut; it has {len(text)} characters)"
    return _valid(text)


def _valid(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _as_text(content: bytes) -> str | bytes:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content
