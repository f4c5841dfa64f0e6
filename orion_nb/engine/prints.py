"""What prints are made of: the bytes of simple values, and digests of several prints."""

from __future__ import annotations

import marshal
from hashlib import sha256
from types import NoneType
from typing import Any

#: What marshal writes by content alone.
SIMPLE = frozenset({NoneType, bool, int, float, complex, str, bytes})
#: Version 2 knows no references to equal objects, which depend on who else holds them.
MARSHAL = 2
SHORT = 64  # bytes that stand for themselves
LARGE = 1 << 20  # bytes that are not copied

#: What the names of classes end with whose instances are tools, not data; of one of their bases.
TOOLS = tuple(
    "Lock Condition Event Semaphore Barrier Thread Pool Executor Logger Handler Connection Session"
    " Client Engine Console Channel Loop SSLContext".split()
)
LOWER_TOOLS = frozenset({"lock", "connection", "socket", "sessionmaker", "scoped_session"})
#: What runs the notebook knows of everything in it: looking through it would take seconds.
HOSTS = frozenset({"IPython", "ipykernel"})


class Unhashable(Exception):
    """A value has no content to know it by; `path` leads to its member, `reason` says why."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason, self.path = reason, path

    def within(self, step: str) -> Unhashable:
        """The same as seen from outside: `step` leads to where it was."""
        return Unhashable(self.reason, step + self.path)


def simple(kind: type, value: Any) -> bytes:
    if kind is str and len(value) > LARGE:
        return join("str", sha256(value.encode("utf-8", "surrogatepass")).digest())
    if kind is bytes and len(value) > LARGE:
        return join("bytes", sha256(value).digest())
    return short(marshal.dumps(value, MARSHAL))


def join(tag: str, *parts: bytes) -> bytes:
    """One print of several: no two lists of parts have the same."""
    lengths = [b for part in parts for b in (len(part).to_bytes(8, "little"), part)]
    return b"#" + sha256(b"".join([tag.encode(), b"\0", *lengths])).digest()


def short(data: bytes) -> bytes:
    """The bytes themselves, or their digest when that is shorter."""
    return data if len(data) <= SHORT else b"#" + sha256(data).digest()


def name_of(thing: Any) -> str:
    """`module.qualname`; builtins are known by their name alone."""
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    if name is None:
        return name_of(type(thing))
    owner = getattr(thing, "__self__", None)
    module = getattr(thing, "__module__", None) or getattr(owner, "__module__", None) or "builtins"
    return str(name) if module == "builtins" else f"{module}.{name}"


def is_tool(kind: type) -> bool:
    """Instances are there to be used, as locks and connections are, and aren't data."""
    names = [each.__name__ for each in kind.__mro__]
    if kind.__module__.partition(".")[0] in HOSTS:
        return True
    return any(name.endswith(TOOLS) or name in LOWER_TOOLS for name in names)
