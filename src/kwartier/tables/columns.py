"""What a table is, and the columns that several of them have."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from kwartier import periods


@dataclass(frozen=True)
class Column:
    """A column of a table; `default` is what a file door fills in where the column is absent."""

    name: str
    type: pa.DataType
    unit: str
    meaning: str
    key: bool = False
    required: bool = True
    default: Any = None


@dataclass(frozen=True)
class Table:
    """A table that flows."""

    name: str
    meaning: str
    source: str
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        return pa.schema([pa.field(c.name, c.type) for c in self.columns])

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [c.name for c in self.columns]

    def empty(self) -> pa.Table:
        """Make the table without rows."""
        return self.schema.empty_table()


TEXT = pa.string()
WH = pa.int64()
MOMENT = pa.timestamp("s", "UTC")
DAY = pa.date32()
# Money is decimal: EUR/MWh to 5 decimals, so an amount, Wh × price, needs 11 and no rounding.
PRICE = pa.decimal128(14, 5)
AMOUNT = pa.decimal128(30, 11)
EUR = pa.decimal128(18, 2)
PRICED = "EUR/MWh"

VALIDITY = (
    Column("valid_from", DAY, "local day", "first day on which the row holds", key=True),
    Column(
        "valid_to",
        DAY,
        "local day",
        "first day on which it no longer does; empty: open",
        required=False,
    ),
    Column(
        "recorded_at",
        MOMENT,
        "UTC",
        "when this became known; where absent: when it was taken in",
        key=True,
        required=False,
    ),
)
PERIOD = (
    Column("market_day", DAY, "local day", "the day", key=True),
    Column("position", pa.int32(), "1", "the period, 1 to 92, 96 or 100", key=True),
    Column("period_start", MOMENT, "UTC", "when the period starts"),
)
AREA = Column("grid_area", TEXT, "EAN-18", "the grid area", key=True)
PARTY = (
    Column("brp", TEXT, "GLN-13", "balance responsible party", key=True),
    Column("supplier", TEXT, "GLN-13", "supplier", key=True),
    Column("group", TEXT, "code", "SMA PRF TMT DIM NVL", key=True),
)
DIRECTION = Column("direction", TEXT, "code", "E17 offtake, E18 infeed", key=True)
ORIGIN = Column("origin", TEXT, "code", "MSR CLC, of telemetry also UMS NMS", key=True)


def period_columns(day: date, series: int) -> dict[str, pa.Array]:
    """Give the columns that name the periods of a day, for some series one after another."""
    n = periods.count(day)
    days = np.full(series * n, periods.number(day), np.int32)
    starts = pa.array(np.tile(periods.starts(day), series))
    return {
        "market_day": pa.array(days).cast(DAY),
        "position": pa.array(np.tile(np.arange(1, n + 1, dtype=np.int32), series)),
        "period_start": starts.cast(MOMENT),
    }
