"""Parquet files as batches of judged cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from kwartier.adapters.files.cells import Lists, parquet_cells
from kwartier.adapters.files.columns import (
    BATCH_ROWS,
    BROKEN,
    Batch,
    Column,
    Troubles,
    empty_cells,
    match,
)
from kwartier.adapters.files.stages import ahead


def open_parquet(file: pa.NativeFile, words: Sequence[str] = ()) -> pyarrow.parquet.ParquetFile:
    """Open a Parquet file; columns of text named in `words` come as dictionaries."""
    return pyarrow.parquet.ParquetFile(
        file,
        read_dictionary=list(words),
        # Read through a buffer, a page header that lies makes pyarrow reserve what it claims; a
        # whole column chunk of a file below 1 GiB is no more than the file itself.
        buffer_size=1 << 20 if file.size() > 1 << 30 else 0,
        pre_buffer=False,
        page_checksum_verification=True,
        thrift_string_size_limit=1 << 26,
        thrift_container_size_limit=1 << 22,
    )


def _type_found(type_: pa.DataType) -> str:
    """Name a type without what it holds: names of fields and of time zones are free text."""
    try:
        word = re.match(r"[a-z0-9_]+", str(type_))
    except UnicodeDecodeError:
        word = None
    return f"type {word[0]}" if word else "another type"


def _words(parquet: pyarrow.parquet.ParquetFile, columns: Sequence[Column]) -> list[str]:
    """Name the columns of text, whose cells mostly repeat; text in the place of a list is wrong."""
    texts = {field.name for field in parquet.schema_arrow if pa.types.is_string(field.type)}
    return [c.name for c in columns if c.name in texts and not isinstance(c.kind, Lists)]


def _whole(records: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Look whether what was decoded is what it says it is."""
    for record in records:
        record.validate(full=True)
        yield record


def parquet_batches(
    path: Path, columns: Sequence[Column], troubles: Troubles, unpacked_bytes: int
) -> Iterator[Batch]:
    row = 1
    try:
        file = pa.OSFile(str(path))
        parquet = open_parquet(file)
        names = list(parquet.schema_arrow.names)
        meta = parquet.metadata
        size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        size = max(size, meta.num_rows * 8 * max(len(names), 1))
        negative = any(meta.row_group(i).num_rows < 0 for i in range(meta.num_row_groups))
    except BROKEN:
        troubles.add(path, None, None, "a whole Parquet file", "bytes that are not")
        return
    with file:
        if size > unpacked_bytes or negative or meta.num_rows < 0:
            troubles.add(path, None, None, f"at most {unpacked_bytes} bytes when unpacked", "more")
            return
        there = match(path, names, columns, troubles)
        if there is None:
            return
        reader = open_parquet(file, _words(parquet, there)).iter_batches(batch_size=BATCH_ROWS)
        records = ahead(_whole(reader))
        before = troubles.count
        while True:
            try:
                record = next(records, None)
            except BROKEN:
                troubles.add(path, row, None, "a whole Parquet file", "bytes that are not")
                return
            if record is None:
                break
            values: dict[str, pa.Array] = {}
            for column, array in zip(there, record.columns, strict=True):
                try:
                    judged = parquet_cells(column.kind, array)
                except BROKEN:
                    judged = None
                if judged is None:
                    expected = column.kind.expected
                    troubles.add(path, None, column.name, expected, _type_found(array.type))
                    return
                values[column.gives], faults = judged
                troubles.add_faults(path, row, column, empty_cells(column, array) + faults)
            if troubles.count == before:
                yield Batch(row, record.num_rows, values)
            row += record.num_rows
        if row - 1 != meta.num_rows:
            troubles.add(path, None, None, f"{meta.num_rows} rows", f"{row - 1}")
