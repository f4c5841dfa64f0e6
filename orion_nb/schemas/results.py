"""References: where the value of a run is kept, or why it is not, as one line of JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from orion_nb.errors import InvalidInput, ResultUnavailable
from orion_nb.schemas.described import inferred
from orion_nb.schemas.values import frozen

#: JSON up to so many bytes is kept in the reference itself, and costs no file.
INLINE = 4096
#: A preview is at most so many characters.
PREVIEW = 1000

_HEAD = '{"inline":'


@frozen
class Reference:
    """What a state knows of the value its run returned; immutable, as the state is.

    A small value is `inline`, as JSON text. Any other is named by its `key`, the SHA-256 of what
    is stored; `size` is in bytes, without the signature, and `url` where it is to be found.
    `spooled`: when this was written the value lay in the spool, on its way to `url`. `problem`
    says what was wrong then; without a key the value was not kept at all. `schema` is the JSON
    Schema (2020-12) of a value that is JSON, as text.
    """

    inline: str | None = None
    key: str | None = None
    serializer: str | None = None
    size: int = 0
    url: str | None = None
    note: str = ""
    problem: str | None = None
    spooled: bool = False
    schema: str | None = None

    @property
    def status(self) -> str:
        """As it was at write time: `inline`, `stored`, `spooled` or `unpersisted`."""
        if self.inline is not None:
            return "inline"
        if self.key is None:
            return "unpersisted"
        return "spooled" if self.spooled else "stored"

    def __str__(self) -> str:
        if self.status == "unpersisted":
            return f"unpersisted: {self.problem}"
        return self.preview

    @property
    def is_kept(self) -> bool:
        """The value can be asked for."""
        return self.inline is not None or self.key is not None

    @property
    def preview(self) -> str:
        """The value as text that can be shown without decoding it; at most `PREVIEW` characters."""
        return self.note if self.inline is None else self.inline[:PREVIEW]

    @property
    def value(self) -> Any:
        """The inline value, a new one each time.

        Raises:
            ResultUnavailable: the value is not inline.
        """
        if self.inline is None:
            raise ResultUnavailable(self.problem or "the value is stored elsewhere, not inline")
        return json.loads(self.inline)

    def to_text(self) -> str:
        """The reference as `from_text` reads it: compact JSON, for one column of the states."""
        if self.inline is not None:
            behind = "" if self.schema is None else f',"schema":{self.schema}'
            return f"{_HEAD}{self.inline}{behind}}}"
        told = {name: value for name in _NAMES if (value := getattr(self, name))}
        if self.schema is not None:
            told["schema"] = json.loads(self.schema)
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Reference:
        """The reference that `to_text` wrote.

        Raises:
            InvalidInput: the text is no reference.
        """
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or not all(_is_right(*item) for item in told.items()):
            raise InvalidInput(f"result: {text[:80]!r} is no reference", field="result")
        schema = told.pop("schema", None)
        schema = None if schema is None else _dumps(schema)
        if "inline" in told:
            return cls(inline=_dumps(told["inline"]), schema=schema)
        return cls(**told, schema=schema)

    def as_json(self) -> dict[str, Any]:
        """For people and other programs: what is known without reading what is stored."""
        told: dict[str, Any] = {"status": self.status, "preview": self.preview}
        for name in ("key", "serializer", "size", "url", "problem"):
            if (value := getattr(self, name)) is not None:
                told[name] = value
        if self.inline is not None:
            told |= {"serializer": "json", "size": len(self.inline.encode()), "value": self.value}
        told["schema"] = self.json_schema
        return told

    @property
    def json_schema(self) -> dict[str, Any] | None:
        """The JSON Schema (2020-12) of the value, as declared or read off it; None if it has none.

        Only a value that JSON holds as it is has one.
        """
        if self.schema is not None:
            told: dict[str, Any] = json.loads(self.schema)
            return told
        return None if self.inline is None else inferred(self.value)


def is_key(text: str) -> bool:
    """The text is the key of a stored value: 64 hexadecimal digits in lower case."""
    return _KEY.fullmatch(text) is not None


_NAMES = ("key", "serializer", "size", "url", "note", "problem", "spooled")
_TYPES = {"size": int, "spooled": bool}
# A key becomes part of a path.
_KEY = re.compile(r"[0-9a-f]{64}", re.ASCII)


def _is_right(name: str, value: Any) -> bool:
    if name == "inline":
        return True
    if name == "schema":
        return isinstance(value, dict)
    if name == "key":
        return isinstance(value, str) and _KEY.fullmatch(value) is not None
    return name in _NAMES and type(value) is _TYPES.get(name, str)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
