"""Write the pages of docs/ that say what the code says: tables, rules, parameters, commands.

`python docs/generate.py` writes them; with `--check` it names the ones that are stale and exits 1.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import typer

from kwartier import findings, parameters, tables
from kwartier.apps import cli
from kwartier.steps import receiving

DOCS = Path(__file__).parent
_WRITTEN = "<!-- Written by docs/generate.py from the code; do not edit. -->"


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def _grid(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(_cell(value) for value in line) + " |" for line in lines]


def _page(title: str, *parts: str | Sequence[str]) -> str:
    blocks = [part if isinstance(part, str) else "\n".join(part) for part in parts if part]
    return "\n\n".join([_WRITTEN, f"# {title}", *blocks]) + "\n"


def tables_page() -> str:
    """Describe every table that flows."""
    parts: list[str | Sequence[str]] = [
        "Declared in `kwartier.tables`. Energy is int64 Wh; a missing value is null, never 0. "
        "`key` marks the columns that together name a row. How these tables look as files: "
        "[doors](doors.md).",
    ]
    for table in tables.TABLES:
        parts += [f"## {table.name}", f"{table.meaning} Source: {table.source}."]
        defaults = any(not column.required for column in table.columns)
        heads = ["column", "type", "unit", "key", "meaning"]
        rows = [
            [
                f"`{column.name}`",
                _type(column.type),
                column.unit,
                "key" if column.key else "",
                column.meaning,
                *([_absent(column)] if defaults else []),
            ]
            for column in table.columns
        ]
        parts.append(_grid([*heads, "where absent"] if defaults else heads, rows))
    return _page("Tables", *parts)


def _type(type_: pa.DataType) -> str:
    return str(type_).replace("element: ", "").replace("item: ", "")


def _absent(column: tables.Column) -> str:
    if column.required:
        return "refused"
    if column.default is None:
        return "see its meaning" if "where absent" in column.meaning else "empty"
    if isinstance(column.default, bool):
        return f"`{column.unit.split('/')[not column.default]}`"
    return f"`{column.default}`"


def rules_page() -> str:
    """Describe every rule that makes findings."""
    heads = ["rule", "severity", "what was found", "what is done", "`observed`", "`limit`"]
    rules = findings.RULES.values()
    rows = [[f"`{r.name}`", r.severity, r.meaning, r.effect, r.observed, r.limit] for r in rules]
    return _page(
        "Rules",
        "What was doubtful becomes a row of the [findings table](tables.md#findings), and the run "
        "goes on; only what is missing to close an area stops the run of that area. Declared in "
        "`kwartier.findings`. `observed` and `limit` say what stands in those columns. Numbers "
        "that a rule is held against are [parameters](parameters.md).",
        _grid(heads, rows),
    )


def receiver_checks_page() -> str:
    """Describe every check of a document that another party sent."""
    rows = [[r.code, r.meaning, "any" if r.everywhere else "Dutch"] for r in receiving.RULES]
    return _page(
        "Receiver checks",
        "A document that another party sent is read, and then held against these checks. All that "
        "fire are told to the sender at once, each with its code and the series; where none does, "
        "the answer is `000`. Declared in `kwartier.steps.receiving`. What the receiver does not "
        "know, as which parties are active where, fires no check. Deadlines and numbers of series "
        "are [parameters](parameters.md#accepted_days). What each of several codes for one thing "
        "means was not readable to us: "
        "[decisions §35](decisions.md#35-dutch-messages-and-the-checks-of-their-receiver).",
        "What is no document at all, because it is not XML in UTF-8, too large, or not as its "
        "schema asks, is answered with `999` and the line.",
        _grid(["code", "what is wrong", "documents"], rows),
    )


def parameters_page() -> str:
    """Describe every parameter of the market and the standard profile."""
    market = parameters.market()
    parts: list[str | Sequence[str]] = [
        "The market's figures stand in `src/kwartier/parameters/market.yaml`. Each value holds "
        "from its date until a later one; the market day decides, not the day of the run.",
        "A home may have parameters of its own: `kwartier parameters FILE` takes them in. The file "
        "names parameters of this page, each with `values` by date; these are put beside the "
        "market's, and replace a market's value of the same date. Anything else in it is refused. "
        "A later file replaces the earlier one as a whole, from the moment that it is known: a run "
        "as known before takes the file of then. The value that held, and since when, stands in "
        "the manifest of every run.",
        "```yaml\nmin_points_for_shape:\n  values: {2026-07-01: 50}\n```",
    ]
    for name, entry in market.items():
        parts += [
            f"## `{name}`",
            f"{_cell(entry['meaning'])[:1].upper()}{_cell(entry['meaning'])[1:]}.",
            [f"- Unit: {_cell(entry['unit'])}", f"- Source: {_cell(entry['source'])}"],
            _grid(["from market day", "value"], [[d, _value(v)] for d, v in _dated(entry)]),
        ]
    profile = parameters.standard_profile()
    parts += [
        "## The standard profile",
        "In `src/kwartier/parameters/standard_profile.yaml`; used where no "
        "[standard fractions](doors.md#fractions) were loaded.",
        _cell(profile["meaning"]),
    ]
    for direction in ("offtake", "infeed"):
        part = profile[direction]
        parts += [
            f"### {direction.capitalize()}",
            f"Source: {_cell(part['source'])}",
            [f"- `{name}`: {_cell(unit)}" for name, unit in part["unit"].items()],
            _grid(
                ["month", *range(1, 13)],
                [["share of the year / 10,000", *part["month_share_per_10000"]]],
            ),
        ]
    return _page("Parameters", *parts)


def _dated(entry: Any) -> list[tuple[object, object]]:
    return sorted(entry["values"].items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(part)}" for name, part in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def commands_page() -> str:
    """Describe every command with its options, an example and the exit codes."""
    group = typer.main.get_command(cli.app)
    _, codes = (cli.__doc__ or "").split("\n\n", 1)
    codes = _cell(codes).removeprefix("Exit codes: ").rstrip(".")
    parts: list[str | Sequence[str]] = [
        "`-h` or `--help` after any command tells the same. Results go to the standard output, "
        "progress and complaints to the error stream. `DAY` is a day as 2026-03-29, `MOMENT` a "
        "moment with its UTC offset, as 2026-03-30T06:00:00Z.",
        "`kwartier --version` says the version.",
        "## Exit codes",
        _grid(["code", "meaning"], [code.split(" ", 1) for code in codes.split("; ")]),
    ]
    for name, command in sorted(commands_of(group)):
        given = [param.metavar or param.name.upper() for param in _arguments(command)]
        parts += [
            f"## `{name}`",
            command.help,
            "```\n" + " ".join(["kwartier", name, *given, "[OPTIONS]"]) + "\n```",
            [_argument(param) for param in _arguments(command)],
            _grid(
                ["option", "value", "default", "meaning"],
                [_option(p) for p in command.params if p not in _arguments(command)],
            ),
            _example(command.epilog),
        ]
    return _page("Commands", *parts)


def commands_of(group: Any, before: str = "") -> Iterable[tuple[str, Any]]:
    """Give every command by its name, those of a group after the name of the group."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{before}{name} ")
        else:
            yield before + name, command


