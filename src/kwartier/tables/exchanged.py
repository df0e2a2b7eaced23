"""What is settled, and what other parties sent."""

from __future__ import annotations

import pyarrow as pa

from kwartier.tables.columns import (
    AMOUNT,
    DAY,
    EUR,
    MOMENT,
    PERIOD,
    PRICE,
    PRICED,
    TEXT,
    WH,
    Column,
    Table,
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
        *PERIOD,
        _RESPONSIBLE,
        Column("allocated_wh", WH, "Wh", "infeed less offtake, of all grid areas, with losses"),
        Column("programme_wh", WH, "Wh", "net position planned; empty: none"),
        Column("imbalance_wh", WH, "Wh", "allocated less planned; above 0 surplus, below shortage"),
        Column("price_eur_per_mwh", PRICE, PRICED, "long of a surplus, short of a shortage"),
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
