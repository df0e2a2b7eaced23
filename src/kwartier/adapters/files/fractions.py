"""The door for fractions: the market's standard profiles and dimensioned profiles → their days.

Three forms are told apart by their header: one column for each category (`start_utc,E1A,…`), the
market's columns for category, type and direction (`tot;E1A_AZI_A;…`), and profiles of one's own,
one fraction a row (`profile,period_start,fraction`).

Source: SD030 N151 (status STD); decisions §20.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kwartier import codes, periods, tables
from kwartier.adapters.files.cells import NAME
from kwartier.adapters.files.columns import Column, Troubles
from kwartier.adapters.files.csv_form import delimiter_of, first_lines
from kwartier.adapters.files.date_cells import Moment
from kwartier.adapters.files.fraction_cells import PROFILE_NAME, Fraction, Stamp
from kwartier.adapters.files.sources import PARQUET, batches, form_of
from kwartier.arrays import FRACTION_SCALE

# All of a file is in memory at once.
UNPACKED_BYTES = 4_000_000_000
_LINES_ABOVE = 20  # so far down the names of the columns are looked for
_FORMS = (
    "a header with start_utc and profile categories, with columns such as E1A_AZI_A, or with "
    "profile, period_start and fraction"
)
_STAMP = "start_utc"
_IGNORED = ("precision",)
_STARTS, _ENDS = ("van",), ("tot", "timestamp")
_OFFTAKE, _INFEED = "A", "I"
_COLUMN = re.compile(
    rf"(?:[0-9.]+_)?((?:{'|'.join(codes.PROFILE_CATEGORIES)})"
    rf"(?:_(?:{'|'.join(codes.CONSUMPTION_TYPES)}))?_[{_OFFTAKE}{_INFEED}])"
)
# By its sum over a year a column is known: 1 of the whole annual volume, 2 of that of each tariff.
_ONCE = (FRACTION_SCALE * 9 // 10, FRACTION_SCALE * 11 // 10)
_TWICE = (FRACTION_SCALE * 198 // 100, FRACTION_SCALE * 202 // 100)
_IDENTIFIER = re.compile(r"[0-9]{10,}")

Int64s = npt.NDArray[np.int64]


class Key(NamedTuple):
    """What fractions are of; the type is None where they are of both."""

    profile: str
    consumption_type: str | None
    direction: str


@dataclass(frozen=True)
class _Part:
    """Fractions of a file that share their periods, in the order of the file.

    `shown` names the columns, `fraction` is (rows, columns); `row` the row of each period.
    """

    path: Path
    stamp: str
    what: str
    shown: tuple[str, ...]
    keys: tuple[Key, ...]
    row: Int64s
    start: Int64s
    fraction: Int64s
    may_be_by_tariff: bool


def read_fractions(
    paths: Sequence[Path | str],
    by_tariff_columns: Sequence[str] = (),
    unpacked_bytes: int = UNPACKED_BYTES,
) -> pa.Table:
    """Read fractions of annual volumes: standard profiles and dimensioned profiles.

    Parameters
    ----------
    paths : CSV (.csv, .csv.gz, .csv.zst) in one of three forms; profiles of one's own also Parquet.
    by_tariff_columns : columns, without the version before their name, that are of the annual
        volume of the period's own tariff; for days of years that a file does not hold as a whole,
        since of those that it does the column's sum tells.
    unpacked_bytes : a file that unpacks to more is refused.

    Returns
    -------
    fractions : `tables.STANDARD_FRACTIONS`, by profile, type, direction and day.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them may be kept.
    """
    troubles = Troubles()
    made: list[tuple[Path, pa.Table]] = []
    seen: set[str] = set()
    for path in map(Path, paths):
        for part in _parts(path, troubles, unpacked_bytes):
            seen.update(part.shown if part.may_be_by_tariff else ())
            days = _days(part, troubles)
            if days is not None:
                made.append((path, _table(part, days, set(by_tariff_columns), troubles)))
    for name in by_tariff_columns:
        if name not in seen and not troubles.count:
            expected = "a column of the files"
            troubles.add(Path(paths[0]), None, "named as by tariff", expected, "no such column")
    rows = _each_once(made, troubles)
    troubles.refuse()
    names = ("profile", "consumption_type", "direction", "market_day")
    return rows.sort_by([(name, "ascending") for name in names]).combine_chunks()


def _parts(path: Path, troubles: Troubles, unpacked_bytes: int) -> Iterator[_Part]:
    """Read a file of whichever form; nothing where something is wrong in it."""
    lines = [] if form_of(path) == PARQUET else first_lines(path, _LINES_ABOVE)
    heads = [[n.strip(' \t"') for n in line.split(delimiter_of(line))] for line in lines]
    of_market = [at for at, names in enumerate(heads) if any(map(_COLUMN.fullmatch, names))]
    before = troubles.count
    if heads and _STAMP in heads[0]:
        parts = _of_categories(path, troubles, unpacked_bytes)
    elif of_market:
        above = of_market[-1]
        parts = _of_market(path, heads[above], above, troubles, unpacked_bytes)
    elif not heads or {"profile", "fraction"} & set(heads[0]):
        parts = _of_own(path, troubles, unpacked_bytes)
    else:
        troubles.add(path, None, None, _FORMS, "another header")
        return
    if troubles.count == before:
        yield from parts


def _read(
    path: Path, columns: Sequence[Column], troubles: Troubles, unpacked_bytes: int, above: int = 0
) -> tuple[Int64s, dict[str, pa.Array]]:
    """Read a whole file: the number of each row, and the cells by what their columns give."""
    parts: dict[str, list[pa.Array]] = {}
    rows = 0
    for batch in batches(path, columns, troubles, unpacked_bytes, above):
        rows += batch.rows
        for name, array in batch.values.items():
            parts.setdefault(name, []).append(array)
    whole = {name: pa.concat_arrays(arrays) for name, arrays in parts.items()}
    return np.arange(1, rows + 1), whole


def _of_categories(path: Path, troubles: Troubles, unpacked_bytes: int) -> list[_Part]:
    """Read the form with one column for each category, of offtake whatever the type."""
    columns = [
        Column(_STAMP, Moment(), _STAMP, required=True),
        *(Column(name, Fraction(), name) for name in codes.PROFILE_CATEGORIES),
        *(Column(name, NAME, name, empty=True) for name in _IGNORED),
    ]
    before = troubles.count
    row, cells = _read(path, columns, troubles, unpacked_bytes)
    if troubles.count > before or not len(row):
        return []
    names = tuple(name for name in codes.PROFILE_CATEGORIES if name in cells)
    if not names:
        expected = "columns of " + " ".join(codes.PROFILE_CATEGORIES)
        troubles.add(path, None, None, expected, "none of them")
        return []
    keys = tuple(Key(name, None, codes.OFFTAKE) for name in names)
    return [_part(path, _STAMP, names, keys, row, cells[_STAMP].to_numpy(), cells)]


def _of_market(
    path: Path, header: Sequence[str], above: int, troubles: Troubles, unpacked_bytes: int
) -> list[_Part]:
    """Read the market's form since 2023, with columns for category, type and direction."""
    columns: list[Column] = []
    stamps: dict[str, str] = {}
    for name in header:
        of_profile = _COLUMN.fullmatch(name)
        if of_profile:
            columns.append(Column(name, Fraction(comma=True), of_profile[1], required=True))
        for gives, words in (("start", _STARTS), ("end", _ENDS)):
            if name.lower() in words:
                columns.append(Column(name, Stamp(), gives, required=True))
                stamps[gives] = name
    if not stamps:
        expected = f"one of {' '.join((*_STARTS, *_ENDS))}"
        troubles.add(path, None, None, expected, "no such column")
        return []
    before = troubles.count
    row, cells = _read(path, columns, troubles, unpacked_bytes, above)
    if troubles.count > before or not len(row):
        return []
    if "end" in cells:
        start = cells["end"].to_numpy() - periods.SECONDS
        if "start" in cells:
            for at in row[cells["start"].to_numpy() != start].tolist():
                expected = f"a quarter-hour after {stamps['start']}"
                troubles.add(path, at, stamps["end"], expected, "another moment")
    else:
        start = cells["start"].to_numpy()
    names = tuple(name for name in cells if name not in stamps)
    keys = []
    for name in names:
        category, *types, direction = name.split("_")
        of = codes.OFFTAKE if direction == _OFFTAKE else codes.INFEED
        keys.append(Key(category, types[0] if types else None, of))
    stamp = stamps.get("end", stamps.get("start", ""))
    return [_part(path, stamp, names, tuple(keys), row, start, cells)]


