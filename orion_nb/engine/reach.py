"""What code reaches: functions, classes, globals and modules, and what those reach in turn."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from orion_nb.engine.definitions import (
    closed_over,
    insides_of,
    lenient,
    module_of,
    print_of_class,
    print_of_function,
)
from orion_nb.engine.loads import Load, file_of, imports_of, loads_of, named
from orion_nb.engine.prints import HOSTS, Unhashable, join, name_of
from orion_nb.engine.sources import (
    is_installed,
    is_installed_file,
    is_of_python,
    print_of_code,
    print_of_tree,
)
from orion_nb.engine.walk import Walk

OURS = frozenset({"orion_nb", "orion_nb_server", "orion_nb_widgets"})


class Reach:
    """Follows code from function to function, and keeps a print of everything on the way.

    Args:
        root: the function to begin at. Its package counts by its source, wherever it is installed.
    """

    def __init__(self, root: Any = None) -> None:
        self.root, self.home = root, module_of(root) if root is not None else ""
        top = self.home.partition(".")[0]
        self._home_package = "" if is_of_python(top) else top
        self.notes: dict[str, None] = {}
        self._walk = Walk(self, is_lenient=True)
        #: For what the code is given, where a lock or a connection is no mere tool.
        self.given = Walk(self, beside=self._walk)
        self._prints: dict[str, set[bytes]] = {}
        self._packages: dict[str, str] = {}
        self._seen: dict[int, Any] = {}
        self._queue: list[Callable[[], None]] = []
        self._modules: set[str] = set()

    # -- what a Walk asks --------------------------------------------------------------------------

    def is_own(self, module: str) -> bool:
        top = module.partition(".")[0]
        if top in OURS:
            return False
        return top == self._home_package or not is_installed(module)

    def refer(self, walk: Walk, thing: Any) -> bytes | None:
        if isinstance(thing, FunctionType):
            return self._refer_function(walk, thing)
        if isinstance(thing, type):
            return self._refer_class(walk, thing)
        if isinstance(thing, ModuleType):
            self._module(thing.__name__, walk)
            return join("module", thing.__name__.encode())
        if isinstance(thing, MethodType):
            if type(thing.__self__).__module__.partition(".")[0] in HOSTS:
                return join("name", name_of(thing).encode())  # `get_ipython`, in what `!ls` becomes
            return join("method", walk.of(thing.__func__), walk.of(thing.__self__))
        if isinstance(thing, BuiltinFunctionType):
            return self._refer_builtin(walk, thing)
        if insides := insides_of(thing):
            return join(f"around {name_of(type(thing))}", *map(walk.of, insides))
        if (inner := inner_of(thing)) is not None:
            return join("around", walk.of(inner))
        is_library = not self.is_own(type(thing).__module__) and callable(thing)
        if is_library and "__wrapped__" in getattr(thing, "__dict__", {}):
            return join(f"around {name_of(type(thing))}", walk.of(thing.__wrapped__))
        return None

    # -- what a key asks ---------------------------------------------------------------------------

    def source(self, root: Any) -> bytes:
        """The print of the function's own source; what it closes over become parts."""
        self._seen[id(root)] = root
        if not isinstance(root, FunctionType) or not self.is_own(module_of(root)):
            return self._walk.root(root)
        for name, value in closed_over(root):
            if value is not root:
                self._add_data(f"variable {name}", value)
        self._queue.append(lambda: self._follow_function(root))
        return print_of_code(root.__code__, root.__globals__)

    def follow(self) -> None:
        """Everything met so far is followed to its ends."""
        try:
            while self._queue:
                self._queue.pop()()
        except OSError as error:  # a module's file is gone
            raise Unhashable(str(error)) from None

    @property
    def has_parts(self) -> bool:
        return bool(self._prints or self._packages)

    def told(self) -> Iterator[bytes]:
        """The prints of all parts, in an order that does not depend on how they were met."""
        for name in sorted(self._prints):
            yield join(name, *sorted(self._prints[name]))
        for name, version in sorted(self._packages.items()):
            yield join(name, version.encode())

    def as_text(self) -> dict[str, str]:
        """The parts by name: 64 hex digits; for a package its version."""
        prints = {name: hex_of(join(name, *sorted(p))) for name, p in self._prints.items()}
        return dict(sorted({**prints, **self._packages}.items()))

    # -- functions and classes -------------------------------------------------------------------

    def _refer_function(self, walk: Walk, fn: FunctionType) -> bytes:
        module = module_of(fn)
        if self.is_own(module):
            self._meet(fn, lambda: self._add_function(fn))
            return print_of_function(walk, fn)
        self._package(module)
        if fn.__closure__:
            return self._library_function(walk, fn)
        return join("name", name_of(fn).encode())

    def _library_function(self, walk: Walk, fn: FunctionType) -> bytes:
        """What a library's decorator made: of interest is the user's function within."""
        parts = []
        with lenient(walk):
            for name, value in closed_over(fn):
                try:
                    parts.append(walk.of(value))
                except Unhashable as error:
                    self.notes[f"{name_of(fn)}: {name} is left out: {error.reason}"] = None
        return join("closure", name_of(fn).encode(), *parts)

    def _refer_class(self, walk: Walk, cls: type) -> bytes:
        if not self.is_own(cls.__module__):
            self._package(cls.__module__)
            return join("name", name_of(cls).encode())
        self._meet(cls, lambda: self._add_data(f"class {self._label(cls)}", cls))
        return print_of_class(walk, cls)

    def _refer_builtin(self, walk: Walk, thing: BuiltinFunctionType) -> bytes:
        owner = thing.__self__
        if owner is None or isinstance(owner, type | ModuleType):
            self._package(thing.__module__ or getattr(owner, "__module__", None) or "builtins")
            return join("name", name_of(thing).encode())
        return join("builtin", thing.__name__.encode(), walk.of(owner))

    def _add_function(self, fn: FunctionType) -> None:
        self._add_data(f"function {self._label(fn)}", fn)
        self._follow_function(fn)

    def _follow_function(self, fn: FunctionType) -> None:
        for load in loads_of(fn.__code__):
            if load.kind == "import":
                package = str(fn.__globals__.get("__package__") or "")
                for module in named(load.name, load.level, package, list(load.attributes)):
                    self._module(module)
            else:
                self._follow_global(fn, load)

    def _follow_global(self, fn: FunctionType, load: Load) -> None:
        scope = fn.__globals__
        module = str(scope.get("__name__", ""))
        label = load.name if module == self.home else f"{module}.{load.name}"
        if load.name in scope:
            value = scope[load.name]
            if not self._is_known_by_name(value, module, load.name):
                self._follow_value(label, value, load.attributes)
        elif not hasattr(builtins, load.name):
            self._add(f"global {label}", b"missing")

    def _is_known_by_name(self, value: Any, module: str, name: str) -> bool:
        """A function or class defined under this name: its own part says it all."""
        inner = inner_of(value)
        thing = value if inner is None else inner
        if not isinstance(thing, FunctionType | type) or thing.__qualname__ != name:
            return False
        if module_of(thing) != module or not self.is_own(module):
            return False
        self._walk.root(thing)
        return True

    def _follow_value(self, label: str, value: Any, attributes: tuple[str, ...]) -> None:
        if not isinstance(value, ModuleType):
            self._add_data(f"global {label}", value)
        elif not attributes or not self.is_own(value.__name__):
            self._module(value.__name__)
        elif attributes[0] in vars(value):
            name, inner = attributes[0], vars(value)[attributes[0]]
            if not self._is_known_by_name(inner, value.__name__, name):
                self._follow_value(f"{value.__name__}.{name}", inner, attributes[1:])
        else:
            self._module(value.__name__)

    # -- modules and packages --------------------------------------------------------------------

    def _module(self, name: str, walk: Walk | None = None) -> None:
        """A module as a whole: its file and those it imports, or the version of its package."""
        if name in self._modules or name.partition(".")[0] in OURS:
            return
        self._modules.add(name)
        path = file_of(name)
        is_home = name.partition(".")[0] == self._home_package
        if not is_home and (is_installed(name) or (path and is_installed_file(path))):
            self._package(name)
        elif path is not None and Path(path).is_file():
            self._queue.append(lambda: self._follow_file(name, path))

    def _follow_file(self, name: str, path: str) -> None:
        stat = Path(path).stat()
        made, imports = _file(path, name, stat.st_mtime_ns, stat.st_size)
        self._add(f"module {name}", made)
        for each in imports:
            self._module(each)

    def _package(self, module: str) -> None:
        top = module.partition(".")[0]
        if top not in OURS and (version := version_of(top)):
            self._packages[f"package {top}"] = version

    # -- parts -----------------------------------------------------------------------------------

    def _meet(self, thing: Any, follow: Callable[[], None]) -> None:
        if id(thing) not in self._seen:
            self._seen[id(thing)] = thing
            self._queue.append(follow)

    def _add(self, name: str, made: bytes) -> None:
        self._prints.setdefault(name, set()).add(made)

    def _add_data(self, name: str, value: Any) -> None:
        try:
            self._add(name, self._walk.root(value))
        except Unhashable as error:
            if not is_installed(self.home):
                raise Unhashable(error.reason, name + error.path) from None
            # What a library keeps to itself is none of its user's doing.
            self.notes[f"{name}{error.path} is left out: {error.reason}"] = None
        for note in self._walk.notes:
            self.notes[f"{name}: {note}"] = None
        self._walk.notes.clear()

    def _label(self, thing: Any) -> str:
        module = module_of(thing)
        return str(thing.__qualname__) if module == self.home else f"{module}.{thing.__qualname__}"


def hex_of(made: bytes) -> str:
    """64 hex digits of a print."""
    return sha256(made).hexdigest()


@cache
def version_of(top: str) -> str:
    """The version of the installed package that a top-level module belongs to; or nothing."""
    from importlib import metadata

    if is_of_python(top) or top == "__main__":
        return ""
    try:
        return metadata.version(top)
    except metadata.PackageNotFoundError:
        owners = metadata.packages_distributions().get(top, [])
        return ", ".join(f"{name} {metadata.version(name)}" for name in sorted(set(owners)))


def inner_of(thing: Any) -> Any:
    """The function of a flow or task of ours."""
    is_ours = type(thing).__module__.partition(".")[0] in OURS
    return getattr(thing, "fn", None) if is_ours else None


@lru_cache(maxsize=1000)
def _file(path: str, module: str, mtime: int, size: int) -> tuple[bytes, tuple[str, ...]]:
    """The print of a module's file, and the modules that it imports."""
    data = Path(path).read_bytes()
    try:
        tree = ast.parse(data)
        return print_of_tree(tree), tuple(dict.fromkeys(imports_of(tree, path, module)))
    except (SyntaxError, ValueError, RecursionError):
        return join("file", sha256(data).digest()), ()
