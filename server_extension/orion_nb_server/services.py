"""What runs beside the handlers: threads that call the API, and the worker of deployed runs."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from orion_nb.api.once import answer_apart, answer_once, answer_read
from orion_nb.api.orion import Orion
from orion_nb.api.routes import Route
from orion_nb.api.wire import render, shown
from orion_nb.errors import InvalidInput, NotebookNotFound
from orion_nb.schemas import targets
from orion_nb.schemas.runs import is_id
from orion_nb_server.together import Together

if TYPE_CHECKING:
    from orion_nb.deployments.duties import Duties
    from orion_nb.deployments.loops import Watched
    from orion_nb.deployments.worker import Worker

T = TypeVar("T")

#: The key of the open services in the web application's settings.
SERVICES = "orion_nb_services"

#: Reads and writes have threads of their own, so that neither holds up the other or the loop. A
#: write waits for the disk, at times for another process's lock; those that wait together are
#: committed together. The hop costs 0.07 ms of the 1.2 ms of processor time of a proposal.
READERS = 4
WRITERS = 8
#: Routes that write little, and often: those that wait at the same time are answered together.
SHORT = frozenset({"beat", "create_run", "propose"})
#: Routes that take long or ask others: with an Idempotency-Key nobody waits for them to write. Done
#: twice, should this process die midway, they do no harm.
LONG = frozenset({"delete_run", "flush_results", "prune", "test_notification"})
#: Routes that read the files of deployments before they write, and after it to show them.
READING = frozenset(
    """check_deployment check_update create_deployment update_deployment
    pause_deployment resume_deployment run_deployment replay_run""".split()
)
#: Routes that answer the `path` of a file, which is told from the server's root folder.
PLACED = frozenset({"replay_notebook"})
#: A worker that is asked to stop has this long (seconds); its runners are detached and go on.
PATIENCE = 10.0

#: Lists and counts of so many runs that they are not through by then (seconds) tell how far they
#: came, and may be asked to go on.
PATIENCE_OF_LISTS = 0.025

#: Fields that name files of the server: they are resolved from its root folder.
PATHS = ("path", "cwd")


class Services:
    """The open API of this server, with the threads it is called on.

    `root` answers the folder that paths given over HTTP are resolved in and must stay in;
    `allow_hidden`, whether names that begin with a dot are taken.
    """

    def __init__(
        self,
        orion: Orion,
        log: logging.Logger,
        root: Callable[[], str],
        allow_hidden: Callable[[], bool] = lambda: False,
    ) -> None:
        self.orion = orion
        orion.patience = PATIENCE_OF_LISTS
        self.log = log
        self._root = root
        self._allow_hidden = allow_hidden
        self._readers = ThreadPoolExecutor(READERS, "orion-read")
        self._writers = ThreadPoolExecutor(WRITERS, "orion-write")
        #: Told of each route that was answered: its name, what was answered, and the seconds.
        self.on_answer: Callable[[str, Any, float], None] = lambda name, answer, took: None
        self._together = Together(orion, self._writers)
        self._worker: Worker | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._told = threading.Event()
        self._duties: Duties | None = None

    async def call(self, route: Route, arguments: dict[str, Any]) -> bytes:
        """What the route's method answers, as JSON; the loop goes on meanwhile."""

        def answer(orion: Orion) -> bytes:
            return render(self._answer(orion, route, arguments))

        if route.name in SHORT:
            told: bytes = await self._together.call(answer, quick=self._is_quick(route, arguments))
            return told
        pool = self._readers if route.action == "read" else self._writers
        return await self._run(pool, answer, self.orion)

    async def call_once(
        self, route: Route, arguments: dict[str, Any], key: str, asked: str
    ) -> tuple[int, bytes, bool]:
        """Status and body for a request with an Idempotency-Key, and whether they are repeated."""

        def answer(orion: Orion) -> tuple[int, bytes]:
            return route.status, render(self._answer(orion, route, arguments))

        _ = self.orion.session  # not made inside of a write that may be undone
        told = f"{route.method} {route.path}"
        if route.name in SHORT:
            once: tuple[int, bytes, bool] = await self._together.call(
                lambda orion: answer_once(orion, key, told, asked, answer),
                quick=self._is_quick(route, arguments),
            )
            return once
        way = answer_apart if route.name in LONG else answer_once
        way = answer_read if route.name in READING else way
        return await self._run(self._writers, way, self.orion, key, told, asked, answer)

    async def read(self, work: Callable[..., T], *args: Any) -> T:
        """What `work` answers, on a thread for reading."""
        return await self._run(self._readers, work, *args)

    def work(
        self,
        concurrency: int,
        warm: int,
        link: Callable[[], str | None],
        more: Sequence[Watched] = (),
    ) -> None:
        """From now on this process schedules deployments and starts their runs.

        `link` answers the dashboard's address; `more` are watched as its own loops are.
        """
        from orion_nb.deployments.worker import Worker

        _ = self.orion.session  # that a server lives can be seen before it does anything
        self._worker = Worker(
            self.orion, concurrency=concurrency, warm=warm, log=self.log, link=link, more=more
        )
        self._thread = threading.Thread(target=self._work, name="orion-worker", daemon=True)
        self._thread.start()

    def look_after_runs(self, link: Callable[[], str | None], more: Sequence[Watched] = ()) -> None:
        """From now on this process ends runs that were lost or are overdue, and tells people.

        A worker does, too.
        """
        from orion_nb.deployments.duties import Duties

        _ = self.orion.session
        self._duties = Duties(self.orion, self.log, link=link, more=more)
        self._duties.start()

    async def stop(self) -> None:
        """The worker has stopped, calls have ended and the database is closed."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._stopping = True
        self._told.set()
        if self._duties is not None:
            self._duties.stop()
        if self._worker is not None and self._thread is not None:
            self._worker.stop(0.0)
            self._thread.join(PATIENCE)
        for pool in (self._readers, self._writers):
            pool.shutdown(cancel_futures=True)
        self._together.close()
        self.orion.close()

    def _work(self) -> None:
        """The worker works until it is told to stop, whatever comes in its way."""
        assert self._worker is not None
        while not self._stopping:
            try:
                self._worker.run()
            except BaseException:
                # A thread that ends in silence would leave every schedule standing still unnoticed.
                self.log.exception("The worker failed, and starts again")
                self._told.wait(1.0)
            else:
                return

    def _is_quick(self, route: Route, arguments: dict[str, Any]) -> bool:
        """It looks nothing up but by id, and asks no code but our own."""
        named = route.name == "propose" and is_id(arguments["run_id"])
        return named and not self.orion.has_own_rules

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, functools.partial(work, *args))

    def _answer(self, orion: Orion, route: Route, arguments: dict[str, Any]) -> Any:
        for name in PATHS:
            value = arguments.get(name)
            if isinstance(value, str) and route.place(name) == "body":
                file, flow = targets.split(value) if name == "path" else (value, None)
                path = inside(self._root(), name, file, self._allow_hidden())
                arguments[name] = targets.joined(str(path), flow)
        began = time.monotonic()
        answer = route.function(orion, **arguments)
        if route.name in PLACED:
            answer = {**answer, "path": self._from_root(answer["path"])}
        self.on_answer(route.name, answer, time.monotonic() - began)
        return answer

    def _from_root(self, path: str) -> str | None:
        """Where a file is, from the root folder, with slashes; None if it can't be in there."""
        root = self._root()
        try:
            found = inside(root, "path", path, self._allow_hidden())
        except (InvalidInput, NotebookNotFound):
            return None
        return found.relative_to(os.path.abspath(root)).as_posix()