def _part(
    path: Path,
    stamp: str,
    names: tuple[str, ...],
    keys: tuple[Key, ...],
    row: Int64s,
    start: Int64s,
    cells: dict[str, pa.Array],
) -> _Part:
    fraction = np.stack([cells[name].to_numpy() for name in names], axis=1)
    return _Part(path, stamp, "", names, keys, row, start, fraction, True)


def _of_own(path: Path, troubles: Troubles, unpacked_bytes: int) -> list[_Part]:
    """Read profiles of one's own, one fraction a row."""
    columns = [
        Column("profile", PROFILE_NAME, "profile", required=True),
        Column("period_start", Moment(), "period_start", required=True),
        Column("fraction", Fraction(exact=True), "fraction", required=True),
    ]
    before = troubles.count
    row, cells = _read(path, columns, troubles, unpacked_bytes)
    if troubles.count > before or not len(row):
        return []
    profile = cells["profile"].dictionary_encode()
    start, fraction = cells["period_start"].to_numpy(), cells["fraction"].to_numpy()
    code = profile.indices.to_numpy()
    ends = np.cumsum(np.bincount(code))[:-1]
    rows_of = np.split(np.argsort(code, kind="stable"), ends)
    parts = []
    for name, mine in zip(profile.dictionary.to_pylist(), rows_of, strict=True):
        shown = _IDENTIFIER.sub("…", name)  # an EAN in a name is personal data
        parts.append(
            _Part(
                path,
                "period_start",
                f" of {shown}",
                ("fraction",),
                (Key(name, None, codes.OFFTAKE),),
                row[mine],
                start[mine],
                fraction[mine][:, None],
                False,
            )
        )
    return parts


