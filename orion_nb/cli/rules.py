"""`orion-nb rules`: list the rules, show one, print what they answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion_nb.cli import output
from orion_nb.cli.command import command, group
from orion_nb.cli.options import Json
from orion_nb.errors import InvalidInput

if TYPE_CHECKING:
    from orion_nb.rules import Policy, Rule
    from orion_nb.rules.table import Context
    from orion_nb.schemas.runs import Kind
    from orion_nb.schemas.states import StateType

#: Columns that a table needs; cells cut short would say something else.
WIDTH = 130

KindOption = Annotated[
    str | None, typer.Option("--kind", metavar="KIND", help="Only runs of this kind: flow or task.")
]
ContextOption = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        metavar="NAME",
        help="In these circumstances, such as `rerun`; may be repeated. `all`: in all of them.",
    ),
]


def register(app: typer.Typer) -> None:
    told = "List the rules that decide on runs, look at one, print what they answer."
    made = group(app, "rules", told, panel="Runs")
    command(made, "ls", examples=("orion-nb rules ls",))(ls)
    command(made, "show", examples=("orion-nb rules show retry_failures",))(show)
    examples = (
        "orion-nb rules table",
        "orion-nb rules table --kind task --context 'cache hit' --context rerun",
        "orion-nb rules table --context all --json",
    )
    command(made, "table", examples=examples)(table)


def ls(as_json: Json = False) -> None:
    """List the rules in the order in which they are asked, and what each says of itself.

    Rules of your own, named in ORION_NB_RULES, come last.
    """
    rules = [_as_json(rule, kinds) for rule, kinds in _rules()]
    if as_json:
        return output.print_json({"rules": rules})
    from orion_nb.cli.looks import plain_table

    made = plain_table("phase", "rule", "of", "says")
    for each in rules:
        kinds = "all runs" if len(each["kinds"]) > 1 else f"{each['kinds'][0]} runs"
        made.add_row(each["phase"], each["rule"], kinds, output.plain(each["says"]))
    return output.console().print(made)


def show(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The name of a rule.")],
    as_json: Json = False,
) -> None:
    """Show a rule: what it says of itself, which transitions it governs, its source."""
    import inspect

    found, kinds = _find(rule)
    judge = inspect.unwrap(found.judge)
    about = inspect.cleandoc(judge.__doc__ or "")
    try:
        source = inspect.getsource(judge)
    except (OSError, TypeError):
        source = ""
    if as_json:
        return output.print_json({**_as_json(found, kinds), "about": about, "source": source})
    told = _as_json(found, kinds)
    lines = [
        f"{told['rule']} (phase {told['phase']}, {' and '.join(told['kinds'])} runs)",
        f"from {', '.join(told['from'])}",
        f"to   {', '.join(told['to'])}",
        "",
        about,
    ]
    typer.echo(output.plain("\n".join([*lines, "", source.rstrip()] if source else lines)))
    return None


def table(kind: KindOption = None, context: ContextOption = None, as_json: Json = False) -> None:
    """Print what the rules answer to each proposal, for each state that a run may be in.

    It is computed by asking the rules. Without --context the circumstances are the plain ones; in
    others, what differs from those is bold.
    """
    from orion_nb.rules.table import KINDS, LEGEND, cells, contexts

    kinds = [each for each in KINDS if kind in (None, each)]
    if not kinds:
        raise InvalidInput(f"kind: {kind!r} is none of {', '.join(KINDS)}", field="kind")
    policies = _policies()
    wanted = _wanted(context, [each for one in kinds for each in contexts(one)])
    chosen = [(one, each) for one in kinds for each in contexts(one) if each.name in wanted]
    if as_json:
        tables = [
            {"kind": one, "context": each.name, "says": each.says,
             "answers": cells(policies[one], one, each)}
            for one, each in chosen
        ]  # fmt: skip
        return output.print_json({"legend": dict(LEGEND), "tables": tables})
    for one, each in chosen:
        _print(policies[one], one, each)
    output.console().print(_legend())
    return None


def _wanted(names: list[str] | None, known: list[Context]) -> set[str]:
    there = list(dict.fromkeys(each.name for each in known))
    if names and "all" in names:
        return set(there)
    for name in names or ():
        if name not in there:
            raise InvalidInput(f"context: {name!r} is none of {', '.join(there)}", field="context")
    return set(names or ["default"])


def _print(policy: Policy, kind: Kind, context: Context) -> None:
    """One table; what differs from the plain circumstances is bold."""
    from rich.text import Text

    from orion_nb.cli.looks import plain_table
    from orion_nb.rules.table import DEFAULT, cells

    console = output.console()
    console.width = max(console.width, WIDTH)
    console.print(Text(f"{kind} runs, {context.name}", style="bold"))
    console.print(Text(context.says))
    plainly = cells(policy, kind, DEFAULT)
    answers = cells(policy, kind, context)
    made = plain_table("is ↓ proposed →", *(each.value for each in answers))
    for leaving, row in answers.items():
        made.add_row(leaving.value, *_styled(row, plainly[leaving]))
    console.print(made)
    console.print()


def _styled(row: dict[StateType, str], plainly: dict[StateType, str]) -> Iterator[Any]:
    from rich.text import Text

    for entering, answer in row.items():
        yield Text(answer, style="" if answer == plainly[entering] else "bold")


def _legend() -> Any:
    from rich.text import Text

    from orion_nb.rules.table import LEGEND

    return Text("\n".join(f"{sign:<6} {says}" for sign, says in LEGEND))


def _policies() -> dict[Kind, Policy]:
    """The policies with the rules of the user's own; no database is opened for that."""
    from orion_nb.rules import POLICIES
    from orion_nb.rules.users import load_rules, with_user_rules
    from orion_nb.settings import Settings

    own = load_rules(Settings.load().rules)
    return {kind: with_user_rules(policy, own) for kind, policy in POLICIES.items()}


def _rules() -> list[tuple[Rule, list[Kind]]]:
    """Each rule with the kinds of runs it is asked for, in the order of asking."""
    found: dict[str, tuple[Rule, list[Kind]]] = {}
    for kind, policy in reversed(_policies().items()):  # tasks have more, in an order of their own
        for rule in policy:
            found.setdefault(rule.name, (rule, []))[1].insert(0, kind)
    return sorted(found.values(), key=lambda each: each[0].phase)


def _find(name: str) -> tuple[Rule, list[Kind]]:
    from difflib import get_close_matches

    known = {rule.name: (rule, kinds) for rule, kinds in _rules()}
    if name in known:
        return known[name]
    near = get_close_matches(name, known, 1, 0.4)
    hint = f"; did you mean `{near[0]}`?" if near else "; `orion-nb rules ls` lists them"
    raise InvalidInput(f"rule: there is no {name!r}{hint}", field="rule")


def _as_json(rule: Rule, kinds: list[Kind]) -> dict[str, Any]:
    from orion_nb.schemas.states import StateType

    return {
        "rule": rule.name,
        "phase": rule.phase.name.lower(),
        "kinds": kinds,
        "says": rule.says,
        "from": [each.value for each in StateType if each in rule.leaving],
        "to": [each.value for each in StateType if each in rule.entering],
    }
