"""The print of arrays and tables: numpy, pandas, polars and pyarrow, none of which it imports.

Memory is digested where it lies. What libraries leave beneath a missing value, in padding or in
unused categories is no content and counts for nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Protocol

from orion_nb.engine.prints import Unhashable


class Walk(Protocol):
    """What walks through a value and makes prints of its parts."""

    def of(self, value: Any) -> bytes:
        """The print of one part."""
        ...

    def items(self, tag: str, values: Iterable[Any]) -> bytes:
        """The print of several, in their order."""
        ...

    def buffer(self, tag: str, view: Any) -> bytes:
        """The print of contiguous memory."""
        ...


Printer = Callable[[Walk, Any], bytes]

#: Kinds of dtype whose bytes are their content: all but objects, records and long doubles.
PLAIN = frozenset("biufcmMSU")


@cache
def printer_of(kind: type) -> Printer | None:
    """What prints instances of a class: a table or an array, or derived from one."""
    for each in kind.__mro__:
        top = each.__module__.partition(".")[0]
        if found := _PRINTERS.get((top, each.__name__)):
            return found
    return None


def _numpy(walk: Walk, array: Any) -> bytes:
    dtype = array.dtype
    head = f"{type(array).__name__} {dtype.str} {array.shape}"
    if type(array).__module__.partition(".")[0] != "numpy" or hasattr(array, "_mask"):
        told = array.__reduce__()  # a subclass has attributes of its own
        return walk.items(head, [type(array), _items(walk, array), told[2]])
    if array.dtype.names:
        fields = [(name, array[name]) for name in dtype.names]
        return walk.items(f"{head} {dtype.descr}", fields)
    return walk.items(head, [_items(walk, array)])


def _items(walk: Walk, array: Any) -> bytes:
    """The items of an array, by memory where they are plain."""
    dtype = array.dtype
    if dtype.kind not in PLAIN or (dtype.kind in "fc" and dtype.itemsize > _widest(dtype)):
        listed = array.astype(object) if dtype.kind != "O" else array
        return walk.of(list(map(_as_item, listed.ravel().tolist())))
    numpy = sys.modules["numpy"]
    memory = numpy.ascontiguousarray(array).reshape(-1)
    return walk.buffer("memory", memory.view(numpy.uint8) if memory.size else b"")


def _widest(dtype: Any) -> int:
    return 8 if dtype.kind == "f" else 16


def _as_item(value: Any) -> Any:
    """A long double has no smaller exact form than its text."""
    is_long = type(value).__name__ in ("longdouble", "clongdouble", "float128", "complex256")
    return ("long", repr(value)) if is_long else value


def _scalar(walk: Walk, value: Any) -> bytes:
    return walk.items(f"scalar {type(value).__name__}", [sys.modules["numpy"].asarray(value)])


def _frame(walk: Walk, frame: Any) -> bytes:
    columns = [(label, _extension(walk, each.array)) for label, each in frame.items()]
    names = walk.of(frame.columns)
    return walk.items("frame", [*_told(frame), columns, names, walk.of(frame.index)])


def _series(walk: Walk, series: Any) -> bytes:
    content = _extension(walk, series.array)
    return walk.items("series", [*_told(series), series.name, content, walk.of(series.index)])


def _index(walk: Walk, index: Any) -> bytes:
    kind = type(index).__name__
    if kind == "RangeIndex":
        return walk.items(kind, [index.name, index.start, index.stop, index.step])
    if kind == "MultiIndex":
        levels = [index.get_level_values(at) for at in range(index.nlevels)]
        return walk.items(kind, [list(index.names), *levels])
    return walk.items(kind, [index.name, _extension(walk, index.array)])


def _told(table: Any) -> Iterable[Any]:
    """What a table carries beside its data: its class, its attrs, attributes of a subclass."""
    kind, own = type(table), getattr(table, "_metadata", ())
    yield kind if kind.__module__.partition(".")[0] != "pandas" else kind.__name__
    yield dict(table.attrs)
    yield [getattr(table, name, None) for name in own if name != "_name"]


def _extension(walk: Walk, array: Any) -> bytes:
    """One column of a pandas table, by how it is kept."""
    dtype = str(array.dtype)
    if hasattr(array, "codes") and hasattr(array, "categories"):
        return walk.items(dtype[:8], [array.codes, array.categories, bool(array.ordered)])
    if hasattr(array, "asi8"):
        return walk.items(dtype, [array.asi8])
    if hasattr(array, "_pa_array"):
        return walk.items(dtype, [array._pa_array])
    if hasattr(array, "_mask") and hasattr(array, "_data"):
        data = array._data.copy()
        data[array._mask] = 0
        return walk.items(dtype, [data, array._mask])
    if type(array).__name__ == "NumpyExtensionArray" and array.dtype.kind in PLAIN:
        return walk.items(dtype, [array.to_numpy()])
    return walk.items(dtype, [_listed(array)])


def _listed(array: Any) -> list[Any]:
    """The items; pandas' own mark of a missing value counts as a type of its own."""
    listed = array.tolist() if hasattr(array, "tolist") else list(array)
    missing = sys.modules["pandas"].NA
    if any(each is missing for each in listed):
        return [("missing",) if each is missing else each for each in listed]
    return listed


