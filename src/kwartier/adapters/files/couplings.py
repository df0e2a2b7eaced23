"""The door for the couplings of grid areas: files → the couplings table.

Source: domain §2 (netkoppeling), §6.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, tables
from kwartier.adapters.files.cells import EAN, identifier
from kwartier.adapters.files.dated import VALIDITY, columns_of, read_dated
from kwartier.adapters.files.sources import UNPACKED_BYTES

_AREA = identifier("an EAN", codes.EAN_DIGITS)
COLUMNS = list(
    columns_of(
        tables.COUPLINGS,
        {"coupling": EAN, "grid_area": _AREA, "other_grid_area": _AREA, **VALIDITY},
    )
)


def read_couplings(
    paths: Sequence[Path | str], recorded_at: datetime, unpacked_bytes: int = UNPACKED_BYTES
) -> pa.Table:
    """Read the couplings of grid areas.

    Parameters
    ----------
    paths : CSV (.csv, .csv.gz, .csv.zst) or Parquet files.
    recorded_at : when the files are taken in, for rows that do not say when they became known.
    unpacked_bytes : a file that unpacks to more is refused.

    Returns
    -------
    couplings : `tables.COUPLINGS`, in the order of the files; a row stated twice is there once.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them may be kept.
    """
    return read_dated(
        paths,
        tables.COUPLINGS,
        COLUMNS,
        recorded_at,
        unpacked_bytes,
        subject="coupling",
        checks=[_couples_itself],
    )


def _couples_itself(part: pa.Table) -> tuple[str, str, str, pa.ChunkedArray]:
    same = pc.equal(part["grid_area"], part["other_grid_area"])
    return "other_grid_area", "another area than grid_area", "the same", same
