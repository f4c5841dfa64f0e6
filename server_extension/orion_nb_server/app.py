"""`OrionApp`: the Jupyter server extension. It opens what the handlers use, and closes it."""

from __future__ import annotations

import asyncio
import os
from functools import lru_cache
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from traitlets import Bool, Float, Int, Unicode, default

from orion_nb.api.openapi import document
from orion_nb.api.orion import ROUTES, Orion
from orion_nb.api.routes import Route, route
from orion_nb.api.wire import render
from orion_nb.errors import OrionError
from orion_nb.settings import Settings, variables
from orion_nb_server.emitting import emitter
from orion_nb_server.exports import EXPORTS
from orion_nb_server.handlers import API, TROUBLE, OrionHandler, Unavailable, handlers
from orion_nb_server.lag import Lag
from orion_nb_server.live import LIVE, Live
from orion_nb_server.metrics import METRICS, Metrics, read_metrics
from orion_nb_server.pages import PAGES
from orion_nb_server.services import SERVICES, Services
from orion_nb_server.sockets import SOCKETS
from orion_nb_server.streams import follow_events


@route("GET", "/openapi.json", action="read")
async def read_openapi(handler: OrionHandler) -> None:
    """This API as an OpenAPI 3.1 document."""
    handler.finish(_document(url_path_join(handler.base_url, API)))


#: The routes that only a server has: streams and files.
SERVER_ROUTES: list[Route] = [
    *(
        vars(function)["__orion_route__"]
        for function in (read_openapi, follow_events, read_metrics)
    ),
    *EXPORTS,
]
ALL_ROUTES = [*ROUTES, *SERVER_ROUTES]


@lru_cache(maxsize=1)
def _document(api: str) -> bytes:
    return render(document(ALL_ROUTES, api))


def all_handlers() -> list[tuple[Any, ...]]:
    """All that this extension answers: patterns of URLs with their handlers."""
    return [*PAGES, *SOCKETS, *handlers(ALL_ROUTES)]


class OrionApp(ExtensionApp):
    """Orion in a Jupyter server: the API, live events, the dashboard, and scheduled runs."""

    name = "orion_nb_server"
    extension_url = "/orion/"
    load_other_extensions = True

    home = Unicode(
        help="The folder that holds Orion's data; else $ORION_NB_HOME, else the user's data folder."
    ).tag(config=True)
    database_url = Unicode(
        help="The database; else $ORION_NB_DATABASE_URL, else sqlite:///HOME/orion.db."
    ).tag(config=True)
    synchronous = Unicode(
        help="'full': what was answered survives power loss; 'normal': it survives kill -9."
    ).tag(config=True)
    scheduler = Bool(
        True, help="Whether this server creates the runs of schedules, and starts them."
    ).tag(config=True)
    concurrency = Int(2, min=1, help="How many deployed runs this server starts at a time.").tag(
        config=True
    )
    slow_reader = Float(
        30.0, min=0.1, help="Seconds after which who follows events and reads none is let go."
    ).tag(config=True)
    warm_runners = Int(
        min=0, max=64, help="How many runners this server keeps ready, about 100 MB each."
    ).tag(config=True)

    services: Services | None = None
    live: Live | None = None

    @default("synchronous")
    def _default_synchronous(self) -> str:
        known = variables({**os.environ, **({"ORION_NB_HOME": self.home} if self.home else {})})
        return known.get("ORION_NB_SYNCHRONOUS") or "full"

    @default("warm_runners")
    def _default_warm_runners(self) -> int:
        return Settings.load(api_url="").warm_runners

    def initialize_settings(self) -> None:
        # JupyterLab's pages carry it: the extension in them knows that there is a server to ask.
        page = self.settings.setdefault("page_config_data", {})
        page["orionNb"] = API
        page["orionNbRoot"] = self._root()
        try:
            self._open()
        except OrionError as error:
            self.settings[TROUBLE] = str(error)  # the server goes on; whoever asks is told why
            page["orionNbTrouble"] = str(error)
            self.log.warning("Orion can't start: %s", error)

    def initialize_handlers(self) -> None:
        if TROUBLE in self.settings:
            self.handlers.append((r"/orion(?:/.*)?", Unavailable))
        else:
            self.handlers.extend(all_handlers())

    def _open(self) -> None:
        changes = {"home": self.home, "database_url": self.database_url}
        given: dict[str, Any] = {name: value for name, value in changes.items() if value}
        settings = Settings.load(synchronous=self.synchronous, api_url="", **given)
        orion = Orion(settings, label="server")
        contents = self._server.contents_manager
        self.services = Services(
            orion,
            self.log,
            root=self._root,
            allow_hidden=lambda: bool(contents.allow_hidden),
        )
        self.live = Live(orion, self.log, self.slow_reader)
        self.settings.update({SERVICES: self.services, LIVE: self.live})
        self.log.info("Orion keeps its runs in %s", settings.database_path)

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        if self.services is None or self.live is None:
            return
        lag = Lag(asyncio.get_running_loop())
        metrics = Metrics(self.services.orion, lag.worst)
        serverapp.web_app.settings[METRICS] = metrics
        self.services.on_answer = metrics.answered
        self.live.observers.append(metrics.observe)
        self.live.listeners.append(emitter(serverapp.event_logger))
        self.live.start()
        more = [lag]
        if self.scheduler:
            self.services.work(self.concurrency, self.warm_runners, self._dashboard, more)
        else:
            self.services.look_after_runs(self._dashboard, more)

    def _root(self) -> str:
        """The folder that paths are relative to."""
        return getattr(self._server.contents_manager, "root_dir", "") or self._server.root_dir

    def _dashboard(self) -> str | None:
        """The address of the dashboard as people see it, for links; without a token."""
        assert self.services is not None
        public = self.services.orion.settings.public_url
        address = public or self._server.custom_display_url or self._server.connection_url
        return f"{address.partition('?')[0].rstrip('/')}/orion"

    async def stop_extension(self) -> None:
        if self.live is not None:
            self.live.stop()
            await asyncio.to_thread(self.live.join)
        if self.services is not None:
            await self.services.stop()

    @property
    def _server(self) -> Any:
        return self.serverapp
