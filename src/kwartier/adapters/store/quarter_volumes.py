"""Quarter volumes as they are kept: one row a point and direction for the day, as delivered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes
from kwartier.arrays import NOT_READ, Delivered

# What a volume says of itself counts as in `arrays.Delivered`, 0 where nothing came.
_SAID = pa.list_(pa.int8())
SCHEMA = pa.schema(
    [
        pa.field("accounting_point", pa.int64(), nullable=False),
        pa.field("direction", pa.string(), nullable=False),
        pa.field("volume_wh", pa.list_(pa.int64()), nullable=False),
        pa.field("origin", _SAID, nullable=False),
        pa.field("validation_status", _SAID, nullable=False),
        pa.field("method", _SAID, nullable=False),
    ]
)


def table(rows: Delivered) -> pa.Table:
    """Make the table that is written."""
    count, periods = rows.volume.shape
    offsets = pa.array(np.arange(0, count * periods + 1, periods, dtype=np.int32))
    volume = rows.volume.reshape(-1)
    values = [
        pa.array(volume, mask=volume == NOT_READ),
        *(pa.array(said.reshape(-1)) for said in (rows.origin, rows.validation, rows.method)),
    ]
    return pa.table(
        [
            pa.array(rows.number),
            pa.array(codes.DIRECTIONS).take(pa.array(rows.direction)),
            *(pa.ListArray.from_arrays(offsets, value) for value in values),
        ],
        schema=SCHEMA,
    )


def rows(kept: pa.Table) -> Delivered:
    """Make the rows of a table that was read."""
    index = pa.array(codes.DIRECTIONS)
    volume, origin, validation, method = (
        _matrix(kept[name]) for name in ("volume_wh", "origin", "validation_status", "method")
    )
    return Delivered(
        kept["accounting_point"].to_numpy(),
        pc.index_in(kept["direction"], index).to_numpy().astype(np.int64),
        volume,
        origin,
        validation,
        method,
    )


def _matrix(column: pa.ChunkedArray) -> npt.NDArray[np.signedinteger]:
    values = column.combine_chunks().flatten()
    if values.null_count:
        values = values.fill_null(pa.scalar(int(NOT_READ), values.type))
    return np.asarray(values.to_numpy().reshape(len(column), -1))


def merged(layers: Sequence[Delivered], periods: int) -> Delivered:
    """Lay deliveries over each other, the newest last: of each period the last volume counts."""
    # An EAN-18 and a direction fit in 64 bits together.
    keys = [layer.number * 2 + layer.direction for layer in layers]
    key = np.unique(np.concatenate([np.empty(0, np.int64), *keys]))
    shape = (len(key), periods)
    volume = np.full(shape, NOT_READ)
    origin, validation, method = (np.zeros(shape, np.int8) for _ in range(3))
    for mine, layer in zip(keys, layers, strict=True):
        at, period = np.nonzero(layer.volume != NOT_READ)
        place = np.searchsorted(key, mine)[at]
        for whole, part in (
            (volume, layer.volume),
            (origin, layer.origin),
            (validation, layer.validation),
            (method, layer.method),
        ):
            whole[place, period] = part[at, period]
    return Delivered(key // 2, key % 2, volume, origin, validation, method)
