"""Every table that flows, declared once: column, type, unit, key, meaning.

Energy is int64 Wh. A missing value is null, never 0. Identifiers of grid areas (EAN-18) and parties
(GLN-13) are text; the accounting point is a whole number inside, because millions of them are
sorted and looked up, and is written with its 18 digits where people read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa


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


def _annual(name: str, what: str) -> Column:
    return Column(
        name,
        WH,
        "Wh",
        f"standard annual {what}; also as …_kwh; unknown where empty",
        required=False,
    )


REGISTER = Table(
    "register",
    "The register of accounting points, as at a market day and as known at a moment.",
    "NBNL register model; domain §4",
    (
        Column("accounting_point", pa.int64(), "EAN-18", "the unit of allocation", key=True),
        Column("grid_area", TEXT, "EAN-18", "where the point lies; allocation closes per area"),
        Column("brp", TEXT, "GLN-13", "balance responsible party"),
        Column("supplier", TEXT, "GLN-13", "supplier"),
        Column(
            "group",
            TEXT,
            "code",
            "allocation method: SMA PRF TMT DIM NVL",
            required=False,
            default="SMA",
        ),
        Column(
            "profile_category",
            TEXT,
            "code",
            "E1A E1B E1C E2A E2B E3A E3B E3C E3D E4A",
            required=False,
            default="E1A",
        ),
        Column(
            "consumption_type",
            TEXT,
            "code",
            "AMI offtake with infeed, AZI without; where absent: AMI when annual infeed is above 0",
            required=False,
        ),
        Column(
            "market_segment",
            TEXT,
            "code",
            "KVB up to 3x80 A, GVB above",
            required=False,
            default="KVB",
        ),
        Column(
            "capacity",
            TEXT,
            "phases x A",
            "capacity of the connection, 1x6 to 3x80",
            required=False,
            default="3x25",
        ),
        Column(
            "physical_status",
            TEXT,
            "code",
            "under_construction in_service out_of_service",
            required=False,
            default="in_service",
        ),
        Column(
            "remote_reading",
            pa.bool_(),
            "on/off",
            "off: the customer refused",
            required=False,
            default=True,
        ),
        Column(
            "remotely_readable",
            pa.bool_(),
            "true/false",
            "the meter can be read from afar",
            required=False,
            default=True,
        ),
        Column(
            "technically_readable",
            TEXT,
            "code",
            "true, false, or the reason why not: 39.1 to 39.6",
            required=False,
            default="true",
        ),
        Column(
            "consent",
            pa.bool_(),
            "true/false",
            "the customer agreed explicitly; needed on days before the legal ground holds",
            required=False,
            default=False,
        ),
        _annual("annual_offtake_normal_wh", "offtake, normal tariff"),
        _annual("annual_offtake_low_wh", "offtake, low tariff"),
        _annual("annual_infeed_normal_wh", "infeed, normal tariff"),
        _annual("annual_infeed_low_wh", "infeed, low tariff"),
        Column(
            "multiplier",
            pa.int32(),
            "1",
            "what a reading is multiplied by",
            required=False,
            default=1,
        ),
        Column(
            "digits",
            pa.int8(),
            "1",
            "whole-kWh digits of the meter's registers; unknown where empty: no roll-over is seen",
            required=False,
        ),
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
    ),
)

READINGS = Table(
    "readings",
    "Readings of registers, one row each, as delivered.",
    "DSMR 4.2.2 / SMR 5.0 profile 1.0.99.1.0.255; domain §5",
    (
        Column("accounting_point", pa.int64(), "EAN-18", "the point", key=True),
        Column("register", TEXT, "OBIS", "1.8.0 1.8.1 1.8.2 2.8.0 2.8.1 2.8.2", key=True),
        Column("read_at", MOMENT, "UTC", "the moment of the reading", key=True),
        Column("reading_wh", WH, "Wh", "what the register showed; also as reading_kwh"),
        Column("meter", TEXT, "text", "the meter, where an exchange matters", required=False),
        Column("status", pa.int32(), "bits", "AMR status, 0 where absent", required=False),
    ),
)

DAY_ROWS = Table(
    "day_rows",
    "One accounting point, one market day, one register: the readings at both ends of each period.",
    "design §2",
    (
        Column("accounting_point", pa.int64(), "EAN-18", "the point", key=True),
        Column("market_day", DAY, "local day", "the day", key=True),
        Column("register", TEXT, "OBIS", "the register", key=True),
        Column(
            "reading_wh",
            pa.list_(pa.int64()),
            "Wh",
            "93, 97 or 101 readings; null where not read",
        ),
        Column("meter", TEXT, "text", "the meter", key=True, required=False),
        Column(
            "status", pa.list_(pa.int32()), "bits", "AMR status of each reading", required=False
        ),
    ),
)

_CELL = (
    Column("grid_area", TEXT, "EAN-18", "the grid area", key=True),
    Column("brp", TEXT, "GLN-13", "balance responsible party", key=True),
    Column("supplier", TEXT, "GLN-13", "supplier", key=True),
    Column("group", TEXT, "code", "SMA, PRF", key=True),
    Column("direction", TEXT, "code", "E17 offtake, E18 infeed", key=True),
    Column("origin", TEXT, "code", "MSR measured, CLC calculated", key=True),
)

ALLOCATION = Table(
    "allocation",
    "Energy per quarter-hour, BRP, supplier, grid area, direction and origin.",
    "SD030 N111; domain §6",
    (
        Column("market_day", DAY, "local day", "the day", key=True),
        Column("position", pa.int32(), "1", "the period, 1 to 92, 96 or 100", key=True),
        Column("period_start", MOMENT, "UTC", "when the period starts"),
        *_CELL,
        Column("volume_wh", WH, "Wh", "energy of the period"),
        Column("points", pa.int64(), "1", "accounting points behind it in that period"),
    ),
)

FINDINGS = Table(
    "findings",
    "What was doubtful.",
    "domain §5",
    (
        Column("market_day", DAY, "local day", "the day", key=True),
        Column("grid_area", TEXT, "EAN-18", "the grid area; empty where not known", key=True),
        Column("rule", TEXT, "name", "the rule that found it", key=True),
        Column("severity", TEXT, "code", "info, warning, error"),
        Column("accounting_point", pa.int64(), "EAN-18", "the point", key=True),
        Column("register", TEXT, "OBIS", "the register, or the direction, where one", key=True),
        Column("first_period", pa.int32(), "1", "first period touched; 0: none", key=True),
        Column("last_period", pa.int32(), "1", "last period touched", key=True),
        Column("observed", pa.int64(), "by rule", "what was seen"),
        Column("limit", pa.int64(), "by rule", "what it was held against"),
        Column("rows", pa.int64(), "1", "delivered rows that were not kept for it"),
    ),
)

COVERAGE = Table(
    "coverage",
    "How much of each series was measured, and how the rest was made.",
    "domain §6",
    (
        Column("market_day", DAY, "local day", "the day", key=True),
        *_CELL,
        Column("method", TEXT, "code", "CMR GMR NCD; empty where measured", key=True),
        Column("status", TEXT, "code", "DYN FBR FBL STD: where the shape came from", key=True),
        Column("points", pa.int64(), "1", "points with at least one such period"),
        Column("periods", pa.int64(), "1", "such periods, summed over the points"),
        Column("volume_wh", WH, "Wh", "energy; empty for PRF, which this run does not allocate"),
    ),
)

TABLES = (REGISTER, READINGS, DAY_ROWS, ALLOCATION, FINDINGS, COVERAGE)
