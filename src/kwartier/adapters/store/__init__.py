"""The home: where everything that kwartier keeps is kept."""

from kwartier.adapters.store import kept
from kwartier.adapters.store.day_rows import (
    Block,
    Layer,
    LayerWriter,
    Stretch,
    meter_codes,
    stretches,
)
from kwartier.adapters.store.home import NO_MESSAGES, Home
from kwartier.adapters.store.settling import ledger_name, settle_ledger, settling
from kwartier.adapters.store.storage import Busy, HomeError, fetched
from kwartier.adapters.store.writing import Piece, sha256

__all__ = [
    "NO_MESSAGES",
    "Block",
    "Busy",
    "Home",
    "HomeError",
    "Layer",
    "LayerWriter",
    "Piece",
    "Stretch",
    "fetched",
    "kept",
    "ledger_name",
    "meter_codes",
    "settle_ledger",
    "settling",
    "sha256",
    "stretches",
]
