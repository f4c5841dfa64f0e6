"""Snapshots of frames: what the names of a user's code held when it raised, kept with the run.

They are taken where `ORION_NB_FRAMES=1` or `frames=True` asks for it: a look at every name costs
time, and what lies in them is nobody else's business.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import logging
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from orion_nb.api.orion import Orion
from orion_nb.engine.sources import is_installed_file
from orion_nb.schemas.runs import Run
from orion_nb.secrets import Secret, redacted
from orion_nb.store.previews import clean, preview, said
from orion_nb.store.serializers import Unserializable, serialize, size_text

#: The type of the artifact that a snapshot is.
MIME = "application/vnd.orion.frames+json"
TEXT = "text/plain"
#: So many frames are kept, the innermost ones, each with so many names.
MOST_FRAMES, MOST_NAMES = 20, 60
#: Characters by which a value is shown, and of the source around a frame.
SHOWN, SOURCE = 2000, 16_000
#: Lines before and behind the one that raised, of a source that is longer.
AROUND = 100
#: Bytes of one value, and of all values of a snapshot.
VALUE, ALL = 256 * 1024, 1024 * 1024
#: Seconds after which no further value is kept, only shown.
LONGEST = 2.0
#: What an exception carries whose inner frames have been kept already: by id, the run's.
_KEPT = "_orion_nb_frames"

#: What the frame of a notebook's cell is called.
CELL = "the cell"

_log = logging.getLogger(__name__)
#: Of a module's names these, and tasks and flows, are no data.
_CODE = (ModuleType, FunctionType, BuiltinFunctionType, type)


def keep_frames(orion: Orion, run: Run, error: BaseException) -> None:
    """The frames of the user's code that the exception went through are kept with the run.

    Frames that a run within this one has kept already are left to it. Never raises.
    """
    try:
        frames = list(_frames_of(error, getattr(error, _KEPT, set())))
        if not frames:
            return
        room = min(ALL, orion.artifact_room // 4)
        told = {"attempt": run.attempt, "error": said(error), **_Taker(orion, room).take(frames)}
        orion.add_artifact(
            run.id, {MIME: told, TEXT: as_text(told)},
            description=f"what the names held when attempt {run.attempt} failed",
            metadata={"attempt": run.attempt},
        )  # fmt: skip
        with suppress(AttributeError, TypeError):
            known: set[int] = getattr(error, _KEPT, set())
            setattr(error, _KEPT, known | {id(frame) for frame, _ in frames})
    except Exception as trouble:
        _log.warning("the frames of %s were not kept: %s", run.name, said(trouble))


def as_text(told: dict[str, Any]) -> str:
    """The snapshot as people read it: the innermost frame last, as in a traceback."""
    lines = []
    for frame in told["frames"]:
        lines.append(f"{frame['function']} ({frame['file']}:{frame['line']})")
        if line := _line_of(frame):
            lines.append(f"  > {line}")
        for each in frame["names"]:
            shown = each["shown"].replace("\n", "\n      ")
            lines.append(f"  {each['name']} = {shown}")
    if told.get("left_out"):
        lines.insert(0, f"({told['left_out']} outer frames are left out)")
    return "\n".join([*lines, told["error"]])


def frames_of(error: BaseException) -> list[dict[str, Any]]:
    """The frames of the user's code that a live exception went through, as `as_text` takes them.

    Outermost first; names are shown, and nothing is kept.
    """
    found = list(_frames_of(error, set()))[-MOST_FRAMES:]
    return [
        {
            **_told(frame, line),
            "names": [
                {"name": name, "shown": preview(value, SHOWN)}
                for name, value, _ in islice(_names_of(frame), MOST_NAMES)
            ],
        }
        for frame, line in found
    ]


def _line_of(frame: dict[str, Any]) -> str:
    lines = frame["source"].splitlines()
    at = frame["line"] - frame["first"]
    return lines[at].strip() if 0 <= at < len(lines) else ""


def _frames_of(error: BaseException, kept: Collection[int]) -> Iterator[tuple[FrameType, int]]:
    """The frames of users' code, outermost first, but for those that are kept already."""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if id(frame) not in kept and _is_of_user(frame):
            yield frame, trace.tb_lineno
        trace = trace.tb_next


def _is_of_user(frame: FrameType) -> bool:
    module = str(frame.f_globals.get("__name__", ""))
    ours = module.partition(".")[0] == "orion_nb"
    return not (ours or is_installed_file(frame.f_code.co_filename))