def inside(root: str, field: str, value: str, allow_hidden: bool = False) -> Path:
    """The file or folder that a path given over HTTP means; it is inside of `root`.

    Raises:
        InvalidInput: the path is absolute and outside, or can't be a path.
        NotebookNotFound: it leads out of the root by a link, or is hidden.
    """
    top = Path(os.path.abspath(root))
    told = shown(value)
    if "\0" in value:
        raise InvalidInput(f"{field}: {told} has a NUL character", field=field)
    given = Path(value)
    if given.drive or given.is_absolute():
        if not given.is_relative_to(top):
            says = f"{field}: {told} is outside of the server's root folder; give it from there"
            raise InvalidInput(says, field=field)
        given = given.relative_to(top)
    if ".." in given.parts:
        says = f"{field}: {told} has '..'; give it from the server's root folder"
        raise InvalidInput(says, field=field)
    if (why := _trouble(top / given)) is not None:
        raise InvalidInput(f"{field}: {told} can't be a path: {why}", field=field)
    hidden = not allow_hidden and any(part.startswith(".") for part in given.parts)
    if hidden or not _is_inside(top / given, top):
        raise NotebookNotFound(f"{field}: {told} is not in the server's root folder")
    return top / given


def _trouble(path: Path) -> str | None:
    """Why the system can't even look for this path; None if it can, be there something or not."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError as error:  # too long, a loop of links
        return os.strerror(error.errno) if error.errno else str(error)
    except ValueError as error:  # half a pair of surrogates
        return str(error)
    return None


def _is_inside(path: Path, top: Path) -> bool:
    try:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(top))
    except (OSError, ValueError):
        return False
