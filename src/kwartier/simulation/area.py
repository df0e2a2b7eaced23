"""Simulated grid areas: their register, what they deliver, and what was true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
from kwartier.simulation.grid import Flows, Grid, lighting_table
from kwartier.simulation.mix import Mix
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

# By Points.profiled.
ALLOCATED_AS = (codes.SMART_METER, codes.PROFILE)


class Files(NamedTuple):
    """The files of a simulation: one of readings and one of volumes for each market day."""

    register: Path
    couplings: Path
    fractions: Path
    readings: list[Path]
    volumes: list[Path]


class Simulation:
    """Two simulated grid areas on some market days.

    Attributes
    ----------
    register : the register as a file brings it.
    couplings : the couplings of the areas, likewise.
    fractions : the dimensioned profile of street lighting on all days, likewise.
    truth_of_group : true volumes of the small connections, per period, area, BRP, supplier, group
        and direction; the group (SMA or PRF) as the register says that a point is allocated.
    truth : of these the smart-meter group, without its name.
    defects : what was made wrong, one row for each defect and market day.
    """

    def __init__(self, points: Points, days: Sequence[date], seed: int, share: float) -> None:
        self.days = sorted(set(days))
        self._points = points
        self._grid = Grid(points, seed)
        self._seed = seed
        # Some points change supplier at the local midnight that starts the middle day.
        middle = self.days[len(self.days) // 2]
        self._switch_day = middle if len(self.days) > 1 else None
        self._defects = plan(points, self.days, share, seed)
        self._levels: dict[date, Ints] = {}
        self._shifts: list[Shift] = []
        self.truth_of_group = self._walk()
        self.truth = self.truth_of_group.filter(
            pc.equal(self.truth_of_group["group"], codes.SMART_METER)
        ).drop_columns("group")
        start = date(self.days[0].year, 1, 1)
        register = register_table(points, start, self._switch_day, self._grid.register_rows(start))
        if self.days[0] < parameters.load(self.days[-1]).legal_ground:
            # Before the legal ground holds only a customer who agreed may be read.
            agreed = pa.array([on == "on" for on in register["remote_reading"].to_pylist()])
            register = register.append_column("consent", agreed)
        self.register = register
        self.couplings = self._grid.couplings_table(start)
        self.fractions = lighting_table(self.days)
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

    def volumes(self, day: date) -> pa.Table:
        """Give the quarter volumes delivered for a market day: telemetry, losses and couplings."""
        return self._grid.volumes(day, self._flows(day))

    def write(self, folder: Path | str, form: str = "csv") -> Files:
        """Write all that the areas deliver as files.

        Parameters
        ----------
        form : "csv" (some gzipped; of the readings one shuffled, one with offsets +01:00) or
            "parquet".
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        files = Files(
            deliveries.write_table("register", self.register, target, form),
            deliveries.write_table("couplings", self.couplings, target, form),
            deliveries.write_table("fractions", self.fractions, target, form),
            [],
            [],
        )
        for place, day in enumerate(self.days):
            table = self.readings(day)
            if place == 0:
                order = generator(self._seed, 6).permutation(len(table))
                table = table.take(pa.array(order))
            files.readings.append(deliveries.write_readings(table, target, day, place, form))
            volumes = self.volumes(day)
            files.volumes.append(deliveries.write_volumes(volumes, target, day, place, form))
        return files

    def true_volumes(self, day: date) -> Ints:
        """Give the true volumes of every point: int64 (2, points, periods) [Wh]."""
        return true_volumes(self._points, day, self._seed)

    def true_balance(self, day: date) -> pa.Table:
        """Give the true energy of each area: as much comes in (E18) as goes out (E17).

        Returns
        -------
        market_day, position, grid_area, line (as tables.BALANCE), direction, volume_wh [Wh].
        """
        points, grid, count = self._points, self._grid, periods.count(day)
        volume, flows = self.true_volumes(day), self._flows(day)
        parts = []
        for place, number in enumerate(GRID_AREAS):
            small = points.area == place
            across = flows.exchange if place == 0 else -flows.exchange
            ways = [flows.imports[place], -across]  # into the area
            sums = {
                (codes.SMART_METER, way): volume[way, small & ~points.profiled].sum(axis=0)
                for way in range(2)
            }
            for way in range(2):
                sums[codes.PROFILE, way] = volume[way, small & points.profiled].sum(axis=0)
                sums[codes.TELEMETRY, way] = flows.telemetry[way, grid.telemetry_area == place].sum(
                    axis=0
                )
                sign = 1 if way else -1
                sums[codes.COUPLING, way] = sum(np.maximum(sign * net, 0) for net in ways)
            sums[codes.UNMETERED, 0] = flows.lighting[grid.lighting_area == place].sum(axis=0)
            sums[codes.GRID_LOSS, 0] = flows.losses[place]
            for (line, way), energy in sums.items():
                parts.append(
                    pa.table(
                        {
                            "market_day": pa.repeat(pa.scalar(day, pa.date32()), count),
                            "position": pa.array(np.arange(1, count + 1, dtype=np.int32)),
                            "grid_area": pa.repeat(codes.ean(number), count),
                            "line": pa.repeat(line, count),
                            "direction": pa.repeat(codes.DIRECTIONS[way], count),
                            "volume_wh": pa.array(energy),
                        }
                    )
                )
        return pa.concat_tables(parts).combine_chunks()

    def _flows(self, day: date) -> Flows:
        volume = self.true_volumes(day)
        of_area = [volume[:, self._points.area == a].sum(axis=1) for a in range(len(GRID_AREAS))]
        return self._grid.flows(day, np.stack(of_area, axis=1))

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
        cell = points.profiled + 2 * (points.area * len(SUPPLIERS) + supplier)
        found, first = np.unique(cell, return_index=True)
        sums = np.stack([volume[:, cell == c].sum(axis=1) for c in found])
        rows = len(found) * 2

        def repeated(values: list[str]) -> pa.Array:
            return pa.array(values).take(pa.array(np.arange(rows * count) // count))

        def of_cells(names: list[str]) -> pa.Array:
            return repeated([name for name in names for _ in codes.DIRECTIONS])

        return pa.table(
            {
                "market_day": pa.array([day] * (rows * count), pa.date32()),
                "position": pa.array(np.tile(np.arange(1, count + 1, dtype=np.int32), rows)),
                "grid_area": of_cells([codes.ean(GRID_AREAS[points.area[i]]) for i in first]),
                "brp": of_cells([str(BRPS[brp[i]]) for i in first]),
                "supplier": of_cells([str(SUPPLIERS[supplier[i]]) for i in first]),
                "group": of_cells([ALLOCATED_AS[int(points.profiled[i])] for i in first]),
                "direction": repeated(list(codes.DIRECTIONS) * len(found)),
                "volume_wh": pa.array(sums.reshape(-1)),
            }
        )


def simulate(
    points: int = 3_000,
    days: Sequence[date] = (date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 30)),
    seed: int = 1,
    defect_share: float = 0.03,
    readable: float = 1.0,
    mix: Mix | None = None,
) -> Simulation:
    """Simulate two grid areas.

    Parameters
    ----------
    points : number of small connections in both areas.
    days : market days; registers run on from each day to the next.
    seed : the same seed gives the same bytes.
    defect_share : part of the read points with something wrong on a day; 0 for none.
    readable : part of the eligible points whose meters can be read already; the others are
        allocated by profile. A larger part has the smaller; what was true does not depend on it.
    mix : what the customers have and how the suppliers differ; None as in make_points.
    """
    return Simulation(make_points(points, seed, readable, mix), days, seed, defect_share)


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
