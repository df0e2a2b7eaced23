"""Measured sums → shape and fraction of a day; annual volumes × fractions → profiled volumes.

Shape and fraction are the mean of the day's fully measured points in the same grid area, profile
category, consumption type and direction, so no bad static profile can bend them. The fraction is a
whole count of 1e-8 of the annual volume, the shape a whole count of mWh per point. Where too few
measured, standard fractions serve: those that were loaded, else the built-in stand-in.
Source: SD030 (N151, status DYN FBR FBL STD; N121); domain §5, §6; decisions §12, §20, §22.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, periods, shares, tables
from kwartier.arrays import (
    FRACTION_SCALE,
    OF_LOW,
    OF_NORMAL,
    OF_TOTAL,
    PROFILED,
    Cell,
    Fractions,
    Int64s,
    Points,
)
from kwartier.parameters import Parameters

MILLI = 1000
OfKind = tuple[str, str]  # profile category, consumption type


class Measured(NamedTuple):
    """What fully measured points of an area add up to, per profile category and consumption type.

    `volume` (2, periods) [Wh], `points` (2), `annual` (2) [Wh]; the directions are offtake, infeed.
    """

    volume: Int64s
    points: Int64s
    annual: Int64s

    def plus(self, other: Measured) -> Measured:
        """Add what other points measured."""
        return Measured(
            self.volume + other.volume, self.points + other.points, self.annual + other.annual
        )


class Shape(NamedTuple):
    """Shape [mWh per point], fraction [1e-8], of which annual volume, and where they come from."""

    shape: Int64s
    fraction: Int64s
    basis: Int64s
    status: str


class Standards:
    """The standard and dimensioned fractions of a market day.

    Parameters
    ----------
    rows : tables.STANDARD_FRACTIONS with recorded_at, all that is known; of rows of the same key
        the last recorded counts.
    """

    def __init__(self, rows: pa.Table, day: date, parameters: Parameters) -> None:
        self._day, self._parameters = day, parameters
        mine = rows.filter(pc.equal(rows["market_day"], pa.scalar(day, pa.date32())))
        self._loaded = {
            (row["profile"], row["consumption_type"] or "", row["direction"]): row
            for row in mine.sort_by("recorded_at").to_pylist()
        }

    def loaded(self, profile: str, type_: str, direction: int) -> Fractions | None:
        """Give fractions that were loaded, of a type or of both; None where there are none."""
        for key in ((profile, type_), (profile, "")):
            row = self._loaded.get((*key, codes.DIRECTIONS[direction]))
            if row is not None:
                basis = _by_tariff(self._day, profile, self._parameters) if row["by_tariff"] else 0
                fraction = np.array(row["fraction"], np.int64)
                return Fractions(fraction, np.full(len(fraction), OF_TOTAL, np.int64) + basis)
        return None

    def of(self, category: str, type_: str, direction: int) -> Fractions:
        """Give the standard fractions of a category; the built-in profile's where none are loaded.

        direction : 0 is offtake, 1 infeed.
        """
        loaded = self.loaded(category, type_, direction)
        if loaded is not None:
            return loaded
        fraction = standard_fraction(self._day, direction, self._parameters)
        return Fractions(fraction, np.full(len(fraction), OF_TOTAL, np.int64))


def _by_tariff(day: date, category: str, parameters: Parameters) -> Int64s:
    """Tell which tariff each period of a day has; the total where a category has no tariff hours.

    Source: parameters low_tariff_hours, low_tariff_days.
    """
    hours = periods.local_hours(day)
    if category not in parameters.low_tariff_hours:
        return np.full(len(hours), OF_TOTAL, np.int64)
    start, end = parameters.low_tariff_hours[category]
    all_day = day.isoweekday() in parameters.low_tariff_days
    low = (hours >= start) | (hours < end) | all_day
    return np.where(low, OF_LOW, OF_NORMAL).astype(np.int64)


def measured(
    cells: Sequence[Cell], volume: Int64s, points: Int64s, annual: Int64s
) -> dict[OfKind, Measured]:
    """Sum what the cells of an area measured per profile category and consumption type.

    Parameters
    ----------
    volume : (cells, 2, periods) [Wh]; points : (cells, 2); annual : (cells, 2) [Wh].
    """
    kinds: dict[OfKind, Measured] = {}
    for i, cell in enumerate(cells):
        kind = (cell.profile_category, cell.consumption_type)
        part = Measured(volume[i], points[i], annual[i])
        kinds[kind] = kinds[kind].plus(part) if kind in kinds else part
    return kinds


class Shapes:
    """The shapes of a market day, by grid area, category, consumption type and direction.

    Parameters
    ----------
    areas : the grid areas with readings that day.
    measured_in : gives what a grid area measured; asked only for the areas that are needed.
    standards : the standard fractions of the day.
    """

    def __init__(
        self,
        areas: Sequence[str],
        measured_in: Callable[[str], Mapping[OfKind, Measured]],
        standards: Standards,
        parameters: Parameters,
    ) -> None:
        self._standards = standards
        self._areas = sorted(areas)
        self._measured_in = measured_in
        self._parameters = parameters
        self._made: dict[tuple[str, OfKind, int], Shape] = {}

    def of(self, area: str, kind: OfKind, direction: int) -> Shape:
        """Give the shape for points of one kind in an area; direction 0 is offtake, 1 infeed.

        Too few measured points: the reference area, then all areas, then the standard profile.
        """
        key = (area, kind, direction)
        if key not in self._made:
            self._made[key] = self._make(area, kind, direction)
        return self._made[key]

    def _make(self, area: str, kind: OfKind, direction: int) -> Shape:
        ladder = (
            (codes.DYNAMIC, [area]),
            (codes.REFERENCE, [self._parameters.reference_areas.get(area, "")]),
            (codes.NATIONAL, self._areas),
        )
        for status, areas in ladder if kind[0] not in codes.ALWAYS_STANDARD else ():
            part = self._measured(areas, kind)
            if part and part.points[direction] >= self._parameters.min_points_for_shape:
                fraction = _fraction(part.volume[direction], int(part.annual[direction]))
                return Shape(
                    part.volume[direction] * MILLI // part.points[direction],
                    fraction,
                    np.full(len(fraction), OF_TOTAL, np.int64),
                    status,
                )
        fraction, basis = self._standards.of(*kind, direction)
        total, low = self._parameters.default_annual(kind[0], direction)
        annual = np.choose(basis, [total, total - low, low])
        shape = fraction * annual * MILLI // FRACTION_SCALE
        return Shape(shape, fraction, basis, codes.STANDARD)

    def _measured(self, areas: Sequence[str], kind: OfKind) -> Measured | None:
        total: Measured | None = None
        for area in areas:
            part = self._measured_in(area).get(kind) if area in self._areas else None
            if part:
                total = total.plus(part) if total else part
        return total


def _fraction(volume: Int64s, annual: int) -> Int64s:
    """Divide volumes by the annual volume, as whole counts of 1e-8, half up."""
    if annual <= 0:
        return np.zeros(volume.shape, np.int64)
    return np.array(
        [(2 * int(v) * FRACTION_SCALE + annual) // (2 * annual) for v in volume.tolist()], np.int64
    )


def table(
    day: date, grid_area: str, kinds: Sequence[OfKind], shape_of: Callable[[OfKind, int], Shape]
) -> pa.Table:
    """Make tables.FRACTIONS of a grid area, by kind, direction and position.

    Parameters
    ----------
    kinds : those that the area has points of.
    shape_of : gives the shape of a kind and direction; 0 is offtake, 1 infeed.
    """
    series = [(kind, d) for kind in sorted(set(kinds)) for d in range(2)]
    made = [shape_of(kind, d) for kind, d in series]
    n = periods.count(day)
    fractions = np.concatenate([np.empty(0, np.int64), *(shape.fraction for shape in made)])
    return pa.table(
        {
            **tables.period_columns(day, len(series)),
            "grid_area": [grid_area] * (len(series) * n),
            "profile_category": [category for (category, _), _ in series for _ in range(n)],
            "consumption_type": [type_ for (_, type_), _ in series for _ in range(n)],
            "direction": [codes.DIRECTIONS[d] for _, d in series for _ in range(n)],
            "fraction": fractions,
            "status": [shape.status for shape in made for _ in range(n)],
        },
        schema=tables.FRACTIONS.schema,
    )


class Profiled(NamedTuple):
    """What the profiled points of an area would use and feed in by their fractions.

    `weights` (cells, periods) of Python's integers [1e-8 Wh], the offtake; `infeed` (cells,
    periods) [Wh]; `points` (cells, 2), those with offtake and with infeed.
    """

    weights: shares.Products
    infeed: Int64s
    points: Int64s


def profile(points: Points, fraction: Int64s, basis: Int64s) -> Profiled:
    """Multiply the annual volumes of the profiled points by the fractions of the day, per cell.

    Parameters
    ----------
    fraction, basis : (cells, 2, periods) [1e-8], and of which annual volume each is.
    """
    cells = len(points.cells)
    total, low, count = (np.zeros((cells, 2), np.int64) for _ in range(3))
    by_profile = points.state == PROFILED
    for direction, mine in enumerate((by_profile, by_profile & points.with_infeed)):
        cell = points.cell[mine]
        np.add.at(total[:, direction], cell, points.annual[mine, direction])
        np.add.at(low[:, direction], cell, points.annual_low[mine, direction])
        np.add.at(count[:, direction], cell, 1)
    annual = shares.by_tariff(basis, total[:, :, None], low[:, :, None])
    infeed = np.zeros((cells, fraction.shape[2]), np.int64)
    for cell in np.nonzero(annual[:, 1].any(axis=1))[0].tolist():
        infeed[cell] = shares.of_annual(annual[cell, 1], fraction[cell, 1])
    return Profiled(shares.products(annual[:, 0], fraction[:, 0]), infeed, count)


def standard_fraction(day: date, direction: int, parameters: Parameters) -> Int64s:
    """Give the standard profile's fraction of each period of a day [1e-8], half up.

    A month has its share of the year; within it an hour weighs by the kind of its day (offtake) or
    by the hour alone (infeed), alike in each of its quarters.
    """
    profile = parameters.standard_profile["infeed" if direction else "offtake"]
    share = profile["month_share_per_10000"][day.month - 1]
    weights = _hour_weights(profile, day)
    month = _month_weight(profile, day)
    weight = weights[periods.local_hours(day)]
    numerator = FRACTION_SCALE * share * weight
    denominator = 10_000 * month
    return np.asarray((2 * numerator + denominator) // (2 * denominator), np.int64)


def _hour_weights(profile: Mapping[str, Any], day: date) -> Int64s:
    weights = profile["hour_weight"]
    if isinstance(weights, Mapping):
        kind = {5: "saturday", 6: "sunday"}.get(day.weekday(), "weekday")
        weights = weights[kind]
    return np.array(weights[day.month - 1], np.int64)


def _month_weight(profile: Mapping[str, Any], day: date) -> int:
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return sum(
        4 * int(_hour_weights(profile, d).sum())
        for d in periods.between(first, following - timedelta(days=1))
    )
