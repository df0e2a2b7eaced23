"""What runs gave: their tables, and what a run changed against the run before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from kwartier import tables
from kwartier.adapters.ledger import Run
from kwartier.adapters.store import Home, HomeError
from kwartier.runs.moments import days_of, ledger_of
from kwartier.runs.running import steadily
from kwartier.steps import correction

_COMPLETE, _REFUSED = "complete", "refused"


def result(
    home: Home, name: str, days: Sequence[date], *, grid_area: str | None = None
) -> pa.Table:
    """Give a result table of the newest runs: one of tables.RESULTS, or the differences.

    The disclosure is that of the runs published last.

    Raises
    ------
    HomeError : no complete run of a day yet.
    ValueError : no such table.
    """
    schemas = {
        table.name: table.schema
        for table in (*tables.RESULTS, tables.DISCLOSURE, tables.DIFFERENCES)
    }
    if name not in schemas:
        raise ValueError(f"expected one of {', '.join(schemas)}, not {name!r}")
    found: list[pa.Table] = []
    for day in days_of(days):
        if name == tables.DISCLOSURE.name:
            runs = published(home, day, grid_area)
        else:
            runs = _newest(home, day, grid_area, refused_too=name == tables.FINDINGS.name)
            if not runs:
                raise HomeError(_why_none(home, day, grid_area))
        found += [of_run(home, run, name) for run in runs]
        if name == tables.FINDINGS.name:  # rows of points that lie in no known area
            known_at = max(run.known_at for run in runs)
            found += [
                table.filter(
                    pc.and_(pc.equal(table["market_day"], day), pc.is_null(table["grid_area"]))
                )
                for table in home.table_of("doubts", known_at)
            ]
    return pa.concat_tables([schemas[name].empty_table(), *found]).combine_chunks()


def published(home: Home, day: date, grid_area: str | None) -> list[Run]:
    """Give the run of each area of a day that was published last.

    Raises
    ------
    HomeError : none was.
    """
    ledger = ledger_of(home)

    def ask() -> list[Run]:
        areas = sorted({r.grid_area for r in ledger.runs(first=day, last=day, grid_area=grid_area)})
        held = [ledger.latest(day, area, published=True) for area in areas]
        return [run for run in held if run is not None]

    runs = steadily(ask)
    if not runs:
        raise HomeError(f"no run of {day} was published yet; 'kwartier run --day {day}' first")
    return runs


def _newest(home: Home, day: date, grid_area: str | None, *, refused_too: bool) -> list[Run]:
    """Give the complete run of each area that was created last.

    refused_too : or the refused one, where that was created after it; its findings say why.
    """
    ledger = ledger_of(home)

    def ask() -> list[Run]:
        made = ledger.runs(first=day, last=day, grid_area=grid_area)
        newest = {run.grid_area: ledger.latest(day, run.grid_area) for run in made}
        refused = {run.grid_area: run for run in made if run.state == _REFUSED}
        for area, run in refused.items() if refused_too else ():
            held = newest[area]
            if held is None or held.number < run.number:
                newest[area] = run
        return [run for _, run in sorted(newest.items()) if run is not None]

    return steadily(ask)


def _why_none(home: Home, day: date, grid_area: str | None) -> str:
    ledger = ledger_of(home)
    made = steadily(lambda: ledger.runs(first=day, last=day, grid_area=grid_area))
    refused = [run for run in made if run.state == _REFUSED]
    if refused:
        return f"every run of {day} was refused: {refused[-1].reason}"
    return f"no run of {day} yet; 'kwartier allocate --day {day}' first"


def of_run(home: Home, run: Run, name: str) -> pa.Table:
    """Give a table of one run.

    Raises
    ------
    HomeError : the run has no such table: it was refused, failed or missed, or a file is gone.
    """
    if run.state != _COMPLETE and not (run.state == _REFUSED and name == "findings"):
        raise HomeError(f"run {run.run} is {run.state} and has no {name}")
    if name == tables.DIFFERENCES.name:
        return differences(home, run)
    return home.table_of_run(run.market_day, run.grid_area, run.run, name)


def before(home: Home, run: Run) -> Run | None:
    """Give the run that a complete run is held against, None where there is none.

    Of a published run it is the one that was published before it, of a trial the complete run
    that was created before it.
    """
    ledger, day = ledger_of(home), run.market_day

    def ask() -> Run | None:
        if run.publication is not None:
            return None if run.previous is None else ledger.get(run.previous)
        made = ledger.runs(first=day, last=day, grid_area=run.grid_area, states=(_COMPLETE,))
        earlier = [other for other in made if other.number < run.number]
        return max(earlier, key=lambda other: other.number, default=None)

    return steadily(ask)


def differences(home: Home, run: Run) -> pa.Table:
    """Say what a run changed against the run before it, per party: tables.DIFFERENCES."""
    held = before(home, run)
    earlier = None if held is None else of_run(home, held, "allocation")
    return correction.compare(earlier, of_run(home, run, "allocation"))
