"""What some points of a day add up to, packed so that it can be kept, or sent, and added again.

A packed partial names its points by the numbers of the first and the last, and says of each between
them, by a bit, what the partial says; cells are named by their words. So it holds wherever the
points of that range and the parameters are the same. Source: decisions §25.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.ipc

from kwartier import findings
from kwartier.arrays import GAP, Cell
from kwartier.pipeline.wide import Day, Partial

Packed = Mapping[str, npt.NDArray[Any]]
_FULL = ("full_volume", "full_points", "full_annual")
_PART = ("part_volume", "part_points", "part_any")
_WORDS = np.dtype([(name, "U13") for name in Cell._fields])
_FITTING = np.iinfo(np.int32)
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


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
        "ranges": (whole, (-1, 3)),
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
    gaps = np.concatenate([np.empty(0, GAP), *partial.gaps])
    return packed | {
        "ranges": np.array([[*ends, len(gaps)]], np.int64),
        "seen": np.packbits(partial.seen),
        "read": np.packbits(partial.read),
        "gaps": gaps,
        "found": np.concatenate([np.empty(0, findings.RECORD), *partial.found]),
    }


def unpack(day: Day, packed: Packed) -> tuple[Partial, int]:
    """Give what was packed as a partial of its points, and where they begin among the day's."""
    ranges = packed["ranges"]
    part, start = day.between(int(ranges[:, 0].min()), int(ranges[:, 1].max()))
    partial = Partial.nothing(part)
    place = {cell: i for i, cell in enumerate(part.points.cells)}
    for kind, names in (("full_cells", _FULL), ("part_cells", _PART)):
        cells = np.array([place[Cell(*words)] for words in packed[kind].tolist()], np.int64)
        for name in names:
            getattr(partial, name)[cells] = packed[name]
    byte, gap = 0, 0  # where those of a range begin
    for first, last, gaps in ranges.tolist():
        at, end = np.searchsorted(part.points.number, [first, last + 1]).tolist()
        for name, into in (("seen", partial.seen), ("read", partial.read)):
            into[at:end] |= np.unpackbits(packed[name][byte:], count=end - at).astype(bool)
        moved = packed["gaps"][gap : gap + gaps].copy()
        moved["point"] += at
        partial.gaps.append(moved)
        byte, gap = byte + -(-(end - at) // 8), gap + gaps
    partial.found = [packed["found"]]
    return partial, start


def add_up(packed: Sequence[Packed], periods: int) -> Packed:
    """Add up what was packed of different points: cells by their name, all else one after another.

    periods : how many the day has.
    """
    together = {
        name: np.concatenate([np.empty((0, *shape[1:]), dtype), *(part[name] for part in packed)])
        for name, (dtype, shape) in like(periods).items()
    }
    for kind, names in (("full_cells", _FULL), ("part_cells", _PART)):
        place: dict[Any, int] = {}
        rows = [place.setdefault(words, len(place)) for words in together[kind].tolist()]
        for name in names:
            sums = np.zeros((len(place), *together[name].shape[1:]), np.int64)
            np.add.at(sums, rows, together[name])
            together[name] = sums
        together[kind] = np.array(list(place), _WORDS)
    return together


def to_bytes(packed: Packed) -> bytes:
    """Turn what was packed into bytes."""
    sink = pa.BufferOutputStream()
    columns = [_cell(values) for values in packed.values()]
    batch = pa.record_batch(columns, names=list(packed))
    with pa.ipc.new_file(sink, batch.schema, options=_OPTIONS) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _cell(values: npt.NDArray[Any]) -> pa.Array:
    """Make a column of one cell: whole numbers, in half the room where they fit; or bytes."""
    if values.dtype != np.int64:
        return pa.array([values.tobytes()], pa.large_binary())
    if values.size and _FITTING.min <= values.min() and values.max() <= _FITTING.max:
        values = values.astype(np.int32)
    ends = pa.array([0, values.size], pa.int64())
    return pa.LargeListArray.from_arrays(ends, pa.array(values.reshape(-1)))


def from_bytes(content: bytes, periods: int) -> Packed:
    """Turn bytes into what was packed.

    periods : how many the day has.
    """
    table = pa.ipc.open_file(pa.py_buffer(content)).read_all()
    packed: dict[str, npt.NDArray[Any]] = {}
    for name, (dtype, shape) in like(periods).items():
        cell = table[name].chunk(0)
        if dtype == np.int64:
            values = cell.values.to_numpy().astype(np.int64, copy=False)
        else:
            values = np.frombuffer(cell[0].as_buffer(), dtype)
        packed[name] = values.reshape(shape)
    return packed


def digest_of(day: Day) -> bytes:
    """Name all that wide() knows of the points of a day: the same, the same sums."""
    points = day.points
    connections = zip(*(of.tolist() for of in points.connections), strict=True)
    coded = (
        (np.array([_code(one) for one in words], np.int64), at)
        for words, at in ((points.cells, points.cell), (connections, points.connection))
    )
    digest = sha256(repr((day.day, _values(day), _layout(day.periods))).encode())
    for column in (
        points.number,
        points.state,
        points.with_infeed,
        points.annual,
        *(code[at] for code, at in coded),
    ):
        digest.update(np.ascontiguousarray(column).data)
    return digest.digest()


@lru_cache
def _layout(periods: int) -> str:
    return repr(like(periods))


@lru_cache(maxsize=1 << 16)
def _code(words: tuple[str | int, ...]) -> int:
    return int.from_bytes(sha256(repr(words).encode()).digest()[:8], signed=True)


def _values(day: Day) -> list[tuple[str, str]]:
    held = day.parameters
    return [(name, str(getattr(held, name))) for name in sorted(held.holding_since)]
