"""Micro-benchmarks of the kernels and of what else a block costs; not tests, and no timer fails.

`make bench-kernels` runs them, saves what they took, and compares it with what was saved before.
All work on one block of a grid area: 8,192 points, two registers each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from benchmarks import data
from kwartier import codes, kernels, parameters, periods, pipeline
from kwartier.arrays import NOT_READ, Int64s, Rows
from kwartier.runs.moments import register_of
from kwartier.simulation import many
from kwartier.steps.register import Lot, Register, part_of

POINTS = 8_192
ROUNDS = 20
KNOWN = int(data.RECORDED.timestamp())
AREA = codes.ean(many.GRID_AREAS[0])


class Block(NamedTuple):
    """The rows of a block, whole ones and those with holes, and the day that they are of."""

    whole: Rows
    holed: Rows | None
    day: pipeline.Day


@pytest.fixture(scope="module")
def register() -> Register:
    rows = many.register_rows(many.places(len(many.GRID_AREAS) * POINTS, 1)[0], 1)
    return Register(AREA, [Lot(len(rows), lambda: part_of(rows, KNOWN))])


@pytest.fixture(scope="module", params=[0.0, 0.3], ids=["whole", "30% doubtful"])
def block(request: pytest.FixtureRequest, register: Register) -> Block:
    place = many.places(len(many.GRID_AREAS) * POINTS, 1)[0][:POINTS]
    made = many.day_rows(place, data.DAY, 1, request.param)
    whole = data.rows(made, ~made.holed, holed=False)
    holed = data.rows(made, made.holed, holed=True) if made.holed.any() else None
    held = parameters.load(data.DAY)
    points = register.on(data.DAY, held).points
    first, last = int(made.number[0]), int(made.number[-1])
    day = pipeline.Day(data.DAY, points, held).between(first, last)[0]
    return Block(whole, holed, day)


@pytest.fixture(scope="module")
def holed(register: Register) -> Int64s:
    """Readings of 8,192 meters that all have holes and, a third of them, rogue values."""
    made = many.day_rows(np.arange(POINTS), data.DAY, 1, 1.0)
    return np.asarray(data.rows(made, made.register == 0, holed=True).reading)


def _timed(benchmark: Any, work: Callable[..., object], fresh: Callable[[], Any]) -> None:
    """Measure work on what is made afresh for each round, because kernels write into it."""
    benchmark.pedantic(work, setup=lambda: (fresh(), {}), rounds=ROUNDS, warmup_rounds=1)


def _wide(block: Block, into: pipeline.Partial) -> None:
    for rows in (block.whole, block.holed):
        if rows is not None:
            pipeline.wide([rows], block.day, into)


def test_wide(benchmark: Any, block: Block) -> None:
    """First visit, and where there is doubt the second look."""
    _timed(benchmark, _wide, lambda: (block, pipeline.Partial.nothing(block.day)))


def test_keep_longest_chains(benchmark: Any, holed: Int64s) -> None:
    limit = np.full(len(holed), 4_312, np.int64)
    _timed(benchmark, kernels.keep_longest_chains, lambda: (holed.copy(), limit))


def test_around_gaps(benchmark: Any, holed: Int64s) -> None:
    rows = np.arange(len(holed))
    _timed(benchmark, kernels.around_gaps, lambda: (holed, rows))


def test_far_from_median(benchmark: Any, holed: Int64s) -> None:
    volume = _volumes(holed)
    _timed(benchmark, kernels.far_from_median, lambda: (volume, 20, 500))


def test_spread_gaps(benchmark: Any) -> None:
    count, cells, periods = POINTS, 300, 96
    cell, direction = np.arange(count) % cells, np.arange(count) % 2
    first = np.arange(count) % (periods - 40)
    total = np.arange(count) * 7
    shape = np.arange(cells * 2 * periods).reshape(cells, 2, periods) % 1_000

    def fresh() -> Any:
        empty = np.zeros((cells, 2, periods), np.int64)
        return cell, direction, first, first + 4 + cell % 36, total, shape, empty, empty.copy()

    _timed(benchmark, kernels.spread_gaps, fresh)


def test_add_volumes(benchmark: Any, holed: Int64s) -> None:
    volume = _volumes(holed)
    cell, direction = np.arange(len(volume)) % 300, np.zeros(len(volume), np.int64)
    annual = np.ones(len(volume), np.int64)

    def fresh() -> Any:
        wide, narrow = (300, 2, 96), (300, 2)
        shapes = (wide, narrow, narrow, wide, wide, narrow)
        into = tuple(np.zeros(shape, np.int64) for shape in shapes)
        return cell, direction, volume, annual, into

    _timed(benchmark, kernels.add_volumes, fresh)


def test_to_quarters(benchmark: Any) -> None:
    """Long readings of a day, a point after another."""
    stamp = np.tile(periods.day_start(data.DAY) + periods.SECONDS * np.arange(97), POINTS)
    first = int(stamp[0]) // periods.SECONDS
    day, position = np.zeros(97, np.int32), np.arange(97, dtype=np.uint8)
    _timed(benchmark, kernels.to_quarters, lambda: (stamp, first, day, position))


def test_to_strips(benchmark: Any) -> None:
    number = np.repeat(np.arange(POINTS), 97)
    meter, register = np.zeros(len(number), np.int64), np.zeros(len(number), np.int8)
    rule = np.full(len(number), -1, np.int16)
    place = np.tile(np.arange(97), POINTS)
    day, position = (place // 96).astype(np.int32), (place % 96).astype(np.uint8)
    _timed(benchmark, kernels.to_strips, lambda: (number, meter, register, rule, day, position))


def test_lay_strips(benchmark: Any) -> None:
    row = np.arange(POINTS)
    slot = np.tile(np.arange(97, dtype=np.uint8) * 2 + 1, POINTS).astype(np.uint8)
    reading = np.arange(len(slot))

    def fresh() -> Any:
        return row, 97 * row, slot, reading, np.full((POINTS, 97), NOT_READ)

    _timed(benchmark, kernels.lay_strips, fresh)


def _volumes(reading: Int64s) -> Int64s:
    known = (reading[:, 1:] != NOT_READ) & (reading[:, :-1] != NOT_READ)
    step = np.where(known, reading[:, 1:], 0) - np.where(known, reading[:, :-1], 0)
    return np.where(known, step, NOT_READ)


def test_reading_a_register(benchmark: Any, tmp_path: Any) -> None:
    """Of 200,000 points, from disk."""
    home = data.Home(data.make(tmp_path, 200_000, 1, 0.0) / "home")
    benchmark.pedantic(register_of, args=(home, AREA, KNOWN), rounds=5, warmup_rounds=1)


def test_asking_a_register_for_a_day(benchmark: Any, register: Register) -> None:
    held = parameters.load(data.DAY)
    benchmark.pedantic(lambda: register.on(data.DAY, held), rounds=5, warmup_rounds=1)


def test_packing(benchmark: Any, block: Block) -> None:
    partial = pipeline.Partial.nothing(block.day)
    _wide(block, partial)
    _timed(benchmark, pipeline.pack, lambda: (block.day, partial))


def test_unpacking(benchmark: Any, block: Block) -> None:
    partial = pipeline.Partial.nothing(block.day)
    _wide(block, partial)
    packed = pipeline.pack(block.day, partial)
    _timed(benchmark, pipeline.unpack, lambda: (block.day, packed))
