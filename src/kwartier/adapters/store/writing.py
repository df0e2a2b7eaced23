"""Files of the home: written under another name, synced and renamed; read or named as damaged."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

UNFINISHED = ".unfinished"


class HomeError(Exception):
    """The home cannot do what was asked; the text says why and what to do."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say which file of the home cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise HomeError(f"{path} is missing, and the home needs it; put it back") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        kind = type(error).__name__  # its text may show what is in the file
        raise HomeError(f"{path} is damaged ({kind}); put back a good copy of it") from None


class Writer:
    """Writes one Parquet file of the home under another name, syncs it and renames it."""

    def __init__(self, root: Path, path: Path, schema: pa.Schema, **options: Any) -> None:
        self._root, self._path = root, path
        self._unfinished = path.with_name(path.name + UNFINISHED)
        self._rows = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        options = {"compression": "zstd", **options}
        self._writer = pq.ParquetWriter(self._unfinished, schema, **options)

    def write(self, table: pa.Table) -> None:
        """Write rows, each call as row groups of its own."""
        self._writer.write_table(table)
        self._rows += table.num_rows

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._writer.close()
        if kind is None:
            sync(self._unfinished)
            os.replace(self._unfinished, self._path)
            sync(self._path.parent)
        else:
            self._unfinished.unlink(missing_ok=True)

    def entry(self) -> dict[str, Any]:
        """Give what a manifest says of the file."""
        return {
            "path": self._path.relative_to(self._root).as_posix(),
            "rows": self._rows,
            "sha256": sha256(self._path),
        }


def read_table(path: Path) -> pa.Table:
    """Read a table of the home; Parquet has no whole seconds, so they are made again."""
    with reading(path):
        table = pq.read_table(path)
    return _with_seconds(table)


@dataclass(frozen=True)
class Piece:
    """A part of a table of the home that is read by itself."""

    path: Path
    metadata: pq.FileMetaData
    row_group: int

    def columns(self) -> list[str]:
        """Name its columns."""
        return [field.name for field in self.metadata.schema.to_arrow_schema()]

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read its rows; text columns as dictionaries, because words repeat.

        columns : only these; all when not given.
        """
        schema = self.metadata.schema.to_arrow_schema()
        words = [field.name for field in schema if pa.types.is_string(field.type)]
        with reading(self.path):
            file = pq.ParquetFile(self.path, metadata=self.metadata, read_dictionary=words)
            table = file.read_row_group(self.row_group, columns=columns, use_threads=False)
        return _with_seconds(table)


def pieces(path: Path) -> list[Piece]:
    """List the parts of a table of the home."""
    with reading(path):
        metadata = pq.read_metadata(path)
    return [Piece(path, metadata, n) for n in range(metadata.num_row_groups)]


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


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Give the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
