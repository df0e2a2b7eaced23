"""A simulated grid area: its register, the readings it delivers, and what was true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from kwartier import codes, parameters, periods
from kwartier.simulation import delivery as deliveries
from kwartier.simulation.defects import (
    Delivery,
    Rows,
    Shift,
    apply_defect,
    apply_shifts,
    defects_table,
    plan,
    rows_of,
    shift_of,
    touches,
)
from kwartier.simulation.energy import true_volumes
from kwartier.simulation.figures import generator, low_tariff
from kwartier.simulation.points import (
    BOTH,
    BRPS,
    GRID_AREAS,
    SUPPLIERS,
    TARIFFS,
    TOTALS,
    Ints,
    Points,
    make_points,
    register_table,
)

METERS = (None, "A", "B")
# Which registers a point delivers: totals, tariffs, or both, in the order of codes.REGISTERS.
DELIVERED = {
    TOTALS: (True, False, False, True, False, False),
    TARIFFS: (False, True, True, False, True, True),
    BOTH: (True,) * 6,
}


class Simulation:
    """A simulated grid area on some market days.

    Attributes
    ----------
    register : the register as a file brings it.
    truth : true volumes of the eligible points, per period, area, BRP, supplier and direction.
    defects : what was made wrong, one row for each defect and market day.
    """

    def __init__(self, points: Points, days: Sequence[date], seed: int, share: float) -> None:
        self.days = sorted(set(days))
        self._points = points
        self._seed = seed
        # Some points change supplier at the local midnight that starts the middle day.
        middle = self.days[len(self.days) // 2]
        self._switch_day = middle if len(self.days) > 1 else None
        self._defects = plan(points, self.days, share, seed)
        self._levels: dict[date, Ints] = {}
        self._shifts: list[Shift] = []
        self.truth = self._walk()
        ground = parameters.load(self.days[-1]).legal_ground
        register = register_table(points, self.days[0], self._switch_day)
        if self.days[0] < ground:
            # Before the legal ground holds only a customer who agreed may be read.
            agreed = pa.array([on == "on" for on in register["remote_reading"].to_pylist()])
            register = register.append_column("consent", agreed)
        self.register = register
        self.defects = defects_table(points, self.days, self._defects)

    def readings(self, day: date) -> pa.Table:
        """Give the readings delivered for a market day: both its midnights and all between."""
        points = self._points
        value = self._registers(day)
        shape = value.shape
        kinds = np.array([DELIVERED[kind] for kind in (TOTALS, TARIFFS, BOTH)])
        present = kinds[points.registers].T & points.delivering
        delivery = Delivery(
            day,
            np.append(periods.starts(day), periods.starts(day)[-1] + periods.SECONDS),
            value,
            np.broadcast_to(present[:, :, None], shape).copy(),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
        )
        today = [defect for defect in self._defects if touches(defect, day)]
        apply_shifts(delivery, self._shifts, points)
        for defect in today:
            apply_defect(delivery, defect)
        return _table(rows_of(delivery, points, today))

    def write(self, folder: Path | str, form: str = "csv") -> list[Path]:
        """Write the register and the readings of each market day as files.

        Parameters
        ----------
        form : "csv" (some gzipped, one shuffled, one with offsets +01:00) or "parquet".

        Returns
        -------
        files : the register first, then one file for each market day in order.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        written = [deliveries.write_register(self.register, target, form)]
        for place, day in enumerate(self.days):
            table = self.readings(day)
            if place == 0:
                order = generator(self._seed, 6).permutation(len(table))
                table = table.take(pa.array(order))
            written.append(deliveries.write_readings(table, target, day, place, form))
        return written

    def true_volumes(self, day: date) -> Ints:
        """Give the true volumes of every point: int64 (2, points, periods) [Wh]."""
        return true_volumes(self._points, day, self._seed)

    def _walk(self) -> pa.Table:
        """Pass over the days once: true sums, the registers at each midnight, lasting changes."""
        points, parts = self._points, []
        rng = generator(self._seed, 7)
        # Registers of the four tariffs in Wh: 1.8.1, 1.8.2, 2.8.1, 2.8.2.
        level = rng.integers(0, 15_000_000, (2, 2, len(points.number)))
        level[1] *= points.panels
        year = np.nan_to_num(points.annual_wh).T.reshape(2, 2, -1)[:, ::-1]
        last: date | None = None
        for day in self.days:
            if last is not None:
                # Days between that nobody asked for pass with a year's mean.
                skipped = (day - last).days - 1
                level = level + np.rint(year * (skipped / 365.0)).astype(np.int64)
            self._levels[day] = level
            volume = self.true_volumes(day)
            low = low_tariff(day)
            level = level + np.stack(
                [volume[:, :, low].sum(axis=2), volume[:, :, ~low].sum(axis=2)], axis=1
            )
            shown = self._registers(day, volume)
            for defect in self._defects:
                if defect.day == day:
                    shift = shift_of(defect, shown[:, defect.point])
                    self._shifts += [shift] if shift else []
            parts.append(self._true_sums(day, volume))
            last = day
        return pa.concat_tables(parts)

    def _registers(self, day: date, volume: Ints | None = None) -> Ints:
        """Give the true registers of a market day: (registers, points, positions) [Wh]."""
        volume = self.true_volumes(day) if volume is None else volume
        low = low_tariff(day)
        out = np.zeros((6, volume.shape[1], volume.shape[2] + 1), np.int64)
        for direction in range(2):
            for tariff, hours in enumerate((low, ~low)):
                register = out[3 * direction + 1 + tariff]
                np.cumsum(volume[direction] * hours, axis=1, out=register[:, 1:])
                register += self._levels[day][direction, tariff][:, None]
            np.add(out[3 * direction + 1], out[3 * direction + 2], out=out[3 * direction])
        return out

    def _true_sums(self, day: date, volume: Ints) -> pa.Table:
        points, count = self._points, volume.shape[2]
        switched = self._switch_day is not None and day >= self._switch_day
        supplier, brp = points.suppliers(switched), points.brps(switched)
        cell = points.area * len(SUPPLIERS) + supplier
        sma = ~points.large_segment & ~points.refused & points.remotely_readable
        found = np.unique(cell[sma])
        first = [int(np.flatnonzero(sma & (cell == c))[0]) for c in found]
        sums = np.stack([volume[:, sma & (cell == c)].sum(axis=1) for c in found])
        rows = len(found) * 2

        def repeated(values: list[str]) -> pa.Array:
            return pa.array(values).take(pa.array(np.arange(rows * count) // count))

        areas = [codes.ean(GRID_AREAS[points.area[i]]) for i in first for _ in codes.DIRECTIONS]
        brps = [str(BRPS[brp[i]]) for i in first for _ in codes.DIRECTIONS]
        suppliers = [str(SUPPLIERS[supplier[i]]) for i in first for _ in codes.DIRECTIONS]
        return pa.table(
            {
                "market_day": pa.array([day] * (rows * count), pa.date32()),
                "position": pa.array(np.tile(np.arange(1, count + 1, dtype=np.int32), rows)),
                "grid_area": repeated(areas),
                "brp": repeated(brps),
                "supplier": repeated(suppliers),
                "direction": repeated(list(codes.DIRECTIONS) * len(found)),
                "volume_wh": pa.array(sums.reshape(-1)),
            }
        )


def simulate(
    points: int = 3_000,
    days: Sequence[date] = (date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)),
    seed: int = 1,
    defect_share: float = 0.03,
) -> Simulation:
    """Simulate two grid areas.

    Parameters
    ----------
    points : number of accounting points in both areas.
    days : market days; registers run on from each day to the next.
    seed : the same seed gives the same bytes.
    defect_share : part of the read points with something wrong on a day; 0 for none.
    """
    return Simulation(make_points(points, seed), days, seed, defect_share)


def _table(rows: Rows) -> pa.Table:
    distinct, index = np.unique(rows.number, return_inverse=True)
    names = pa.array([codes.ean(int(number)) for number in distinct])
    return pa.table(
        {
            "accounting_point": names.take(pa.array(index)),
            "register": pa.array(codes.REGISTERS).take(pa.array(rows.register)),
            "read_at": pa.array(rows.read_at).cast(pa.timestamp("s", "UTC")),
            "reading_wh": pa.array(rows.value),
            "meter": pa.array(METERS, pa.string()).take(pa.array(rows.meter)),
            "status": pa.array(rows.status.astype(np.int32), mask=rows.status == 0),
        }
    )