class _Taker:
    """Takes frames down, as long as there is room and time for their values."""

    def __init__(self, orion: Orion, room: int) -> None:
        self._orion, self._room = orion, room
        self._until = time.monotonic() + LONGEST
        self._values: list[dict[str, Any]] = []
        self._known: dict[int, int | str] = {}

    def take(self, frames: list[tuple[FrameType, int]]) -> dict[str, Any]:
        """The innermost frames with what their names hold."""
        some = frames[-MOST_FRAMES:]
        taken = [self._frame(*each) for each in reversed(some)]  # the innermost has the first room
        left_out = len(frames) - len(some)
        return {"frames": taken[::-1], "values": self._values, "left_out": left_out}

    def _frame(self, frame: FrameType, line: int) -> dict[str, Any]:
        names = list(_names_of(frame))
        return {
            **_told(frame, line),
            "names": [self._name(*each) for each in names[:MOST_NAMES]],
            "left_out": max(0, len(names) - MOST_NAMES),
        }

    def _name(self, name: str, value: Any, scope: str) -> dict[str, Any]:
        shown = preview(value, SHOWN)
        told: dict[str, Any] = {"name": name, "type": type(value).__name__, "scope": scope}
        told["shown"] = shown
        kept = self._known.get(id(value))
        if kept is None:
            kept = self._known[id(value)] = self._value(value)
        told["why" if isinstance(kept, str) else "value"] = kept
        return told

    def _value(self, value: Any) -> int | str:
        """The place of the value among those that are kept, or why it is not kept."""
        if isinstance(value, Secret):
            return "it is a secret"
        if time.monotonic() > self._until:
            return "there was no time left for it"
        made = serialize(value, VALUE)
        if isinstance(made, Unserializable):
            return made.reason
        if _holds_secret(made.body):
            return "it holds a secret"
        if len(made.body) > self._room:
            return f"all values together are larger than {size_text(ALL)}"
        self._room -= len(made.body)
        self._values.append(self._orion.keeper.packed(made))
        return len(self._values) - 1


def _told(frame: FrameType, line: int) -> dict[str, Any]:
    """Where a frame is, and its source."""
    source, first = _source(frame.f_code, line)
    return {
        "file": clean(frame.f_code.co_filename, 1000),
        "function": CELL if _is_cell(frame) else clean(frame.f_code.co_qualname, 300),
        "line": line,
        "first": first,
        "source": redacted(source),
    }


def _is_cell(frame: FrameType) -> bool:
    """It is a cell of a notebook, not a function of one or the module of a file."""
    return frame.f_code.co_name == "<module>" and "get_ipython" in frame.f_globals


def _names_of(frame: FrameType) -> Iterator[tuple[str, Any, str]]:
    """The names that the frame's code uses: its own, then those of its module that are data."""
    own = {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)
    for name, value in own.items():
        if not name.startswith(("__", ".")):
            yield name, value, "local"
    for name in dict.fromkeys(_of_cell(frame) or _mentioned(frame.f_code)):
        if name in frame.f_globals and name not in own:
            value = frame.f_globals[name]
            if not isinstance(value, _CODE) and not hasattr(value, "with_options"):
                yield name, value, "global"


def _of_cell(frame: FrameType) -> list[str]:
    """All names in the source of a cell, whose statements are executed one by one."""
    if not _is_cell(frame):
        return []
    try:
        tree = ast.parse("".join(linecache.getlines(frame.f_code.co_filename)))
    except (SyntaxError, ValueError, RecursionError):
        return []
    found = [each for each in ast.walk(tree) if isinstance(each, ast.Name)]
    return [each.id for each in sorted(found, key=lambda each: (each.lineno, each.col_offset))]


def _mentioned(code: CodeType) -> Iterator[str]:
    """All names but its own that the code, and what is defined in it, speaks of."""
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _mentioned(each)


def _source(code: CodeType, line: int) -> tuple[str, int]:
    """The source of the frame's code and the number of its first line; of a long one a part."""
    if code.co_name == "<module>":
        lines, first = linecache.getlines(code.co_filename), 1
    else:
        try:
            lines, first = inspect.getsourcelines(code)
        except (OSError, TypeError, SyntaxError):
            return "", line
    if sum(map(len, lines)) > SOURCE:
        since = max(0, line - first - AROUND)
        lines, first = lines[since : since + 2 * AROUND], first + since
    return "".join(lines)[:SOURCE], first


def _holds_secret(body: bytes) -> bool:
    """A watched secret is among the bytes, however wide its characters are."""
    text = body.replace(b"\0", b"").decode("utf-8", "ignore")
    return redacted(text) != text
