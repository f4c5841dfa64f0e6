"""Tables and frames as Arrow IPC, where that gives them back exactly; else it says so by None."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any


def size(value: Any) -> int | None:
    """Bytes in memory of a pyarrow table or a pandas frame, without looking into its objects."""
    kind = (type(value).__module__.partition(".")[0], type(value).__name__)
    if kind == ("pyarrow", "Table"):
        return int(value.nbytes)
    if kind == ("pandas", "DataFrame"):
        return int(value.memory_usage(index=True, deep=False).sum())
    return None


def write(value: Any) -> tuple[str, bytes] | None:
    """The serializer's name and the bytes, or None where Arrow does not give back the same."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _table(value) if type(value).__name__ == "Table" else _frame(value)
    except Exception:  # no pyarrow, or a column that it doesn't know: another serializer will do
        return None


def read_table(body: bytes) -> Any:
    return import_module("pyarrow.ipc").open_stream(body).read_all()


def read_frame(body: bytes) -> Any:
    return read_table(body).to_pandas()


def _table(table: Any) -> tuple[str, bytes] | None:
    # Another process may not know an extension type, and would answer what it is stored as.
    if any("extension<" in str(field.type) for field in table.schema):
        return None
    body = _ipc(table)
    back = read_table(body)
    same = back.schema.equals(table.schema, check_metadata=True)
    return ("table", body) if same and back.num_rows == table.num_rows else None


def _frame(frame: Any) -> tuple[str, bytes] | None:
    if frame.attrs or not frame.flags.allows_duplicate_labels or not _is_plain(frame):
        return None
    body = _ipc(import_module("pyarrow").Table.from_pandas(frame))
    return ("frame", body) if _is_same(frame, read_frame(body)) else None


def _ipc(table: Any) -> bytes:
    arrow = import_module("pyarrow")
    out = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    body: bytes = out.getvalue().to_pybytes()
    return body


def _is_plain(frame: Any) -> bool:
    """Columns of objects hold nothing but exact strings and None.

    A column of some other objects would come back as values that are merely equal to them.
    """
    levels = [frame.index, *getattr(frame.index, "levels", ())]
    columns = [frame.iloc[:, at] for at in range(frame.shape[1])]
    return all(_holds_plain(one) for one in (*columns, *levels))


def _holds_plain(column: Any) -> bool:
    if type(column).__name__ == "MultiIndex":
        return True  # its levels are looked at
    dtype = column.dtype
    if hasattr(dtype, "categories"):
        return _holds_plain(dtype.categories)
    return dtype.kind != "O" or set(map(type, column)) <= {str, type(None)}


def _is_same(frame: Any, back: Any) -> bool:
    return (
        bool(back.equals(frame))
        and _dtypes(back) == _dtypes(frame)
        and _is_same_index(back.index, frame.index)
        and _is_same_index(back.columns, frame.columns)
    )


def _dtypes(frame: Any) -> list[tuple[Any, ...]]:
    return [(type(dtype), dtype, type(getattr(dtype, "tz", None))) for dtype in frame.dtypes]


def _is_same_index(back: Any, index: Any) -> bool:
    return (
        type(back) is type(index)
        and bool(back.identical(index))
        and getattr(back, "freq", None) == getattr(index, "freq", None)
        and (index.dtype.kind != "O" or list(map(type, back)) == list(map(type, index)))
        and list(map(type, back.names)) == list(map(type, index.names))
    )
