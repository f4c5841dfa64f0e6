"""`%replay`: a run that failed, its real inputs and its code in the user's own kernel."""

from __future__ import annotations

import ast
import inspect
import keyword
import textwrap
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from orion_nb.api.connect import connect
from orion_nb.api.sources import task_body
from orion_nb.engine.replaying import Replay, replay
from orion_nb.errors import InvalidInput, NotFound
from orion_nb.notebook import render
from orion_nb.notebook.deploying import Parser
from orion_nb.notebook.replayed import TAG
from orion_nb.schemas.runs import short
from orion_nb.schemas.states import CRASHED, FAILED

#: The name that the replay itself gets in the notebook.
ITSELF = "_replay"
#: What may be done when the code was tried.
NEXT = "Then: %replay debug | diff | commit [--resume] | drop."
#: Characters of a value in its line.
SHOWN = 100
#: Decorators of these names make runs of what is called.
_OURS = ("task", "flow", "orion_nb")


def load(shell: Any, words: Sequence[str]) -> tuple[str, str, Any]:
    """The inputs of a run are names of the notebook; its code is put into the next cell.

    What is to be shown is answered as HTML and as text, with the run as data.
    """
    told = parser().parse_args(words)
    found = _failed(told.run or newest_failure())
    names = names_of(found)
    rows = _bound(_space(shell.user_ns, told.into, told.overwrite), found, names, told.overwrite)
    rows += [(name, "", f"not kept: {why}") for name, why in found.missing.items()]
    shell.user_ns[ITSELF] = found
    notes = [f"at {each.function} ({each.file}:{each.line})" for each in found.frames]
    if not rows:
        given = "it was given nothing" if found.cell is None else "the notebook has no parameters"
        notes.append(found.problem or given)
    if not found.frames:
        notes.append(_how_to_keep_names(found))
    if code := cell_of(found):
        shell.set_next_input(f"%%replay {short(found.run.id)}\n{code}")
        says = "Its code" if found.cell is None else f"The code of cell {found.cell.number}"
        notes.append(f"{says} is in the next cell: change it and run it. {_next(found)}")
    if found.fn is None and not _is_code_of_cells(found):
        notes.append(_unknown(found))
    more = [f"{ITSELF}.inputs"]
    more += [f"{ITSELF}.cell.error, its traceback"] if found.cell is not None else []
    more += [f"{ITSELF}.frames[-1].locals"] if found.frames else []
    more += [f"{ITSELF}.call(...)"] if found.fn is not None else []
    notes.append(f"More: {', '.join(more)}")
    return *render.names(found.title, rows, notes), found.run.as_json()


def _failed(ref: str) -> Replay:
    """The run; where a notebook failed in a task cell, the run of that task."""
    found = replay(ref)
    if found.cell is not None and task_body(found.cell.source) is not None:
        return replay(connect().replay_notebook(found.run.id)["replays"])
    return found


def _is_code_of_cells(found: Replay) -> bool:
    return (found.run.key or "").startswith(("notebook:", "replay:"))


def _next(found: Replay) -> str:
    """What may be done when the code was tried; a cell of a notebook is nothing to be committed."""
    if found.cell is None or found.run.kind == "task":
        return NEXT
    again = f"`orion-nb runs rerun {short(found.run.id)} --from-failed`"
    return f"Then: %replay debug | diff | drop; with the notebook mended, {again}."


def _how_to_keep_names(found: Replay) -> str:
    """How the next failure has what its names held; of a notebook, what is not here now."""
    if found.cell is None:
        return "ORION_NB_FRAMES=1, or frames=True, keeps what the names of a failure hold"
    says = "What earlier cells made was not kept: make it here"
    if connect().find(found.run.root).deployment is not None:
        how = "`orion-nb deploy … --env ORION_NB_FRAMES=1` has the next failure keep"
    else:
        again = f"`orion-nb runs rerun {short(found.run.root)}`"
        how = f"{again} with ORION_NB_FRAMES=1 set executes the notebook again, to keep"
    return f"{says}. Or {how} what the names of the failing cell hold."


