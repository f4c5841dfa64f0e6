"""What a kernel's reply to a cell means for the run: it goes on, has done enough, or has failed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from orion_nb.deployments.sound import tags
from orion_nb.engine.telling import RESULT, STOP
from orion_nb.secrets import redacted

Json = dict[str, Any]

#: Tags of cells that may raise; that are not executed; and that are not, where nobody watches.
RAISES = "raises-exception"
SKIPPED = ("skip-execution", "orion:skip-headless")
#: Where tools note in a notebook's metadata that every cell of it may raise.
ALLOWING = ("execution", "nbsphinx", "orion_nb")
#: What stays of a kernel that has just been asked to exit, by code that is 0 for success.
CLEAN_EXITS = ("", "0", "None", "False")
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Stop:
    """The notebook has done enough."""

    reason: str = ""


SYNTAX = ("SyntaxError", "IndentationError", "TabError")
#: What a kernel calls the file of a cell, which nobody has ever seen.
_CELL_FILE = re.compile(r"\((?:\d+\.py|<ipython-input-[^>]*>), line (\d+)\)")


@dataclass(frozen=True, slots=True)
class Failure:
    """The cell failed; `told` says how, beginning after `cell 3`."""

    told: str
    ename: str
    evalue: str


def is_skipped(cell: Json) -> bool:
    """The cell holds code that is not to be executed."""
    return not tags(cell).isdisjoint(SKIPPED)


def is_code(cell: Json) -> bool:
    """The cell holds code that is there to be executed."""
    return cell["cell_type"] == "code" and bool(cell["source"].strip())


def allows_errors(nb: Json) -> bool:
    """The notebook says that its cells may raise."""
    told = (nb["metadata"].get(name) for name in ALLOWING)
    return any(isinstance(each, dict) and each.get("allow_errors") is True for each in told)


def judge(cell: Json, reply: Json, *, allowed: bool) -> Stop | Failure | None:
    """None if the run goes on. `allowed`: all cells may raise; else those with a tag may."""
    payload = {told.get("source"): told for told in reply.get("payload") or ()}
    if STOP in payload:
        return Stop(redacted(str(payload[STOP].get("reason") or "")))
    if "ask_exit" in payload:
        return _exited(payload["ask_exit"].get("keepkernel"))
    ename, evalue = str(reply.get("ename") or ""), redacted(str(reply.get("evalue") or ""))
    if reply["status"] not in ("ok", "error"):
        return Failure(": Aborted: not executed", "Aborted", "not executed")
    if allowed or RAISES in tags(cell):
        return None
    if ename == "SystemExit" and evalue in CLEAN_EXITS:
        return Stop()
    shown = _shown(cell)
    return shown if reply["status"] == "ok" else _raised(ename, evalue, shown)


def _raised(ename: str, evalue: str, shown: Failure | None) -> Failure:
    if ename == "NoneType" and shown is not None:  # what formats its display has raised
        return shown
    if not ename and evalue.isdigit():  # a shell has
        return Failure(f": exit code {evalue}", "Error", f"exit code {evalue}")
    if not ename and not evalue:
        return Failure(" failed; what it printed may say why", "Error", "the kernel named no error")
    return Failure(_told(ename or "Error", evalue), ename or "Error", evalue)


def result_in(reply: Json) -> str | None:
    """The reference of what the cell declared to be the notebook's result."""
    found = [told["reference"] for told in reply.get("payload") or () if _is_result(told)]
    return found[-1] if found else None


def without_exit(cell: Json) -> None:
    """A clean exit is no error: the cell does not show one."""
    for output in list(cell["outputs"]):
        if output["output_type"] == "error" and output["ename"] in ("SystemExit", "Stopped"):
            cell["outputs"].remove(output)


def _is_result(told: Json) -> bool:
    return told.get("source") == RESULT and isinstance(told.get("reference"), str)


def _exited(code: Any) -> Stop | Failure:
    """`exit()`; what it was given is an exit code, unless it is a truth: then it is a wish."""
    if code is None or isinstance(code, bool) or code == 0:
        return Stop()
    return Failure(f": SystemExit: {code}", "SystemExit", str(code))


def _shown(cell: Json) -> Failure | None:
    """`%run` and others show an error and tell the kernel that all went well."""
    for output in cell["outputs"]:
        if output["output_type"] == "error":
            told = _told(output["ename"], output["evalue"])
            return Failure(told, output["ename"], output["evalue"])
    return None


def _told(ename: str, evalue: str) -> str:
    if ename == "StdinNotImplementedError":
        return " asks for input; make it a parameter"
    if ename in SYNTAX:
        evalue = _CELL_FILE.sub(r"(line \1)", evalue)
    # An assert often says no more than its name.
    told = f": {ename}" + (f": {evalue}" if evalue else "")
    return told if len(told) <= LONGEST else told[: LONGEST - 1] + "…"


def hint(failure: Failure, kernel: str, python: str) -> str:
    """What may help, as the end of a sentence; empty if nothing is known."""
    missing = failure.ename == "ModuleNotFoundError" and "'orion_nb" in failure.evalue
    unknown = failure.ename == "UsageError" and any(
        f"`{magic}` not found" in failure.evalue for magic in ("%%task", "%orion", "%%parameters")
    )
    if missing or unknown:
        return f" (orion_nb is not installed in kernel {kernel!r}, {python})"
    return ""
