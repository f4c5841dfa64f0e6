"""Pages for people: the dashboard, the API's documentation, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.escape import xhtml_escape

from orion_nb_server.handlers import API, RESOURCE, guarded

STATIC = Path(__file__).parent / "static"
STATIC_URL = "/orion/static"
SCRIPT, DOCS_SCRIPT = "orion-dashboard.js", "orion-docs.js"

#: The dashboard runs its own script and no other; it asks its own server and no other.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'"
)

SHELL = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
{head}
</head>
<body>
{body}
</body>
</html>
"""

HEAD = """\
<link rel="stylesheet" href="{static}/{style}">
<script defer src="{static}/{script}"></script>"""

BODY = """\
<div id="orion" data-base-url="{base}" data-api="{api}"></div>
<noscript>The dashboard needs JavaScript. The API at {api} and <code>orion-nb runs ls</code> show
the same.</noscript>"""

DOCS_BODY = """\
<div id="orion-docs" data-api="{api}"></div>
<noscript>This page needs JavaScript. The API is described by {api}/openapi.json.</noscript>"""

NOT_BUILT = """\
<h1>This page has not been built</h1>
<p>This is a source tree, and {static} has no {script}. Build it, then reload this page:</p>
<pre>cd widgets
npm ci
node build.mjs</pre>
<p>Packages of orion-nb carry the built files. The API is at {api}.</p>"""


class PageHandler(JupyterHandler):
    """The dashboard's page. Who is not signed in is sent to Jupyter's login."""

    auth_resource = RESOURCE
    title, script, body = "Orion", SCRIPT, BODY

    @property
    def content_security_policy(self) -> str:
        return PAGE_POLICY

    async def _show(self) -> None:
        texts = {
            "base": xhtml_escape(self.base_url),
            "api": xhtml_escape(url_path_join(self.base_url, API)),
            "static": xhtml_escape(url_path_join(self.base_url, STATIC_URL)),
            "script": self.script,
            "style": self.script.replace(".js", ".css"),
        }
        built = (STATIC / self.script).is_file()
        head, body = (HEAD, self.body) if built else ("", NOT_BUILT)
        _ = self.xsrf_token  # asking for it sets the cookie that the script sends back
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        filled = {"head": head.format(**texts), "body": body.format(**texts)}
        self.finish(SHELL.format(title=self.title, **filled))

    get = guarded("read", _show)


class DocsHandler(PageHandler):
    """The page that shows the API, made in the browser from the served OpenAPI document."""

    title, script, body = "Orion REST API", DOCS_SCRIPT, DOCS_BODY

    get = guarded("read", PageHandler._show)


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
    (r"/orion/docs", DocsHandler),
    (STATIC_URL + r"/([\w\-]+\.[\w.\-]+)", StaticHandler, {"path": str(STATIC)}),
]