def _unknown(found: Replay) -> str:
    """What to do where the function of a run is not known here, and where its code was."""
    key = found.run.key or found.run.name
    name = key.rpartition(".")[2]
    files = [each.file for each in found.frames if each.function.rpartition(".")[2] == name]
    says = f"Its function, {key.removeprefix('flow:')}, is not known here"
    here = f"import or define the {found.run.kind}" + (f" (of {files[0]})" if files else "")
    return f"{says}: {here}, then %replay {short(found.run.id)} again."


def parser() -> Parser:
    """The grammar of the line."""
    made = Parser("%replay", "The inputs of a run that failed are set here, its code shown below.")
    made.add_argument("run", nargs="?", metavar="RUN", help="default: the newest that failed")
    made.add_argument(
        "--overwrite", action="store_true", help="set names, too, that have another value here"
    )
    says = "set them as attributes of an object of this name, not as names of the notebook"
    made.add_argument("--into", metavar="NAME", help=says)
    return made


def _space(user_ns: dict[str, Any], into: str | None, overwrite: bool) -> dict[str, Any]:
    """Where names are set: in the notebook, or in an object of its own.

    Raises:
        InvalidInput: that is no name, or one that the notebook has.
    """
    if into is None:
        return user_ns
    if not into.isidentifier() or keyword.iskeyword(into) or into == ITSELF:
        raise InvalidInput(f"--into: {into!r} can't be a name here", field="into")
    known = user_ns.get(into)
    if into in user_ns and not (overwrite or isinstance(known, SimpleNamespace)):
        says = f"--into: you have a {type(known).__name__} of the name {into}; choose another one"
        raise InvalidInput(f"{says}, or add --overwrite", field="into")
    made = user_ns[into] = SimpleNamespace()
    return vars(made)


def at_hand(shell: Any) -> Replay:
    """What is replayed here.

    Raises:
        InvalidInput: nothing is.
    """
    found = shell.user_ns.get(ITSELF)
    if not isinstance(found, Replay):
        raise InvalidInput("nothing is replayed here: `%replay RUN` first", field="run")
    return found


def newest_failure() -> str:
    """The id of the run that failed last: of a flow whose task failed it is the task's.

    What was a replay itself is passed over.

    Raises:
        NotFound: none has.
    """
    states = [FAILED.value.lower(), CRASHED.value.lower()]
    cursor: str | None = None
    while True:
        page = connect().filter_runs(states=states, limit=50, cursor=cursor)
        for run in page["runs"]:
            if not any(tag.startswith(TAG) for tag in run["tags"]):
                return str(run["id"])
        cursor = page["cursor"]
        if cursor is None:
            raise NotFound("no run has failed")


def names_of(found: Replay) -> dict[str, Any]:
    """What is to be set: the inputs; of a cell the names it speaks of, as they were at its end."""
    if found.inputs and found.cell is None:
        return found.inputs
    cell = next((each for each in found.frames if each.is_cell), None)
    return {**found.inputs, **(cell.locals.kept() if cell is not None else {})}


class Code(NamedTuple):
    """The recorded `body`, and what is put around it: an import of its names, and its call."""

    body: str
    imports: str = ""
    call: str = ""


def cell_of(found: Replay) -> str | None:
    """The code for the next cell: the function without its decorators and a call, or the cell."""
    if (code := code_of(found)) is None:
        return None
    above = f"{code.imports}\n\n\n" if code.imports else ""
    return f"{above}{code.body}" + (f"\n\n{code.call}" if code.call else "")


