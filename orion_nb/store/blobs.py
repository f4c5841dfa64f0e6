"""Blobs: sealed results in a folder or on any storage that fsspec knows, named by their content.

A blob lies at `URL/ab/cd/abcd…`, by the SHA-256 of its bytes: the same content is one blob.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from datetime import UTC
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from orion_nb.errors import OrionError, ResultUnavailable
from orion_nb.schemas.results import Reference
from orion_nb.store import serializers
from orion_nb.store.envelopes import OVERHEAD, head_of, key_of, seal, unseal, write_new
from orion_nb.store.previews import said
from orion_nb.store.serializers import Serialized


class Blobs:
    """Signed values on one storage. Its methods may be called from any thread, and may block."""

    def __init__(self, url: str, secret: bytes, *, fsync: bool = False) -> None:
        folder = local_folder(url)
        self.url = public(url)
        self._secret = secret
        self._place: _Place = _Folder(folder, fsync) if folder else _Remote(url)

    def put(self, made: Serialized) -> Reference:
        """The value is stored under the key of its content.

        Raises:
            Exception: whatever the storage raises; OSError for a folder.
        """
        sealed = seal(self._secret, made.serializer, made.body)
        key = key_of(sealed)
        self.store(key, sealed)
        return Reference(
            key=key,
            serializer=made.serializer,
            size=len(made.body),
            url=self.url,
            note=made.preview,
        )

    def get(self, reference: Reference) -> Any:
        """The value that `put` stored; everything is verified before anything is decoded.

        Raises:
            ResultUnavailable: it is not there, or its storage or its decoder fails.
            TamperedResult: what is there is not what was stored.
        """
        return decode(self._secret, self.fetch(reference), reference)

    def store(self, key: str, sealed: bytes) -> None:
        """Sealed bytes are stored as they are."""
        self._place.write(key, sealed)

    def head(self, key: str) -> tuple[str, int] | None:
        """The serializer and size that are told of a blob, unchecked; None if it is not there."""
        try:
            return head_of(self._place.read(key, OVERHEAD))
        except FileNotFoundError:
            return None

    def remove(self, key: str, before: float) -> bool:
        """A blob stored before then (seconds since the epoch) is gone; False if there is none.

        Raises:
            Exception: whatever the storage raises; LookupError: it doesn't say how old it is.
        """
        return self._place.remove(key, before)

    def fetch(self, reference: Reference) -> bytes:
        """What is stored under the key; one byte too many at most, and not verified yet.

        Raises:
            ResultUnavailable: it is not there, or the storage fails.
        """
        if reference.key is None:
            raise ResultUnavailable(reference.problem or "the value was not kept")
        try:
            return self._place.read(reference.key, reference.size + OVERHEAD + 1)
        except FileNotFoundError:
            why = f"nothing is stored as {reference.key[:12]} at {self.url}"
        except Exception as error:
            why = f"{self.url} can't be read: {said(error)}"
        raise ResultUnavailable(why)


def decode(secret: bytes, sealed: bytes, reference: Reference) -> Any:
    """The value within an envelope, verified first.

    Raises:
        TamperedResult: see `envelopes.unseal`.
        ResultUnavailable: the decoder fails; a class is no longer there, say.
    """
    body = unseal(secret, sealed, reference)
    try:
        return serializers.deserialize(reference.serializer or "", body)
    except Exception as error:
        raise ResultUnavailable(
            f"result {(reference.key or '')[:12]}: it can't be decoded here: {said(error)}"
        ) from error


def local_folder(url: str) -> Path | None:
    """The folder of a `file://` URL or a path; None for other storage."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return Path(url).expanduser().absolute()
    if scheme not in ("file", "local"):
        return None
    return Path(rest).expanduser().absolute()


def public(url: str) -> str:
    """The URL without the name and password it may carry: fit to be stored and shown."""
    scheme, mark, rest = url.partition("://")
    where, slash, path = rest.partition("/")
    if not mark or "@" not in where:
        return url
    return f"{scheme}{mark}{where.rpartition('@')[2]}{slash}{path}"


class _Place(Protocol):
    def write(self, key: str, data: bytes) -> None: ...

    def read(self, key: str, most: int) -> bytes: ...

    def remove(self, key: str, before: float) -> bool: ...


class _Folder:
    """Blobs as files that appear whole or not at all, for their owner alone."""

    def __init__(self, folder: Path, fsync: bool) -> None:
        self._folder, self._fsync = folder, fsync

    def write(self, key: str, data: bytes) -> None:
        path = self._path(key)
        if _holds(path, data):
            with suppress(OSError):
                os.utime(path)  # what was stored of late is not forgotten (see `retention`)
            return
        draft = self._folder / f".draft-{secrets.token_hex(8)}"
        try:
            write_new(draft, data, sync=self._fsync)
        except FileNotFoundError:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_new(draft, data, sync=self._fsync)
        try:
            self._move(draft, path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def read(self, key: str, most: int) -> bytes:
        with self._path(key).open("rb") as file:
            return file.read(most)

    def remove(self, key: str, before: float) -> bool:
        path = self._path(key)
        try:
            if path.stat().st_mtime >= before:
                return False
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key[2:4] / key

    def _move(self, draft: Path, path: Path) -> None:
        try:
            os.replace(draft, path)
        except FileNotFoundError:
            path.parent.parent.mkdir(mode=0o700, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            os.replace(draft, path)
        if self._fsync:
            _sync_folders(path, self._folder)


def _holds(path: Path, data: bytes) -> bool:
    """The file is there and right: one that was cut short or changed is written anew."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _sync_folders(path: Path, top: Path) -> None:
    """A new name survives a power loss once its folder is synced, too."""
    for folder in (path.parent, path.parent.parent, top):
        with suppress(OSError):  # not every system lets folders be opened
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


class _Remote:
    """Blobs on another storage, through fsspec.

    They are written even when something of that name is said to be there: listings are cached
    and may be old, and writing the same again does no harm.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def write(self, key: str, data: bytes) -> None:
        storage, root = self._open()
        path = _path(root, key)
        try:
            storage.pipe_file(path, data)
        except FileNotFoundError:  # one that has real folders
            storage.makedirs(path.rpartition("/")[0], exist_ok=True)
            storage.pipe_file(path, data)

    def read(self, key: str, most: int) -> bytes:
        storage, root = self._open()
        with storage.open(_path(root, key), "rb") as file:
            data: bytes = file.read(most)
            return data

    def remove(self, key: str, before: float) -> bool:
        storage, root = self._open()
        path = _path(root, key)
        try:
            at = storage.modified(path)
        except FileNotFoundError:
            return False
        except NotImplementedError:
            raise LookupError("the storage does not say how old a value is") from None
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        if at.timestamp() >= before:
            return False
        storage.rm_file(path)
        return True

    def _open(self) -> tuple[Any, str]:
        # Each time: fsspec keeps the connection, and knows when a fork makes it worthless.
        try:
            storage, root = import_module("fsspec.core").url_to_fs(self._url)
        except ImportError as error:
            raise OrionError(f"{public(self._url)}: {error}") from error
        return storage, root


def _path(root: str, key: str) -> str:
    return "/".join((root.rstrip("/"), key[:2], key[2:4], key))
