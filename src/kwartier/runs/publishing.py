"""Publishing for everybody: the runs published last → open tables, audited before they are written.

What was published stays known, so it is kept, and a new version of a day and area is held against
it. Source: domain §10; decisions §34.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from kwartier import pipeline, tables
from kwartier.adapters.ledger import Run
from kwartier.adapters.store import Home, HomeError
from kwartier.runs.moments import days_of, parameters_of
from kwartier.runs.results import of_run, published
from kwartier.steps import disclosure

NEW, SAME, HELD_BACK = "new", "same", "held_back"


class Publication(NamedTuple):
    """What became of a day and area: `state` new, same (the run was published before) or held_back.

    Of what is held back the version before it stays, and `reason` says why.
    """

    market_day: date
    grid_area: str
    run: str
    state: str
    reason: str | None
    sums: int
    left_out: int
    complement: int
    table: pa.Table


def publish(
    home: Home, days: Sequence[date], out: Path, *, grid_area: str | None = None
) -> list[Publication]:
    """Write what everybody may know of market days: a CSV and a Parquet file for each day.

    Parameters
    ----------
    out : the folder; made when it does not exist.

    Returns
    -------
    publications : one of each day and area; nothing is written before all of them are audited.

    Raises
    ------
    HomeError : no run of a day was published, no such area, or the audit found a sum of few.
    """
    made = []
    for day in days_of(days):
        for run in published(home, day, grid_area):
            made.append(_of_run(home, run))
    out.mkdir(parents=True, exist_ok=True)
    for one in made:
        if one.state == NEW:
            home.add_open(one.table, one.market_day, one.grid_area, one.run)
    for day in sorted({one.market_day for one in made}):
        parts = [one.table for one in made if one.market_day == day]
        name = f"open_data-{day.isoformat()}" + (f"-{grid_area}" if grid_area else "")
        _write(pa.concat_tables(parts).combine_chunks(), out / name)
    return made


def _of_run(home: Home, run: Run) -> Publication:
    day, area = run.market_day, run.grid_area
    kept = home.open_runs(day, area)
    held = {earlier: home.open_table(place) for earlier, place in kept}
    state, reason = NEW, None
    if kept and kept[-1][0] == run.run:
        table, state = held[run.run], SAME
    else:
        versions = [
            pipeline.Opened(_tables(home, day, area, earlier), held[earlier]) for earlier, _ in kept
        ]
        parameters = parameters_of(home, day, run.known_at)
        now = disclosure.Run(of_run(home, run, "allocation"), of_run(home, run, "privacy"))
        try:
            table = pipeline.opened(now, run.run, versions, parameters)
        except pipeline.HeldBack as error:
            state, reason = HELD_BACK, str(error)
            table = held[kept[-1][0]] if kept else tables.OPEN_DATA.empty()
        except pipeline.Attackable as error:
            raise HomeError(
                f"the audit of {day}, grid area {area}: {error}; nothing was published. This is "
                "an error of kwartier, tell its authors"
            ) from None
    first = table.filter(pc.equal(table["position"], 1))
    status = first["status"].to_pylist()
    return Publication(
        *(day, area, run.run, state, reason, len(status)),
        sum(1 for one in status if one != disclosure.suppression.PUBLISHED),
        sum(1 for one in status if one == disclosure.suppression.COMPLEMENT),
        table,
    )


def _tables(home: Home, day: date, area: str, run: str) -> disclosure.Run:
    return disclosure.Run(
        *(home.table_of_run(day, area, run, name) for name in ("allocation", "privacy"))
    )


def _write(table: pa.Table, path: Path) -> None:
    """Write a table in both forms, each whole or not at all."""
    at = table.schema.get_field_index("period_start")
    moments = pc.strftime(table["period_start"], format="%Y-%m-%dT%H:%M:%SZ")
    options = pyarrow.csv.WriteOptions(quoting_style="none")
    for suffix in (".csv", ".parquet"):
        unfinished = path.with_name(f"{path.name}{suffix}.unfinished")
        if suffix == ".csv":
            rows = table.set_column(at, "period_start", moments)
            pyarrow.csv.write_csv(rows, unfinished, options)
        else:
            pq.write_table(table, unfinished, compression="zstd")
        os.replace(unfinished, path.with_name(path.name + suffix))
