"""What blocks of points add up to, packed for another run of the day, or another machine.

A packed partial names cells and points by themselves, not by their place in an area, so it holds
for every run in which the block, the points in it and the parameters are the same. Source:
decisions §25.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.ipc

from kwartier import findings
from kwartier.arrays import GAP, Cell
from kwartier.pipeline.wide import Day, Partial

Packed = Mapping[str, npt.NDArray[Any]]
_SUMS = ("full_volume", "full_points", "full_annual", "part_volume", "part_points", "part_any")
_WORDS = np.dtype([(name, "U13") for name in Cell._fields])
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


def like(periods: int) -> Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Give the type and shape of what is packed, -1 where a length varies."""
    whole = np.dtype(np.int64)
    shapes = {"volume": (-1, 2, periods), "points": (-1, 2), "annual": (-1, 2), "any": (-1, 2)}
    sums = {name: (whole, shapes[name.split("_")[1]]) for name in _SUMS}
    return {
        "cells": (_WORDS, (-1,)),
        **sums,
        "part_points": (whole, (-1, 2, periods)),
        "seen": (whole, (-1,)),
        "read": (whole, (-1,)),
        "gaps": (GAP, (-1,)),
        "found": (findings.RECORD, (-1,)),
    }


def pack(day: Day, partial: Partial) -> Packed:
    """Pack what some points of a day add up to: only the cells and points that are in it."""
    points = day.points
    used = np.nonzero((partial.full_points + partial.part_any).any(axis=1))[0]
    gaps = np.concatenate([np.empty(0, GAP), *partial.gaps])
    gaps["point"] = points.number[gaps["point"]]
    return {
        "cells": np.array([points.cells[c] for c in used.tolist()], _WORDS),
        **{name: getattr(partial, name)[used] for name in _SUMS},
        "seen": points.number[partial.seen],
        "read": points.number[partial.read],
        "gaps": gaps,
        "found": np.concatenate([np.empty(0, findings.RECORD), *partial.found]),
    }


def unpack(day: Day, packed: Packed) -> Partial:
    """Give what was packed as a partial of an area and day that has its cells and points."""
    points = day.points
    partial = Partial.nothing(day)
    place = {cell: i for i, cell in enumerate(points.cells)}
    cells = np.array([place[Cell(*words)] for words in packed["cells"].tolist()], np.int64)
    for name in _SUMS:
        getattr(partial, name)[cells] = packed[name]
    for name in ("seen", "read"):
        getattr(partial, name)[np.searchsorted(points.number, packed[name])] = True
    gaps = packed["gaps"].copy()
    gaps["point"] = np.searchsorted(points.number, gaps["point"])
    partial.gaps, partial.found = [gaps], [packed["found"]]
    return partial


def add_up(packed: Sequence[Packed], periods: int) -> Packed:
    """Add up what was packed of different points: cells by their name, all else one after another.

    periods : how many the day has.
    """
    together = {
        name: np.concatenate([np.empty((0, *shape[1:]), dtype), *(part[name] for part in packed)])
        for name, (dtype, shape) in like(periods).items()
    }
    place: dict[Any, int] = {}
    rows = [place.setdefault(words, len(place)) for words in together["cells"].tolist()]
    for name in _SUMS:
        sums = np.zeros((len(place), *together[name].shape[1:]), np.int64)
        np.add.at(sums, rows, together[name])
        together[name] = sums
    together["cells"] = np.array(list(place), _WORDS)
    return together


def to_bytes(packed: Packed) -> bytes:
    """Turn what was packed into bytes."""
    sink = pa.BufferOutputStream()
    columns = [pa.array([np.ascontiguousarray(a).tobytes()], pa.binary()) for a in packed.values()]
    batch = pa.record_batch(columns, names=list(packed))
    with pa.ipc.new_file(sink, batch.schema, options=_OPTIONS) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def from_bytes(content: bytes, periods: int) -> Packed:
    """Turn bytes into what was packed.

    periods : how many the day has.
    """
    table = pa.ipc.open_file(pa.py_buffer(content)).read_all()
    return {
        name: np.frombuffer(table[name][0].as_py(), dtype).reshape(shape)
        for name, (dtype, shape) in like(periods).items()
    }


def digest_of(day: Day, first: int, last: int) -> bytes:
    """Name all that wide() knows of the points from one number to another: the same, the same sums.

    Parameters
    ----------
    first, last : the numbers of the lowest and the highest point.
    """
    points = day.points
    part = slice(*np.searchsorted(points.number, [first, last + 1]).tolist())
    cells = np.array([_code(cell) for cell in points.cells], np.int64)
    digest = blake2b(repr((day.day, _values(day))).encode(), digest_size=16)
    for column in (
        points.number,
        points.state,
        points.limit,
        points.multiplier,
        points.rolls_at,
        points.with_infeed,
        points.annual,
    ):
        digest.update(np.ascontiguousarray(column[part]).tobytes())
    digest.update(cells[points.cell[part]].tobytes() if len(cells) else b"")
    return digest.digest()


def _code(cell: Cell) -> int:
    return int.from_bytes(blake2b(repr(cell).encode(), digest_size=8).digest(), signed=True)


def _values(day: Day) -> list[tuple[str, str]]:
    held = day.parameters
    return [(name, str(getattr(held, name))) for name in sorted(held.holding_since)]
