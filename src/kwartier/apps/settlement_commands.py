"""Commands of the TSO's side: programmes and prices in, days settled, statements out."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import kwartier
from kwartier.apps.options import (
    CANNOT,
    DayOption,
    Files,
    HomeOption,
    JsonOption,
    RecordedOption,
    StorageOption,
    ToOption,
    app,
    days_between,
    parse_moment,
    told,
)

if TYPE_CHECKING:
    from kwartier.runs.settlement_intake import SettlementIntake
    from kwartier.runs.settling import Outcome


@app.command(epilog="Example: kwartier programmes programmes.csv schedule.xml --home tso-home")
def programmes(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    recorded_at: RecordedOption = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in programmes of balance responsible parties; CSV, Parquet, Schedule documents (.xml).

    A programme that came after its deadline is refused; the others are kept.
    """
    with told():
        from kwartier import runs

        kept = kwartier.Home(home, create=True, storage=storage)
        _tell(runs.take_programmes(kept, files, recorded_at=recorded_at), as_json)


@app.command(epilog="Example: kwartier prices settlement-prices.csv --home tso-home")
def prices(
    files: Files,
    home: HomeOption = Path("kwartier-home"),
    recorded_at: RecordedOption = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in imbalance prices; CSV, also as the TSO publishes it, Parquet, Balancing (.xml)."""
    with told():
        from kwartier import runs

        kept = kwartier.Home(home, create=True, storage=storage)
        _tell(runs.take_prices(kept, files, recorded_at=recorded_at), as_json)


def _tell(intake: SettlementIntake, as_json: bool) -> None:
    """Tell what was taken in; leave with an error where a programme was too late."""
    from kwartier.apps import run_screen

    if as_json:
        print(json.dumps(asdict(intake), default=str))
    else:
        for name in intake.skipped:
            print(f"{name}: taken in before, skipped")
        if intake.delivery:
            print(f"{intake.rows_in:,} rows in, {intake.rows_kept:,} kept")
        if intake.days:
            print(f"market days {intake.days[0]} to {intake.days[-1]}")
    for late in intake.late:
        came, due = run_screen.moment(late.recorded_at), run_screen.moment(late.deadline)
        text = f"{late.brp}, programme of {late.market_day}: refused, it came at {came}; "
        print(text + f"the deadline was {due}", file=sys.stderr)
    if intake.late:
        raise typer.Exit(CANNOT)


@app.command(epilog="Example: kwartier settle --day 2026-03-01 --to 2026-03-31 --home tso-home")
def settle(
    day: DayOption,
    to: ToOption = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_moment,
            help="As if it were this moment, with what was known then; default now.",
            metavar="MOMENT",
        ),
    ] = None,
    home: HomeOption = Path("kwartier-home"),
    as_json: JsonOption = False,
) -> None:
    """Settle the imbalance of market days with all parties; only differences are charged.

    A day of which an area has no complete run is left open, with the reason.
    """
    days = days_between(day, to)
    with told():
        from kwartier import runs

        outcomes = runs.settle(kwartier.Home(home), days, at=at)
        _tell_outcomes(outcomes, as_json)


def _tell_outcomes(outcomes: list[Outcome], as_json: bool) -> None:
    from kwartier.runs.settling import OPEN, REFUSED_DAY, UNCHANGED

    if as_json:
        print(json.dumps([asdict(one) for one in outcomes], default=str))
    undone = [one for one in outcomes if one.state in (OPEN, REFUSED_DAY)]
    for one in outcomes if not as_json else undone:
        if one in undone:
            print(f"{one.market_day}  {one.state}: {one.reason}", file=sys.stderr)
        elif one.state == UNCHANGED:
            print(f"{one.market_day}  unchanged since version {one.version}, {one.kind}")
        else:
            text = f"{one.market_day}  version {one.version}, {one.kind}: {one.parties} parties, "
            text += f"EUR {one.charged_eur:,.2f} charged either way"
            text += f", {one.open_periods:,} periods open" if one.open_periods else ""
            print(text + (f", {one.findings:,} findings" if one.findings else ""))
    if undone:
        raise typer.Exit(CANNOT)


def _parse_month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise typer.BadParameter(f"expected a month as 2026-03, not {text!r}") from None


@app.command(
    epilog="Example: kwartier statement --brp 8712423010208 --month 2026-03 --out statements "
    "--home tso-home"
)
def statement(
    brp: Annotated[str, typer.Option(help="Balance responsible party.", metavar="GLN")],
    month: Annotated[
        date, typer.Option(parser=_parse_month, help="Month, as 2026-03.", metavar="MONTH")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the files.", file_okay=False)],
    home: HomeOption = Path("kwartier-home"),
) -> None:
    """Write the statement of a party and month: a page, its quarters and its charges as CSV, and a
    document (EnergyAccount 4.1) of each day."""
    with told():
        from kwartier import runs
        from kwartier.apps import statement as pages

        made = runs.statement(kwartier.Home(home), brp, month)
        for path in pages.write(made, out):
            print(path)
