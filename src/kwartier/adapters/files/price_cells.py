"""Cells of prices, judged whole columns at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import tables
from kwartier.adapters.files.cells import Judged, array_of, cast_each, marked, scaled

_WHOLE = pa.decimal128(19, 0)
_MOST = 10**tables.PRICE.precision


@dataclass(frozen=True)
class Price:
    """A price in EUR/MWh of at most 5 decimals, of any sign; stays an exact decimal."""

    expected: str = "EUR/MWh, with a decimal point and at most 5 decimals"

    csv_type = tables.PRICE
    patterns = (
        (r"^[ \t]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[ \t]*$", "not a number"),
        (r"^[^.]*(\.[0-9]{0,5}0*)?[ \t]*$", "more than 5 decimals"),
    )

    def judge(self, array: pa.Array) -> Judged:
        """Judge decimals; pyarrow reads more digits than their type has room for."""
        # Both halves of each 128-bit count; the upper one only holds the sign.
        halves = np.frombuffer(array.buffers()[1] or b"", np.int64)
        halves = halves[2 * array.offset : 2 * (array.offset + len(array))].reshape(-1, 2)
        null = array.is_null().to_numpy(zero_copy_only=False)
        counts = np.where(null, 0, halves[:, 0])
        large = ((halves[:, 1] != halves[:, 0] >> 63) | (np.abs(counts) >= _MOST)) & ~null
        if not large.any():
            return array, []
        return pc.if_else(pa.array(large), pa.scalar(None, array.type), array), [
            (large, "too large")
        ]

    def native(self, array: pa.Array) -> Judged | None:
        """Judge decimals and whole numbers; floats that stand for at most 5 decimals."""
        if pa.types.is_floating(array.type):
            counts, bad, null = scaled(array, 10**tables.PRICE.scale)
            large = (np.abs(counts) >= _MOST) & ~bad
            whole = array_of(np.where(large, 0, counts), null | bad | large, pa.int64())
            # The same digits, of which the last five are now decimals.
            data = whole.cast(_WHOLE).buffers()
            values = pa.Array.from_buffers(tables.PRICE, len(array), data)
            found = [(bad & ~null, "not a number of at most 5 decimals"), (large, "too large")]
            return values, marked(found)
        if pa.types.is_integer(array.type):
            array = array.cast(pa.int64()).cast(_WHOLE)
        if not pa.types.is_decimal(array.type):
            return None
        values = cast_each(array, tables.PRICE)
        wrong = pc.and_(values.is_null(), array.is_valid()).to_numpy(zero_copy_only=False)
        return values, marked([(wrong, "more than 5 decimals, or too large")])
