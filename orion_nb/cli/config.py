"""`orion-nb config`: the settings there are, where each comes from; set one for good."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from orion_nb import config
from orion_nb.cli import output
from orion_nb.cli.command import TakesNumbers, command, group
from orion_nb.cli.options import Json
from orion_nb.errors import InvalidInput
from orion_nb.settings import Settings, shown_url


def _names(incomplete: str) -> list[tuple[str, str]]:
    """The settings that can be kept, for the shell's completion."""
    return [(each.name, each.meaning) for each in config.KEPT.values() if incomplete in each.name]


Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A setting: keep, or ORION_NB_KEEP.", autocompletion=_names
    ),
]


def register(app: typer.Typer) -> None:
    said = "See the settings and where each comes from; set one for good."
    noun = group(app, "config", said, panel="Services")
    command(noun, "ls", examples=("orion-nb config ls", "orion-nb config ls --json"))(ls)
    command(noun, "get", examples=("orion-nb config get database_url",))(get)
    examples = ("orion-nb config set keep 90d", "orion-nb config set warm_runners 2")
    command(noun, "set", examples=examples, cls=TakesNumbers)(put)
    command(noun, "unset", examples=("orion-nb config unset keep",))(unset)


def ls(as_json: Json = False) -> None:
    """List all settings: what each says, and where it says so.

    As JSON: {"file", "settings": [{"name", "variable", "value", "from", "default", "meaning"}]};
    the value is null for a default.
    """
    home = Settings.load().home
    kept = config.read(home)
    found = [_told(each, kept) for each in config.ALL]
    if as_json:
        return output.print_json({"file": str(home / config.FILE), "settings": found})
    from rich.text import Text

    from orion_nb.cli.looks import cut, plain_table

    table = plain_table("setting", "value", "meaning")
    for each in found:
        value = Text(each["default"].replace("`", ""), style="dim")
        if each["value"] is not None:
            value = Text(output.plain(each["value"])).append(f"  {each['from']}", style="dim")
        table.add_row(each["name"], value, cut(each["meaning"].replace("`", "")))
    output.console().print(table)
    return output.say(f"Kept in {home / config.FILE}; a variable goes before it.")


def get(name: Name, as_json: Json = False) -> None:
    """Print what a setting says; nothing for a default."""
    setting = config.KEPT[config.name_of(name)]
    told = _told(setting, config.read(Settings.load().home))
    if as_json:
        return output.print_json(told)
    return typer.echo(told["value"]) if told["value"] is not None else None


def put(
    name: Name,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What it says from now on.")],
    as_json: Json = False,
) -> None:
    """Set a setting for good, in the file of the data folder; it is checked first."""
    setting = config.KEPT[config.name_of(name)]
    home = Settings.load().home
    kept = {**config.read(home), setting.variable: value}
    _check(home, setting, kept)
    path = config.write(home, kept)
    if as_json:
        return output.print_json(_told(setting, kept))
    output.say(f"{setting.name} is set in {path}.")
    if setting.variable in os.environ:
        output.say(f"The variable {setting.variable} is set, too, and goes before it.")
    return None


def unset(name: Name, as_json: Json = False) -> None:
    """Take a setting out of the file: it has its default again."""
    setting = config.KEPT[config.name_of(name)]
    home = Settings.load().home
    kept = config.read(home)
    was = kept.pop(setting.variable, None)
    if was is not None:
        config.write(home, kept)
    if as_json:
        return output.print_json({**_told(setting, kept), "was_set": was is not None})
    return output.say(f"{setting.name} {'is no longer' if was is not None else 'was not'} set.")


def _check(home: Any, setting: config.Setting, kept: dict[str, str]) -> None:
    """What a process would find that starts with this file, and nothing in its environment.

    Raises:
        InvalidInput: it would not accept it.
    """
    from orion_nb.engine.logs import read_settings
    from orion_nb.rules.users import load_rules
    from orion_nb.schemas.durations import seconds

    found = Settings.load({**kept, "ORION_NB_HOME": str(home)})
    read_settings(kept)
    if setting.name == "database_url":
        _ = found.database_path
    if setting.name == "rules":
        load_rules(found.rules)
    if setting.name == "keep":
        try:
            seconds(kept[setting.variable])
        except InvalidInput as error:
            raise InvalidInput(f"{setting.variable}: {error}", field=setting.variable) from None


def _told(setting: config.Setting, kept: dict[str, str]) -> dict[str, Any]:
    value, source = None, "default"
    if setting.variable in os.environ:
        value, source = os.environ[setting.variable], "environment"
    elif setting.variable in kept:
        value, source = kept[setting.variable], "file"
    if value is not None:
        value = "***" if setting.is_secret and value else shown_url(value)
    return {
        "name": setting.name,
        "variable": setting.variable,
        "value": value,
        "from": source,
        "default": setting.default,
        "meaning": setting.meaning,
    }