@dataclass(frozen=True)
class _Days:
    """The whole market days of a part: their numbers, where each begins, fractions in order."""

    day: Int64s
    first: Int64s
    fraction: Int64s


def _days(part: _Part, troubles: Troubles) -> _Days | None:
    """Cut the periods of a part into market days; None, and the problems noted, when not whole."""
    before = troubles.count
    for row in part.row[part.start % periods.SECONDS != 0].tolist():
        troubles.add(part.path, row, part.stamp, "a quarter-hour", "another moment")
    order = np.argsort(part.start, kind="stable")
    start = part.start[order]
    for row in part.row[order][1:][start[1:] == start[:-1]].tolist():
        expected = f"each period{part.what} once"
        troubles.add(part.path, row, part.stamp, expected, "a second one")
    if troubles.count > before:
        return None
    # A file that begins or ends within a day says nothing of that day; a hole is another thing.
    inner = ~_outer(start)
    if inner.any():
        order, start = order[inner], start[inner]
    day, first, count = np.unique(periods.locate(start)[0], return_index=True, return_counts=True)
    for number, found in zip(day.tolist(), count.tolist(), strict=True):
        on = periods.day_of_number(number)
        if found != periods.count(on):
            expected = f"{periods.count(on)} periods{part.what} on {on}"
            troubles.add(part.path, None, part.stamp, expected, f"{found}")
    return None if troubles.count > before else _Days(day, first, part.fraction[order])


