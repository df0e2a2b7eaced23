"""The door for the register of accounting points: files → the register table.

Source: NBNL register model; domain §4.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, tables
from kwartier.adapters.files.cells import (
    EAN,
    NAME,
    WH,
    KilowattHours,
    Kind,
    Whole,
    identifier,
    token,
)
from kwartier.adapters.files.columns import Batch, Column
from kwartier.adapters.files.dated import VALIDITY, columns_of, read_dated
from kwartier.adapters.files.sources import UNPACKED_BYTES

_TRUTH = token({"true": True, "false": False}, pa.bool_())
# With MOST_WH for a reading the product still fits in 64 bits.
_MOST_MULTIPLIER = 100_000
_MOST_DIGITS = 12

_KINDS: dict[str, Kind] = {
    "accounting_point": EAN,
    "grid_area": identifier("an EAN", codes.EAN_DIGITS),
    "brp": identifier("a GLN", codes.GLN_DIGITS),
    "supplier": identifier("a GLN", codes.GLN_DIGITS),
    "group": token(codes.GROUPS),
    "profile_category": token(codes.PROFILE_CATEGORIES),
    "consumption_type": token(codes.CONSUMPTION_TYPES),
    "market_segment": token(codes.MARKET_SEGMENTS),
    "capacity": token(tuple(codes.CAPACITIES)),
    "physical_status": token(codes.PHYSICAL_STATUSES),
    "remote_reading": token({"on": True, "off": False}, pa.bool_()),
    "remotely_readable": _TRUTH,
    "technically_readable": token(("true", "false", *codes.UNREADABLE_REASONS)),
    "consent": _TRUTH,
    "multiplier": Whole(
        f"a whole number from 1 to {_MOST_MULTIPLIER}", 1, _MOST_MULTIPLIER, pa.int32()
    ),
    "digits": Whole(f"a whole number from 1 to {_MOST_DIGITS}", 1, _MOST_DIGITS, pa.int8()),
    "loss_type": token(codes.LOSS_TYPES),
    "dimensioned_profile": NAME,
    "holder": NAME,
    **VALIDITY,
}


def _columns() -> list[Column]:
    columns = []
    annual = {name: WH for name in tables.REGISTER.names if name.endswith("_wh")}
    for column in columns_of(tables.REGISTER, {**_KINDS, **annual}):
        columns.append(column)
        if column.name in annual:
            kwh = column.name[:-2] + "kwh"
            columns.append(Column(kwh, KilowattHours(), column.name, empty=column.empty))
    return columns


COLUMNS = _columns()


def read_register(
    paths: Sequence[Path | str], recorded_at: datetime, unpacked_bytes: int = UNPACKED_BYTES
) -> pa.Table:
    """Read the register of accounting points.

    Parameters
    ----------
    paths : CSV (.csv, .csv.gz, .csv.zst) or Parquet files.
    recorded_at : when the files are taken in, for rows that do not say when they became known.
    unpacked_bytes : a file that unpacks to more is refused.

    Returns
    -------
    register : `tables.REGISTER`, in the order of the files; a row stated twice is there once.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them may be kept.
    """
    return read_dated(
        paths,
        tables.REGISTER,
        COLUMNS,
        recorded_at,
        unpacked_bytes,
        subject="point",
        fills={"consumption_type": _consumption_type},
    )


def _consumption_type(batch: Batch) -> pa.Array:
    """A point with annual infeed is one with infeed."""
    infeed = np.zeros(batch.rows, np.int64)
    for name in ("annual_infeed_normal_wh", "annual_infeed_low_wh"):
        if name in batch.values:
            infeed += batch.values[name].fill_null(0).to_numpy(zero_copy_only=False)
    return pc.if_else(pa.array(infeed > 0), codes.WITH_INFEED, codes.WITHOUT_INFEED)
