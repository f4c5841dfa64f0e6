"""Secrets over the API: their names are listed, values are kept and removed, and none is shown."""

from __future__ import annotations

from typing import Annotated, Any

from orion_nb.api.core import Core
from orion_nb.api.routes import route
from orion_nb.errors import Conflict, SecretNotFound, StoreUnavailable


class SecretRoutes(Core):
    """What notebooks and flows ask for by name: `secret("NAME")`."""

    @route("GET", "/secrets", action="read")
    def list_secrets(self) -> dict[str, Any]:
        """The names of the secrets there are, and where each is: `file` or `environment`."""
        from orion_nb import secrets

        found = secrets.names(self.settings.home).items()
        return {"secrets": [{"name": name, "where": where} for name, where in found]}

    @route("PUT", "/secrets/{name}", action="execute")
    def set_secret(self, name: str, value: Annotated[str, "hidden"]) -> dict[str, Any]:
        """The secret is kept in a file that only the server's user may read.

        It is blotted out of all that this server keeps or shows from now on. One of this name in
        the server's environment goes before it. An Idempotency-Key is not heeded: set twice is as
        set once, and nothing of a value is kept elsewhere.
        """
        from orion_nb import secrets

        try:
            secrets.keep(name, value, self.settings.home)
        except OSError as error:
            says = f"secrets: {name!r} can't be kept: {error.strerror}"
            raise StoreUnavailable(says) from error
        secrets.watch([value])
        return {"name": name, "where": secrets.names(self.settings.home).get(name, "file")}

    @route("DELETE", "/secrets/{name}", action="execute")
    def delete_secret(self, name: str) -> dict[str, Any]:
        """The file that keeps the secret is gone."""
        from orion_nb import secrets

        if not secrets.forget(name, self.settings.home):
            if secrets.names(self.settings.home).get(name) == "environment":
                says = f"secret {name!r} is in the server's environment; unset it there"
                raise Conflict(says)
            raise SecretNotFound(f"no secret {name!r} is kept in a file")
        return {"deleted": name}
