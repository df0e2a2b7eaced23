"""The files that a study is given: standard profiles, and prices of imbalance.

A year of them serves other years: each day takes the nearest day of the year that is the same day
of the week and as long.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import periods, tables
from kwartier.adapters import files
from kwartier.studies.fairness import Prices
from kwartier.studies.scene import FRACTIONS

_FARTHEST = 10  # days of the year
_STARTS = ("period_start", "start_utc", "start_utc_if_sequential")
_SURPLUS, _SHORTAGE = "price_surplus_eur_mwh", "price_shortage_eur_mwh"


class StudyError(ValueError):
    """Something that a study cannot work with; the text says what, where, and what to do."""


def alike(day: date, among: Iterable[date], what: str) -> date:
    """Find the day that stands for another one: itself, or the nearest alike.

    Parameters
    ----------
    what : where the days are from, for the error.

    Raises
    ------
    StudyError : none is near enough.
    """

    def away(other: date) -> int:
        apart = abs(day.timetuple().tm_yday - other.timetuple().tm_yday)
        return min(apart, 365 - apart)

    near = [
        (other != day, away(other), abs((day - other).days), other)
        for other in among
        if other.weekday() == day.weekday()
        and periods.count(other) == periods.count(day)
        and away(other) <= _FARTHEST
    ]
    if not near:
        raise StudyError(
            f"{what}: expected a whole {day:%A} within {_FARTHEST} days of {day:%d %B}, of any "
            "year; give a file that holds the whole year"
        )
    return min(near)[-1]


def read_profiles(path: Path, days: Sequence[date]) -> pa.Table:
    """Read standard profiles, in any form that `kwartier fractions` takes, for some days.

    Raises
    ------
    FileRefused : something is wrong in the file. StudyError : it has no such days.
    """
    rows = files.read_fractions([path])
    held = rows["market_day"].unique().to_pylist()
    parts = []
    for day in days:
        mine = rows.filter(pc.equal(rows["market_day"], pa.scalar(alike(day, held, str(path)))))
        on = pa.repeat(pa.scalar(day, pa.date32()), mine.num_rows)
        at = mine.column_names.index("market_day")
        parts.append(mine.set_column(at, "market_day", on))
    whole = pa.concat_tables(parts)
    recorded = pa.array([0] * whole.num_rows).cast(tables.MOMENT)
    return whole.append_column("recorded_at", recorded).cast(FRACTIONS)


def read_prices(path: Path) -> dict[date, Prices]:
    """Read prices of imbalance, per market day that is whole.

    Parameters
    ----------
    path : CSV (.csv, .csv.gz) with the start of each period in UTC (start_utc, period_start or
        start_utc_if_sequential), price_surplus_eur_mwh and price_shortage_eur_mwh.

    Raises
    ------
    StudyError : something is wrong in the file.
    """
    stated: dict[int, tuple[int, int]] = {}
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            names = reader.fieldnames or ()
            start = next((name for name in _STARTS if name in names), None)
            for wanted, there in (
                (" or ".join(_STARTS), start),
                (_SURPLUS, _SURPLUS in names),
                (_SHORTAGE, _SHORTAGE in names),
            ):
                if not there:
                    raise StudyError(f"{path}: expected a column {wanted}, found none")
            for number, row in enumerate(reader, 1):
                moment = _moment(path, number, str(start), row)
                prices = (_cents(path, number, _SURPLUS, row), _cents(path, number, _SHORTAGE, row))
                if stated.setdefault(moment, prices) != prices:
                    raise StudyError(f"{path}, row {number}: expected each period once")
    except (EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise StudyError(f"{path}: expected a CSV file in UTF-8, found another: {error}") from None
    days = {periods.day_of_number(int(n)) for n in periods.locate(np.array(list(stated)))[0]}
    made = {}
    for day in sorted(days):
        of_day = [stated.get(at) for at in periods.starts(day).tolist()]
        whole = [pair for pair in of_day if pair is not None]
        if len(whole) == len(of_day):
            made[day] = Prices(*np.array(whole, np.int64).T)
    return made


def _moment(path: Path, number: int, name: str, row: Mapping[str, str | None]) -> int:
    try:
        moment = datetime.fromisoformat(row[name] or "")
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.timestamp() % periods.SECONDS:
        raise StudyError(
            f"{path}, row {number}, column {name}: expected the start of a quarter-hour as "
            "2023-01-01T00:15Z"
        )
    return int(moment.astimezone(UTC).timestamp())


def _cents(path: Path, number: int, name: str, row: Mapping[str, str | None]) -> int:
    try:
        cents = Decimal(row[name] or "") * 100
        if cents.is_finite() and cents == cents.to_integral_value() and abs(cents) < 10**9:
            return int(cents)
    except InvalidOperation:
        pass
    raise StudyError(
        f"{path}, row {number}, column {name}: expected EUR per MWh with at most two decimals"
    )