def _outer(start: Int64s) -> npt.NDArray[np.bool_]:
    """Tell which periods, in order, are of a day at either end of which the file has a part."""
    day = periods.locate(start)[0]
    opening, closing = (periods.day_of_number(int(day[at])) for at in (0, -1))
    outer = np.zeros(len(start), bool)
    if start[0] != periods.day_start(opening):
        outer |= day == day[0]
    if start[-1] != periods.starts(closing)[-1]:
        outer |= day == day[-1]
    return outer


def _table(part: _Part, days: _Days, by_tariff: set[str], troubles: Troubles) -> pa.Table:
    """Make the rows of a part."""
    year = np.array([periods.day_of_number(day).year for day in days.day])
    sums = np.add.reduceat(days.fraction, days.first, axis=0)
    of_tariff = np.zeros(sums.shape, bool)
    for at, name in enumerate(part.shown):
        of_tariff[:, at] = part.may_be_by_tariff and name in by_tariff
        for whole in np.unique(year).tolist():
            if (year == whole).sum() == 365 + calendar.isleap(whole):
                total = int(sums[year == whole, at].sum())
                of_tariff[year == whole, at] = _is_twice(part, name, whole, total, troubles)
    offsets = pa.array(np.append(days.first, len(days.fraction)).astype(np.int32))
    market_day = pa.array(days.day.astype(np.int32)).cast(pa.date32())
    rows = []
    for at, key in enumerate(part.keys):
        words = [pa.repeat(pa.scalar(word, pa.string()), len(days.day)) for word in key]
        fraction = pa.ListArray.from_arrays(offsets, pa.array(days.fraction[:, at]))
        rows.append(
            pa.table(
                [*words, market_day, fraction, pa.array(of_tariff[:, at])],
                schema=tables.STANDARD_FRACTIONS.schema,
            )
        )
    return pa.concat_tables(rows)


def _is_twice(part: _Part, name: str, year: int, total: int, troubles: Troubles) -> bool:
    """Tell by its sum over a year whether a column is by tariff."""
    if part.may_be_by_tariff and _TWICE[0] <= total <= _TWICE[1]:
        return True
    if not _ONCE[0] <= total <= _ONCE[1]:
        expected = f"a sum over {year}{part.what} of 1, within 10 %"
        if part.may_be_by_tariff:
            expected += ", or of 2, within 1 %, where it is by tariff"
        found = f"{total // FRACTION_SCALE}.{total % FRACTION_SCALE:08d}"
        troubles.add(part.path, None, name, expected, found)
    return False


def _each_once(made: Sequence[tuple[Path, pa.Table]], troubles: Troubles) -> pa.Table:
    """Put the rows of all files together; one stated twice is there once, or is a problem."""
    rows = pa.concat_tables([tables.STANDARD_FRACTIONS.empty(), *(table for _, table in made)])
    names = [column.name for column in tables.STANDARD_FRACTIONS.columns if column.key]
    keys = list(zip(*(rows[name].to_pylist() for name in names), strict=True))
    if len(set(keys)) == len(keys):
        return rows
    ends = np.cumsum([table.num_rows for _, table in made])
    first: dict[tuple[object, ...], int] = {}
    kept = []
    for row, key in enumerate(keys):
        if key not in first:
            first[key] = row
            kept.append(row)
        elif rows.slice(row, 1).to_pylist() != rows.slice(first[key], 1).to_pylist():
            path = made[int(np.searchsorted(ends, row, side="right"))][0]
            expected = f"one profile for {key[3]}, in all files together"
            troubles.add(path, None, None, expected, "a second one with other content")
    return rows.take(pa.array(kept, pa.int64()))
