"""Files of the home: tables on its storage; texts and manifests beside the ledger."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from kwartier import tables
from kwartier.adapters.store.storage import UNFINISHED, Storage, reading, sync

ROW_GROUP = 131_072  # rows; what is read side by side
_FEW_WORDS = ["party", "connection", "holder", "valid_from", "valid_to", "recorded_at"]
_ANNUAL = [name for name in tables.REGISTER.names if name.endswith("_wh")]
# Of the files of a part. Chosen by measuring decode time and size (docs/decisions.md §28).
LAYOUTS: dict[str, dict[str, Any]] = {
    "register": {
        "compression": "lz4",
        "use_dictionary": _FEW_WORDS,
        "column_encoding": {
            "accounting_point": "DELTA_BINARY_PACKED",
            **dict.fromkeys(_ANNUAL, "BYTE_STREAM_SPLIT"),
        },
    }
}


class Writer:
    """Writes one Parquet file of the home, whole or not at all."""

    def __init__(self, storage: Storage, place: str, schema: pa.Schema, **options: Any) -> None:
        self._place, self._rows = place, 0
        self._open = ExitStack()
        self._file = self._open.enter_context(storage.writing(place))
        options = {"compression": "zstd", **options}
        self._writer = self._open.enter_context(pq.ParquetWriter(self._file, schema, **options))

    def write(self, table: pa.Table) -> None:
        """Write rows, each call as row groups of its own."""
        self._writer.write_table(table)
        self._rows += table.num_rows

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def entry(self) -> dict[str, Any]:
        """Give what a manifest says of the file."""
        return {"path": self._place, "rows": self._rows, "sha256": self._file.sha256()}


def write(storage: Storage, place: str, table: pa.Table) -> dict[str, Any]:
    """Write a table in the layout of its part, and give what a manifest says of the file."""
    layout = LAYOUTS.get(place.partition("/")[0], {})
    with Writer(storage, place, table.schema, **layout) as writer:
        for first in range(0, max(len(table), 1), ROW_GROUP):
            writer.write(table.slice(first, ROW_GROUP))
    return writer.entry()


def read_table(storage: Storage, place: str) -> pa.Table:
    """Read a table of the home; Parquet has no whole seconds, so they are made again."""
    with reading(storage.name(place)):
        table = pq.read_table(storage.source(place))
    return _with_seconds(table)


@dataclass(frozen=True)
class Piece:
    """A part of a table of the home that is read by itself."""

    storage: Storage
    place: str
    metadata: pq.FileMetaData
    row_group: int

    @property
    def rows(self) -> int:
        """Count its rows."""
        return int(self.metadata.row_group(self.row_group).num_rows)

    def columns(self) -> list[str]:
        """Name its columns."""
        return [field.name for field in self.metadata.schema.to_arrow_schema()]

    def highest(self, column: str) -> Any:
        """Give the highest value of a column that is never null, without reading it."""
        place = self.metadata.schema.names.index(column)
        return self.metadata.row_group(self.row_group).column(place).statistics.max

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read its rows; text columns as dictionaries, because words repeat.

        columns : only these; all when not given.
        """
        schema = self.metadata.schema.to_arrow_schema()
        words = [field.name for field in schema if pa.types.is_string(field.type)]
        with reading(self.storage.name(self.place)):
            file = pq.ParquetFile(
                self.storage.source(self.place),
                metadata=self.metadata,
                pre_buffer=self.storage.pre_buffer,
                read_dictionary=words,
            )
            table = file.read_row_group(self.row_group, columns=columns, use_threads=False)
        return _with_seconds(table)


def pieces(storage: Storage, place: str) -> list[Piece]:
    """List the parts of a table of the home."""
    with reading(storage.name(place)):
        metadata = pq.read_metadata(storage.source(place))
    return [Piece(storage, place, metadata, n) for n in range(metadata.num_row_groups)]


def _with_seconds(table: pa.Table) -> pa.Table:
    moments = {
        field.name: pa.timestamp("s", field.type.tz)
        for field in table.schema
        if pa.types.is_timestamp(field.type)
    }
    return table.cast(
        pa.schema([pa.field(f.name, moments.get(f.name, f.type)) for f in table.schema])
    )


def read_text(path: Path) -> str:
    """Read a text of the home."""
    with reading(path):
        return path.read_text("utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a manifest."""
    with reading(path):
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


@contextmanager
def _written(path: Path) -> Iterator[TextIO]:
    """Write a text file under another name, sync it and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + UNFINISHED)
    with unfinished.open("w", encoding="utf-8") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
    sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    with _written(path) as file:
        file.write(text)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a manifest, whole or not at all."""
    with _written(path) as file:
        json.dump(content, file, indent=1, sort_keys=True)


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
