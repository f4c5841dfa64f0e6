"""Envelopes: what is stored of a value, signed, so that only what we wrote is ever decoded.

    magic 8 | version 2 | serializer 14 | size of the body 8 | HMAC-SHA256 32 | body

The signature covers everything else. The key of an envelope, its name in every store, is the
SHA-256 of all its bytes. The secret lies in the data folder, for its owner alone; a result that
was written with another secret is foreign, and refused.
"""

from __future__ import annotations

import hmac
import os
import secrets
import struct
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from orion_nb.errors import ResultUnavailable, TamperedResult
from orion_nb.schemas.results import Reference

MAGIC = b"orion-nb"
VERSION = 1
HEAD = struct.Struct(">8sH14sQ")
SIGNATURE = 32
OVERHEAD = HEAD.size + SIGNATURE
SECRET = 32
PATIENCE = 0.5  # seconds; another process may just be writing the secret


def seal(secret: bytes, serializer: str, body: bytes) -> bytes:
    """The envelope of a body."""
    head = HEAD.pack(MAGIC, VERSION, serializer.encode("ascii"), len(body))
    return b"".join((head, _signature(secret, head, body), body))


def head_of(sealed: bytes) -> tuple[str, int] | None:
    """The serializer and the size that an envelope tells, unchecked; None if it is none."""
    if len(sealed) < HEAD.size:
        return None
    magic, _, serializer, size = HEAD.unpack_from(sealed)
    if magic != MAGIC:
        return None
    return serializer.rstrip(b"\0").decode("ascii", "replace"), size


def key_of(sealed: bytes) -> str:
    return sha256(sealed).hexdigest()


def unseal(secret: bytes, sealed: bytes, reference: Reference) -> bytes:
    """The body, after everything about it was verified; nothing is decoded here.

    Raises:
        TamperedResult: these are not the bytes that were stored under the reference's key, or
            they were not signed with this secret, or the reference tells another serializer.
    """
    name = f"result {(reference.key or '')[:12]}"
    if len(sealed) != reference.size + OVERHEAD:
        raise TamperedResult(
            f"{name}: stored are {'more' if len(sealed) > reference.size + OVERHEAD else 'fewer'} "
            f"bytes than the {reference.size + OVERHEAD} that were written"
        )
    if not hmac.compare_digest(key_of(sealed), reference.key or ""):
        raise TamperedResult(f"{name}: the stored bytes were changed (their SHA-256 is another)")
    magic, version, serializer, size = HEAD.unpack_from(sealed)
    body = sealed[OVERHEAD:]
    signature = sealed[HEAD.size : OVERHEAD]
    if magic != MAGIC or not hmac.compare_digest(
        signature, _signature(secret, sealed[: HEAD.size], body)
    ):
        raise TamperedResult(f"{name}: it was not signed with the secret of this data folder")
    if version != VERSION:
        raise ResultUnavailable(f"{name}: a newer orion_nb wrote it (format {version})")
    if serializer.rstrip(b"\0") != (reference.serializer or "").encode() or size != len(body):
        raise TamperedResult(f"{name}: it is not the {reference.serializer!r} it is said to be")
    return body


def secret_of(home: Path) -> bytes:
    """The secret of a data folder, made when there is none; processes agree on one.

    Raises:
        OSError: it can't be read or made.
    """
    path = home / "results.key"
    if not path.exists():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path)
    until = time.monotonic() + PATIENCE
    while len(text := path.read_text(encoding="ascii", errors="replace").strip()) < 2 * SECRET:
        if time.monotonic() > until:
            raise OSError(f"{path} is no key of {SECRET} bytes; remove it to have a new one made")
        time.sleep(0.01)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise OSError(f"{path} is no key; remove it to have a new one made") from None


def _make(path: Path) -> None:
    """The file appears whole, and whoever comes second leaves it as it is."""
    text = secrets.token_hex(SECRET).encode() + b"\n"
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    write_new(draft, text, sync=True)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError:  # no hard links here: it grows before the readers' eyes, who wait for it
        _make_slowly(path, text)
    finally:
        draft.unlink()


def _make_slowly(path: Path, text: bytes) -> None:
    with suppress(FileExistsError):
        write_new(path, text, sync=True)


def write_new(path: Path, data: bytes, *, sync: bool = False) -> None:
    """A new file holds the data, for its owner alone; nothing is left of one half written.

    Raises:
        OSError: the file is there, or can't be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _signature(secret: bytes, head: bytes, body: bytes) -> bytes:
    signing = hmac.new(secret, head, sha256)
    signing.update(body)
    return signing.digest()