def code_of(found: Replay) -> Code | None:
    """The same in its parts; None if the source is not known, or is of another language."""
    source = found.source
    if source is None or (found.cell is not None and found.cell.language != "python"):
        return None
    source = textwrap.dedent(source).rstrip()
    try:
        node = ast.parse(source).body[0]
    except (SyntaxError, IndexError):
        return Code(source)
    is_cell = any(each.is_cell and each.source == found.source for each in found.frames)
    if (
        is_cell
        or found.cell is not None
        or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ):
        return Code(source)
    lines = source.splitlines()
    first = min((each.lineno for each in node.decorator_list), default=node.lineno)
    kept = [
        line
        for each in node.decorator_list
        if not _is_ours(each)
        for line in lines[each.lineno - 1 : each.end_lineno]
    ]
    body = "\n".join([*lines[: first - 1], *kept, *lines[node.lineno - 1 :]])
    imports = ""
    if names := _of_module(found, node):
        module = getattr(found.fn, "__globals__", {})["__name__"]
        imports = f"from {module} import {', '.join(names)}"
    awaited = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    return Code(body, imports, f"{awaited}{node.name}({_arguments(found, node)})")


def _of_module(found: Replay, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The names of its module that the function speaks of; in the notebook they are not known."""
    space = getattr(found.fn, "__globals__", {})
    if space.get("__name__", "__main__") == "__main__":
        return []
    decorators = [each for each in node.decorator_list if not _is_ours(each)]
    parts = [node.args, *node.body, *decorators, *([node.returns] if node.returns else [])]
    said = {each.id for part in parts for each in ast.walk(part) if isinstance(each, ast.Name)}
    return sorted(name for name in said if name in space and name != node.name)


def _arguments(found: Replay, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """How the function is called with its inputs; what is missing is the user's to give."""
    if found.fn is None:
        return _by_place(found, [each.arg for each in (*node.args.posonlyargs, *node.args.args)])
    told = []
    for each in inspect.signature(found.fn).parameters.values():
        given = f"{ITSELF}.inputs[{each.name!r}]"
        if each.name in found.missing:
            told.append(f"{each.name}={each.name}")
        if each.name not in found.inputs:
            continue
        if each.kind is each.VAR_POSITIONAL:
            told.append(f"*{given}")
        elif each.kind is each.VAR_KEYWORD:
            told.append(f"**{given}")
        else:
            told.append(given if each.kind is each.POSITIONAL_ONLY else f"{each.name}={given}")
    return ", ".join(told)


def _by_place(found: Replay, names: list[str]) -> str:
    """The same where only the source is known: what was given by its place has that for a name."""
    told = {}
    for each in (*found.inputs, *found.missing):
        if each in found.inputs:
            value = f"{ITSELF}.inputs[{each!r}]"
        elif each.isdigit():
            value = names[int(each)] if int(each) < len(names) else "..."
        else:
            value = each
        told[each] = value if each.isdigit() else f"{each}={value}"
    places = sorted(told, key=lambda each: int(each) if each.isdigit() else len(told))
    return ", ".join(told[each] for each in places)


def _bound(
    namespace: dict[str, Any], found: Replay, names: Mapping[str, Any], overwrite: bool
) -> list[tuple[str, str, str]]:
    """The names are set but where they have another value; a row for each says which it was."""
    rows = []
    for name, value in names.items():
        shown = " ".join(f"{value!r}"[: 2 * SHOWN].split())
        shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
        word = ""
        if not name.isidentifier():
            word = f"its function is not known here: {ITSELF}.inputs[{name!r}]"
        elif name in namespace and not overwrite and not _is_same(namespace[name], value):
            word = "yours has another value and is kept; --overwrite sets it"
        else:
            namespace[name] = value
        rows.append((name, shown, word))
    return rows


def _is_same(one: Any, other: Any) -> bool:
    try:
        return one is other or bool(type(one) is type(other) and one == other)
    except Exception:  # tables and arrays answer for each of their values
        return False


def _is_ours(decorator: ast.expr) -> bool:
    node: Any = decorator.func if isinstance(decorator, ast.Call) else decorator
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in _OURS
