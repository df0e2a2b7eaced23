"""The 75 households of 2013 as registers of two grid areas, from files the user gives.

The clock of the source: 96 rows each local day. The rows 02:00 to 02:45 of 2013-03-31 are invented
and dropped. The second 02:00 hour of 2013-10-27 is not in the source: what a register gained in it
is not known, so a new meter starts after it, as after every hole. A register never shows a
difference that the source does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from kwartier import codes, periods
from kwartier.simulation import delivery
from kwartier.simulation.figures import Floats, low_tariff
from kwartier.simulation.points import BRPS, GRID_AREAS, SUPPLIERS, Bools, Ints, point_numbers

LOAD_FILE = "zonnedael_2013_wh_per_15min.csv.gz"
SUN_FILE = "irradiance_maastricht_temp_debilt_15min.csv.gz"
YEAR = 2013
FIRST_POINT = 900_000  # far above the numbers of simulated points
BRP_OF_SUPPLIER = (0, 0, 1, 1, 2)
SOLAR_HOUSEHOLDS = 24
SOLAR_YEAR_WH = (3_000_000, 4_000_000)  # smallest and largest installation of the 24


class ZonnedaelError(ValueError):
    """A folder that does not hold the two files, or files that are not what they should be."""


@dataclass(frozen=True)
class Zonnedael:
    """The year 2013 of 75 households.

    Attributes
    ----------
    register : the register as a file brings it.
    source_sums : the source per period, area, BRP, supplier and direction; `missing` where a series
        of the cell has no value, or one that no register can show.
    holes : series with holes: quarter-hours without value, energy known, and energy of the holes
        as the whole households make expect it.
    """

    register: pa.Table
    source_sums: pa.Table
    holes: pa.Table
    days: list[date]
    _numbers: Ints
    _level: Ints  # (2, households, moments) [Wh], the register at each moment of the year
    _meter: Ints  # (households, moments), number of the meter; 0 where nothing is known
    _solar: Bools

    def readings(self, day: date) -> pa.Table:
        """Give the readings of a market day: both its midnights and all between."""
        return self._rows(periods.day_start(day), periods.count(day))

    def true_volumes(self, day: date) -> tuple[Ints, Bools]:
        """Give the volumes of every household: int64 (2, households, periods) [Wh].

        The second array, (households, periods), tells which of them the source knows.
        """
        first = (periods.day_start(day) - periods.day_start(self.days[0])) // periods.SECONDS
        part = slice(first, first + periods.count(day) + 1)
        meter = self._meter[:, part]
        known = (meter[:, 1:] > 0) & (meter[:, 1:] == meter[:, :-1])
        return np.diff(self._level[:, :, part], axis=2) * known, known

    def write(self, folder: Path | str, form: str = "csv") -> list[Path]:
        """Write the register and the readings: the register first, then one file a month."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        written = [delivery.write_table("register", self.register, target, form)]
        for month in range(1, 13):
            days = [day for day in self.days if day.month == month]
            table = self._rows(periods.day_start(days[0]), sum(map(periods.count, days)))
            # Place 0: plain, in UTC.
            written.append(delivery.write_readings(table, target, days[0], 0, form))
        return written

    def _rows(self, begin: int, count: int) -> pa.Table:
        first = (begin - periods.day_start(self.days[0])) // periods.SECONDS
        part = slice(first, first + count + 1)
        delivered = np.broadcast_to(self._meter[:, part] > 0, (2, len(self._numbers), count + 1))
        delivered = delivered & np.array([np.ones_like(self._solar), self._solar])[:, :, None]
        direction, household, moment = np.nonzero(delivered)
        names = [codes.ean(int(number)) for number in self._numbers]
        meter = self._meter[:, part][household, moment]
        seconds = begin + periods.SECONDS * moment
        return pa.table(
            {
                "accounting_point": pa.array(names).take(pa.array(household)),
                "register": pa.array(["1.8.0", "2.8.0"]).take(pa.array(direction)),
                "read_at": pa.array(seconds).cast(pa.timestamp("s", "UTC")),
                "reading_wh": pa.array(self._level[:, :, part][direction, household, moment]),
                "meter": pa.array([str(m) for m in range(int(self._meter.max()) + 1)]).take(
                    pa.array(meter)
                ),
            }
        )


