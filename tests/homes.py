"""What tests of the home share: what lies in it, byte for byte, and a delivery in several forms."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from kwartier import Home, codes
from kwartier.arrays import NOT_READ
from tests import market

TAKEN_IN = ("register", "couplings", "fractions", "parameters", "readings", "volumes", "doubts")
TAKEN_IN += ("programmes", "prices")
TAKEN_IN += ("received",)
READINGS = pa.schema(
    [
        ("accounting_point", pa.int64()),
        ("register", pa.string()),
        ("read_at", pa.timestamp("s", "UTC")),
        ("reading_wh", pa.int64()),
        ("meter", pa.string()),
        ("status", pa.int32()),
    ]
)


def contents(root: Path) -> dict[str, bytes]:
    """Give every file of a home but the lock, which is empty."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def taken_in(root: Path) -> dict[str, bytes]:
    """Give every file of a home that was taken in."""
    parts = ("deliveries/", "register/", "couplings/", "readings/", "volumes/", "fractions/")
    parts += ("parameters/", "doubts/", "received/")
    return {path: content for path, content in contents(root).items() if path.startswith(parts)}


def kept(
    home: Home, day: date = market.DAY, area: str = market.AREA, known_at: int | None = None
) -> dict[tuple[int, str, int], int]:
    """Give the readings that a home holds of a day: (point, register, position) → Wh."""
    found = {}
    for block in home.blocks(day, area, known_at):
        rows = block.read()
        for number, register, readings in zip(
            rows.number, rows.register, rows.reading, strict=True
        ):
            for position, reading in enumerate(readings.tolist()):
                if reading != NOT_READ:
                    key = (int(number), codes.REGISTERS[register], position)
                    assert key not in found, "a point is in two blocks"
                    found[key] = reading
    return found


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Make a table of readings."""
    return pa.Table.from_pylist(list(rows), schema=READINGS)


def write(rows: Sequence[dict[str, Any]] | pa.Table, path: Path) -> Path:
    """Write readings as CSV or Parquet, by the name of the file."""
    made = rows if isinstance(rows, pa.Table) else table(rows)
    if path.suffix == ".parquet":
        pq.write_table(made, path)
        return path
    at = made.schema.get_field_index("read_at")
    moments = [moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in made["read_at"].to_pylist()]
    pyarrow.csv.write_csv(made.set_column(at, "read_at", pa.array(moments, pa.string())), path)
    return path


def whole(home: Home) -> bool:
    """Tell whether every file that a manifest names is there as it was written, and no other is."""
    named = {}
    for delivery in home.deliveries():
        named |= {file["path"]: file["sha256"] for file in delivery["files"]}
    return named == {
        path: hashlib.sha256(content).hexdigest()
        for path, content in contents(home.root).items()
        if path.split("/")[0] in TAKEN_IN
    }


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_register(rows: Sequence[dict[str, Any]], path: Path) -> Path:
    """Write rows of the register as CSV or Parquet, by the name of the file."""
    made = pa.Table.from_pylist(list(rows))
    if path.suffix == ".parquet":
        pq.write_table(made, path)
    else:
        pyarrow.csv.write_csv(made, path)
    return path
