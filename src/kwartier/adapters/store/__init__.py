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
from kwartier.adapters.store.home import Home
from kwartier.adapters.store.writing import HomeError, Piece, read_table, sha256

__all__ = [
    "Block",
    "Home",
    "HomeError",
    "Layer",
    "LayerWriter",
    "Piece",
    "Stretch",
    "kept",
    "meter_codes",
    "read_table",
    "sha256",
    "stretches",
]
