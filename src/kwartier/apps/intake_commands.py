"""Commands that take something in."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import kwartier
from kwartier.apps.options import (
    Clock,
    Files,
    HomeOption,
    JsonOption,
    RecordedOption,
    StorageOption,
    app,
    progress,
    told,
)

if TYPE_CHECKING:
    from kwartier.runs import Intake

# What to do where nothing was kept, by the rule that most rows came under.
_WHAT_TO_DO = {
    "too_old": "A day can be settled until {days} days after it, and these are older. To allocate "
    "the past, say when it was known, with a MOMENT after the last of them (such as "
    "2026-03-30T06:00:00Z):\n"
    "  kwartier register FILE --recorded-at MOMENT\n"
    "  kwartier {command} FILE --recorded-at MOMENT",
    "in_future": "They are later than the moment of taking in: look at their dates and offsets, "
    "and at --recorded-at.",
    "unknown_point": "Take in a register that has their points ('kwartier register FILE'), and "
    "then the same file again.",
    "not_eligible": "The register says that their points may not be read on these days. If that is "
    "wrong, take in a register that says otherwise, and then the same file again.",
    "off_quarter": "Readings and periods stand on the quarter-hour; look at their minutes and "
    "seconds.",
    "not_by_volumes": "Quarter volumes are taken of points of the groups TMT and NVL and of "
    "couplings, on days on which they hold. If the register is wrong, take in one that says so, "
    "and then the same file again.",
    "triple_not_allowed": "Look at their origin, validation status and repair method, and at the "
    "parameter telemetry_triples.",
}
# The command that takes in again what it is told of.
_COMMANDS = {"readings": "ingest", "volumes": "volumes"}


def _tell_intake(
    intake: Intake, as_json: bool, what: str, home: Path, recorded_at: datetime | None
) -> None:
    if as_json:
        print(json.dumps(intake.__dict__, default=list))
        return
    for name in intake.skipped:
        print(f"{name}: taken in before, skipped")
    if intake.skipped and recorded_at is not None:
        print("What was taken in stays known from then on; a later --recorded-at changes nothing.")
    if intake.delivery:
        from kwartier import findings

        print(f"{intake.rows_in:,} {what} in, {intake.rows_kept:,} kept")
        for rule, rows in sorted(intake.found.items()):
            if rows:
                print(f"{rows:>12,} not kept: {rule} ({findings.RULES[rule].meaning})")
    if intake.days:
        print(f"market days {intake.days[0]} to {intake.days[-1]}")
    elif intake.rows_kept and what == "readings":
        print("nothing new: these readings were here already")
    elif intake.rows_in and not intake.rows_kept:
        rule = max(intake.found, key=lambda name: intake.found[name])
        hint = _what_to_do(rule, home, recorded_at, _COMMANDS.get(what, what))
        text = f"None of them was kept. {hint}"
        print(text.rstrip(), file=sys.stderr)


def _what_to_do(rule: str, home: Path, recorded_at: datetime | None, command: str) -> str:
    from kwartier.runs import moments

    known = recorded_at or datetime.now(UTC)
    at = moments.seconds(known)
    days = moments.parameters_of(kwartier.Home(home), known.date(), at).too_old_days
    return _WHAT_TO_DO.get(rule, "").format(days=days, command=command)


@app.command(epilog="Example: kwartier register points.csv --home my-home")
def register(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    recorded_at: RecordedOption = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in the register of accounting points."""
    with told():
        from kwartier import runs

        kept = kwartier.Home(home, create=True, storage=storage)
        intake = runs.take_register(kept, files, recorded_at=recorded_at)
        _tell_intake(intake, as_json, "rows", home, recorded_at)


@app.command(epilog="Example: kwartier ingest day.csv.gz late.parquet --home my-home")
def ingest(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    clock: Annotated[
        Clock | None,
        typer.Option(help="What local times without UTC offset mean; refused when not given."),
    ] = None,
    recorded_at: RecordedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in readings, as one delivery."""
    with told(), progress("Taking in readings", "rows") as show:
        from kwartier import runs

        intake = runs.ingest(
            kwartier.Home(home),
            files,
            clock=clock.value if clock else None,
            recorded_at=recorded_at,
            progress=show,
        )
    _tell_intake(intake, as_json, "readings", home, recorded_at)


@app.command(epilog="Example: kwartier couplings couplings.csv --home my-home")
def couplings(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    recorded_at: RecordedOption = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in the couplings of grid areas."""
    with told():
        from kwartier import runs

        kept = kwartier.Home(home, create=True, storage=storage)
        intake = runs.take_couplings(kept, files, recorded_at=recorded_at)
        _tell_intake(intake, as_json, "rows", home, recorded_at)


@app.command(epilog="Example: kwartier volumes telemetry.csv.gz couplings.csv --home my-home")
def volumes(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    recorded_at: RecordedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in quarter volumes of telemetry, grid losses and couplings, as one delivery."""
    with told(), progress("Taking in volumes", "rows") as show:
        from kwartier import runs

        intake = runs.ingest_volumes(
            kwartier.Home(home), files, recorded_at=recorded_at, progress=show
        )
    _tell_intake(intake, as_json, "volumes", home, recorded_at)


@app.command(epilog="Example: kwartier fractions profiles-2026.csv lamps.csv --home my-home")
def fractions(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    by_tariff: Annotated[
        list[str] | None,
        typer.Option(
            help="A column that is of the annual volume of each tariff, where its year is not "
            "whole in the file; may be given again.",
            metavar="COLUMN",
        ),
    ] = None,
    recorded_at: RecordedOption = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in fractions: standard profiles of the market, dimensioned profiles."""
    with told():
        from kwartier import runs

        kept = kwartier.Home(home, create=True, storage=storage)
        intake = runs.take_fractions(
            kept, files, by_tariff=by_tariff or (), recorded_at=recorded_at
        )
        _tell_intake(intake, as_json, "days of profiles", home, recorded_at)


@app.command(epilog="Example: kwartier parameters own.yaml --home my-home")
def parameters(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML file.")],
    home: HomeOption = Path("kwartier-home"),
    recorded_at: RecordedOption = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in parameters of the home's own, in place of those it had."""
    with told():
        from kwartier import runs

        kept = kwartier.Home(home, create=True, storage=storage)
        intake = runs.take_parameters(kept, file, recorded_at=recorded_at)
        _tell_intake(intake, as_json, "parameters", home, recorded_at)


@app.command(epilog="Example: kwartier parties parties.yaml --home my-home")
def parties(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML file.")],
    home: HomeOption = Path("kwartier-home"),
    recorded_at: RecordedOption = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in who the home is and whom it sends to, in place of what was said before."""
    with told():
        from kwartier import runs

        kept = kwartier.Home(home, create=True, storage=storage)
        intake = runs.take_parties(kept, file, recorded_at=recorded_at)
        _tell_intake(intake, as_json, "parties", home, recorded_at)
