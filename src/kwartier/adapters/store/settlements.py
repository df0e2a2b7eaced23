"""Settlements as they are kept: tables by market day, and the manifest that makes them exist.

The manifests lie beside those of what was taken in, and not among them: a settlement tells the runs
of allocation nothing.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from kwartier.adapters.store.storage import UNFINISHED, Storage
from kwartier.adapters.store.writing import read_json, write_json

_PART = "settlements"


def place(settlement: str, day: date, name: str) -> str:
    """Give the place of a table of a settlement."""
    return f"{_PART}/{settlement}/market_day={day.isoformat()}/{name}.parquet"


def manifests(root: Path) -> list[dict[str, Any]]:
    """List the manifests of a home, in order."""
    return [read_json(path) for path in sorted((root / _PART).glob("*.json"))]


def finish(root: Path, settlement: str, **manifest: Any) -> None:
    """Make a settlement exist: write its manifest."""
    number = len(manifests(root)) + 1
    entry = {"number": number, "id": settlement, **manifest}
    write_json(root / _PART / f"{number:08d}-{settlement}.json", entry)


def sweep(root: Path, storage: Storage) -> None:
    """Take away what a killed process left, which no manifest names."""
    named = {file["path"] for manifest in manifests(root) for file in manifest["files"]}
    for found in storage.places(_PART):
        if not found.endswith(".json") and found not in named:
            storage.delete(found)
    for path in (root / _PART).glob("*" + UNFINISHED):  # where the storage is elsewhere
        path.unlink()
