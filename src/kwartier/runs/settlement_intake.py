"""Taking in what settlement needs: programmes of balance responsible parties, and prices.

From files of rows and from ENTSO-E documents (.xml). Kept by market day, with when they became
known. A programme that came after its deadline is not kept, and told of.

Source: domain §9; decisions §39.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kwartier import periods, tables
from kwartier.adapters import files
from kwartier.adapters.store import Home
from kwartier.codecs import Unreadable, balancing, schedule
from kwartier.runs.deliveries import Intake, Source, new_files
from kwartier.runs.moments import identity, parameters_of, seconds
from kwartier.steps import programmes
from kwartier.validity import numbers

LATE = "programme_late"
_DOCUMENT = ".xml"


@dataclass(frozen=True)
class Late:
    """A programme that came after its deadline: of whom, of which day, and both moments [s UTC]."""

    brp: str
    market_day: date
    deadline: int
    recorded_at: int


@dataclass(frozen=True)
class SettlementIntake(Intake):
    """What a delivery brought, and which programmes of it were refused for being late."""

    late: tuple[Late, ...] = ()


def take_programmes(
    home: Home, sources: Sequence[Source], *, recorded_at: datetime | None = None
) -> SettlementIntake:
    """Take in programmes: files (or Arrow tables) of rows, Schedule documents (.xml).

    Parameters
    ----------
    recorded_at : when rows that do not say so became known; now when not given.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them is kept.
    """
    moment = seconds(recorded_at)

    def keep(rows: pa.Table, days: np.ndarray[Any, Any]) -> tuple[pa.Table, tuple[Late, ...]]:
        return _in_time(home, moment, rows, days)

    return _take(home, sources, tables.PROGRAMMES, moment, files.read_programmes, _scheduled, keep)


def take_prices(
    home: Home, sources: Sequence[Source], *, recorded_at: datetime | None = None
) -> SettlementIntake:
    """Take in imbalance prices: files (or Arrow tables) of rows, Balancing documents (.xml).

    Parameters
    ----------
    recorded_at : when rows that do not say so became known; now when not given.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them is kept.
    """

    def keep(rows: pa.Table, days: np.ndarray[Any, Any]) -> tuple[pa.Table, tuple[Late, ...]]:
        return rows, ()

    moment = seconds(recorded_at)
    return _take(home, sources, tables.PRICES, moment, files.read_prices, _priced, keep)


def _take(
    home: Home,
    sources: Sequence[Source],
    table: tables.Table,
    moment: int,
    read: Callable[[Sequence[Path], datetime], pa.Table],
    decode: Callable[[bytes, datetime], pa.Table],
    keep: Callable[[pa.Table, np.ndarray[Any, Any]], tuple[pa.Table, tuple[Late, ...]]],
) -> SettlementIntake:
    kind = table.name
    with home.writing():
        new = new_files(home, sources, kind, moment)
        if not new.paths:
            return SettlementIntake(None, skipped=new.skipped)
        rows = _read(new.paths, table, datetime.fromtimestamp(moment, UTC), read, decode)
        came = len(rows)
        rows, late = keep(rows, _days(rows))
        inputs = new.told()
        name = identity([inputs, moment])
        days = _days(rows)
        written = []
        for number in np.unique(days).tolist():
            day = periods.day_of_number(number).isoformat()
            part = rows.filter(pa.array(days == number))
            written.append(home.add(part, f"{kind}/market_day={day}/{name}.parquet"))
        found = {LATE: came - len(rows)} if late else {}
        home.deliver(
            kind,
            moment,
            id=name,
            inputs=inputs,
            files=written,
            rows_in=came,
            rows_kept=len(rows),
            rows_found=found,
        )
    told = tuple(periods.day_of_number(number).isoformat() for number in np.unique(days).tolist())
    return SettlementIntake(name, came, len(rows), new.skipped, found, told, late)


def _read(
    paths: Sequence[Path],
    table: tables.Table,
    moment: datetime,
    read: Callable[[Sequence[Path], datetime], pa.Table],
    decode: Callable[[bytes, datetime], pa.Table],
) -> pa.Table:
    """Read files and documents, and tell of all that is wrong at once."""
    problems: list[files.Problem] = []
    count = 0
    parts = []
    try:
        parts.append(read([p for p in paths if p.suffix.lower() != _DOCUMENT], moment))
    except files.FileRefused as refused:
        problems, count = refused.problems, refused.count
    for path in paths:
        if path.suffix.lower() == _DOCUMENT:
            try:
                parts.append(decode(path.read_bytes(), moment))
            except Unreadable as why:
                expected = "an ENTSO-E document that can be read"
                problems.append(files.Problem(str(path), None, None, expected, f"another: {why}"))
                count += 1
    if count:
        raise files.FileRefused(problems, count)
    rows = pa.concat_tables(parts).combine_chunks()
    return rows if len(parts) == 1 else _stated_once(rows, table)


def _stated_once(rows: pa.Table, table: tables.Table) -> pa.Table:
    """Keep what several documents state alike once; a row stated otherwise is refused."""
    once = rows.group_by(rows.column_names, use_threads=False).aggregate([])
    keys = [column.name for column in table.columns if column.key]
    if len(once.group_by(keys, use_threads=False).aggregate([])) < len(once):
        expected = "each period once for the same party and version"
        found = "a second one with other content"
        raise files.FileRefused([files.Problem("the documents", None, None, expected, found)], 1)
    return once


def _days(rows: pa.Table) -> np.ndarray[Any, Any]:
    return periods.locate(numbers(rows["period_start"], 0))[0]


def _in_time(
    home: Home, moment: int, rows: pa.Table, days: np.ndarray[Any, Any]
) -> tuple[pa.Table, tuple[Late, ...]]:
    """Keep the programmes that came by their deadline."""

    @cache
    def deadline(number: int) -> int:
        day = periods.day_of_number(number)
        return programmes.deadline(day, parameters_of(home, day, moment))

    recorded = numbers(rows["recorded_at"], 0)
    due = np.array([deadline(number) for number in days.tolist()], np.int64)
    late = recorded > due
    told = {
        (brp, number): Late(brp, periods.day_of_number(number), end, at)
        for brp, number, end, at in zip(
            rows["brp"].filter(pa.array(late)).to_pylist(),
            *(array[late].tolist() for array in (days, due, recorded)),
            strict=True,
        )
    }
    return rows.filter(pa.array(~late)), tuple(told[key] for key in sorted(told))


def _scheduled(content: bytes, moment: datetime) -> pa.Table:
    """Make tables.PROGRAMMES of a Schedule document."""
    read = schedule.read(content)
    told: list[tuple[str | None, Sequence[int]]] = []
    if read.net is not None:
        told.append((None, read.net))
    told += [(party, volumes) for party, volumes in sorted(read.trades.items())]
    n = periods.count(read.market_day)
    starts = np.tile(periods.starts(read.market_day), len(told))
    size = len(told) * n
    return pa.table(
        {
            "brp": [read.brp] * size,
            "period_start": pa.array(starts).cast(tables.MOMENT),
            "counterparty": [party for party, _ in told for _ in range(n)],
            "position_wh": [volume for _, volumes in told for volume in volumes],
            "version": [read.version] * size,
            "recorded_at": [moment] * size,
        },
        schema=tables.PROGRAMMES.schema,
    )


def _priced(content: bytes, moment: datetime) -> pa.Table:
    """Make tables.PRICES of a Balancing document."""
    read = balancing.read(content)
    size = periods.count(read.market_day)
    rows = tables.PRICES.empty().to_pydict()
    rows = {name: [None] * size for name in rows}
    rows |= {
        "period_start": pa.array(periods.starts(read.market_day)).cast(tables.MOMENT),
        "price_long_eur_per_mwh": list(read.long),
        "price_short_eur_per_mwh": list(read.short),
        "recorded_at": [moment] * size,
    }
    told = [
        long is not None or short is not None
        for long, short in zip(read.long, read.short, strict=True)
    ]
    return pa.table(rows, schema=tables.PRICES.schema).filter(pa.array(told))
