"""Pages for people: the dashboard's shell and files, and executed notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.escape import xhtml_escape

from orion_nb.api.routes import route
from orion_nb.api.sources import SOURCE_LIMIT
from orion_nb.deployments.files import notebook_of
from orion_nb.errors import InvalidNotebook, NotebookNotFound
from orion_nb.schemas.runs import Run, short
from orion_nb_server.handlers import API, RESOURCE, OrionHandler, guarded
from orion_nb_server.services import Services

STATIC = Path(__file__).parent / "static"
STATIC_URL = "/orion/static"
SCRIPT, STYLE = "orion-dashboard.js", "orion-dashboard.css"

#: The dashboard runs its own script and no other; it asks its own server and no other.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'"
)
#: A notebook's outputs are somebody else's HTML: it is shown without scripts, origin or network.
NOTEBOOK_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"

SHELL = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Orion</title>
{head}
</head>
<body>
{body}
</body>
</html>
"""

HEAD = """\
<link rel="stylesheet" href="{static}/{style}">
<script type="module" src="{static}/{script}"></script>"""

BODY = """\
<div id="orion" data-base-url="{base}" data-api="{api}"></div>
<noscript>The dashboard needs JavaScript. The API at {api} and <code>orion-nb runs ls</code> show
the same.</noscript>"""

NOT_BUILT = """\
<h1>The dashboard has not been built</h1>
<p>This is a source tree, and {static} has no {script}. Build it, then reload this page:</p>
<pre>cd widgets
npm ci
node build.mjs</pre>
<p>Packages of orion-nb carry the built files. The API is at {api}.</p>"""


class PageHandler(JupyterHandler):
    """The dashboard's page. Who is not signed in is sent to Jupyter's login."""

    auth_resource = RESOURCE

    @property
    def content_security_policy(self) -> str:
        return PAGE_POLICY

    async def _show(self) -> None:
        texts = {
            "base": xhtml_escape(self.base_url),
            "api": xhtml_escape(url_path_join(self.base_url, API)),
            "static": xhtml_escape(url_path_join(self.base_url, STATIC_URL)),
            "script": SCRIPT,
            "style": STYLE,
        }
        built = (STATIC / SCRIPT).is_file()
        head, body = (HEAD, BODY) if built else ("", NOT_BUILT)
        _ = self.xsrf_token  # asking for it sets the cookie that the script sends back
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(SHELL.format(head=head.format(**texts), body=body.format(**texts)))

    get = guarded("read", _show)


class SlashHandler(JupyterHandler):
    """`/orion` leads to `/orion/`."""

    auth_resource = RESOURCE

    async def _lead(self) -> None:
        self.redirect(url_path_join(self.base_url, "/orion/"), permanent=False)

    get = guarded("read", _lead)


class StaticHandler(JupyterHandler, web.StaticFileHandler):
    """The built files of the dashboard; there are no folders in it, and none are looked into."""

    auth_resource = RESOURCE

    @property
    def content_security_policy(self) -> str:
        return PAGE_POLICY

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "no-cache")

    def get_content_type(self) -> str:
        # The system's table of types is not asked: on some systems it calls scripts plain text.
        types = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
        return types.get(Path(self.absolute_path or "").suffix, "application/octet-stream")

    async def _serve(self, path: str) -> None:
        await web.StaticFileHandler.get(self, path)

    get = guarded("read", _serve)

    async def _serve_head(self, path: str) -> None:
        await web.StaticFileHandler.get(self, path, include_body=False)

    head = guarded("read", _serve_head)


PAGES: list[tuple[Any, ...]] = [
    (r"/orion", SlashHandler),
    (r"/orion/", PageHandler),
    (STATIC_URL + r"/([\w\-]+\.[\w.\-]+)", StaticHandler, {"path": str(STATIC)}),
]


@route("GET", "/runs/{run_id}/notebook.ipynb", action="read")
async def download_notebook(
    handler: OrionHandler, run_id: str
) -> Annotated[None, "application/x-ipynb+json"]:
    """The executed notebook of a run, as far as it came, as a file."""
    run, text = await handler.services.read(_executed, handler.services, run_id)
    handler.set_attachment_header(f"{_slug(run.name)}-{short(run.id)}.ipynb")
    handler.finish(text, set_content_type="application/x-ipynb+json")


@route("GET", "/runs/{run_id}/notebook.html", action="read")
async def show_notebook(handler: OrionHandler, run_id: str) -> Annotated[None, "text/html"]:
    """The executed notebook of a run, as far as it came, as a page; it can run no script."""
    page = await handler.services.read(_exported, handler.services, run_id)
    handler.set_header("Content-Security-Policy", NOTEBOOK_POLICY)
    handler.finish(page, set_content_type="text/html; charset=utf-8")


def _executed(services: Services, ref: str) -> tuple[Run, bytes]:
    """A run and the bytes of its notebook.

    Raises:
        NotebookNotFound: the run executed none, or it was deleted.
    """
    run = services.orion.find(ref)
    path = notebook_of(services.orion.settings, run.id)
    if path is None:
        raise NotebookNotFound(f"run {short(run.id)} ({run.name}) has no executed notebook")
    if path.stat().st_size > SOURCE_LIMIT:
        raise InvalidNotebook(f"the notebook of run {short(run.id)} is larger than 100 MiB")
    return run, path.read_bytes()


def _exported(services: Services, ref: str) -> bytes:
    from io import StringIO

    from nbconvert import HTMLExporter

    run, text = _executed(services, ref)
    resources = {"metadata": {"name": run.name}}
    try:
        exporter = HTMLExporter()  # type: ignore[no-untyped-call]
        page, _ = exporter.from_file(StringIO(text.decode()), resources)
    except Exception as error:
        # A notebook may hold anything; whatever of it can't be shown is the notebook's fault.
        says = f"the notebook of run {short(run.id)} can't be shown as a page: {error}"
        raise InvalidNotebook(says[:500]) from error
    return str(page).encode()


def _slug(name: str) -> str:
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    return plain.strip("-")[:80] or "notebook"
