"""Storage that takes and gives as it pleases, and a value to be kept there."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class Moody(MemoryFileSystem):
    """Storage that takes and gives as it pleases: `Moody.mood` is called first."""

    protocol = "moody"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    asked = 0
    mood: Callable[[], None] = staticmethod(lambda: None)

    def pipe_file(self, path, value, **kwargs):
        type(self).asked += 1
        type(self).mood()
        return super().pipe_file(path, value, **kwargs)

    def _open(self, path, mode="rb", **kwargs):
        type(self).mood()
        return super()._open(path, mode, **kwargs)


fsspec.register_implementation("moody", Moody, clobber=True)


def feels(mood):
    Moody.mood = staticmethod(mood)


def refuse():
    raise RuntimeError("500 Internal Server Error")


VALUE = (1, {"a"})
