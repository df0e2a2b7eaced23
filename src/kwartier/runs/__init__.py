"""A run: read, take the way, write, mark complete last. Owns the clock and the versions.

What is taken in exists as a whole or not at all; a run's results exist when the ledger says so.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kwartier.runs.allocating import allocate, correct, due_of, next_due_of, run_due
    from kwartier.runs.deliveries import Intake
    from kwartier.runs.exchanging import acknowledge, resend, send
    from kwartier.runs.inbox import Reception, received, receptions
    from kwartier.runs.intake import ingest
    from kwartier.runs.moments import Progress, ledger_of, seconds
    from kwartier.runs.parties import parties_of, take_parties
    from kwartier.runs.receiving import ROLES, Server, Us, receive_folder
    from kwartier.runs.results import before, differences, of_run, result
    from kwartier.runs.settlement_intake import take_prices, take_programmes
    from kwartier.runs.settling import settle, settled
    from kwartier.runs.statements import imbalance_reports, statement
    from kwartier.runs.taking import (
        take_couplings,
        take_fractions,
        take_parameters,
        take_register,
    )
    from kwartier.runs.volume_intake import ingest_volumes

# Loaded when first asked for: who takes something in waits for no kernels.
_WHERE = {
    "allocating": ("allocate", "correct", "due_of", "next_due_of", "run_due"),
    "deliveries": ("Intake",),
    "exchanging": ("acknowledge", "resend", "send"),
    "intake": ("ingest",),
    "moments": ("Progress", "ledger_of", "seconds"),
    "inbox": ("Reception", "received", "receptions"),
    "receiving": ("ROLES", "Server", "Us", "receive_folder"),
    "parties": ("parties_of", "take_parties"),
    "results": ("before", "differences", "of_run", "result"),
    "settlement_intake": ("take_prices", "take_programmes"),
    "settling": ("settle", "settled"),
    "statements": ("imbalance_reports", "statement"),
    "taking": ("take_couplings", "take_fractions", "take_parameters", "take_register"),
    "volume_intake": ("ingest_volumes",),
}
__all__ = [
    "ROLES",
    "Intake",
    "Progress",
    "Reception",
    "Server",
    "Us",
    "acknowledge",
    "allocate",
    "before",
    "correct",
    "differences",
    "due_of",
    "imbalance_reports",
    "ingest",
    "ingest_volumes",
    "ledger_of",
    "next_due_of",
    "of_run",
    "parties_of",
    "receive_folder",
    "received",
    "receptions",
    "resend",
    "result",
    "run_due",
    "seconds",
    "send",
    "settle",
    "settled",
    "statement",
    "take_couplings",
    "take_fractions",
    "take_parameters",
    "take_parties",
    "take_prices",
    "take_programmes",
    "take_register",
]


def __getattr__(name: str) -> Any:
    for room, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"kwartier.runs.{room}"), name)
    raise AttributeError(f"module 'kwartier.runs' has no attribute {name!r}")
