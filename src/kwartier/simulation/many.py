"""Very many points of a country for one market day, for benchmarks.

Simpler than `simulate`: 3x25 connections, a total register for each direction, no memory between
quarter-hours (which makes the readings harder to compress, not easier). All of a point follows from
the seed and its place, so any part of the country can be made by itself, in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kwartier import codes, periods, tables
from kwartier.simulation.figures import Floats, day_shape, figures, generator
from kwartier.simulation.points import Bools, Ints, capacity_limit_wh, point_numbers, tariff_split

Words = npt.NDArray[np.uint64]

# Fictitious numbers, as in points.py. Areas and parties are about as many as the country has; their
# sizes are assumed: some areas are a hundred times another.
GRID_AREAS = tuple(codes.with_check_digit(87169900000000000 + n) for n in range(1, 18))
AREA_SHARE = np.array([300, 240, 150, 80, 60, 45, 35, 25, 18, 13, 10, 8, 6, 4, 3, 2, 1]) / 1000
BRPS = tuple(codes.with_check_digit(871699100000 + n) for n in range(1, 51))
SUPPLIERS = tuple(codes.with_check_digit(871699200000 + n) for n in range(1, 61))
CAPACITY = "3x25"
CATEGORIES = ("E1A", "E1B", "E1C")
UNREAD = -1  # of the readings that are made here
# What is drawn of a point.
_AREA, _SUPPLIER, _CATEGORY, _PANELS, _LOAD, _LOAD_TOO, _SUN, _SUN_TOO, _START = range(9)
_LATE, _DOUBT, _GAP, _NOISE = range(9, 13)
_LEVELS = 256  # steps of the noise table: a random byte chooses one


class Day(NamedTuple):
    """The readings of some points, the offtake and the infeed register of each after each other.

    `number` and `register` (rows), an index in `codes.REGISTERS`; `reading` int32 (rows, periods +
    1) [Wh], UNREAD where not read; `holed` (rows), true for both rows of a point with a gap.
    """

    number: Ints
    register: Ints
    reading: npt.NDArray[np.int32]
    holed: Bools


@numba.njit(nogil=True, cache=True)
def _mixed(word: Any) -> Any:
    """Mix the bits of a word (SplitMix64: Steele, Lea and Flood, 2014)."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@numba.njit(nogil=True, cache=True)
def _words(place: Any, key: Any) -> Any:
    out = np.empty(place.size, np.uint64)
    for i in range(place.size):
        out[i] = _mixed(np.uint64(place[i]) ^ _mixed(key))
    return out


@numba.njit(nogil=True, cache=True)
def _read(
    words: Any, load: Any, solar: Any, start: Any, offtake: Any, infeed: Any, noise: Any, limit: Any
) -> Any:
    """Let both registers of each point run; a random byte chooses the noise of a period."""
    periods = offtake.size
    reading = np.zeros((2 * words.size, periods + 1), np.int32)
    for p in range(words.size):
        word = words[p]
        taken, given = start[p], np.int32(0)
        if solar[p] > 0:
            given = start[p] // np.int32(2)
        reading[2 * p, 0], reading[2 * p + 1, 0] = taken, given
        for t in range(periods):
            if t % 8 == 0:
                word = _mixed(word)
            byte = (word >> np.uint64(t % 8 * 8)) & np.uint64(255)
            net = noise[byte] * load[p] * offtake[t] - solar[p] * infeed[t]
            if net > 0:
                taken += np.int32(min(net, limit))
            else:
                given += np.int32(min(-net, limit))
            reading[2 * p, t + 1], reading[2 * p + 1, t + 1] = taken, given
    return reading


def _drawn(seed: int, what: int, place: Ints) -> Words:
    key = np.random.SeedSequence((seed, what)).generate_state(1, np.uint64)[0]
    return np.asarray(_words(place, key), np.uint64)


def _chance(seed: int, what: int, place: Ints) -> Floats:
    """Draw numbers from 0 up to 1."""
    return np.asarray((_drawn(seed, what, place) >> np.uint64(11)) * 2.0**-53)


def _normal(seed: int, what: int, place: Ints) -> Floats:
    """Draw standard normal numbers (Box and Muller), with the draw after `what`."""
    radius = np.sqrt(-2.0 * np.log1p(-_chance(seed, what, place)))
    return np.asarray(radius * np.cos(2.0 * np.pi * _chance(seed, what + 1, place)))


def area_of(place: Ints, seed: int) -> Ints:
    """Give the grid area of points, an index in GRID_AREAS."""
    bounds = np.cumsum(AREA_SHARE)[:-1]
    return np.searchsorted(bounds, _chance(seed, _AREA, place), "right").astype(np.int64)


def places(points: int, seed: int) -> list[Ints]:
    """Give the places of the points of each grid area, rising; the areas lie through each other.

    points : how many the country has.
    """
    area = np.empty(points, np.uint8)
    for first in range(0, points, 1 << 20):
        some = np.arange(first, min(first + (1 << 20), points))
        area[some] = area_of(some, seed)
    return [np.flatnonzero(area == n) for n in range(len(GRID_AREAS))]


def late(place: Ints, seed: int, share: float) -> Bools:
    """Tell of which points the readings come late."""
    return np.asarray(_chance(seed, _LATE, place) < share)


def numbers(place: Ints) -> Ints:
    """Give the numbers of points by their places, rising."""
    if not len(place):
        return place
    first = int(place[0])
    return point_numbers(first, int(place[-1]) - first + 1)[place - first]