def _pl_frame(walk: Walk, frame: Any) -> bytes:
    return walk.items("polars frame", list(frame.get_columns()))


def _pl_series(walk: Walk, series: Any) -> bytes:
    head = f"polars series {series.dtype!r}"
    if "numpy" not in sys.modules or not (series.dtype.is_numeric() or series.dtype.is_temporal()):
        return walk.items(head, [series.name, series.to_list()])
    if series.dtype.is_decimal() or series.dtype.is_(sys.modules["polars"].Int128):
        return walk.items(head, [series.name, series.to_list()])
    missing = series.is_null().to_numpy() if series.null_count() else None
    values = series.to_physical()
    if missing is not None:
        values = values.fill_null(0)
    return walk.items(head, [series.name, missing, values.rechunk().to_numpy()])


def _pl_lazy(walk: Walk, frame: Any) -> bytes:
    raise Unhashable("a LazyFrame is a plan, not its data; collect() it first")


def _pa_table(walk: Walk, table: Any) -> bytes:
    columns = [walk.of(each) for each in table.columns]
    names = [(each.name, each.nullable, each.metadata) for each in table.schema]
    return walk.items("arrow table", [names, table.schema.metadata, columns])


def _pa_array(walk: Walk, array: Any) -> bytes:
    arrow: Any = sys.modules["pyarrow"]
    head, kind = f"arrow {array.type}", array.type
    is_fixed = arrow.types.is_primitive(kind) and not arrow.types.is_boolean(kind)
    if "numpy" not in sys.modules or not is_fixed or arrow.types.is_float16(kind):
        return walk.items(head, [array.to_pylist()])
    if hasattr(array, "combine_chunks"):
        several = array.chunks or [arrow.array([], kind)]
        array = several[0] if len(several) == 1 else arrow.concat_arrays(several)
    whole = {32: arrow.int32(), 64: arrow.int64()}
    if arrow.types.is_temporal(kind):
        array = array.view(whole[kind.bit_width])
    missing = None
    if array.null_count:
        missing, array = array.is_null().to_numpy(zero_copy_only=False), array.fill_null(0)
    return walk.items(head, [missing, array.to_numpy()])


def _pa_scalar(walk: Walk, scalar: Any) -> bytes:
    return walk.items(f"arrow scalar {scalar.type}", [scalar.as_py()])


def _pa_type(walk: Walk, kind: Any) -> bytes:
    return walk.items("arrow type", [str(kind)])


_PRINTERS: dict[tuple[str, str], Printer] = {
    ("numpy", "ndarray"): _numpy,
    ("numpy", "generic"): _scalar,
    ("pandas", "DataFrame"): _frame,
    ("pandas", "Series"): _series,
    ("pandas", "Index"): _index,
    ("polars", "DataFrame"): _pl_frame,
    ("polars", "Series"): _pl_series,
    ("polars", "LazyFrame"): _pl_lazy,
    ("pyarrow", "Table"): _pa_table,
    ("pyarrow", "RecordBatch"): _pa_table,
    ("pyarrow", "Array"): _pa_array,
    ("pyarrow", "ChunkedArray"): _pa_array,
    ("pyarrow", "Scalar"): _pa_scalar,
    ("pyarrow", "DataType"): _pa_type,
    ("pyarrow", "Schema"): _pa_type,
}
