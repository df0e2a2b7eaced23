"""A market on some days of which every small connection's energy is known.

It comes from the simulation or from the 75 households of 2013. What a study does with it is of no
concern here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, periods, tables
from kwartier.arrays import NOT_READ, Bools, Delivered, Int64s
from kwartier.simulation import Mix, read_zonnedael, simulate
from kwartier.simulation.figures import figures, generator
from kwartier.simulation.grid import STREET_LIGHTING, lighting_fractions
from kwartier.simulation.points import BRPS, SUPPLIERS, point_numbers

# All is known at this moment, and asked as known then.
KNOWN_AT = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
# Numbers of households that were drawn again, above all others of small connections.
_DRAWN_FIRST = 700_000_000
FRACTIONS = tables.STANDARD_FRACTIONS.schema.append(pa.field("recorded_at", tables.MOMENT))
# A day of each season, two working days and two Sundays; no clock changes on them.
SIMULATED_DAYS = tuple(
    date(2026, month, day) for month, day in ((1, 14), (4, 19), (7, 15), (10, 18))
)
# A week of each season in which no household has a hole.
HOUSEHOLD_DAYS = tuple(
    date(2013, month, first + later)
    for month, first in ((2, 11), (3, 18), (7, 1), (10, 7))
    for later in range(7)
)
# Of so few households the mean of fewer must do.
_HOUSEHOLDS_FOR_SHAPE = 5


@dataclass(frozen=True)
class Scene:
    """A market whose truth is known.

    Attributes
    ----------
    register : tables.REGISTER, with the annual volumes that are known: those of the year before.
    fractions : tables.STANDARD_FRACTIONS with recorded_at.
    number : the small connections, sorted.
    sampled : which of them are in the sample of which the interim way makes its profiles.
    volume : of each day their true volumes, (2, connections, periods) [Wh].
    read : of each day which of their meters can be read.
    delivered : of each day the quarter volumes of telemetry and grid losses.
    rest : of each day and grid area the energy that all others take, net [Wh].
    words : what parties are called, where they have a name.
    min_points : fewest measured points that may serve as a profile; None: the market's parameter.
    """

    register: pa.Table
    fractions: pa.Table
    number: Int64s
    sampled: Bools
    volume: Mapping[date, Int64s]
    read: Mapping[date, Bools]
    delivered: Mapping[date, Delivered]
    rest: Mapping[tuple[date, str], Int64s]
    words: Mapping[str, str] = field(default_factory=dict)
    min_points: int | None = None

    @property
    def days(self) -> list[date]:
        """The days, in order."""
        return sorted(self.volume)

    @property
    def areas(self) -> list[str]:
        """The grid areas, in order."""
        return sorted({area for _, area in self.rest})


def simulated(
    points: int, days: Sequence[date], seed: int, mix: Mix, *, unread: float, sample: float
) -> Scene:
    """Simulate two grid areas.

    Parameters
    ----------
    unread : part of the meters of which nothing comes on a day.
    sample : part of the small connections in the sample.
    """
    area = simulate(points, days, seed, 0.0, mix=mix)
    register = _typed(area.register)
    number = point_numbers(0, points)
    couplings = area.couplings["coupling"]
    volume, delivered = {}, {}
    rest: dict[tuple[date, str], Int64s] = {}
    for day in days:
        volume[day] = area.true_volumes(day)
        given = area.volumes(day)
        of_coupling = pc.is_in(given["accounting_point"], couplings)
        delivered[day] = _delivered(given.filter(pc.invert(of_coupling)), day)
        rest |= {(day, name): net for name, net in _of_others(area.true_balance(day)).items()}
    named = zip(SUPPLIERS, figures()["mix"]["supplier_words"], strict=True)
    words = {str(gln): f"supplier {n}: {of}" for n, (gln, of) in enumerate(named, 1)}
    words |= {str(gln): f"BRP {n}" for n, gln in enumerate(BRPS, 1)}
    return Scene(
        register,
        _lighting(days),
        number,
        generator(seed, 30).random(points) < sample,
        volume,
        _read(register, number, days, unread, seed),
        delivered,
        rest,
        words,
    )


def of_households(
    folder: Path, seed: int, *, refused: float, unread: float, sample: float
) -> Scene:
    """Make one grid area of the real households, which nothing else is in.

    Parameters
    ----------
    refused : part of the households taken as having refused remote reading.
    unread, sample : as for a simulated market.
    """
    days = HOUSEHOLD_DAYS
    source = read_zonnedael(folder)
    register = _typed(source.register)
    number = register["accounting_point"].to_numpy()
    n, rng = len(number), generator(seed, 31)
    on = pa.array(rng.random(n) >= refused)
    one_area = pa.repeat(register["grid_area"][0], n)
    # The source knows one year; how far the year before was from it is assumed.
    then = np.exp(figures()["connections"]["annual_log_sd"] * rng.standard_normal(n))
    for name, column in (("remote_reading", on), ("grid_area", one_area)):
        register = _with(register, name, column)
    for name in (name for name in register.column_names if name.startswith("annual_")):
        earlier = np.rint(register[name].to_numpy() * then).astype(np.int64)
        register = _with(register, name, pa.array(earlier))
    volume = {}
    for day in days:
        volume[day], known = source.true_volumes(day)
        if not known.all():
            raise ValueError(f"{day}: expected every household whole")
    number_of_none, said = np.empty(0, np.int64), np.empty((0, 96), np.int8)
    nothing = Delivered(
        number_of_none, number_of_none, np.empty((0, 96), np.int64), said, said, said
    )
    area = register["grid_area"][0].as_py()
    return Scene(
        register,
        FRACTIONS.empty_table(),
        number,
        generator(seed, 30).random(n) < sample,
        volume,
        _read(register, number, days, unread, seed),
        dict.fromkeys(days, nothing),
        {(day, area): np.zeros(periods.count(day), np.int64) for day in days},
        min_points=_HOUSEHOLDS_FOR_SHAPE,
    )


def drawn_again(scene: Scene, seed: int, turn: int) -> Scene:
    """Draw as many households again, each supplier in each area among its own, with replacement.

    Who is drawn twice is two connections, with all that is known of it.
    """
    rng = generator(seed, 32, turn)
    rows = _rows_of(scene.register, scene.number)
    first = rows.start[:-1]
    parties = zip(
        *(scene.register[name].take(pa.array(rows.row[first])).to_pylist() for name in _OF_ONE),
        strict=True,
    )
    cell = np.unique([" ".join(of) for of in parties], return_inverse=True)[1]
    drawn = np.empty(len(scene.number), np.int64)
    for one in range(int(cell.max()) + 1):
        own = np.flatnonzero(cell == one)
        drawn[own] = own[rng.integers(0, len(own), len(own))]
    number = point_numbers(_DRAWN_FIRST, len(drawn))
    count = np.diff(rows.start)[drawn]
    taken = np.concatenate([rows.row[rows.start[i] : rows.start[i + 1]] for i in drawn.tolist()])
    small = scene.register.take(pa.array(taken))
    small = _with(small, "accounting_point", pa.array(np.repeat(number, count)))
    others = np.ones(scene.register.num_rows, np.bool_)
    others[rows.row] = False
    return replace(
        scene,
        register=pa.concat_tables([small, scene.register.filter(pa.array(others))]),
        number=number,
        sampled=scene.sampled[drawn],
        volume={day: volume[:, drawn] for day, volume in scene.volume.items()},
        read={day: read[drawn] for day, read in scene.read.items()},
    )


_OF_ONE = ("grid_area", "supplier")


@dataclass(frozen=True)
class _Rows:
    """The rows of connections in the register: those of the nth from start[n] to start[n + 1]."""

    row: Int64s
    start: Int64s


def _rows_of(register: pa.Table, number: Int64s) -> _Rows:
    every = register["accounting_point"].to_numpy()
    mine = np.flatnonzero(np.isin(every, number))
    row = mine[np.argsort(every[mine], kind="stable")]
    return _Rows(row, np.searchsorted(every[row], np.append(number, number[-1] + 1)))


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _typed(register: pa.Table) -> pa.Table:
    """Give a register, as a file brings it, the types that it has inside."""
    columns = []
    for column in tables.REGISTER.columns:
        if column.name not in register.column_names:
            columns.append(pa.repeat(pa.scalar(column.default, column.type), register.num_rows))
            continue
        given = register[column.name].combine_chunks()
        if pa.types.is_boolean(column.type) and pa.types.is_string(given.type):
            given = pc.equal(given, "on")
        columns.append(given.cast(column.type))
    return pa.table(columns, schema=tables.REGISTER.schema)


def _read(
    register: pa.Table, number: Int64s, days: Sequence[date], unread: float, seed: int
) -> dict[date, Bools]:
    """Tell whose meters can be read: not where that is technically impossible, and by chance."""
    rows = _rows_of(register, number)
    able = register["technically_readable"].take(pa.array(rows.row[rows.start[:-1]]))
    readable = pc.equal(able, "true").to_numpy()
    return {
        day: readable & (generator(seed, 33, periods.number(day)).random(len(number)) >= unread)
        for day in days
    }


def _of_others(balance: pa.Table) -> dict[str, Int64s]:
    """Give of each area what telemetry, lighting and losses take, less what telemetry feeds in."""
    net: dict[str, Any] = {}
    for line in (codes.TELEMETRY, codes.UNMETERED, codes.GRID_LOSS):
        for direction, sign in zip(codes.DIRECTIONS, (1, -1), strict=True):
            mine = balance.filter((pc.field("line") == line) & (pc.field("direction") == direction))
            for area in mine["grid_area"].unique().to_pylist():
                own = mine.filter(pc.field("grid_area") == area).sort_by("position")
                net[area] = net.get(area, 0) + sign * own["volume_wh"].to_numpy()
    return net


def _lighting(days: Sequence[date]) -> pa.Table:
    fractions = [lighting_fractions(day).tolist() for day in days]
    n = len(fractions)
    recorded = pa.array([0] * n).cast(tables.MOMENT)
    return pa.table(
        [
            pa.repeat(pa.scalar(STREET_LIGHTING), n),
            pa.nulls(n, pa.string()),
            pa.repeat(pa.scalar(codes.OFFTAKE), n),
            pa.array(days, pa.date32()),
            pa.array(fractions, FRACTIONS.field("fraction").type),
            pa.repeat(pa.scalar(False), n),
            recorded,
        ],
        schema=FRACTIONS,
    )


def _delivered(given: pa.Table, day: date) -> Delivered:
    """Lay delivered quarter volumes, all there, out by point and direction."""
    numbers = given["accounting_point"].cast(pa.int64()).to_numpy()
    way = pc.index_in(given["direction"], pa.array(codes.DIRECTIONS)).to_numpy()
    starts = given["period_start"].cast(pa.int64()).to_numpy()
    position = (starts - periods.day_start(day)) // periods.SECONDS
    key, row = np.unique(numbers * 2 + way, return_inverse=True)
    shape = (len(key), periods.count(day))
    volume = np.full(shape, NOT_READ)
    volume[row, position] = given["volume_wh"].to_numpy()
    said = []
    for name, words in (
        ("origin", codes.DELIVERED_ORIGINS),
        ("validation_status", codes.VALIDATION_STATUSES),
        ("method", codes.METHODS),
    ):
        code = np.zeros(shape, np.int8)
        index = pc.fill_null(pc.index_in(given[name], pa.array(words)), -1)
        code[row, position] = index.to_numpy() + 1
        said.append(code)
    return Delivered(key // 2, key % 2, volume, *said)
