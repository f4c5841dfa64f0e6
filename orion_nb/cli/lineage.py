"""`orion-nb lineage`: whose results went into a run, and where its own went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb import clock
from orion_nb.cli import output
from orion_nb.cli.command import command
from orion_nb.cli.options import Json, RunRef, flag
from orion_nb.schemas.runs import Run, short

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from orion_nb.api.orion import Orion

#: So many runs are looked up, and so many shown in a tree; more are counted.
MOST = 500
EXAMPLES = (
    "orion-nb lineage store",
    "orion-nb lineage 4f2a9c01 --tree",
    "orion-nb lineage 4f2a9c01 --json",
)

Edges = list[dict[str, Any]]


def register(app: typer.Typer) -> None:
    command(app, "lineage", panel="Runs", examples=EXAMPLES)(lineage)


def lineage(
    run: RunRef,
    tree: Annotated[
        bool, flag("--tree", help="Show all runs of its tree, each below the one that called it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show whose results went into a run, through which arguments, and where its own went.

    As JSON: {"run", "upstream", "downstream"}, each a list of the edges that lead there; with
    --tree {"root", "runs", "edges"}. An edge is {"upstream", "run", "path", "streamed", "name",
    "state"}; the name and the state are those of its other end.
    """
    from orion_nb.cli.lookout import connect_and_look

    orion = connect_and_look()
    found = orion.find(run)
    if tree:
        graph = orion.graph(found.id)
        return output.print_json(graph) if as_json else output.console().print(_whole(graph, found))
    into, out_of = _reached(orion, found.id, "upstream"), _reached(orion, found.id, "downstream")
    if as_json:
        flat = {"upstream": into, "downstream": out_of}
        lists = {
            side: [each for es in edges.values() for each in es] for side, edges in flat.items()
        }
        return output.print_json({"run": found.id, **lists})
    return _show(found, into, out_of)


def _reached(orion: Orion, run_id: str, side: str) -> dict[str, Edges]:
    """The edges on one side of each run that is reached on this side, by the run's id."""
    other = "upstream" if side == "upstream" else "run"
    found: dict[str, Edges] = {}
    following = [run_id]
    while following and len(found) < MOST:
        each = following.pop(0)
        if each in found:
            continue
        found[each] = orion.lineage(each)[side]
        following += [edge[other] for edge in found[each]]
    return found


def _show(run: Run, into: dict[str, Edges], out_of: dict[str, Edges]) -> None:
    from rich.tree import Tree

    from orion_nb.cli.stories import headline

    console = output.console()
    console.print(headline(run.as_json()))
    for title, edges, end in (("comes from", into, "upstream"), ("went into", out_of, "run")):
        if edges[run.id]:
            top = Tree(title, guide_style="dim")
            _grow(top, edges, run.id, end, {run.id})
            console.print(top)
    if not into[run.id] and not out_of[run.id]:
        output.say("No result of another run went into it, and its own into none.")


def _grow(tree: Tree, edges: dict[str, Edges], run_id: str, end: str, seen: set[str]) -> None:
    """Below a run, the runs at the other end of its edges; one that was shown is not unfolded."""
    listed = edges.get(run_id)
    if listed is None:
        tree.add("…")
        return
    by_run: dict[str, Edges] = {}
    for edge in listed:
        by_run.setdefault(edge[end], []).append(edge)
    for other, several in by_run.items():
        again = other in seen and bool(edges.get(other))
        branch = tree.add(_edge_text(other, several, end, again))
        if not again:
            seen.add(other)
            _grow(branch, edges, other, end, seen)


def _edge_text(run_id: str, edges: Edges, end: str, again: bool) -> Text:
    """A run with the arguments that its result went into, or that took the result."""
    from rich.text import Text

    first = edges[0]
    said = Text(output.plain(first["name"])).append(f" {short(run_id)}", style="dim")
    paths = ", ".join(path for path in map(_path, edges) if path)
    if paths:
        said.append("  as " if end == "upstream" else "  its ", style="dim").append(paths)
    said.append(f"  {first['state']}", style="dim")
    return said.append("  (see above)", style="dim") if again else said


def _path(edge: Mapping[str, Any]) -> str:
    path = output.plain(edge["path"] or "")
    return f"{path} (streamed)" if edge["streamed"] else path


# -- the whole tree --------------------------------------------------------------------------------


def _whole(graph: Mapping[str, Any], run: Run) -> Tree:
    """All runs of a tree, with the arguments that each took from others; `run` is pointed at."""
    from rich.tree import Tree

    below: dict[str | None, list[Any]] = {}
    for each in graph["runs"]:
        below.setdefault(each["parent"] if each["id"] != graph["root"] else None, []).append(each)
    inputs: dict[str, Edges] = {}
    for edge in graph["edges"]:
        inputs.setdefault(edge["run"], []).append(edge)
    (root,) = below[None]
    top = Tree(_run_text(root, inputs, run), guide_style="dim")
    _hang(top, root, below, inputs, run, _Budget(MOST))
    return top


class _Budget:
    """How many runs may still be shown."""

    def __init__(self, left: int) -> None:
        self.left = left


def _hang(
    tree: Tree,
    above: Mapping[str, Any],
    below: Mapping[str | None, list[Any]],
    inputs: Mapping[str, Edges],
    run: Run,
    budget: _Budget,
) -> None:
    children = below.get(above["id"], [])
    for place, each in enumerate(children):
        if budget.left <= 0:
            tree.add(f"… {len(children) - place} more; --json has all")
            return
        budget.left -= 1
        _hang(tree.add(_run_text(each, inputs, run)), each, below, inputs, run, budget)


def _run_text(each: Mapping[str, Any], inputs: Mapping[str, Edges], run: Run) -> Text:
    from orion_nb.cli import looks

    now = clock.now()
    said = looks.name_text(each)
    said.append(f" {short(each['id'])}", style="dim").append("  ")
    said.append_text(looks.state_text(each["state"], now=now))
    if took := looks.took(each, now):
        said.append(f"  {took}", style="dim")
    if taken := ", ".join(_taken(inputs.get(each["id"], []))):
        said.append(f"  ← {taken}", style="dim")
    if each["id"] == run.id and each["parent"] is not None:
        said.append("  ◀", style="bold")
    return said


def _taken(edges: Edges) -> Iterator[str]:
    """`load aa12bb34 as rows`, for each run that results were taken from."""
    by_run: dict[str, Edges] = {}
    for edge in edges:
        by_run.setdefault(edge["upstream"], []).append(edge)
    for upstream, several in by_run.items():
        paths = ", ".join(path for path in map(_path, several) if path)
        name = f"{output.plain(several[0]['name'])} {short(upstream)}"
        yield f"{name} as {paths}" if paths else name
