"""Every error of orion_nb, as one tree.

    OrionError
    ├── InvalidInput            422  a value that can't be accepted; names its field
    │   ├── ScheduleError       422
    │   ├── ParameterError      422
    │   │   └── UnknownParameter 422
    │   ├── InvalidNotebook     422
    │   ├── BadRequest          400  a request that can't be read
    │   ├── IdempotencyKeyReuse 422  the key was used for another request
    │   ├── TooLarge            413
    │   └── UnsupportedMediaType 415
    ├── NotFound                404
    │   ├── RunNotFound · DeploymentNotFound · NotebookNotFound · FlowNotFound · KernelNotFound
    │   ├── SecretNotFound
    │   └── ResultUnavailable        a value that was not kept, or that can't be read now
    ├── Conflict                409
    │   ├── Fenced              409  a message of an attempt that is over
    │   ├── DeploymentExists    409
    │   └── DeploymentUnreadable 409 what is kept of it is not understood any more
    ├── StoreUnavailable        503
    ├── ServerUnreachable       503  the API is on a server, and that does not answer
    ├── AccessDenied            403
    ├── TamperedResult               nothing of it was decoded
    ├── RunStopped                   user code goes no further: the API said so
    │   └── UpstreamFailed
    └── TaskTimeout                  also a TimeoutError

The docstring of an error says what to do about it. `status` is its HTTP status.
"""

from __future__ import annotations


class OrionError(Exception):
    """Something went wrong in orion_nb."""

    status = 500
    field: str | None = None

    def as_json(self) -> dict[str, object]:
        return {"error": type(self).__name__, "message": str(self), "field": self.field}


class InvalidInput(OrionError):
    """Change the named field as the message says and try again."""

    status = 422

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ScheduleError(InvalidInput):
    """Correct the schedule: the message names the part that can't be read."""


class ParameterError(InvalidInput):
    """Correct the parameter: the message names it and what the notebook takes."""


class UnknownParameter(ParameterError):
    """Use one of the names that the notebook takes: the message lists them."""

    @property
    def named(self) -> str:
        """`UnknownParameter: 'dya' (notebook takes: …)`: as states and the command line tell it."""
        return f"UnknownParameter: {self.field!r} ({self._parts[1]}"

    @property
    def hint(self) -> str | None:
        """`did you mean 'day'?`, if one of the names is close."""
        return self._parts[0].removeprefix("; ") or None

    @property
    def _parts(self) -> tuple[str, str]:
        """The guess, and what is taken; read off the text: of a far server's error that is all."""
        guess, _, takes = str(self).removeprefix(f"{self.field!r} is unknown").partition(" (")
        return guess, takes


class InvalidNotebook(InvalidInput):
    """Open the notebook in JupyterLab and save it again, or correct the named cell."""


class BadRequest(InvalidInput):
    """Send one JSON object, in UTF-8, whose fields are those of the route."""

    status = 400


class IdempotencyKeyReuse(InvalidInput):
    """Give each request a key of its own; send the same key only with the same request."""


class TooLarge(InvalidInput):
    """Send less at once; store large data elsewhere and pass its path."""

    status = 413


class UnsupportedMediaType(InvalidInput):
    """Send the header `Content-Type: application/json` with a body."""

    status = 415


class NotFound(OrionError):
    """Check the name or id; `orion-nb runs ls` and `orion-nb deployments ls` list what there is."""

    status = 404


class RunNotFound(NotFound):
    """No run has this id; `orion-nb runs ls` lists the runs there are."""


class DeploymentNotFound(NotFound):
    """No deployment has this name; `orion-nb deployments ls` lists those there are."""


class NotebookNotFound(NotFound):
    """Check the path of the notebook; it is resolved from the folder the command runs in."""


class FlowNotFound(NotFound):
    """Name the file and the flow in it: `file.py:flow`."""


class KernelNotFound(NotFound):
    """Install the kernel or name another one; `jupyter kernelspec list` shows those there are."""


class SecretNotFound(NotFound):
    """Keep it with `orion-nb secrets set NAME`, or set ORION_NB_SECRET_NAME where code runs."""


class ResultUnavailable(NotFound):
    """Run the task again, or make its storage reachable; `orion-nb results problems` says why."""


class Conflict(OrionError):
    """It does not fit how things stand now; the message says how they do."""

    status = 409


class Fenced(Conflict):
    """This attempt is over: another one owns the run now. Stop working on it."""


class DeploymentExists(Conflict):
    """Choose another name, or say that the deployment is to be updated (`--update`)."""


class DeploymentUnreadable(Conflict):
    """Deploy it anew under its name (`--update`), or remove it: what is kept can't be run."""


class StoreUnavailable(OrionError):
    """The database can't be reached or written; `orion-nb doctor` says why."""

    status = 503


class ServerUnreachable(OrionError):
    """Start the server that ORION_NB_API_URL names, or correct the URL; nothing is lost by it."""

    status = 503


class AccessDenied(OrionError):
    """Set ORION_NB_API_TOKEN to a token of the server that ORION_NB_API_URL names."""

    status = 403


class TamperedResult(OrionError):
    """Don't use it: somebody else wrote or changed what is stored. Run the task again."""


class RunStopped(OrionError):
    """The run was stopped by a rule or a person; its report says which and why."""

    status = 409


class UpstreamFailed(RunStopped):
    """A run that this one waits for did not complete; look at that one first."""


class TaskTimeout(OrionError, TimeoutError):
    """Raise the timeout, or make the code faster."""

    status = 409


class Interruption(BaseException):
    """Raised in a user's code from outside; not an Exception, so that it isn't swallowed."""
