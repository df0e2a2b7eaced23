"""The door for imbalance prices: files → the prices table.

Two forms, told apart by their header: the columns of the table, and those of the settlement prices
that the TSO publishes, whose periods are numbered within the local day.

Source: TenneT, public export of settlement prices; IPS; domain §9; decisions §39.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from kwartier import periods, tables
from kwartier.adapters.files.cells import NAME, Kind, Whole, array_of, numbers_of, token
from kwartier.adapters.files.columns import Batch, Column
from kwartier.adapters.files.date_cells import Moment
from kwartier.adapters.files.dated import columns_of, read_recorded
from kwartier.adapters.files.price_cells import Price
from kwartier.adapters.files.programmes import off_quarter
from kwartier.adapters.files.sources import UNPACKED_BYTES, column_names

_STATE = Whole("a regulation state from -1 to 2", -1, 2, pa.int8())
_KINDS: dict[str, Kind] = {
    **{c.name: Price() for c in tables.PRICES.columns if c.type == tables.PRICE},
    "period_start": Moment(),
    "regulation_state": _STATE,
    "recorded_at": Moment(),
}
COLUMNS = list(columns_of(tables.PRICES, _KINDS))

_START, _NUMBER = "Timeinterval Start Loc", "Isp"
# Of the publication: what each column gives. What gives nothing of ours is read, and let go.
PUBLISHED = [
    Column(_START, Moment(local=True), "local_start", required=True),
    Column("Timeinterval End Loc", Moment(local=True), "local_end"),
    Column(_NUMBER, Whole("a whole number from 1", 1, 100, pa.int32()), "position", required=True),
    Column("Currency Unit Name", token(("EUR",)), "currency"),
    Column("Price Measurement Unit Name", token(("MWH", "MWh")), "unit"),
    Column("Incident Reserve Up", NAME, "reserve_up", empty=True),
    Column("Incident Reserve Down", NAME, "reserve_down", empty=True),
    Column("Price Dispatch Up", Price(), "price_up_eur_per_mwh", empty=True),
    Column("Price Dispatch Down", Price(), "price_down_eur_per_mwh", empty=True),
    Column("Price Shortage", Price(), "price_short_eur_per_mwh", required=True, empty=True),
    Column("Price Surplus", Price(), "price_long_eur_per_mwh", required=True, empty=True),
    Column("Regulation State", _STATE, "regulation_state", empty=True),
    Column("Regulating Condition", NAME, "condition", empty=True),
]


def read_prices(
    paths: Sequence[Path | str], recorded_at: datetime, unpacked_bytes: int = UNPACKED_BYTES
) -> pa.Table:
    """Read imbalance prices.

    Parameters
    ----------
    paths : CSV (.csv, .csv.gz, .csv.zst) or Parquet files, of either form.
    recorded_at : when the files are taken in, for rows that do not say when they became known.
    unpacked_bytes : a file that unpacks to more is refused.

    Returns
    -------
    prices : `tables.PRICES`, in the order of the files; a row stated twice is there once.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them may be kept.
    """
    return read_recorded(
        paths,
        tables.PRICES,
        lambda path: PUBLISHED if _START in column_names(path) else COLUMNS,
        recorded_at,
        unpacked_bytes,
        once="one row for a period and recorded_at",
        fills={"period_start": _numbered},
        checks=[_beyond_the_day, off_quarter],
    )


def _numbered(batch: Batch) -> pa.Array:
    """Give the start of periods that are numbered in a local day; null beyond its end.

    The local clock shows two periods of the autumn day alike, so that only its date is used.
    """
    if "position" not in batch.values:
        return pa.nulls(batch.rows, tables.MOMENT)
    clock, _ = numbers_of(batch.values["local_start"])
    position, _ = numbers_of(batch.values["position"])
    start, beyond = np.zeros(batch.rows, np.int64), np.zeros(batch.rows, bool)
    number = clock // 86_400
    for day in np.unique(number).tolist():
        mine, on = number == day, periods.day_of_number(day)
        start[mine] = periods.day_start(on) + periods.SECONDS * (position[mine] - 1)
        beyond[mine] = position[mine] > periods.count(on)
    return array_of(start, beyond, pa.int64()).cast(tables.MOMENT)


def _beyond_the_day(part: pa.Table) -> tuple[str, str, str, pa.ChunkedArray]:
    return _NUMBER, "a period of that day", "a higher number", part["period_start"].is_null()
