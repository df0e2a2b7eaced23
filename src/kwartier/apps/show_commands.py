"""Commands that show what runs gave."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import kwartier
from kwartier.apps.options import (
    AreaOption,
    HomeOption,
    JsonOption,
    MaybeDayOption,
    RunOption,
    Table,
    TableArgument,
    ToOption,
    app,
    days_between,
    told,
)

if TYPE_CHECKING:
    import pyarrow as pa


def _result(
    table: Table, home: Path, day: date | None, to: date | None, area: str | None, run: str | None
) -> pa.Table:
    if (day is None) == (run is None):
        raise typer.BadParameter("give either --day or --run")
    if run is not None and (to is not None or area is not None):
        raise typer.BadParameter("--to and --area go with --day; a run is of one day and area")
    from kwartier import runs

    kept = kwartier.Home(home)
    if table is Table.RECEIVED:
        if day is None:
            raise typer.BadParameter("what was received is of days, not of a run; give --day")
        return _received(kept, days_between(day, to), area)
    if run is not None:
        return runs.of_run(kept, runs.ledger_of(kept).get(run), table.value)
    days = days_between(day, to) if day is not None else []
    return runs.result(kept, table.value, days, grid_area=area)


def _received(home: kwartier.Home, days: list[date], area: str | None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    from kwartier import runs

    rows = pa.concat_tables([runs.received(home, day) for day in days])
    return rows if area is None else rows.filter(pc.equal(rows["grid_area"], area))


@app.command(epilog="Example: kwartier show coverage --day 2026-03-29 --home my-home")
def show(
    table: TableArgument,
    day: MaybeDayOption = None,
    to: ToOption = None,
    area: AreaOption = None,
    run: RunOption = None,
    home: HomeOption = Path("kwartier-home"),
    as_json: JsonOption = False,
) -> None:
    """Show a result, summed so that it fits a screen; --json gives every row."""
    with told():
        rows = _result(table, home, day, to, area, run)
        from kwartier.apps import screen

        if as_json:
            json.dump(screen.with_eans(rows).to_pylist(), sys.stdout, default=_plain)
            print()
            return
        screen.show(table.value, rows)


def _plain(value: Any) -> str:
    return str(value.isoformat())


@app.command(
    epilog="Example: kwartier export allocation --day 2026-03-29 --out sums.csv --home my-home"
)
def export(
    table: TableArgument,
    out: Annotated[Path, typer.Option(help="FILE.csv or FILE.parquet.", dir_okay=False)],
    day: MaybeDayOption = None,
    to: ToOption = None,
    area: AreaOption = None,
    run: RunOption = None,
    home: HomeOption = Path("kwartier-home"),
) -> None:
    """Write a result, every row of it, to a CSV or Parquet file."""
    if out.suffix not in (".csv", ".parquet"):
        raise typer.BadParameter("--out: expected FILE.csv or FILE.parquet")
    with told():
        from kwartier.apps import screen

        rows = _result(table, home, day, to, area, run)
        screen.export(rows, out)
    print(f"{rows.num_rows:,} rows in {out}")


@app.command(epilog="Example: kwartier demo --points 10000, or kwartier demo --zonnedael FOLDER")
def demo(
    points: Annotated[int, typer.Option(min=100, max=1_000_000, help="Simulated points.")] = 3_000,
    zonnedael: Annotated[
        Path | None,
        typer.Option(help="Folder with the 75 real households of 2013.", metavar="FOLDER"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the demo puts what it makes.")] = Path(
        "kwartier-demo"
    ),
) -> None:
    """Run the main job on a simulated grid area, whose true volumes are known."""
    with told():
        from kwartier.apps import demo as main_job

        if zonnedael is None:
            main_job.simulated(out, points)
        else:
            main_job.of_zonnedael(out, zonnedael)
