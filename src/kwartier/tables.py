"""Every table that flows, declared once: column, type, unit, key, meaning.

Energy is int64 Wh. A missing value is null, never 0. Identifiers of grid areas (EAN-18) and parties
(GLN-13) are text; the accounting point is a whole number inside, because millions of them are
sorted and looked up, and is written with its 18 digits where people read it.
"""

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


def _annual(name: str, what: str) -> Column:
    return Column(
        name,
        WH,
        "Wh",
        f"standard annual {what}; also as …_kwh; unknown where empty",
        required=False,
    )


_VALIDITY = (
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
        Column(
            "loss_type",
            TEXT,
            "code",
            "of a point of group NVL: the kind of grid loss, NVB TVB OVB NVL; empty: NVL",
            required=False,
        ),
        Column(
            "dimensioned_profile",
            TEXT,
            "name",
            "of a point of group DIM: the profile its annual volume is spread by; empty: the "
            "standard fractions of its profile category",
            required=False,
        ),
        Column(
            "holder",
            TEXT,
            "pseudonym",
            "who holds the point; points of one holder count as one where small cells are looked "
            "for; empty: a holder of its own",
            required=False,
        ),
        *_VALIDITY,
    ),
)

COUPLINGS = Table(
    "couplings",
    "The couplings of grid areas: where metered energy passes from one area to another.",
    "domain §2 (netkoppeling), §6",
    (
        Column("coupling", pa.int64(), "EAN-18", "the coupling", key=True),
        Column("grid_area", TEXT, "EAN-18", "the area from which its volumes are seen"),
        Column(
            "other_grid_area",
            TEXT,
            "EAN-18",
            "the area at the other side; empty: the national grid",
            required=False,
        ),
        *_VALIDITY,
    ),
)

VOLUMES = Table(
    "volumes",
    "Quarter volumes as delivered: of telemetry and grid loss points, and of couplings.",
    "SD030 N101, N131; domain §6, §8",
    (
        Column("accounting_point", pa.int64(), "EAN-18", "the point, or the coupling", key=True),
        Column(
            "direction",
            TEXT,
            "code",
            "E17 out of the grid area, E18 into it; of a coupling as its grid_area sees it",
            key=True,
        ),
        Column("period_start", MOMENT, "UTC", "when the period starts", key=True),
        Column("volume_wh", WH, "Wh", "energy of the period; also as volume_kwh"),
        Column(
            "origin",
            TEXT,
            "code",
            "MSR measured, CLC calculated, UMS unmeasured, NMS not metered",
            required=False,
            default="MSR",
        ),
        Column(
            "validation_status",
            TEXT,
            "code",
            "VLD validated, NVD not; may be empty",
            required=False,
        ),
        Column("method", TEXT, "code", "repair method CMR GMR NCD; may be empty", required=False),
    ),
)

STANDARD_FRACTIONS = Table(
    "standard_fractions",
    "Fractions that were loaded: the market's standard profiles, and dimensioned profiles.",
    "SD030 N151 (status STD); domain §6",
    (
        Column("profile", TEXT, "name", "profile category, or a dimensioned profile", key=True),
        Column(
            "consumption_type", TEXT, "code", "AMI or AZI; empty: both", key=True, required=False
        ),
        Column("direction", TEXT, "code", "E17 offtake, E18 infeed", key=True),
        Column("market_day", DAY, "local day", "the day", key=True),
        Column(
            "fraction",
            pa.list_(pa.int64()),
            "1e-8",
            "of the annual volume in each of the day's 92, 96 or 100 periods",
        ),
        Column(
            "by_tariff",
            pa.bool_(),
            "true/false",
            "true: of the annual volume of the period's own tariff, so that a year sums to 2",
        ),
    ),
)

_RECORDED = next(column for column in _VALIDITY if column.name == "recorded_at")
_PRICED = "EUR/MWh"

PROGRAMMES = Table(
    "programmes",
    "The programmes of balance responsible parties: what each plans to bring in, net.",
    "Netcode (E-programma); ENTSO-E 451-2; domain §9",
    (
        Column("brp", TEXT, "GLN-13", "balance responsible party", key=True),
        Column("period_start", MOMENT, "UTC", "when the period starts", key=True),
        Column(
            "counterparty",
            TEXT,
            "GLN-13",
            "the party of a trade; empty: the net position",
            key=True,
            required=False,
        ),
        Column(
            "position_wh",
            WH,
            "Wh",
            "net position: planned infeed less offtake; of a trade: sold to the counterparty, "
            "below 0 bought of it; also as position_kwh",
        ),
        Column(
            "version",
            pa.int32(),
            "1",
            "of the programme of a day; the highest counts, whole",
            key=True,
            required=False,
            default=1,
        ),
        _RECORDED,
    ),
)

