"""Deployments, limits and notifications in plain words: what the command line and the magic say."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orion_nb import clock
from orion_nb.errors import InvalidInput
from orion_nb.schemas.targets import joined

Told = Mapping[str, Any]


def facts_of(told: Told) -> dict[str, str]:
    """What is said of a deployment, name by name; what is as it would be anyway is left out."""
    facts = {
        "notebook" if told["flow"] is None else "flow": joined(told["path"], told["flow"]),
        "schedule": " · ".join(told["words"])
        or ("?" if told["problem"] else "none; it runs when asked to"),
        "parameters": ", ".join(f"{name}={value!r}" for name, value in told["parameters"].items()),
        "source": source_of(told["source"]),
        "env": ", ".join(f"{name}={value}" for name, value in told["env"].items()),
        "kernel": told["kernel"] or "",
        "tags": ", ".join(told["tags"]),
        **_rest(told),
    }
    return {name: value for name, value in facts.items() if value}


def source_of(told: Told) -> str:
    """What runs: the latest, or what is pinned, and how the file on disk differs from it."""
    version = told["pinned"] or told["on_disk"]
    drift = f"; {told['drift']}" if told["drift"] else ""
    return f"{told['track']} {(version or '')[:12]}".strip() + drift


def pause_of(told: Told) -> str:
    """In words: `daily is paused until 2030-01-31T09:00:00Z by cli: the API is down`."""
    pause = told["pause"] or {}
    text = f"{told['name']} is paused"
    if pause.get("until") is not None:
        text += f" until {clock.iso(pause['until'])[:19]}Z"
    if pause.get("by"):
        text += f" by {pause['by']}"
    return f"{text}: {pause['why']}" if pause.get("why") else f"{text}."


def diff_lines(told: Told) -> Iterator[str]:
    """How the file on disk differs from what is pinned, as lines of a diff."""
    for cell in told["cells"]:
        yield f"@@ {cell['kind']} cell {cell['now'] or cell['was']} {cell['change']}"
        yield from cell["diff"]
    yield from told["lines"]


def limit_of(told: Told) -> str:
    """In words, as `db: 3 at once, 1 in use, 0 waiting`."""
    says = f"{told['name']}: {told['slots']} at once, {told['used']} in use"
    return f"{says}, {told['waiting']} waiting."


def goal_of(told: Told) -> str:
    """Where a notification goes."""
    if told["command"]:
        return shlex.join(told["command"])
    return str(told["webhook"] or told["call"] or ", ".join(told["apprise"] or ()))


def tells(told: Told) -> str:
    """In words, as `team: on failed, crashed, to https://example.com/…`."""
    return f"{told['name']}: on {', '.join(told['on'])}, to {goal_of(told)}."


def delivery_of(told: Told) -> str:
    """In words, as `0198… team: failed 4f2a9c01, delivered after one try`."""
    about = f"{told['condition']} {(told['run'] or '')[-8:]}".strip()
    error = f": {told['error'].partition(chr(10))[0][:80]}" if told["error"] else ""
    tries = "one try" if told["attempts"] == 1 else f"{told['attempts']} tries"
    says = f"{told['id']} {told['notification']}: {about}, {told['status']} after {tries}"
    return says + error


def headers_of(pairs: Iterable[str] | None) -> dict[str, str] | None:
    """The headers of a webhook from NAME=VALUE.

    Raises:
        InvalidInput: one is not.
    """
    for pair in pairs or ():
        if "=" not in pair:
            raise InvalidInput(f"--header: {pair!r} is not NAME=VALUE", field="--header")
    return dict(pair.split("=", 1) for pair in pairs) if pairs else None


def dead_of(orion: Any) -> list[str]:
    """The ids of all deliveries that were given up."""
    found: list[str] = []
    cursor = None
    while True:
        page = orion.list_deliveries(status="dead", cursor=cursor, limit=200)
        found += [each["id"] for each in page["deliveries"]]
        if (cursor := page["cursor"]) is None:
            return found


def _rest(told: Told) -> dict[str, str]:
    from orion_nb.schemas.deployments import DeploymentSpec

    shown = {"path", "flow", "parameters", "schedules", "track", "pinned", "env", "kernel", "tags"}
    said: dict[str, str] = {}
    for field, value in DeploymentSpec(path="").spec().items():
        if field not in shown and told.get(field, value) != value:
            said[field.replace("_", " ")] = _words_of(field, told[field])
    return said


def _words_of(field: str, value: Any) -> str:
    """The value as it is written on a line: durations with their units."""
    from orion_nb.schemas import durations
    from orion_nb.schemas.deploy_options import DURATIONS

    if field in DURATIONS and value is not None:
        return durations.text(durations.micros(value))
    if isinstance(value, Mapping):
        return ", ".join(name if of is None else f"{name}={of}" for name, of in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