def day_rows(place: Ints, day: date, seed: int, share_doubtful: float = 0.0) -> Day:
    """Make the readings of points.

    Parameters
    ----------
    place : of each point in the country, rising.
    share_doubtful : part of the points with a gap of an hour to ten, every third of them with a
        rogue reading as well.
    """
    load, solar = (yearly.astype(np.float32) for yearly in _yearly(place, seed))
    reading = _read(
        _drawn(seed, _NOISE, place + (periods.number(day) << 32)),
        load,
        solar,
        (_chance(seed, _START, place) * 30_000_000).astype(np.int32),
        day_shape(day, "offtake").astype(np.float32),
        day_shape(day, "infeed").astype(np.float32),
        _noise_table(seed),
        np.float32(capacity_limit_wh(CAPACITY)),
    )
    doubtful = _chance(seed, _DOUBT, place) < share_doubtful
    _spoil(reading.reshape(len(place), 2, -1), np.flatnonzero(doubtful), seed, place)
    offtake, infeed = (codes.REGISTER_INDEX[obis] for obis in ("1.8.0", "2.8.0"))
    register = np.tile(np.array([offtake, infeed], np.int64), len(place))
    return Day(np.repeat(numbers(place), 2), register, reading, np.repeat(doubtful, 2))


def _yearly(place: Ints, seed: int) -> tuple[Floats, Floats]:
    use, sun = figures()["annual_load"], figures()["solar"]
    load = use["median_wh"] * np.exp(use["log_sd"] * _normal(seed, _LOAD, place))
    made = sun["median_wh"] * np.exp(sun["log_sd"] * _normal(seed, _SUN, place))
    return load, np.where(_chance(seed, _PANELS, place) < sun["share"], made, 0.0)


def _noise_table(seed: int) -> npt.NDArray[np.float32]:
    """Draw the levels of a quarter-hour over its mean, to choose from by one byte, mean 1."""
    noise, rng = figures()["load_noise"], generator(seed, 11)
    level = np.exp(noise["base_log_sd"] * rng.standard_normal(_LEVELS))
    spikes = int(_LEVELS * noise["spike_start_share"] * noise["spike_quarters"])
    level[:spikes] += rng.exponential(noise["spike_mean_height"], spikes)
    return np.asarray(level / level.mean(), np.float32)


def _spoil(reading: npt.NDArray[np.int32], doubtful: Ints, seed: int, place: Ints) -> None:
    word = _drawn(seed, _GAP, place[doubtful])
    width = reading.shape[2]
    begin = (word % np.uint64(width - 1)).astype(np.int64)[:, None]
    length = 4 + (word >> np.uint64(16) & np.uint64(0xFFFF)).astype(np.int64)[:, None] % 37
    at = 2 + (word >> np.uint64(32) & np.uint64(0xFFFF)).astype(np.int64) % (width - 4)
    rogue = np.flatnonzero((word >> np.uint64(48)) % np.uint64(3) == 0)
    reading[doubtful[rogue], :, at[rogue]] += figures()["defects"]["rogue_spike_wh"]
    position = np.arange(width)
    row, column = np.nonzero((position >= begin) & (position < begin + length))
    reading[doubtful[row], :, column] = UNREAD


def register_rows(place: Ints, seed: int, start: date = date(2026, 1, 1)) -> pa.Table:
    """Make the register of points, tables.REGISTER.

    Parameters
    ----------
    place : of each point in the country, rising.
    """
    load, solar = _yearly(place, seed)
    flat = tariff_split(np.ones(1), np.zeros(1))[0]
    # Two thirds of what panels make are fed in; the rest is used behind the meter.
    annual = np.rint(np.outer(load - solar / 3.0, flat[:2])).astype(np.int64)
    given = np.rint(solar * 2.0 / 3.0).astype(np.int64)
    # Small ones are many: the share of the nth falls with n.
    supplier = ((len(SUPPLIERS) + 1) ** _chance(seed, _SUPPLIER, place)).astype(np.int64) - 1
    category = (_chance(seed, _CATEGORY, place) * len(CATEGORIES)).astype(np.int64)

    def words(every: Sequence[object], index: Ints) -> pa.Array:
        return pa.array([str(word) for word in every]).take(pa.array(index))

    moment = datetime(start.year, start.month, start.day, tzinfo=UTC)
    said = {
        "accounting_point": pa.array(numbers(place)),
        "grid_area": words([codes.ean(area) for area in GRID_AREAS], area_of(place, seed)),
        "brp": words(BRPS, supplier % len(BRPS)),
        "supplier": words(SUPPLIERS, supplier),
        "profile_category": words(CATEGORIES, category),
        "consumption_type": words(["AZI", "AMI"], (solar > 0).astype(np.int64)),
        "capacity": pa.repeat(pa.scalar(CAPACITY), len(place)),
        "annual_offtake_normal_wh": pa.array(np.maximum(annual[:, 0], 0)),
        "annual_offtake_low_wh": pa.array(np.maximum(annual[:, 1], 0)),
        "annual_infeed_normal_wh": pa.array(given - given // 4),
        "annual_infeed_low_wh": pa.array(given // 4),
        "valid_from": pa.repeat(pa.scalar(start), len(place)),
        "recorded_at": pa.repeat(pa.scalar(moment, tables.MOMENT), len(place)),
    }
    columns = [
        said[column.name]
        if column.name in said
        else pa.repeat(pa.scalar(column.default, column.type), len(place))
        for column in tables.REGISTER.columns
    ]
    return pa.table(columns, schema=tables.REGISTER.schema)
