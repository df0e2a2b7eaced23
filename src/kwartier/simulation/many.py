"""Very many points for one market day, made in chunks: for benchmarks.

Simpler than `simulate`: one grid area, 3x25 connections, a total register for each direction, no
memory between quarter-hours (which makes the readings harder to compress, not easier).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from kwartier import codes, periods
from kwartier.simulation.figures import day_shape, figures, generator
from kwartier.simulation.points import (
    BRP_OF_SUPPLIER,
    BRPS,
    GRID_AREAS,
    SUPPLIER_SHARE,
    SUPPLIERS,
    capacity_limit_wh,
    point_numbers,
    tariff_split,
)

CHUNK = 16_384
CATEGORIES = ("E1A", "E1B", "E1C")
LOWEST_LEVELS = 256  # steps of the noise table: one random byte each


def day_rows(
    points: int, day: date, seed: int = 1, share_doubtful: float = 0.0
) -> Iterator[pa.Table]:
    """Make the day rows of many points, 16,384 points a table, sorted by point.

    Parameters
    ----------
    share_doubtful : part of the points with a gap of an hour to ten, every third of them with a
        rogue reading as well.

    Yields
    ------
    accounting_point int64, market_day, register ("1.8.0" and "2.8.0" of each point),
    reading_wh list<int32> (periods + 1); null where not read.
    """
    count = periods.count(day)
    limit = capacity_limit_wh("3x25")
    table = _noise_table(seed)
    offtake = day_shape(day, "offtake").astype(np.float32)
    infeed = day_shape(day, "infeed").astype(np.float32)
    for first in range(0, points, CHUNK):
        size = min(CHUNK, points - first)
        rng = generator(seed, 8, periods.number(day), first)
        load, solar = _yearly(seed, first, size)
        noise = table[rng.integers(0, LOWEST_LEVELS, (size, count), np.uint8)]
        net = noise * offtake
        net *= load[:, None].astype(np.float32)
        panels = np.flatnonzero(solar)
        net[panels] -= solar[panels, None].astype(np.float32) * infeed
        reading = np.zeros((size, 2, count + 1), np.int32)
        reading[:, 0, 0] = generator(seed, 9, first).integers(0, 30_000_000, size)
        taken = np.minimum(np.maximum(net, 0.0), limit).astype(np.int32)
        np.cumsum(taken, axis=1, out=reading[:, 0, 1:])
        reading[:, 0, 1:] += reading[:, 0, :1]
        given = np.minimum(np.maximum(-net[panels], 0.0), limit).astype(np.int32)
        reading[panels, 1, 0] = reading[panels, 0, 0] // 2
        reading[panels, 1, 1:] = reading[panels, 1, :1] + np.cumsum(given, axis=1)
        missing = _spoil(reading, rng, share_doubtful)
        yield _table(reading, missing, point_numbers(first, size), day)


def register_rows(points: int, seed: int = 1, start: date = date(2026, 1, 1)) -> Iterator[pa.Table]:
    """Make the register of the same points, in the same chunks."""
    flat = tariff_split(np.ones(1), np.zeros(1))[0]
    for first in range(0, points, CHUNK):
        size = min(CHUNK, points - first)
        rng = generator(seed, 10, first)
        load, solar = _yearly(seed, first, size)
        supplier = rng.choice(len(SUPPLIERS), size, p=SUPPLIER_SHARE)
        # Two thirds of what panels make are fed in; the rest is used behind the meter.
        annual = np.rint(np.outer(load - solar / 3.0, flat[:2])).astype(np.int64)
        given = np.rint(solar * 2.0 / 3.0).astype(np.int64)
        brps, suppliers = (pa.array([str(n) for n in numbers]) for numbers in (BRPS, SUPPLIERS))
        stamp = datetime(start.year, start.month, start.day, tzinfo=UTC)
        category = pa.array(CATEGORIES).take(pa.array(rng.integers(0, len(CATEGORIES), size)))
        yield pa.table(
            {
                "accounting_point": pa.array(point_numbers(first, size)),
                "grid_area": pa.repeat(pa.scalar(codes.ean(GRID_AREAS[0])), size),
                "brp": brps.take(pa.array(BRP_OF_SUPPLIER[supplier, 0])),
                "supplier": suppliers.take(pa.array(supplier)),
                "profile_category": category,
                "consumption_type": pa.array(["AZI", "AMI"]).take(pa.array((solar > 0) * 1)),
                "annual_offtake_normal_wh": pa.array(np.maximum(annual[:, 0], 0)),
                "annual_offtake_low_wh": pa.array(np.maximum(annual[:, 1], 0)),
                "annual_infeed_normal_wh": pa.array(given - given // 4),
                "annual_infeed_low_wh": pa.array(given // 4),
                "valid_from": pa.repeat(pa.scalar(start), size),
                "recorded_at": pa.repeat(pa.scalar(stamp, pa.timestamp("s", "UTC")), size),
            }
        )


def _noise_table(seed: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Draw the levels of a quarter-hour over its mean, to choose from by one byte, mean 1."""
    noise, rng = figures()["load_noise"], generator(seed, 11)
    level = np.exp(noise["base_log_sd"] * rng.standard_normal(LOWEST_LEVELS))
    spikes = int(LOWEST_LEVELS * noise["spike_start_share"] * noise["spike_quarters"])
    level[:spikes] += rng.exponential(noise["spike_mean_height"], spikes)
    return np.asarray(level / level.mean(), np.float32)


def _yearly(
    seed: int, first: int, size: int
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    use, sun, rng = figures()["annual_load"], figures()["solar"], generator(seed, 12, first)
    load = use["median_wh"] * np.exp(use["log_sd"] * rng.standard_normal(size))
    made = sun["median_wh"] * np.exp(sun["log_sd"] * rng.standard_normal(size))
    return load, np.where(rng.random(size) < sun["share"], made, 0.0)


def _spoil(
    reading: np.ndarray[tuple[int, int, int], np.dtype[np.int32]],
    rng: np.random.Generator,
    share: float,
) -> np.ndarray[tuple[int, int, int], np.dtype[np.bool_]] | None:
    if share <= 0.0:
        return None
    size, _, width = reading.shape
    doubtful = np.flatnonzero(rng.random(size) < share)
    begin = rng.integers(0, width - 1, len(doubtful))[:, None]
    length = rng.integers(4, 41, len(doubtful))[:, None]
    place = np.arange(width)
    missing = np.zeros(reading.shape, np.bool_)
    missing[doubtful] = ((place >= begin) & (place < begin + length))[:, None, :]
    rogue = doubtful[::3]
    at = rng.integers(2, width - 2, len(rogue))
    reading[rogue, :, at] += figures()["defects"]["rogue_spike_wh"]
    return missing


def _table(
    reading: np.ndarray[tuple[int, int, int], np.dtype[np.int32]],
    missing: np.ndarray[tuple[int, int, int], np.dtype[np.bool_]] | None,
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]],
    day: date,
) -> pa.Table:
    size, _, width = reading.shape
    offsets = pa.array(np.arange(0, size * 2 * width + 1, width, dtype=np.int32))
    mask = None if missing is None else missing.reshape(-1)
    values = pa.array(reading.reshape(-1), mask=mask)
    return pa.table(
        {
            "accounting_point": pa.array(np.repeat(numbers, 2)),
            "market_day": pa.repeat(pa.scalar(day), size * 2),
            "register": pa.array(["1.8.0", "2.8.0"]).take(pa.array(np.arange(size * 2) % 2)),
            "reading_wh": pa.ListArray.from_arrays(offsets, values),
        }
    )
