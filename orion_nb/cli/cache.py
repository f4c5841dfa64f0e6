"""`orion-nb cache`: what is in the cache for a task, and why two of its calls differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb import clock
from orion_nb.cli import output
from orion_nb.cli.command import command, group
from orion_nb.cli.options import Json
from orion_nb.errors import InvalidInput, NotFound
from orion_nb.schemas.runs import short

if TYPE_CHECKING:
    from orion_nb.api.orion import Orion

#: So many hex digits of a key are shown.
SHOWN = 12
#: So many runs of a name are looked at for what their code calls itself.
LOOKED_AT = 50


def _task_names(incomplete: str) -> list[str]:
    """The names of the last tasks, for the shell's completion."""
    from orion_nb.api.connect import connect
    from orion_nb.errors import OrionError

    try:
        found = connect().filter_runs(kind="task", limit=200)["runs"]
    except OrionError:
        return []
    names = dict.fromkeys(run["name"] for run in found)
    return [name for name in names if name.startswith(incomplete)]


Task = Annotated[
    str,
    typer.Argument(
        metavar="TASK",
        help="The name of a task, or where its code is: module.function.",
        autocompletion=_task_names,
    ),
]


def register(app: typer.Typer) -> None:
    cache = group(app, "cache", "Look at what the cache holds for a task.", panel="Runs")
    command(cache, "ls", examples=("orion-nb cache ls load", "orion-nb cache ls etl.load"))(ls)
    command(cache, "explain", examples=("orion-nb cache explain load",))(explain)


def ls(task: Task, as_json: Json = False) -> None:
    """List the last 20 keys of a task, newest first: the run that computed each, and how old it is.

    As JSON: {"task", "keys": [{"key", "created", "parts", "run", "state"}]}; the run is null if
    the cache has no result for the key any more.
    """
    from orion_nb.api.connect import connect

    orion = connect()
    told = _keys(orion, task)
    for each in told["keys"]:
        known = orion.read_cache(each["key"])
        each |= {"run": known["run"], "state": known["state"]}
    if as_json:
        return output.print_json(told)
    if not told["keys"]:
        return output.say(f"Nothing was cached for {told['task']} yet; is it @task(cache=True)?")
    from orion_nb.cli.looks import plain_table, relative

    table, now = plain_table("key", "run", "computed", "made of"), clock.now()
    for each in told["keys"]:
        run, state = each["run"], each["state"]
        table.add_row(
            each["key"][:SHOWN],
            short(run) if run else "gone",
            relative(state["timestamp"], now) if state else "",
            output.plain(", ".join(name for name in each["parts"] if name != "task")),
        )
    return output.console().print(table)


def explain(task: Task, as_json: Json = False) -> None:
    """Say what differs between the last two keys of a task: why the second was no cache hit.

    In code `load.explain_cache(...)` says so of a call that you have yet to make.

    As JSON: {"task", "new", "old", "changed"}; the keys with their parts, and sentences.
    """
    from orion_nb.api.connect import connect
    from orion_nb.engine.caching import changed

    told = _keys(connect(), task)
    keys = told["keys"]
    if len(keys) < 2:
        has = "only one key" if keys else "no key"
        raise InvalidInput(f"task: {task!r} has {has} in the cache; it takes two to compare")
    new, old = keys[:2]
    sentences = changed(old["parts"], new["parts"])
    if as_json:
        answer = {"task": told["task"], "new": new, "old": old, "changed": sentences}
        return output.print_json(answer)
    from orion_nb.cli.looks import relative

    console, now = output.console(), clock.now()
    console.print(output.plain(told["task"]), style="bold")
    for word, each in (("new", new), ("old", old)):
        console.print(f"{word}  {each['key'][:SHOWN]}  first used {relative(each['created'], now)}")
    for sentence in sentences:
        console.print(f"  {output.plain(sentence)}")
    return None


def _keys(orion: Orion, task: str) -> dict[str, Any]:
    """The keys of a task, which the cache knows by where its code is.

    Raises:
        NotFound: no task of this name has run.
        InvalidInput: tasks of several modules have this name.
    """
    told = orion.cache_keys(task)
    if told["keys"]:
        return told
    found = orion.filter_runs(kind="task", name=task, limit=LOOKED_AT)["runs"]
    places = dict.fromkeys(run["key"] or run["name"] for run in found)
    if not places:
        raise NotFound(f"no task {task!r} has run; `orion-nb runs ls --all` lists those that have")
    kept = [told for place in places if (told := orion.cache_keys(place))["keys"]]
    if len(kept) > 1:
        listed = ", ".join(each["task"] for each in kept)
        raise InvalidInput(f"task: {task!r} fits several: {listed}; give one of them", field="task")
    return kept[0] if kept else {"task": next(iter(places)), "keys": []}
