"""How a server behind a hub takes cookies: what a script asks for needs the XSRF token as well."""

from __future__ import annotations

from jupyter_server.auth import PasswordIdentityProvider
from tornado import web


class Strict(PasswordIdentityProvider):
    """Takes a cookie from a page or a socket as it is, from a script only with the XSRF token.

    JupyterHub tells them apart by the `Sec-Fetch-Mode` that a browser sends; "cors" is what a
    `fetch`, an `EventSource` and a script of `type=module` have, a GET too.
    """

    def get_user_cookie(self, handler):
        reading = handler.request.method in ("GET", "HEAD", "OPTIONS")
        mode = handler.request.headers.get("Sec-Fetch-Mode", "navigate")
        if mode != "websocket" and not (reading and mode in ("navigate", "no-cors")):
            try:
                web.RequestHandler.check_xsrf_cookie(handler)
            except web.HTTPError:
                return None
        return super().get_user_cookie(handler)
