"""What a run makes, and what is told of it."""

from __future__ import annotations

import pyarrow as pa

from kwartier.tables.columns import (
    AREA,
    DAY,
    DIRECTION,
    ORIGIN,
    PARTY,
    PERIOD,
    TEXT,
    WH,
    Column,
    Table,
)

ALLOCATION = Table(
    "allocation",
    "Energy per quarter-hour, BRP, supplier, grid area, group, direction and origin.",
    "SD030 N102, N111, N121, N132, N142; domain §6",
    (
        *PERIOD,
        AREA,
        *PARTY,
        Column("profile_category", TEXT, "code", "of group PRF; else empty", key=True),
        Column("consumption_type", TEXT, "code", "of group PRF: AMI AZI; else empty", key=True),
        DIRECTION,
        ORIGIN,
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
        *PERIOD,
        AREA,
        Column(
            "line",
            TEXT,
            "code",
            "SMA PRF TMT DIM; NVB TVB OVB NVL grid losses; NKP couplings; RST restantvolume: what "
            "no party bears",
            key=True,
        ),
        DIRECTION,
        Column("volume_wh", WH, "Wh", "energy of the period"),
    ),
)

RESIDUAL = Table(
    "residual",
    "The residual of a grid area and the factor that assigns it to the profiled offtake.",
    "SD030 N151 (RCF); Netcode Bijlage 18; domain §6",
    (
        *PERIOD,
        AREA,
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
        *PERIOD,
        AREA,
        Column("profile_category", TEXT, "code", "profile category", key=True),
        Column("consumption_type", TEXT, "code", "AMI AZI", key=True),
        DIRECTION,
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
        AREA,
        *PARTY,
        DIRECTION,
        ORIGIN,
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
        AREA,
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
        DIRECTION,
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
        AREA,
        *PARTY,
        Column("profile_category", TEXT, "code", "of group PRF; else empty", key=True),
        Column("consumption_type", TEXT, "code", "of group PRF: AMI AZI; else empty", key=True),
        DIRECTION,
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
        AREA,
        PARTY[0],
        Column("supplier", TEXT, "GLN-13", "supplier; empty: all of the BRP", key=True),
        PARTY[2],
        DIRECTION,
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
        *PERIOD,
        AREA,
        Column("brp", TEXT, "GLN-13", "balance responsible party; empty: all", key=True),
        Column("supplier", TEXT, "GLN-13", "supplier; empty: all", key=True),
        Column("group", TEXT, "code", "SMA PRF TMT DIM NVL; empty: all", key=True),
        DIRECTION,
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
        AREA,
        *PARTY,
        DIRECTION,
        Column("before_wh", WH, "Wh", "energy of the day in the run before; empty: not in it"),
        Column("after_wh", WH, "Wh", "energy of the day in this run; empty: not in it"),
        Column("changed_wh", WH, "Wh", "sum of the changes of its quarters, each without sign"),
        Column("quarters", pa.int64(), "1", "quarters that changed"),
        Column("withdrawn", pa.bool_(), "true/false", "true: the party vanished from the group"),
    ),
)