PRICES = Table(
    "prices",
    "Imbalance prices: settled ones, or the regulation state with its component prices.",
    "IPS; ENTSO-E 451-6; domain §9",
    (
        Column("period_start", MOMENT, "UTC", "when the period starts", key=True),
        Column(
            "regulation_state",
            pa.int8(),
            "code",
            "0 none, 1 up only, -1 down only, 2 both",
            required=False,
        ),
        Column("price_up_eur_per_mwh", PRICE, _PRICED, "of upward regulation", required=False),
        Column("price_down_eur_per_mwh", PRICE, _PRICED, "of downward regulation", required=False),
        Column(
            "price_mid_eur_per_mwh",
            PRICE,
            _PRICED,
            "middle of the lowest upward and the highest downward bid",
            required=False,
        ),
        Column(
            "price_long_eur_per_mwh",
            PRICE,
            _PRICED,
            "settled: what a surplus is paid; where absent: by the state and the component prices",
            required=False,
        ),
        Column(
            "price_short_eur_per_mwh",
            PRICE,
            _PRICED,
            "settled: what a shortage pays; where absent: by the state and the component prices",
            required=False,
        ),
        _RECORDED,
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

_PERIOD = (
    Column("market_day", DAY, "local day", "the day", key=True),
    Column("position", pa.int32(), "1", "the period, 1 to 92, 96 or 100", key=True),
    Column("period_start", MOMENT, "UTC", "when the period starts"),
)
_AREA = Column("grid_area", TEXT, "EAN-18", "the grid area", key=True)
_PARTY = (
    Column("brp", TEXT, "GLN-13", "balance responsible party", key=True),
    Column("supplier", TEXT, "GLN-13", "supplier", key=True),
    Column("group", TEXT, "code", "SMA PRF TMT DIM NVL", key=True),
)
_DIRECTION = Column("direction", TEXT, "code", "E17 offtake, E18 infeed", key=True)
_ORIGIN = Column("origin", TEXT, "code", "MSR CLC, of telemetry also UMS NMS", key=True)

ALLOCATION = Table(
    "allocation",
    "Energy per quarter-hour, BRP, supplier, grid area, group, direction and origin.",
    "SD030 N102, N111, N121, N132, N142; domain §6",
    (
        *_PERIOD,
        _AREA,
        *_PARTY,
        Column("profile_category", TEXT, "code", "of group PRF; else empty", key=True),
        Column("consumption_type", TEXT, "code", "of group PRF: AMI AZI; else empty", key=True),
        _DIRECTION,
        _ORIGIN,
        Column("volume_wh", WH, "Wh", "energy of the period; below 0 only in group PRF"),
        Column("points", pa.int64(), "1", "accounting points behind it in that period"),
        Column(
            "withdrawn",
            pa.bool_(),
            "true/false",
            "true: an earlier run of the day had this series, and this one has it no more",
        ),
    ),
)

BALANCE = Table(
    "balance",
    "The energy of a grid area: what comes in (E18) and what goes out (E17) are the same.",
    "domain §6, conservation",
    (
        *_PERIOD,
        _AREA,
        Column(
            "line",
            TEXT,
            "code",
            "SMA PRF TMT DIM; NVB TVB OVB NVL grid losses; NKP couplings; RST restantvolume: what "
            "no party bears",
            key=True,
        ),
        _DIRECTION,
        Column("volume_wh", WH, "Wh", "energy of the period"),
    ),
)

RESIDUAL = Table(
    "residual",
    "The residual of a grid area and the factor that assigns it to the profiled offtake.",
    "SD030 N151 (RCF); Netcode Bijlage 18; domain §6",
    (
        *_PERIOD,
        _AREA,
        Column("residual_wh", WH, "Wh", "what is left for the profiled offtake; may be below 0"),
        Column("assumed_offtake_wh", WH, "Wh", "annual volumes × fractions, rounded half up"),
        Column("assumed_infeed_wh", WH, "Wh", "the same of infeed, as it is allocated"),
        Column(
            "factor",
            pa.int64(),
            "1e-5",
            "residual factor RCF, rounded half up; 100,000 where nothing is profiled",
        ),
        Column("unassigned_wh", WH, "Wh", "restantvolume: what no party bears"),
    ),
)

FRACTIONS = Table(
    "fractions",
    "The profile fractions of a grid area and day, for every kind of connection.",
    "SD030 N151; domain §6",
    (
        *_PERIOD,
        _AREA,
        Column("profile_category", TEXT, "code", "profile category", key=True),
        Column("consumption_type", TEXT, "code", "AMI AZI", key=True),
        _DIRECTION,
        Column("fraction", pa.int64(), "1e-8", "of the annual volume"),
        Column("status", TEXT, "code", "DYN FBR FBL STD"),
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
        Column(
            "accounting_point",
            pa.int64(),
            "EAN-18",
            "the point or coupling; empty where it is of the area",
            key=True,
        ),
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
        _AREA,
        *_PARTY,
        _DIRECTION,
        _ORIGIN,
        Column("method", TEXT, "code", "CMR GMR NCD; empty where measured or profiled", key=True),
        Column("status", TEXT, "code", "DYN FBR FBL STD: where the shape came from", key=True),
        Column("points", pa.int64(), "1", "points with at least one such period"),
        Column("periods", pa.int64(), "1", "such periods, summed over the points"),
        Column("volume_wh", WH, "Wh", "energy"),
    ),
)

INDIVIDUAL = Table(
    "individual",
    "The energy of each point that is exchanged individually: telemetry, grid losses, unmetered.",
    "SD030 N101, N131, N141; domain §8",
    (
        Column("market_day", DAY, "local day", "the day", key=True),
        _AREA,
        Column(
            "accounting_point",
            pa.int64(),
            "EAN-18",
            "the point; never one of group SMA or PRF",
            key=True,
        ),
        Column("brp", TEXT, "GLN-13", "balance responsible party"),
        Column("supplier", TEXT, "GLN-13", "supplier"),
        Column("group", TEXT, "code", "TMT NVL DIM"),
        _DIRECTION,
        Column(
            "volume_wh",
            pa.list_(pa.int64()),
            "Wh",
            "energy of each of the day's periods; null where none was delivered and none is due",
        ),
        Column("origin", pa.list_(TEXT), "code", "MSR CLC UMS NMS, of each period"),
        Column("validation_status", pa.list_(TEXT), "code", "VLD NVD, of each period; or null"),
        Column("method", pa.list_(TEXT), "code", "CMR GMR NCD, of each period; or null"),
        Column(
            "withdrawn",
            pa.bool_(),
            "true/false",
            "true: an earlier run of the day had this point with this BRP, and this one has not",
        ),
    ),
)

PRIVACY = Table(
    "privacy",
    "How many holders are behind each sum of a day, and how large the largest is: no energy.",
    "domain §10; decisions §33",
    (
        Column("market_day", DAY, "local day", "the day", key=True),
        _AREA,
        *_PARTY,
        Column("profile_category", TEXT, "code", "of group PRF; else empty", key=True),
        Column("consumption_type", TEXT, "code", "of group PRF: AMI AZI; else empty", key=True),
        _DIRECTION,
        Column("points", pa.int64(), "1", "accounting points with that direction"),
        Column("holders", pa.int64(), "1", "who hold them"),
        Column("shared_holders", pa.int64(), "1", "of these, who hold points of other sums too"),
        Column(
            "dominant_share",
            pa.int64(),
            "1e-6",
            "of the largest holder in the standard annual volume, rounded up; empty: there is none",
        ),
        Column(
            "weight",
            pa.int64(),
            "1e-12",
            "the standard annual volume, as part of that of the area and direction",
        ),
    ),
)

DISCLOSURE = Table(
    "disclosure",
    "What was done to each sum before it leaves by a protected document, and why: no energy.",
    "domain §10; decisions §33",
    (
        Column("market_day", DAY, "local day", "the day", key=True),
        _AREA,
        _PARTY[0],
        Column("supplier", TEXT, "GLN-13", "supplier; empty: all of the BRP", key=True),
        _PARTY[2],
        _DIRECTION,
        Column("holders", pa.int64(), "1", "who are behind it"),
        Column(
            "released",
            TEXT,
            "code",
            "as_it_is; merged, with other suppliers of the BRP as other; alone, to the entitled "
            "party only",
        ),
        Column(
            "merged",
            pa.bool_(),
            "true/false",
            "true: its supplier is told as other; so it stays in every later run of the day",
        ),
        Column(
            "named",
            pa.bool_(),
            "true/false",
            "true: its supplier was told by its own name, in this run of the day or an earlier one",
        ),
        Column(
            "reason",
            TEXT,
            "code",
            "few: fewer holders than the least; dominant: one of them is more than the share; "
            "complement: else another were given back; earlier: as in an earlier run; empty: none",
        ),
        Column(
            "thin_change",
            pa.bool_(),
            "true/false",
            "true: it changed against the run before, and fewer than the least may have caused it",
        ),
        Column(
            "attackable",
            pa.bool_(),
            "true/false",
            "true: the audit could compute it, or too few others with it",
        ),
    ),
)

OPEN_DATA = Table(
    "open_data",
    "Energy per quarter-hour for everybody; what would tell of few is left out.",
    "domain §10; decisions §34",
    (
        *_PERIOD,
        _AREA,
        Column("brp", TEXT, "GLN-13", "balance responsible party; empty: all", key=True),
        Column("supplier", TEXT, "GLN-13", "supplier; empty: all", key=True),
        Column("group", TEXT, "code", "SMA PRF TMT DIM NVL; empty: all", key=True),
        _DIRECTION,
        Column("volume_wh", WH, "Wh", "energy of the period; empty: left out"),
        Column(
            "status",
            TEXT,
            "code",
            "published; few and dominant: left out for its holders; complement: left out to "
            "protect another",
        ),
        Column("run", TEXT, "UUID", "the run it is of"),
    ),
)

DIFFERENCES = Table(
    "differences",
    "What a run changed against the run before it, per party.",
    "domain §7",
    (
        Column("market_day", DAY, "local day", "the day", key=True),
        _AREA,
        *_PARTY,
        _DIRECTION,
        Column("before_wh", WH, "Wh", "energy of the day in the run before; empty: not in it"),
        Column("after_wh", WH, "Wh", "energy of the day in this run; empty: not in it"),
        Column("changed_wh", WH, "Wh", "sum of the changes of its quarters, each without sign"),
        Column("quarters", pa.int64(), "1", "quarters that changed"),
        Column("withdrawn", pa.bool_(), "true/false", "true: the party vanished from the group"),
    ),
)

_RESPONSIBLE = Column(
    "brp",
    TEXT,
    "GLN-13",
    "balance responsible party; the TSO on its own line; empty: restantvolume",
    key=True,
)
_REASONS = "no_programme; no_price; others_open: on the line of the TSO"

IMBALANCE = Table(
    "imbalance",
    "What each party was out of balance in a period, and what that costs.",
    "IPS; domain §9",
    (
        *_PERIOD,
        _RESPONSIBLE,
        Column("allocated_wh", WH, "Wh", "infeed less offtake, of all grid areas, with losses"),
        Column("programme_wh", WH, "Wh", "net position planned; empty: none"),
        Column("imbalance_wh", WH, "Wh", "allocated less planned; above 0 surplus, below shortage"),
        Column("price_eur_per_mwh", PRICE, _PRICED, "long of a surplus, short of a shortage"),
        Column("amount_eur", AMOUNT, "EUR", "to the party, below 0 from it; exact, not rounded"),
        Column("status", TEXT, "code", "settled open"),
        Column("reason", TEXT, "code", f"why it is open: {_REASONS}"),
    ),
)

SETTLEMENT = Table(
    "settlement",
    "What each party is charged for a day: each settlement charges the difference to those before.",
    "domain §9; decisions §40",
    (
        Column("market_day", DAY, "local day", "the day", key=True),
        _RESPONSIBLE,
        Column("version", pa.int32(), "1", "the how manieth settlement of the day", key=True),
        Column("kind", TEXT, "code", "preliminary final difference"),
        Column("settlement", TEXT, "id", "the settlement that made it"),
        Column("settled_at", MOMENT, "UTC", "the moment as known at"),
        Column("periods_settled", pa.int32(), "1", "periods with an amount"),
        Column("periods_open", pa.int32(), "1", "periods without one"),
        Column("surplus_wh", WH, "Wh", "sum of the surpluses of the settled periods"),
        Column("shortage_wh", WH, "Wh", "sum of the shortages of the settled periods, 0 or more"),
        Column("total_eur", EUR, "EUR", "of the settled periods, to the party; rounded here, once"),
        Column("before_eur", EUR, "EUR", "charged by the settlements before"),
        Column("charged_eur", EUR, "EUR", "charged now: the total less what was charged before"),
    ),
)

SETTLEMENT_FINDINGS = Table(
    "settlement_findings",
    "What was doubtful in the programmes and prices that a day was settled with.",
    "domain §9; decisions §39",
    (
        Column("market_day", DAY, "local day", "the day", key=True),
        Column(
            "rule",
            TEXT,
            "name",
            "trade_mismatch: the other side says otherwise; trade_one_sided: the other side says "
            "nothing; programme_not_its_trades; no_programme; price_not_by_rule: settled prices "
            "are not those of the state",
            key=True,
        ),
        Column("brp", TEXT, "GLN-13", "the party that said it; empty: of prices", key=True),
        Column("counterparty", TEXT, "GLN-13", "the other party of a trade; else empty", key=True),
        Column("first_period", pa.int32(), "1", "first period touched"),
        Column("last_period", pa.int32(), "1", "last period touched"),
        Column("periods", pa.int32(), "1", "periods touched"),
        Column("observed", WH, "Wh", "sum said over those periods; of prices 1e-5 EUR/MWh"),
        Column("expected", WH, "Wh", "sum that the other side says, or that follows"),
    ),
)

SERIES = Table(
    "series",
    "Series of documents that were accepted from other parties, one row each.",
    "SD030 §elements; domain §8",
    (
        Column("document", TEXT, "id", "the document", key=True),
        Column("place", pa.int32(), "1", "the series in its document, from 1", key=True),
        Column("process", TEXT, "code", "N101 to N151; E31, A11, A12"),
        Column("final", pa.bool_(), "1", "whether nothing of the calendar comes after it"),
        Column("created_at", MOMENT, "UTC", "when the document was created; the latest counts"),
        Column("sender", TEXT, "GLN-13", "who sent it"),
        Column("sender_role", TEXT, "code", "DDM DDK DDQ EZ"),
        Column("receiver", TEXT, "GLN-13", "to whom"),
        Column("receiver_role", TEXT, "code", "DDM DDK DDQ EZ"),
        Column("market_day", DAY, "local day", "the day"),
        Column("series", TEXT, "id", "the series"),
        Column("run", TEXT, "id", "the run of the sender that it is of"),
        Column("grid_area", TEXT, "EAN-18", "the grid area"),
        Column("group", TEXT, "code", "SMA PRF TMT DIM NVL; empty: of all"),
        Column("direction", TEXT, "code", "E17 offtake, E18 infeed; empty: a residual factor"),
        Column("brp", TEXT, "GLN-13", "balance responsible party"),
        Column("supplier", TEXT, "GLN-13", "supplier; empty: all of the BRP"),
        Column("accounting_point", TEXT, "EAN-18", "of an individual series: its point"),
        Column("profile_category", TEXT, "code", "of group PRF"),
        Column("consumption_type", TEXT, "code", "of group PRF: AMI AZI"),
        Column("origin", TEXT, "code", "of group SMA: MSR CLC"),
        Column("status", TEXT, "code", "of a fraction: DYN FBR FBL STD"),
        Column("version", MOMENT, "UTC", "of a factor or fraction: when it was made"),
        Column("revision_request", TEXT, "id", "the request that an individual series answers"),
        Column("unit", TEXT, "unit", "of the quantity: Wh, 1e-5 of a factor, 1e-8 of a fraction"),
        Column("quantity", pa.list_(pa.int64()), "by unit", "of each of the day's periods"),
        Column("origins", pa.list_(TEXT), "code", "individual: origin of each volume"),
        Column("statuses", pa.list_(TEXT), "code", "individual: validation status, or empty"),
        Column("methods", pa.list_(TEXT), "code", "individual: repair method, or empty"),
    ),
)

# What a run writes.
RESULTS = (ALLOCATION, COVERAGE, FINDINGS, BALANCE, RESIDUAL, FRACTIONS, INDIVIDUAL, PRIVACY)

TABLES = (
    REGISTER,
    COUPLINGS,
    READINGS,
    VOLUMES,
    STANDARD_FRACTIONS,
    PROGRAMMES,
    PRICES,
    DAY_ROWS,
    *RESULTS,
    DISCLOSURE,
    DIFFERENCES,
    OPEN_DATA,
    IMBALANCE,
    SETTLEMENT,
    SETTLEMENT_FINDINGS,
    SERIES,
)


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
