"""The door for programmes of balance responsible parties: files → the programmes table.

Source: domain §9; decisions §39.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, periods, tables
from kwartier.adapters.files.cells import MOST_WH, KilowattHours, Whole, identifier
from kwartier.adapters.files.columns import Column
from kwartier.adapters.files.date_cells import Moment
from kwartier.adapters.files.dated import columns_of, read_recorded
from kwartier.adapters.files.sources import UNPACKED_BYTES

_PARTY = identifier("a GLN", codes.GLN_DIGITS)
COLUMNS = [
    *columns_of(
        tables.PROGRAMMES,
        {
            "brp": _PARTY,
            "period_start": Moment(),
            "counterparty": _PARTY,
            "position_wh": Whole("whole Wh", -MOST_WH, MOST_WH, pa.int64()),
            "version": Whole("a whole number from 1", 1, 999, pa.int32()),
            "recorded_at": Moment(),
        },
    ),
    Column(
        "position_kwh",
        KilowattHours("kWh, with a decimal point and at most 3 decimals", signed=True),
        "position_wh",
        required=True,
    ),
]


def read_programmes(
    paths: Sequence[Path | str], recorded_at: datetime, unpacked_bytes: int = UNPACKED_BYTES
) -> pa.Table:
    """Read programmes of balance responsible parties.

    Parameters
    ----------
    paths : CSV (.csv, .csv.gz, .csv.zst) or Parquet files.
    recorded_at : when the files are taken in, for rows that do not say when they became known.
    unpacked_bytes : a file that unpacks to more is refused.

    Returns
    -------
    programmes : `tables.PROGRAMMES`, in the order of the files; a row stated twice is there once.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them may be kept.
    """
    return read_recorded(
        paths,
        tables.PROGRAMMES,
        lambda path: COLUMNS,
        recorded_at,
        unpacked_bytes,
        once="one row for a brp, period, counterparty, version and recorded_at",
        checks=[off_quarter, _trades_with_itself],
    )


def off_quarter(part: pa.Table) -> tuple[str, str, str, pa.ChunkedArray]:
    """Find periods that do not start on the quarter-hour."""
    start = part["period_start"].cast(pa.int64())
    quarters = pc.multiply(pc.divide(start, periods.SECONDS), periods.SECONDS)
    off = pc.not_equal(start, quarters)
    return "period_start", "a start on the quarter-hour", "another moment", off


def _trades_with_itself(part: pa.Table) -> tuple[str, str, str, pa.ChunkedArray]:
    same = pc.equal(part["brp"], part["counterparty"])
    return "counterparty", "another party than brp", "the same", same
