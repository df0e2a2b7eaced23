"""What is taken in: the register, couplings, readings, volumes, fractions, programmes, prices."""

from __future__ import annotations

import pyarrow as pa

from kwartier.tables.columns import (
    DAY,
    MOMENT,
    PRICE,
    PRICED,
    TEXT,
    VALIDITY,
    WH,
    Column,
    Table,
)


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
        *VALIDITY,
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
        *VALIDITY,
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

_RECORDED = next(column for column in VALIDITY if column.name == "recorded_at")

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
        Column("price_up_eur_per_mwh", PRICE, PRICED, "of upward regulation", required=False),
        Column("price_down_eur_per_mwh", PRICE, PRICED, "of downward regulation", required=False),
        Column(
            "price_mid_eur_per_mwh",
            PRICE,
            PRICED,
            "middle of the lowest upward and the highest downward bid",
            required=False,
        ),
        Column(
            "price_long_eur_per_mwh",
            PRICE,
            PRICED,
            "settled: what a surplus is paid; where absent: by the state and the component prices",
            required=False,
        ),
        Column(
            "price_short_eur_per_mwh",
            PRICE,
            PRICED,
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
