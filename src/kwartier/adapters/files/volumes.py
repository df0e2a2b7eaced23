"""The door for quarter volumes: files → batches of volumes.

Source: SD030 N101, N131; domain §8.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, tables
from kwartier.adapters.files.cells import EAN, WH, KilowattHours, Word, token
from kwartier.adapters.files.columns import Batch, Column, Troubles
from kwartier.adapters.files.date_cells import Moment
from kwartier.adapters.files.readings import DOOR_RULES, PLACE, place_of
from kwartier.adapters.files.sources import UNPACKED_BYTES, batches

_NO_VALUE = DOOR_RULES.index("no_value")

VOLUME_BATCH = pa.schema(
    [
        pa.field("accounting_point", pa.int64()),
        pa.field("direction", pa.int8()),  # index in codes.DIRECTIONS
        pa.field("period_start", pa.int64()),  # seconds since 1970, UTC
        pa.field("volume_wh", pa.int64()),
        # What the volume says of itself, counted as in arrays.Delivered; 0 is none.
        pa.field("origin", pa.int8()),
        pa.field("validation_status", pa.int8()),
        pa.field("method", pa.int8()),
        *PLACE,
    ]
)


def _said(words: Sequence[str]) -> Word:
    return token({word: number for number, word in enumerate(words, 1)}, pa.int8())


COLUMNS = [
    Column("accounting_point", EAN, "accounting_point", required=True),
    Column(
        "direction",
        token({word: number for number, word in enumerate(codes.DIRECTIONS)}, pa.int8()),
        "direction",
        required=True,
    ),
    Column("period_start", Moment(), "period_start", required=True),
    Column("volume_wh", WH, "volume_wh", required=True, empty=True),
    Column("volume_kwh", KilowattHours(), "volume_wh", required=True, empty=True),
    Column("origin", _said(codes.DELIVERED_ORIGINS), "origin"),
    Column("validation_status", _said(codes.VALIDATION_STATUSES), "validation_status", empty=True),
    Column("method", _said(codes.METHODS), "method", empty=True),
]
_DEFAULT_ORIGIN = next(c.default for c in tables.VOLUMES.columns if c.name == "origin")
_ABSENT = {"origin": codes.DELIVERED_ORIGINS.index(_DEFAULT_ORIGIN) + 1}


def read_volumes(
    paths: Sequence[Path | str], unpacked_bytes: int = UNPACKED_BYTES
) -> Iterator[pa.RecordBatch]:
    """Read quarter volumes, batch after batch; memory does not grow with the files.

    Keep nothing until the last batch has come: a file can turn out broken at its end, and then no
    row of any of the files counts. Every row comes in exactly one batch.

    Parameters
    ----------
    paths : CSV (.csv, .csv.gz, .csv.zst) or Parquet files.
    unpacked_bytes : a file that unpacks to more is refused.

    Yields
    ------
    batch : of the schema VOLUME_BATCH. `rule` is 0, or the index in DOOR_RULES of what is doubtful
        about the row, which then must not be kept.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them may be kept.
    """
    troubles = Troubles()
    for number, path in enumerate(map(Path, paths)):
        for batch in batches(path, COLUMNS, troubles, unpacked_bytes):
            if not troubles.count:
                yield _volumes(batch, number)
    troubles.refuse()


def _volumes(batch: Batch, number: int) -> pa.RecordBatch:
    values = batch.values
    arrays = []
    for field in list(VOLUME_BATCH)[: -len(PLACE)]:
        array = values.get(field.name, pa.nulls(batch.rows, field.type))
        if field.type == pa.int8() and array.null_count:
            array = pc.fill_null(array, pa.scalar(_ABSENT.get(field.name, 0), pa.int8()))
        arrays.append(array)
    empty = values["volume_wh"].is_null().to_numpy(zero_copy_only=False)
    rule = np.where(empty, np.int8(_NO_VALUE), np.int8(0))
    arrays += place_of(batch, number, rule)
    return pa.RecordBatch.from_arrays(arrays, schema=VOLUME_BATCH)
