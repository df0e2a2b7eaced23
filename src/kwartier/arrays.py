"""What flows between the steps of a run, as arrays, because kernels read them.

The point is an index in Points, the direction 0 offtake or 1 infeed, the register an index in
`codes.REGISTERS`; NOT_READ stands for null, and is never written to a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Wholes = npt.NDArray[np.signedinteger]  # of any width

NOT_READ = np.int64(np.iinfo(np.int64).min)

# What is done with a point on a day.
MEASURABLE, NO_CURRENT, PROFILED = range(3)

FRACTION_SCALE = 10**8  # a profile fraction has exactly 8 decimals, so it is a count of 1e-8
# Of which annual volume a fraction is: both tariffs', or that of the period's own tariff.
OF_TOTAL, OF_NORMAL, OF_LOW = range(3)


def place_in(held: Int64s, number: Int64s) -> Int64s:
    """Give where each number stands among some that are sorted; -1 where it does not."""
    if not len(held):
        return np.full(len(number), -1, np.int64)
    at = np.minimum(np.searchsorted(held, number), len(held) - 1)
    return np.where(held[at] == number, at, -1)


class Rows(NamedTuple):
    """A batch of day rows, sorted by point, meter and register.

    `register` is an index in `codes.REGISTERS`, `meter` stands for the meter's name, 0: no name;
    `reading` (rows, periods + 1) [Wh], int32 when `complete`, else int64 with
    NOT_READ; `status`
    (rows, periods + 1) is None where no meter reported any.
    """

    number: Int64s
    meter: Int64s
    register: Int64s
    reading: Wholes
    status: Wholes | None
    complete: bool

    def take(self, index: Int64s | Bools) -> Rows:
        """Keep some of the rows; all of them are kept without a copy."""
        if index.dtype == bool and index.all():
            return self
        return Rows(
            self.number[index],
            self.meter[index],
            self.register[index],
            self.reading[index],
            None if self.status is None else self.status[index],
            self.complete,
        )

    def bits(self) -> Int64s:
        """Give the status of every reading; 0 where no meter reported any."""
        if self.status is None:
            return np.zeros(self.reading.shape, np.int64)
        return self.status.astype(np.int64)

    def cut(self, first: int, end: int) -> Rows:
        """Keep the rows from the first to before the end, without a copy."""
        return Rows(
            self.number[first:end],
            self.meter[first:end],
            self.register[first:end],
            self.reading[first:end],
            None if self.status is None else self.status[first:end],
            self.complete,
        )


def joined(parts: Sequence[Rows]) -> Rows:
    """Put rows of one day after each other, as they come."""
    if len(parts) == 1:
        return parts[0]
    silent = all(part.status is None for part in parts)
    return Rows(
        np.concatenate([part.number for part in parts]),
        np.concatenate([part.meter for part in parts]),
        np.concatenate([part.register for part in parts]),
        np.concatenate([part.reading for part in parts]),
        None if silent else np.concatenate([part.bits() for part in parts]),
        all(part.complete for part in parts),
    )


class Lanes(NamedTuple):
    """The rows of a block by point, meter and direction: what counts the same energy.

    `rows` is (lanes, 3): the row of the total register, of tariff 1 and of tariff 2; -1: none.
    """

    first: Int64s
    direction: Int64s
    rows: Int64s


def lanes_of(point: Int64s, meter: Int64s, register: Int64s) -> Lanes:
    """Find the lanes of rows that are sorted by point, meter and register."""
    direction, part = register // 3, register % 3
    starts = np.ones(len(point), bool)
    starts[1:] = (
        (point[1:] != point[:-1]) | (meter[1:] != meter[:-1]) | (direction[1:] != direction[:-1])
    )
    first = np.nonzero(starts)[0]
    rows = np.full((len(first), 3), -1, np.int64)
    rows[np.cumsum(starts) - 1, part] = np.arange(len(point))
    return Lanes(first, direction[first], rows)


def runs_of(mask: Bools) -> tuple[Int64s, Int64s, Int64s]:
    """Find the runs of true values in each row: row, first column, last column."""
    edge = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    edge[:, 1:-1] = mask
    change = np.diff(edge, axis=1)
    row, first = np.nonzero(change == 1)
    last = np.nonzero(change == -1)[1] - 1
    return row, first, last


class Cell(NamedTuple):
    """The finest cell in which volumes are summed."""

    brp: str
    supplier: str
    profile_category: str
    consumption_type: str


class Connections(NamedTuple):
    """What connections are like.

    `limit` is the physical limit [Wh per period]; `rolls_at` where a register begins again at zero
    [Wh], 0 where that cannot be told.
    """

    limit: Int64s
    multiplier: Int64s
    rolls_at: Int64s


class Points(NamedTuple):
    """The accounting points of a grid area on a market day, sorted by number.

    `state` is MEASURABLE, NO_CURRENT or PROFILED; `cell` the index in `cells` and `connection` in
    `connections`, of which many points have the same; `holder` who holds each, below 0 where the
    register names one, else the number of the point, and None where it names nobody; `annual` the
    annual offtake and infeed (points, 2) [Wh], a default where it is not `annual_known`, and
    `annual_low` the part of it in the low tariff.
    """

    grid_area: str
    number: Int64s
    state: npt.NDArray[np.int8]
    cell: Int32s
    connection: Int32s
    with_infeed: Bools
    annual: Int64s
    annual_low: Int64s
    annual_known: Bools
    cells: tuple[Cell, ...]
    connections: Connections
    holder: Int64s | None = None

    def connected(self, index: Int64s) -> Connections:
        """Tell what the connections of some points are like."""
        return Connections(*(of[self.connection[index]] for of in self.connections))

    def between(self, first: int, last: int) -> tuple[Points, int]:
        """Give the points from one number to another without a copy, and where they begin.

        Who holds them is left out: no batch of points asks.
        """
        start, end = np.searchsorted(self.number, [first, last + 1]).tolist()
        part = slice(start, end)
        points = Points(
            self.grid_area,
            self.number[part],
            self.state[part],
            self.cell[part],
            self.connection[part],
            self.with_infeed[part],
            self.annual[part],
            self.annual_low[part],
            self.annual_known[part],
            self.cells,
            self.connections,
        )
        return points, start


class AreaPoints(NamedTuple):
    """The points of a grid area that no smart meter and no profile allocates, sorted by number.

    `group` is TMT, DIM or NVL, `loss_type` the kind of loss (NVL), `profile` the dimensioned
    profile (DIM), empty: that of the category; `annual`, `annual_low` and `annual_known` as in
    Points; `holder` who holds each, as there.
    """

    number: Int64s
    group: Sequence[str]
    brp: Sequence[str]
    supplier: Sequence[str]
    profile_category: Sequence[str]
    consumption_type: Sequence[str]
    loss_type: Sequence[str]
    profile: Sequence[str]
    annual: Int64s
    annual_low: Int64s
    annual_known: Bools
    holder: Int64s | None = None


class Couplings(NamedTuple):
    """The couplings of a grid area on a day; `mirrored`: it is the other area of the coupling."""

    number: Int64s
    mirrored: Bools


class Delivered(NamedTuple):
    """Quarter volumes as delivered, sorted by number and direction.

    `volume` is (rows, periods) [Wh], NOT_READ where none came; `origin`, `validation` and `method`
    (rows, periods) count from 1 in `codes.DELIVERED_ORIGINS`, `codes.VALIDATION_STATUSES` and
    `codes.METHODS`; 0 is none.
    """

    number: Int64s
    direction: Int64s
    volume: Int64s
    origin: npt.NDArray[np.int8]
    validation: npt.NDArray[np.int8]
    method: npt.NDArray[np.int8]


class Fractions(NamedTuple):
    """Fractions of a day: (periods) [1e-8], and of which annual volume each is."""

    fraction: Int64s
    basis: Int64s


class Line(NamedTuple):
    """The energy of a party in one series of a day.

    `category` and `type` are those of group PRF, else empty; `volume` and `points` (periods) [Wh]
    and the points behind it.
    """

    brp: str
    supplier: str
    group: str
    category: str
    type: str
    direction: int
    origin: str
    volume: Int64s
    points: Int64s


class Own(NamedTuple):
    """The energy of one point that is exchanged individually, in one direction of a day.

    `point` is an index in AreaPoints; `volume` (periods) [Wh], NOT_READ where none came and none is
    due; `origin`, `validation` and `method` (periods) as in Delivered.
    """

    point: int
    direction: int
    volume: Int64s
    origin: npt.NDArray[np.int8]
    validation: npt.NDArray[np.int8]
    method: npt.NDArray[np.int8]


class Covered(NamedTuple):
    """How a part of a series was made: points with such a period, such periods, energy [Wh]."""

    brp: str
    supplier: str
    group: str
    direction: int
    origin: str
    method: str
    status: str
    points: int
    periods: int
    volume: int


class Counters(NamedTuple):
    """What a meter counted in one direction, the sum of its registers; by point and direction.

    `point` is an index in Points. `reading` is (counters, periods + 1) [Wh], NOT_READ where a
    needed register is not known; `total` tells whether it is the total register, else it is the
    sum of the tariffs.
    """

    point: Int64s
    direction: Int64s
    meter: Int64s
    total: Bools
    reading: Int64s


class Series(NamedTuple):
    """The measured volumes of a point in one direction, sorted by point and direction.

    `volume` is (series, periods) [Wh], NOT_READ where not measured; `first` and `meters` say which
    counters it is made of.
    """

    point: Int64s
    direction: Int64s
    first: Int64s
    meters: Int64s
    volume: Int64s


# What is known around a gap: both readings, the one after, the one before, none; or none that can
# be used, because another meter was there.
WITHIN, HEAD, TAIL, WHOLE, LOOSE = range(5)

# A gap: periods `first` + 1 to `last`, between the readings at positions `first` and `last`;
# `reading` is the register difference (WITHIN) or the one known reading (HEAD, TAIL) [Wh].
GAP = np.dtype(
    [
        ("point", np.int64),
        ("direction", np.int64),
        ("kind", np.int64),
        ("first", np.int64),
        ("last", np.int64),
        ("reading", np.int64),
        ("meter", np.int64),
        ("total", np.int64),
    ]
)
Gaps = npt.NDArray[np.void]

# The last or first reading that a day knows of each series, to close gaps of other days with.
# `moment` counts quarter-hours since 1970.
END = np.dtype(
    [
        ("number", np.int64),
        ("direction", np.int64),
        ("moment", np.int64),
        ("reading", np.int64),
        ("meter", np.int64),
        ("total", np.int64),
    ]
)
Ends = npt.NDArray[np.void]


class Volumes(NamedTuple):
    """Volumes of the cells of an area.

    `volume` (cells, 2, periods) [Wh], `points` (cells, 2, periods) the points behind each, `any`
    (cells, 2) the points with at least one such period; `status` (cells, 2) where the shape came
    from, empty where none was needed.
    """

    volume: Int64s
    points: Int64s
    any: Int64s
    status: Sequence[Sequence[str]]