def _arguments(command: Any) -> list[Any]:
    return [param for param in command.params if not param.opts[0].startswith("-")]


def _argument(param: Any) -> str:
    words = [f"`{param.metavar or param.name.upper()}`: {param.help or _choices(param)}"]
    return "- " + " ".join([*words, "One or more." if param.nargs < 0 else ""]).strip()


def _choices(param: Any) -> str:
    annotation = param.type_descriptor.annotation
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return " ".join(f"`{choice.value}`" for choice in annotation)
    return ""


def _option(param: Any) -> list[str]:
    annotation = param.type_descriptor.annotation
    value = "" if param.is_flag else param.metavar or _choices(param)
    if not value and not param.is_flag:
        value = {Path: "PATH", int: "N"}.get(annotation, "")
    bounds = [f"{sign} {bound:,}" for sign, bound in (("≥", param.min), ("≤", param.max)) if bound]
    default = "" if param.default in (None, False) else f"`{param.default}`"
    return [
        ", ".join(f"`{opt}`" for opt in param.opts),
        ", ".join([value, *bounds]),
        "must be given" if param.required else default,
        f"{param.help} Also by the variable `{param.envvar}`." if param.envvar else param.help,
    ]


def _example(epilog: str) -> str:
    examples = epilog.removeprefix("Example: ").split(", or ")
    return "Example:\n\n```\n" + "\n".join(examples) + "\n```"


PAGES: dict[str, Callable[[], str]] = {
    "tables.md": tables_page,
    "rules.md": rules_page,
    "receiver-checks.md": receiver_checks_page,
    "parameters.md": parameters_page,
    "commands.md": commands_page,
}


def stale() -> list[str]:
    """Name the pages that do not say what the code says."""
    return [
        name
        for name, page in PAGES.items()
        if not (DOCS / name).is_file() or (DOCS / name).read_text("utf-8") != page()
    ]


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with --check only name the stale ones."""
    if list(arguments) == ["--check"]:
        for name in stale():
            print(f"docs/{name} is stale; 'make docs' writes it anew", file=sys.stderr)
        return 1 if stale() else 0
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
