"""Executed notebooks as files and pages, made when they are asked for from what was kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Annotated, Any

from orion_nb.api import archives
from orion_nb.api.routes import route
from orion_nb.api.sources import SOURCE_LIMIT
from orion_nb.deployments.files import notebook_of
from orion_nb.deployments.widgets import still
from orion_nb.errors import InvalidNotebook, NotebookNotFound, NotFound
from orion_nb.schemas.runs import Run, short
from orion_nb_server.handlers import OrionHandler
from orion_nb_server.services import Services

#: A notebook's outputs are somebody else's HTML: it is shown without scripts, origin or network.
NOTEBOOK_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
IPYNB = "application/x-ipynb+json"

Export = Callable[[dict[str, Any], Run, bool], str]


@route("GET", "/runs/{run_id}/notebook", action="read")
async def read_notebook(handler: OrionHandler, run_id: str) -> None:
    """The executed notebook of a run, as far as it came, in nbformat 4."""
    _, text = await handler.services.read(_executed, handler.services, run_id)
    handler.finish(text)


@route("GET", "/runs/{run_id}/notebook.ipynb", action="read")
async def download_notebook(handler: OrionHandler, run_id: str) -> Annotated[None, IPYNB]:
    """The executed notebook of a run, as far as it came, as a file."""
    run, text = await handler.services.read(_executed, handler.services, run_id)
    handler.set_attachment_header(f"{archives.slug(run.name)}-{short(run.id)}.ipynb")
    handler.finish(text, set_content_type=IPYNB)


@route("GET", "/runs/{run_id}/notebook.html", action="read")
async def show_notebook(
    handler: OrionHandler, run_id: str, no_input: bool = False
) -> Annotated[None, "text/html"]:
    """The executed notebook of a run, as far as it came, as a page; it can run no script.

    With `no_input` it shows what the cells put out, without their code.
    """
    _, page = await handler.services.read(_exported, handler.services, run_id, _page, no_input)
    handler.set_header("Content-Security-Policy", NOTEBOOK_POLICY)
    handler.finish(page, set_content_type="text/html; charset=utf-8")


@route("GET", "/runs/{run_id}/notebook.py", action="read")
async def download_script(handler: OrionHandler, run_id: str) -> Annotated[None, "text/x-python"]:
    """The code of a run's executed notebook as a script, with the parameters it was run with."""
    run, script = await handler.services.read(_exported, handler.services, run_id, _script, False)
    handler.set_header("Content-Security-Policy", NOTEBOOK_POLICY)
    handler.set_attachment_header(f"{archives.slug(run.name)}-{short(run.id)}.py")
    handler.finish(script, set_content_type="text/x-python; charset=utf-8")


@route("GET", "/runs/{run_id}/artifacts.zip", action="read")
async def download_artifacts(
    handler: OrionHandler, run_id: str
) -> Annotated[None, "application/zip"]:
    """All that a run has shown: its artifacts, its cells' images and HTML, and an index of them."""
    run, packed = await handler.services.read(archives.archive, handler.services.orion, run_id)
    handler.set_header("Content-Security-Policy", NOTEBOOK_POLICY)
    handler.set_attachment_header(archives.archive_name(run))
    handler.finish(packed, set_content_type="application/zip")


@route("GET", "/artifacts/{artifact_id}/content", action="read")
async def download_artifact(
    handler: OrionHandler, artifact_id: str, type: str | None = None
) -> Annotated[None, "application/octet-stream"]:
    """One artifact as a file: in the format of this MIME `type`, or in the richest that it has.

    It is sent to be saved, as bytes without a type of its own: no browser shows it as a page.
    """
    told = await handler.services.read(handler.services.orion.read_artifact, artifact_id)
    kind = archives.richest(told) if type is None else type
    if kind not in told["data"]:
        have = ", ".join(told["data"])
        raise NotFound(f"type: this artifact has no {kind!r:.100}; there are {have}")
    handler.set_header("Content-Security-Policy", NOTEBOOK_POLICY)
    handler.set_attachment_header(archives.file_name(told, kind))
    handler.finish(archives.content(told, kind), set_content_type="application/octet-stream")


EXPORTS = [
    vars(function)["__orion_route__"]
    for function in (
        read_notebook, download_notebook, show_notebook, download_script,
        download_artifacts, download_artifact,
    )
]  # fmt: skip


def _executed(services: Services, ref: str) -> tuple[Run, bytes]:
    """A run and the bytes of its notebook.

    Raises:
        NotebookNotFound: the run executed none, or it was deleted.
    """
    run = services.orion.find(ref)
    path = notebook_of(services.orion.settings, run.id)
    gone = NotebookNotFound(f"run {short(run.id)} ({run.name}) has no executed notebook")
    if path is None:
        raise gone
    try:
        if path.stat().st_size > SOURCE_LIMIT:
            raise InvalidNotebook(f"the notebook of run {short(run.id)} is larger than 100 MiB")
        return run, path.read_bytes()
    except FileNotFoundError:  # it was just forgotten
        raise gone from None
    except OSError as error:
        says = f"the notebook of run {short(run.id)} can't be read: {error}"
        raise InvalidNotebook(says) from error


def _exported(services: Services, ref: str, export: Export, no_input: bool) -> tuple[Run, bytes]:
    run, text = _executed(services, ref)
    try:
        return run, export(json.loads(text), run, no_input).encode("utf-8", "replace")
    except Exception as error:
        # A notebook may hold anything; whatever of it can't be shown is the notebook's fault.
        says = f"the notebook of run {short(run.id)} can't be shown: {error}"
        raise InvalidNotebook(says[:500]) from error


def _page(told: dict[str, Any], run: Run, no_input: bool) -> str:
    from nbconvert import HTMLExporter

    still(told)  # the page can run no script
    exporter = HTMLExporter(exclude_input=no_input, exclude_output_prompt=no_input)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"name": run.name}}
    page, _ = exporter.from_file(StringIO(json.dumps(told)), resources)
    return str(page)


def _script(told: dict[str, Any], run: Run, no_input: bool) -> str:
    from nbconvert import PythonExporter

    language = str(told.get("metadata", {}).get("language_info", {}).get("name", "python"))
    if language.lower() not in ("python", "ipython", "xpython"):
        raise InvalidNotebook(f"it is written in {language}, not in Python")
    script, _ = PythonExporter().from_file(StringIO(json.dumps(told)))  # type: ignore[no-untyped-call]
    return str(script)
