"""The keeper: keeps the values of runs at once, wherever they belong, and never fails a run.

A small plain value is kept within its reference. Any other is written to its folder; or, when it
belongs on other storage or the folder fails, to the spool on the local disk, from where the
courier takes it on. What can't be kept at all has a reference that says why.
"""

from __future__ import annotations

import atexit
import base64
import json
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from orion_nb.errors import ResultUnavailable
from orion_nb.schemas.results import Reference
from orion_nb.store.blobs import Blobs, decode, local_folder, public
from orion_nb.store.courier import Courier, Flushed
from orion_nb.store.envelopes import OVERHEAD, head_of, key_of, seal, secret_of
from orion_nb.store.filesystems import NETWORK, filesystem
from orion_nb.store.hands import NoAnswer, within
from orion_nb.store.previews import THROUGH, Through, said
from orion_nb.store.serializers import LIMIT, Serialized, Unserializable, serialize
from orion_nb.store.spool import Problem, Spool

#: Seconds that storage has to take or give one result.
DEADLINE = 30.0
#: Seconds that results on their way have at the end of the process; they are not lost after it.
GRACE = 1.0
A_LOOK = 1.0  # seconds; a folder that doesn't tell sooner where it lies is not a local one


class Keeper:
    """Keeps and finds the values of runs; for any thread, and after a fork.

    `home` is the data folder, `url` where results belong (default: `HOME/results`), `through`
    the exceptions that stop a value's own code and are not the value's fault.
    """

    def __init__(
        self,
        home: Path,
        url: str | None = None,
        *,
        deadline: float = DEADLINE,
        through: Through = THROUGH,
    ) -> None:
        self.home = home
        self.url = url or f"file://{home / 'results'}"
        self.deadline, self.through = deadline, through
        self._spool = Spool(home / "spool")
        self._courier = Courier(self._spool, self._carry, deadline=deadline)
        self._secret_bytes: bytes | None = None
        self._direct: dict[str, Blobs | None] = {}
        self._at_exit: Callable[[], None] | None = None

    # -- keeping ---------------------------------------------------------------------------------

    def save(self, value: object, limit: int | None = LIMIT, url: str | None = None) -> Reference:
        """The value is kept, or its reference says why not; never raises but for `through`.

        `limit` is in bytes (None: any size). Returns as soon as the value lies on the local disk.
        """
        return self.keep(serialize(value, limit, through=self.through), url)

    def keep(self, made: Serialized | Unserializable, url: str | None = None) -> Reference:
        """The same for what was serialized before."""
        if isinstance(made, Unserializable):
            return Reference(note=made.preview, problem=made.reason)
        if made.inline is not None:
            return Reference(made.inline)
        try:
            return self._persist(made, url or self.url)
        except Exception as error:
            return Reference(note=made.preview, problem=said(error))

    def _persist(self, made: Serialized, url: str) -> Reference:
        problem = None
        if (blobs := self._direct_blobs(url)) is not None:
            try:
                return blobs.put(made)
            except OSError as error:
                problem = said(error)
        sealed = seal(self._secret(), made.serializer, made.body)
        key = key_of(sealed)
        try:
            self._spool.add(url, key, sealed)
        except OSError as error:
            why = (
                f"{problem}; nor can it wait in the spool: {said(error)}"
                if problem
                else said(error)
            )
            return Reference(note=made.preview, problem=why)
        self._send()
        return Reference(
            key=key,
            serializer=made.serializer,
            size=len(made.body),
            url=public(url),
            note=made.preview,
            problem=problem,
            spooled=True,
        )

    def packed(self, made: Serialized) -> dict[str, Any]:
        """What was serialized as a JSON object that holds all of it: `opened` gives it back."""
        if made.inline is not None:
            return {"inline": json.loads(made.inline)}
        sealed = seal(self._secret(), made.serializer, made.body)
        return {"sealed": base64.b64encode(sealed).decode("ascii")}

    def opened(self, packed: dict[str, Any]) -> Any:
        """The value that was packed.

        Raises:
            TamperedResult: it was not packed with this data folder's secret; nothing of it was
                decoded.
        """
        if "inline" in packed:
            return packed["inline"]
        try:
            sealed = base64.b64decode(packed["sealed"], validate=True)
        except (KeyError, TypeError, ValueError):
            sealed = b""
        serializer, size = head_of(sealed) or ("", 0)
        reference = Reference(key=key_of(sealed), serializer=serializer, size=size)
        return decode(self._secret_or_not(), sealed, reference)

    # -- finding ---------------------------------------------------------------------------------

    def load(self, reference: Reference) -> Any:
        """The value; from the spool, from where the reference says, or from where results belong.

        Blocks for `deadline` seconds at most per storage that doesn't answer.

        Raises:
            ResultUnavailable: it was not kept, or can't be had now.
            TamperedResult: what is stored is not what was stored; nothing of it was decoded.
        """
        if reference.inline is not None:
            return reference.value
        return decode(self._secret_or_not(), self._fetch(reference), reference)

    def _fetch(self, reference: Reference) -> bytes:
        if reference.key is None:
            raise ResultUnavailable(reference.problem or "the value was not kept")
        places = [reference.url or self.url]
        places = [self.url if place == public(self.url) else place for place in places]
        for place in dict.fromkeys((*places, self.url)):
            if (path := self._spool.find(place, reference.key)) is not None:
                try:
                    with path.open("rb") as file:
                        return file.read(reference.size + OVERHEAD + 1)
                except OSError:
                    continue  # it has just been taken to its place
        problem: ResultUnavailable | None = None
        for place in dict.fromkeys((*places, self.url)):
            try:
                return self._fetch_from(place, reference)
            except ResultUnavailable as error:
                problem = problem or error
        raise problem or ResultUnavailable("the value was not kept")

    def discard(self, key: str, url: str | None, before: float) -> bool:
        """A value stored before then (seconds since the epoch) is gone; False if there is none.

        Raises:
            Exception: the storage can't be asked; what it says.
        """
        place = url or self.url
        place = self.url if place == public(self.url) else place
        if (blobs := self._direct_blobs(place)) is not None:
            return blobs.remove(key, before)
        return within(self.deadline, partial(self._blobs(place).remove, key, before))

    def _fetch_from(self, url: str, reference: Reference) -> bytes:
        if (blobs := self._direct_blobs(url)) is not None:
            return blobs.fetch(reference)
        try:
            return within(self.deadline, partial(self._blobs(url).fetch, reference))
        except NoAnswer as error:
            raise ResultUnavailable(f"{public(url)} can't be read: {error}") from None

    def describe(self, key: str) -> dict[str, Any]:
        """What is stored under a key: `status`, `serializer`, `size` in bytes and `url`.

        Blocks for `deadline` seconds at most.

        Raises:
            ResultUnavailable: nothing is, or its storage does not answer.
        """
        told, status = None, "stored"
        if (path := self._spool.find(self.url, key)) is not None:
            with suppress(OSError), path.open("rb") as file:
                told, status = head_of(file.read(OVERHEAD)), "spooled"
        if told is None:
            told, status = self._head(key), "stored"
        if told is None:
            raise ResultUnavailable(f"nothing is stored under {key[:12]}… in {public(self.url)}")
        return {"status": status, "serializer": told[0], "size": told[1], "url": public(self.url)}

    def _head(self, key: str) -> tuple[str, int] | None:
        try:
            if (blobs := self._direct_blobs(self.url)) is not None:
                return blobs.head(key)
            return within(self.deadline, partial(self._blobs(self.url).head, key))
        except Exception as error:  # whatever the storage raises
            says = f"{public(self.url)} can't be read: {said(error)}"
            raise ResultUnavailable(says) from None

    # -- what is not where it belongs --------------------------------------------------------------

    def problems(self) -> list[Problem]:
        """The results in the spool, of all processes on this data folder, the oldest first."""
        return self._spool.problems()

    def flush(self, timeout: float = 60.0) -> Flushed:
        """Everything in the spool was tried now, or `timeout` seconds have passed."""
        return self._courier.flush(timeout)

    def resume(self) -> None:
        """Results that another process has left in the spool are taken on in the background."""
        if self._spool.entries():
            self._send()

    def close(self, grace: float = GRACE) -> None:
        """The background thread ends, `grace` seconds later at most; the spool stays."""
        self._courier.close(grace)
        if self._at_exit is not None:
            atexit.unregister(self._at_exit)
            self._at_exit = None

    def _send(self) -> None:
        self._courier.call()
        if self._at_exit is None:
            self._at_exit = _Closing(self)
            atexit.register(self._at_exit)

    def _carry(self, url: str, key: str, sealed: bytes) -> None:
        self._blobs(url).store(key, sealed)

    def _blobs(self, url: str) -> Blobs:
        return Blobs(url, self._secret_or_not())

    def _direct_blobs(self, url: str) -> Blobs | None:
        """The blobs of a folder on a local disk; None for all that may be away or slow."""
        if url not in self._direct:
            blobs = Blobs(url, self._secret()) if _is_near(url, self.home) else None
            self._direct[url] = blobs
        return self._direct[url]

    def _secret(self) -> bytes:
        if self._secret_bytes is None:
            self._secret_bytes = secret_of(self.home)
        return self._secret_bytes

    def _secret_or_not(self) -> bytes:
        """To read and to carry: nothing we wrote can be there if the secret can't be had."""
        try:
            return self._secret()
        except OSError as error:
            raise ResultUnavailable(f"results can't be verified: {said(error)}") from error


class _Closing:
    """Closes a keeper at the end of the process, without keeping it alive until then."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = weakref.ref(keeper)

    def __call__(self) -> None:
        if (keeper := self._keeper()) is not None:
            keeper.close()


def _is_near(url: str, home: Path) -> bool:
    """A folder that can be written on the spot: in the data folder, or on a local disk."""
    folder = local_folder(url)
    if folder is None:
        return False
    if folder.is_relative_to(home):
        return True
    try:
        kind = within(A_LOOK, partial(filesystem, folder))
    except NoAnswer:
        return False
    return kind not in NETWORK and not kind.startswith("fuse.")
