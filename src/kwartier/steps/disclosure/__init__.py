"""What is allocated → what may leave: small sums merged, and what a new run tells of few.

Nothing reaches a codec or a transport without it.
"""

from kwartier.steps.disclosure.changes import thin_changes
from kwartier.steps.disclosure.holders import (
    DOMINANT,
    FEW,
    Cell,
    Holders,
    holders_of,
    judge,
    together,
)
from kwartier.steps.disclosure.merging import (
    ALL,
    ALONE,
    AS_IT_IS,
    COMPLEMENT,
    EARLIER,
    MERGED,
    OTHER,
    Before,
    Disclosed,
    NotConserved,
    Partition,
    disclose,
    live_of,
)
from kwartier.steps.disclosure.sums import Run, Told, told_of

__all__ = [
    "ALL",
    "ALONE",
    "AS_IT_IS",
    "COMPLEMENT",
    "DOMINANT",
    "EARLIER",
    "FEW",
    "MERGED",
    "OTHER",
    "Before",
    "Cell",
    "Disclosed",
    "Holders",
    "NotConserved",
    "Partition",
    "Run",
    "Told",
    "disclose",
    "holders_of",
    "judge",
    "live_of",
    "thin_changes",
    "together",
    "told_of",
]