def read_zonnedael(folder: Path | str) -> Zonnedael:
    """Read the households and the irradiance and make registers of them.

    Raises
    ------
    ZonnedaelError : a file is not there or has another shape.
    """
    days = periods.between(date(YEAR, 1, 1), date(YEAR, 12, 31))
    load = _on_utc(_read(Path(folder) / LOAD_FILE, 75, 1))
    solar = np.arange(load.shape[1]) % 3 == 0
    solar &= np.cumsum(solar) <= SOLAR_HOUSEHOLDS
    # The irradiance starts at midnight UTC, the year an hour earlier: its last hour goes first.
    sun = np.roll(_read(Path(folder) / SUN_FILE, 1, 1)[:, 0], 4)
    made = np.outer(sun / sun.sum(), solar * np.linspace(*SOLAR_YEAR_WH, load.shape[1]))
    net = load - made
    known = ~np.isnan(net)
    # Netted per quarter-hour behind the meter; without panels the source stays as it is.
    flow = np.stack([np.where(solar, np.maximum(net, 0), net), np.maximum(-net, 0) * solar])
    level, meter = _registers(flow, known)
    volume = np.where(known.T, np.diff(level, axis=2), 0)
    annual, holes = _annual(volume, known, solar, days)
    numbers = point_numbers(FIRST_POINT, load.shape[1])
    names = [codes.ean(int(number)) for number in numbers]
    return Zonnedael(
        _register(names, solar, annual),
        _source_sums(volume, known, solar, days),
        holes.set_column(0, "accounting_point", pa.array(names).take(holes["household"])),
        days,
        numbers,
        level,
        meter,
        solar,
    )


def _read(path: Path, columns: int, skip: int) -> Floats:
    if not path.is_file():
        raise ZonnedaelError(f"{path}: no such file; expected {LOAD_FILE} and {SUN_FILE}")
    table = pyarrow.csv.read_csv(path)
    if len(table) != 35_040 or len(table.column_names) < skip + columns:
        raise ZonnedaelError(f"{path}: expected 35,040 rows and at least {skip + columns} columns")
    picked = table.columns[skip : skip + columns]
    return np.stack([c.cast(pa.float64()).to_numpy() for c in picked], axis=1)


def _on_utc(source: Floats) -> Floats:
    """Move the rows from the wall clock of the source to the periods of the year."""
    out = np.full_like(source, np.nan)
    begin = periods.day_start(date(YEAR, 1, 1))
    for day in periods.between(date(YEAR, 1, 1), date(YEAR, 12, 31)):
        first = (periods.day_start(day) - begin) // periods.SECONDS
        row = (day - date(YEAR, 1, 1)).days * 96
        count = periods.count(day)
        own = source[row : row + 96]
        if count == 92:
            out[first : first + 92] = np.delete(own, np.s_[8:12], axis=0)
        elif count == 100:
            out[first : first + 12], out[first + 16 : first + 100] = own[:12], own[12:]
        else:
            out[first : first + 96] = own
    return out


def _registers(flow: Floats, known: Bools) -> tuple[Ints, Ints]:
    """Let registers in whole Wh run over the known quarter-hours, a new meter after each hole."""
    count, households = known.shape
    level = np.zeros((2, households, count + 1), np.int64)
    meter = np.zeros((households, count + 1), np.int64)
    for h in range(households):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], known[:, h].astype(np.int8), [0]])))
        for number, (first, end) in enumerate(edges.reshape(-1, 2), start=1):
            running = np.rint(np.cumsum(flow[:, first:end, h], axis=1)).astype(np.int64)
            level[:, h, first + 1 : end + 1] = running
            meter[h, first : end + 1] = number
    return level, meter


