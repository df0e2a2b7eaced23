"""Every table that flows, declared once: column, type, unit, key, meaning.

Energy is int64 Wh. A missing value is null, never 0. Identifiers of grid areas (EAN-18) and parties
(GLN-13) are text; the accounting point is a whole number inside, because millions of them are
sorted and looked up, and is written with its 18 digits where people read it.
"""

from kwartier.tables.columns import (
    AMOUNT,
    DAY,
    EUR,
    MOMENT,
    PRICE,
    TEXT,
    WH,
    Column,
    Table,
    period_columns,
)
from kwartier.tables.exchanged import (
    IMBALANCE,
    SERIES,
    SETTLEMENT,
    SETTLEMENT_FINDINGS,
)
from kwartier.tables.inputs import (
    COUPLINGS,
    DAY_ROWS,
    PRICES,
    PROGRAMMES,
    READINGS,
    REGISTER,
    STANDARD_FRACTIONS,
    VOLUMES,
)
from kwartier.tables.results import (
    ALLOCATION,
    BALANCE,
    COVERAGE,
    DIFFERENCES,
    DISCLOSURE,
    FINDINGS,
    FRACTIONS,
    INDIVIDUAL,
    OPEN_DATA,
    PRIVACY,
    RESIDUAL,
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

__all__ = [
    "ALLOCATION",
    "AMOUNT",
    "BALANCE",
    "COUPLINGS",
    "COVERAGE",
    "DAY",
    "DAY_ROWS",
    "DIFFERENCES",
    "DISCLOSURE",
    "EUR",
    "FINDINGS",
    "FRACTIONS",
    "IMBALANCE",
    "INDIVIDUAL",
    "MOMENT",
    "OPEN_DATA",
    "PRICE",
    "PRICES",
    "PRIVACY",
    "PROGRAMMES",
    "READINGS",
    "REGISTER",
    "RESIDUAL",
    "RESULTS",
    "SERIES",
    "SETTLEMENT",
    "SETTLEMENT_FINDINGS",
    "STANDARD_FRACTIONS",
    "TABLES",
    "TEXT",
    "VOLUMES",
    "WH",
    "Column",
    "Table",
    "period_columns",
]
