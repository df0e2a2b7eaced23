"""Files of rows, checked cell by cell: CSV (plain, .gz, .zst) and Parquet, batch after batch.

The doors that stand on this room (`register`, `readings`) say which columns they know. No text of a
cell is ever repeated in a problem: a cell can hold an EAN, which is personal data.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from kwartier.adapters.files.columns import BROKEN, Batch, Column, Troubles
from kwartier.adapters.files.csv_form import CODECS, Source, csv_batches, lines_of
from kwartier.adapters.files.parquet_form import open_parquet, parquet_batches

PARQUET = ".parquet"
UNPACKED_BYTES = 200_000_000_000  # a file that unpacks to more is refused (zip bomb)
_FORMS = "a name that ends in .csv, .csv.gz, .csv.zst or .parquet"


def batches(
    path: Path,
    columns: Sequence[Column],
    troubles: Troubles,
    unpacked_bytes: int = UNPACKED_BYTES,
    above: int = 0,
) -> Iterator[Batch]:
    """Read a file of the given columns, batch after batch.

    Of a CSV file `above` is how many lines, empty ones not counted, stand above its header.

    What is wrong goes to `troubles`, and no batch follows it. The end of a file can be wrong too:
    keep nothing of the batches before the last has come and `troubles` is empty.
    """
    form = form_of(path)
    if form is None:
        troubles.add(path, None, None, _FORMS, "another name")
    elif not path.is_file():
        troubles.add(path, None, None, "a file", "none" if not path.exists() else "no file")
    elif form == PARQUET:
        yield from parquet_batches(path, columns, troubles, unpacked_bytes)
    else:
        yield from csv_batches(path, columns, troubles, unpacked_bytes, above)


def form_of(path: Path) -> str | None:
    """Give the suffix that tells the form of a file."""
    return next((s for s in (*CODECS, PARQUET) if path.name.lower().endswith(s)), None)


def column_names(path: Path) -> list[str]:
    """Give the names of a file's columns; none when it cannot be read."""
    try:
        if form_of(path) == PARQUET:
            with pa.OSFile(str(path)) as file:
                return list(open_parquet(file).schema_arrow.names)
        return Source(path, UNPACKED_BYTES).header
    except BROKEN:
        return []


def first_cell(path: Path, name: str) -> str | pa.DataType | None:
    """Give the first cell of a CSV column, or the type of a Parquet column; None when not there."""
    try:
        if form_of(path) == PARQUET:
            with pa.OSFile(str(path)) as file:
                found = open_parquet(file).schema_arrow.field(name).type
                str(found)  # fails here, not later, where the name of a time zone is no UTF-8
                return found
        source = Source(path, UNPACKED_BYTES)
        line = next(iter(lines_of(source)), b"")
        cells = next(csv.reader([line.decode()], delimiter=source.delimiter), [])
        return dict(zip(source.header, cells, strict=False)).get(name)
    except (*BROKEN, KeyError, csv.Error):
        return None
