"""What some points of a day add up to, packed so that it can be kept, or sent, and added again.

A packed partial names its points by the numbers of the first and the last, and says of each between
them, by a bit, what the partial says; cells are named by their words. So it holds wherever the
points of that range and the parameters are the same. Source: decisions §25.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from kwartier import findings
from kwartier.arrays import GAP, Cell
from kwartier.pipeline.wide import Day, Partial

Packed = Mapping[str, npt.NDArray[Any]]
_FULL = ("full_volume", "full_points", "full_annual")
_PART = ("part_volume", "part_points", "part_any")
_WORDS = np.dtype([(name, "U13") for name in Cell._fields])


def like(periods: int) -> Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Give the type and shape of what is packed, -1 where a length varies."""
    whole, bits = np.dtype(np.int64), np.dtype(np.uint8)
    of_periods, of_day = (-1, 2, periods), (-1, 2)
    return {
        "full_cells": (_WORDS, (-1,)),
        "full_volume": (whole, of_periods),
        "full_points": (whole, of_day),
        "full_annual": (whole, of_day),
        "part_cells": (_WORDS, (-1,)),
        "part_volume": (whole, of_periods),
        "part_points": (whole, of_periods),
        "part_any": (whole, of_day),
        "range": (whole, (2,)),
        "seen": (bits, (-1,)),
        "read": (bits, (-1,)),
        "gaps": (GAP, (-1,)),
        "found": (findings.RECORD, (-1,)),
    }


def pack(day: Day, partial: Partial) -> Packed:
    """Pack what some points of a day add up to: of the cells only those that are in it."""
    points = day.points
    packed: dict[str, npt.NDArray[Any]] = {}
    for kind, names, counts in (
        ("full_cells", _FULL, partial.full_points),
        ("part_cells", _PART, partial.part_any),
    ):
        used = np.nonzero(counts.any(axis=1))[0]
        packed[kind] = np.array([points.cells[c] for c in used.tolist()], _WORDS)
        packed |= {name: getattr(partial, name)[used] for name in names}
    ends = [int(points.number[i]) for i in (0, -1)] if len(points.number) else [0, -1]
    return packed | {
        "range": np.array(ends, np.int64),
        "seen": np.packbits(partial.seen),
        "read": np.packbits(partial.read),
        "gaps": np.concatenate([np.empty(0, GAP), *partial.gaps]),
        "found": np.concatenate([np.empty(0, findings.RECORD), *partial.found]),
    }


def unpack(day: Day, packed: Packed) -> tuple[Partial, int]:
    """Give what was packed as a partial of its points, and where they begin among the day's."""
    first, last = packed["range"].tolist()
    part, start = day.between(first, last)
    partial = Partial.nothing(part)
    place = {cell: i for i, cell in enumerate(part.points.cells)}
    for kind, names in (("full_cells", _FULL), ("part_cells", _PART)):
        cells = np.array([place[Cell(*words)] for words in packed[kind].tolist()], np.int64)
        for name in names:
            getattr(partial, name)[cells] = packed[name]
    for bits, into in ((packed["seen"], partial.seen), (packed["read"], partial.read)):
        into[:] = np.unpackbits(bits, count=len(into))
    partial.gaps, partial.found = [packed["gaps"]], [packed["found"]]
    return partial, start


def digest_of(day: Day) -> bytes:
    """Name all that wide() knows of the points of a day: the same, the same sums."""
    points = day.points
    cells = np.array([_code(cell) for cell in points.cells], np.int64)
    digest = sha256(repr((day.day, _values(day))).encode())
    for column in (
        points.number,
        points.state,
        points.limit,
        points.multiplier,
        points.rolls_at,
        points.with_infeed,
        points.annual,
    ):
        digest.update(np.ascontiguousarray(column).data)
    digest.update(cells[points.cell].data if len(cells) else b"")
    return digest.digest()


def _code(cell: Cell) -> int:
    return int.from_bytes(sha256(repr(cell).encode()).digest()[:8], signed=True)


def _values(day: Day) -> list[tuple[str, str]]:
    held = day.parameters
    return [(name, str(getattr(held, name))) for name in sorted(held.holding_since)]