def _annual(volume: Ints, known: Bools, solar: Bools, days: list[date]) -> tuple[Ints, pa.Table]:
    """Sum each year per tariff; what a hole hides is scaled from the whole households' shape."""
    low = np.concatenate([low_tariff(day) for day in days])
    missing = (~known).sum(axis=0)
    whole = missing == missing.min()
    out = np.zeros((len(solar), 4), np.int64)
    rows: list[tuple[int, str, int, int, int]] = []
    for direction, tariff in np.ndindex(2, 2):
        hours = low if tariff else ~low
        out[:, 2 * direction + tariff] = volume[direction][:, hours].sum(axis=1)
    for h in np.flatnonzero(~whole):
        others = volume[:, whole & (solar == solar[h])].sum(axis=1)
        for direction in range(2 if solar[h] else 1):
            ways = slice(2 * direction, 2 * direction + 2)
            seen = int(out[h, ways].sum())
            for tariff, hours in enumerate((~low, low)):
                year = int(others[direction, hours].sum())
                part = int(others[direction, hours & known[:, h]].sum())
                total = int(out[h, 2 * direction + tariff])
                out[h, 2 * direction + tariff] = round(total * year / part)
            expected = int(out[h, ways].sum()) - seen
            rows.append((int(h), codes.DIRECTIONS[direction], int(missing[h]), seen, expected))
    names = ("household", "direction", "missing_periods", "known_wh", "expected_wh")
    types = (pa.int64(), pa.string(), pa.int64(), pa.int64(), pa.int64())
    columns = [pa.array([row[i] for row in rows], t) for i, t in enumerate(types)]
    return out, pa.table(dict(zip(names, columns, strict=True)))


def _parties(households: int) -> tuple[Ints, Ints]:
    """Give the grid area and the supplier of each household."""
    index = np.arange(households)
    return index // 5 % 2, index % len(BRP_OF_SUPPLIER)


def _register(names: list[str], solar: Bools, annual: Ints) -> pa.Table:
    area, supplier = _parties(len(names))
    n, start = len(names), date(YEAR, 1, 1)
    columns = {
        "accounting_point": pa.array(names),
        "grid_area": pa.array([codes.ean(GRID_AREAS[a]) for a in area]),
        "brp": pa.array([str(BRPS[BRP_OF_SUPPLIER[s]]) for s in supplier]),
        "supplier": pa.array([str(SUPPLIERS[s]) for s in supplier]),
        "profile_category": pa.array(["E1A"] * n),
        "consumption_type": pa.array(np.where(solar, "AMI", "AZI").tolist()),
        "capacity": pa.array(["3x25"] * n),
        # 2013 is before the legal ground: taken as if every household had agreed.
        "consent": pa.array([True] * n),
    }
    for place, name in enumerate(("offtake_normal", "offtake_low", "infeed_normal", "infeed_low")):
        columns[f"annual_{name}_wh"] = pa.array(annual[:, place])
    columns["valid_from"] = pa.array([start] * n, pa.date32())
    recorded = datetime(YEAR, 1, 1, tzinfo=UTC)
    columns["recorded_at"] = pa.array([recorded] * n, pa.timestamp("s", "UTC"))
    return pa.table(columns)


def _source_sums(volume: Ints, known: Bools, solar: Bools, days: list[date]) -> pa.Table:
    area, supplier = _parties(len(solar))
    falls = volume < 0
    # A register that falls loses the reading before the fall: two quarter-hours are estimated.
    falls[:, :, :-1] |= falls[:, :, 1:]
    unknown = np.stack([~known.T, ~known.T & solar[:, None]]) | falls
    counts = [periods.count(day) for day in days]
    position = np.concatenate([np.arange(1, n + 1, dtype=np.int32) for n in counts])
    numbers = np.repeat([periods.number(day) for day in days], counts).astype(np.int32)
    market_day = pa.array(numbers).cast(pa.date32())
    parts = []
    for a, s in sorted({(int(a), int(s)) for a, s in zip(area, supplier, strict=True)}):
        mine = (area == a) & (supplier == s)
        for direction, code in enumerate(codes.DIRECTIONS):
            cell = {
                "grid_area": codes.ean(GRID_AREAS[a]),
                "brp": str(BRPS[BRP_OF_SUPPLIER[s]]),
                "supplier": str(SUPPLIERS[s]),
                "direction": code,
            }
            columns = {"market_day": market_day, "position": pa.array(position)}
            columns |= {k: pa.repeat(pa.scalar(v), len(position)) for k, v in cell.items()}
            columns["volume_wh"] = pa.array(volume[direction][mine].sum(axis=0))
            columns["missing"] = pa.array(unknown[direction][mine].any(axis=0))
            parts.append(pa.table(columns))
    return pa.concat_tables(parts)
