"""The same days allocated in three ways, by kwartier's own way, in memory.

Nothing of the allocation is done here: the register says who is allocated how, readings come or do
not come, and `pipeline` does the rest, as it does for a home. Source: domain §1; decisions §41.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, parameters, periods, pipeline, tables
from kwartier.arrays import END, MEASURABLE, NOT_READ, Bools, Delivered, Ends, Int64s, Points, Rows
from kwartier.parameters import Parameters
from kwartier.steps import profiles
from kwartier.steps.couplings import Exchanges
from kwartier.steps.register import Lot, OnDay, Register, part_of
from kwartier.studies.scene import KNOWN_AT, Scene

# By standard profile, by the profile of a sample, by every smart meter that can be read.
PROFILES, SAMPLE, SMART_METERS = "profiles", "sample", "smart_meters"
WAYS = (PROFILES, SAMPLE, SMART_METERS)
# One coupling for each area, which no other numbers reach.
_COUPLING_BODY = 87169999900000000
_OFFTAKE, _INFEED = (codes.REGISTER_INDEX[obis] for obis in ("1.8.0", "2.8.0"))


class Party(NamedTuple):
    """A BRP and supplier in a grid area."""

    grid_area: str
    brp: str
    supplier: str


class Allocated(NamedTuple):
    """The energy of the small connections: per party, direction and period [Wh].

    `volume` is (parties, 2, periods of all days), `measured` (parties, 2) the part of it that was
    measured, `factor` (areas × periods) the residual factors [1e-5].
    """

    volume: Int64s
    measured: Int64s
    factor: Int64s


def parties_of(scene: Scene) -> list[Party]:
    """List the parties that have small connections on any day."""
    small = scene.register.filter(
        pc.is_in(scene.register["group"], pa.array([codes.SMART_METER, codes.PROFILE]))
    )
    rows = small.group_by(list(Party._fields)).aggregate([]).to_pylist()
    return sorted(Party(**row) for row in rows)


def truth(scene: Scene) -> Int64s:
    """Sum what the small connections really took and gave.

    Returns
    -------
    volume : (parties, 2, periods of all days) [Wh].
    """
    parties = {party: at for at, party in enumerate(parties_of(scene))}
    market = _Market(scene, scene.register)
    of_days = []
    for day in scene.days:
        volume = scene.volume[day]
        out = np.zeros((len(parties), 2, volume.shape[2]), np.int64)
        for area in scene.areas:
            points = market.day(day, area).points
            place = np.array([parties[Party(area, c.brp, c.supplier)] for c in points.cells])
            at = np.searchsorted(scene.number, points.number)
            np.add.at(out, place[points.cell], volume[:, at].transpose(1, 0, 2))
        of_days.append(out)
    return np.concatenate(of_days, axis=2)


def allocate(scene: Scene, way: str) -> Allocated:
    """Allocate all days in one of the ways.

    Raises
    ------
    RuntimeError : an area could not be closed, which is an error of the study.
    """
    parties = {party: at for at, party in enumerate(parties_of(scene))}
    market = _Market(scene, _register_of(scene, way))
    of_days, factors = [], []
    measured = np.zeros((len(parties), 2), np.int64)
    for day in scene.days:
        out = np.zeros((len(parties), 2, periods.count(day)), np.int64)
        for area in scene.areas:
            made = market.take(day, area)
            if made.refused is not None:
                raise RuntimeError(f"{day}, {area}: {made.refused}")
            _add(made.tables["allocation"], parties, out, measured)
            factors.append(made.tables["residual"]["factor"].to_numpy())
        of_days.append(out)
    return Allocated(np.concatenate(of_days, axis=2), measured, np.concatenate(factors))


def _register_of(scene: Scene, way: str) -> pa.Table:
    """Say in the register who is allocated by profile."""
    group = scene.register["group"].combine_chunks()
    stays = pc.not_equal(group, codes.SMART_METER)
    if way == SMART_METERS:
        return scene.register
    if way == SAMPLE:
        sampled = pa.array(scene.number[scene.sampled])
        stays = pc.or_(stays, pc.is_in(scene.register["accounting_point"], sampled))
    column = pc.if_else(stays, group, codes.PROFILE)
    return scene.register.set_column(tables.REGISTER.names.index("group"), "group", column)


def _add(allocation: pa.Table, parties: Mapping[Party, int], out: Int64s, measured: Int64s) -> None:
    """Add the series of the small connections."""
    small = allocation.filter(
        pc.is_in(allocation["group"], pa.array([codes.SMART_METER, codes.PROFILE]))
    )
    names = [small[name].combine_chunks().dictionary_encode() for name in Party._fields]
    words = [column.dictionary.to_pylist() for column in names]
    index = np.stack([column.indices.to_numpy() for column in names], axis=1)
    kinds, row = np.unique(index, axis=0, return_inverse=True)
    place = np.array(
        [parties[Party(*(w[i] for w, i in zip(words, kind, strict=True)))] for kind in kinds]
    )[row]
    direction = pc.index_in(small["direction"], pa.array(codes.DIRECTIONS)).to_numpy()
    volume = small["volume_wh"].to_numpy()
    np.add.at(out, (place, direction, small["position"].to_numpy() - 1), volume)
    of_meter = pc.and_(
        pc.equal(small["group"], codes.SMART_METER), pc.equal(small["origin"], codes.MEASURED)
    ).to_numpy()
    np.add.at(measured, (place[of_meter], direction[of_meter]), volume[of_meter])


def _of_area(register: pa.Table, area: str) -> Register:
    """Give the register of an area of a scene, where no point moves to another."""
    rows = register.filter(pc.equal(register["grid_area"], area))
    return Register(area, [Lot(len(rows), lambda: part_of(rows, KNOWN_AT))])


class _Market:
    """A scene as the way sees it, with a register of its own."""

    def __init__(self, scene: Scene, register: pa.Table) -> None:
        self._scene = scene
        self._of = {area: _of_area(register, area) for area in scene.areas}
        self._coupling = {
            area: codes.with_check_digit(_COUPLING_BODY + n) for n, area in enumerate(scene.areas)
        }
        n = len(scene.areas)
        first = pa.array([scene.days[0]] * n, pa.date32())
        couplings = pa.table(
            [
                pa.array(list(self._coupling.values())),
                pa.array(scene.areas),
                pa.nulls(n, pa.string()),
                first,
                pa.nulls(n, pa.date32()),
                pa.array([0] * n).cast(tables.MOMENT),
            ],
            schema=tables.COUPLINGS.schema,
        )
        self._exchanges = Exchanges(couplings, KNOWN_AT)
        self._parameters = lru_cache(maxsize=None)(self._parameters_on)
        self._on = lru_cache(maxsize=None)(self._points_on)
        self._rows = lru_cache(maxsize=None)(self._rows_of)
        self._partial = lru_cache(maxsize=None)(self._visit)
        self._measured = lru_cache(maxsize=None)(self._measured_in)
        self._shapes = lru_cache(maxsize=None)(self._shapes_on)
        self._delivered = lru_cache(maxsize=None)(self._with_couplings)
        # A register runs on from day to day; after days that are not looked at a new meter starts.
        self._level: dict[date, Int64s] = {}
        self._meter: dict[date, int] = {}
        level, meter, last = np.zeros(scene.volume[scene.days[0]].shape[:2], np.int64), 0, None
        for day in scene.days:
            if last is None or (day - last).days > 1:
                level, meter = np.zeros_like(level), meter + 1
            self._level[day], self._meter[day], last = level, meter, day
            level = level + scene.volume[day].sum(axis=2)

    def _parameters_on(self, day: date) -> Parameters:
        held = parameters.load(day)
        fewest = self._scene.min_points
        return held if fewest is None else replace(held, min_points_for_shape=fewest)

    def _points_on(self, day: date, area: str) -> OnDay:
        return self._of[area].on(day, self._parameters(day))

    def day(self, day: date, area: str, among: Int64s | None = None) -> pipeline.Day:
        """Give a day with all points of an area, or only those of some numbers."""
        held = self._parameters(day)
        if among is None:
            return pipeline.Day(day, self._on(day, area).points, held)
        return pipeline.Day(day, self._of[area].some(day, among, held), held)

    def _rows_of(self, day: date, area: str) -> Rows:
        """Give the readings that come of a day: of the meters that are asked and can be read."""
        points = self._on(day, area).points
        usable = points.state == MEASURABLE
        at = np.searchsorted(self._scene.number, points.number[usable])
        come = self._scene.read[day][at]
        household, register, reading = self._registers(
            day, at[come], points.with_infeed[usable][come]
        )
        meter = np.full(len(household), self._meter[day], np.int64)
        number = self._scene.number[household]
        return Rows(number, meter, register, reading.astype(np.int32), None, True)

    def _midnights(self, day: date, area: str) -> Rows:
        """Give of the meters that are not read the midnights that the days beside it tell of."""
        points = self._on(day, area).points
        usable = points.state == MEASURABLE
        at = np.searchsorted(self._scene.number, points.number[usable])
        silent = ~self._scene.read[day][at]
        household, register, reading = self._registers(
            day, at[silent], points.with_infeed[usable][silent]
        )
        known = np.zeros(reading.shape, np.bool_)
        for edge, other in ((0, day - timedelta(days=1)), (-1, day + timedelta(days=1))):
            if other in self._level:
                known[:, edge] = self._scene.read[other][household]
        told = known.any(axis=1)
        return Rows(
            self._scene.number[household[told]],
            np.full(int(told.sum()), self._meter[day], np.int64),
            register[told],
            np.where(known, reading, NOT_READ)[told],
            None,
            False,
        )

    def _registers(self, day: date, at: Int64s, infeed: Bools) -> tuple[Int64s, Int64s, Int64s]:
        """Let the registers of some connections run over a day, one row for each register.

        Returns
        -------
        connection, register, reading (rows, periods + 1) [Wh].
        """
        level = self._level[day][:, at, None]
        running = np.cumsum(self._scene.volume[day][:, at], axis=2) + level
        reading = np.concatenate([level, running], axis=2).transpose(1, 0, 2)
        row, direction = np.nonzero(np.stack([np.ones_like(infeed), infeed], axis=1))
        register = np.where(direction == 0, _OFFTAKE, _INFEED).astype(np.int64)
        return at[row], register, reading[row, direction]

    def _visit(self, day: date, area: str) -> pipeline.Partial:
        on = self.day(day, area)
        partial = pipeline.Partial.nothing(on)
        for rows in (self._rows(day, area), self._midnights(day, area)):
            if len(rows.number):
                pipeline.wide([rows], on, partial)
        return partial

    def _measured_in(self, day: date, area: str) -> Mapping[profiles.OfKind, profiles.Measured]:
        return pipeline.measured_of(self.day(day, area), self._partial(day, area))

    def _standards(self, day: date) -> profiles.Standards:
        return profiles.Standards(self._scene.fractions, day, self._parameters(day))

    def _shapes_on(self, day: date) -> profiles.Shapes:
        return profiles.Shapes(
            self._scene.areas,
            lambda area: self._measured(day, area),
            self._standards(day),
            self._parameters(day),
        )

    def _with_couplings(self, day: date) -> Delivered:
        """Add to what was delivered what each area exchanges: the rest of its energy, exactly."""
        given = self._scene.delivered[day]
        numbers, nets = [], []
        for area in self._scene.areas:
            points = self._on(day, area).points
            small = self._scene.volume[day][:, np.searchsorted(self._scene.number, points.number)]
            out, come = small.sum(axis=1)
            numbers.append(self._coupling[area])
            nets.append(self._scene.rest[day, area] + out - come)
        net = np.stack(nets)
        # From the side of its area: E17 goes out of it, E18 comes into it.
        ways = np.stack([np.maximum(-net, 0), np.maximum(net, 0)], axis=1).reshape(-1, net.shape[1])
        said = np.ones(ways.shape, np.int8)
        number = np.concatenate([given.number, np.repeat(np.array(numbers, np.int64), 2)])
        direction = np.concatenate([given.direction, np.tile([0, 1], len(numbers))])
        order = np.argsort(number * 2 + direction)
        return Delivered(
            number[order],
            direction[order],
            np.concatenate([given.volume, ways])[order],
            np.concatenate([given.origin, said])[order],
            np.concatenate([given.validation, 0 * said])[order],
            np.concatenate([given.method, 0 * said])[order],
        )

    def take(self, day: date, area: str) -> pipeline.Result:
        """Take the whole way for an area and day."""
        on = self._on(day, area)
        return pipeline.narrow(
            self.day(day, area),
            self._partial(day, area),
            pipeline.Area(
                on.others,
                self._exchanges.of(day, area),
                self._delivered(day),
                self._standards(day),
            ),
            self._around(day, area),
            [on.found],
        )

    def _around(self, day: date, area: str) -> pipeline.Around:
        def some(other: date, numbers: Int64s) -> tuple[Rows, pipeline.Day] | None:
            if other not in self._level:
                return None
            rows = self._rows(other, area)
            return rows.take(np.isin(rows.number, numbers)), self.day(other, area, numbers)

        def ends(other: date, numbers: Int64s, last: bool) -> Ends:
            there = some(other, numbers)
            if there is None:
                return np.empty(0, END)
            next_to = abs((other - day).days) == 1
            return pipeline.ends_of(*there, last=last, but_edge=next_to)

        def read(other: date, numbers: Int64s) -> Int64s:
            there = some(other, numbers)
            return np.empty(0, np.int64) if there is None else pipeline.read_of(*there)

        def points_on(other: date, numbers: Int64s) -> Points:
            return self.day(other, area, numbers).points

        # These days are all that is known, so no meter was silent for long.
        return pipeline.Around(ends, read, points_on, self._shapes, lambda away: False)
