"""Measured sums → the shape and the fraction of a day; the standard profile where too few measured.

Shape and fraction are the mean of the day's fully measured points in the same grid area, profile
category, consumption type and direction, so no bad static profile can bend them. The fraction is a
whole count of 1e-8 of the annual volume, the shape a whole count of mWh per point.
Source: SD030 (N151, status DYN FBR FBL STD); domain §5, §6; decisions §12.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np

from kwartier import codes, periods
from kwartier.arrays import FRACTION_SCALE, Cell, Int64s
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
    """Shape [mWh per point], fraction [1e-8 of the annual volume] and where they come from."""

    shape: Int64s
    fraction: Int64s
    status: str


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
    """

    def __init__(
        self,
        day: date,
        areas: Sequence[str],
        measured_in: Callable[[str], Mapping[OfKind, Measured]],
        parameters: Parameters,
    ) -> None:
        self._day = day
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
                return Shape(
                    part.volume[direction] * MILLI // part.points[direction],
                    _fraction(part.volume[direction], int(part.annual[direction])),
                    status,
                )
        fraction = standard_fraction(self._day, direction, self._parameters)
        annual = (
            self._parameters.default_annual_infeed_wh
            if direction
            else self._parameters.default_annual_offtake_wh[kind[0]]
        )
        return Shape(fraction * annual * MILLI // FRACTION_SCALE, fraction, codes.STANDARD)

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
