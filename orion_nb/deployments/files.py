"""The folder of a run: what lies in it, and how it is written."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from orion_nb.errors import OrionError
from orion_nb.settings import Settings

NOTEBOOK = "notebook.ipynb"
SPEC = "spec.json"
LOG = "runner.log"
PARAMETERS = "parameters.json"


@dataclass(frozen=True, slots=True)
class Spec:
    """What a runner is told about a run besides the run itself. Durations are seconds.

    `grace` passes between the interrupt of a stopped run and its kill; a kernel has `start_timeout`
    to answer. Of a cell's outputs `output_limit` characters are kept. `flow` is the flow in a
    Python file, None for a notebook; `text` is a file, named by its SHA-256, with what is run
    instead of what the file at `path` holds. If `isolated` it works in a copy of its folder.
    """

    path: str
    kernel: str | None = None
    cwd: str | None = None
    cell_timeout: float | None = None
    grace: float = 10.0
    start_timeout: float = 60.0
    allow_untagged: bool = False
    flow: str | None = None
    text: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    output_limit: int | None = None
    isolated: bool = False

    def write(self, folder: Path) -> None:
        write_whole(folder / SPEC, json.dumps(asdict(self), indent=1) + "\n", durable=False)

    @classmethod
    def read(cls, folder: Path) -> Spec:
        """The spec of the run with this folder.

        Raises:
            OrionError: there is none that can be read.
        """
        try:
            return cls(**json.loads((folder / SPEC).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise OrionError(f"{folder / SPEC} can't be read: {error}") from error


def run_folder(settings: Settings, run_id: str) -> Path:
    """The folder of a run, made if need be; only its owner may look into it."""
    folder = settings.notebooks / run_id
    settings.notebooks.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def notebook_of(settings: Settings, run_id: str) -> Path | None:
    """The executed notebook of a run, if there is one."""
    path = settings.notebooks / run_id / NOTEBOOK
    return path if path.is_file() else None


def set_aside(folder: Path, attempt: int) -> None:
    """The notebook of an earlier attempt keeps its place beside the one of this."""
    path = folder / NOTEBOOK
    if path.exists():
        path.replace(path.with_name(f"notebook.attempt-{attempt - 1}.ipynb"))


def time_ns_of_files(folder: Path) -> int:
    """Now, by the clock that stamps the files in this folder (nanoseconds)."""
    path = folder / ".now"
    path.touch(0o600)
    return path.stat().st_ctime_ns


def write_whole(path: Path, text: str, *, durable: bool = True) -> None:
    """The file has this text, or what it had before; only its owner may read it.

    If `durable`, it has it after a loss of power too.
    """
    # Another thread, or a process in another container, may be writing the same file.
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        with open(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode("utf-8", "replace"))
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every system opens folders
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
