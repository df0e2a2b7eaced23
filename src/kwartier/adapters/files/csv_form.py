"""CSV files (plain, .gz, .zst) as batches of judged cells.

A file goes through a fast typed pass; when that pass stumbles, a plain pass reads the file once
more and names every row that is wrong.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from kwartier.adapters.files.cells import Mask, text_cells
from kwartier.adapters.files.columns import (
    BATCH_ROWS,
    BROKEN,
    Batch,
    Column,
    Troubles,
    empty_cells,
    match,
)
from kwartier.adapters.files.stages import in_turn

LINE_BYTES = 1 << 20  # longest line of a CSV file
_PIECE_BYTES = 4 << 20  # what is read at once, so that each step has many rows to do
CODECS = {".csv": None, ".csv.gz": "gzip", ".csv.zst": "zstd"}
_HEX = re.compile(rb"0[xX]")


class _TooLarge(OSError):
    pass


class _Unpacked(io.RawIOBase):
    """The bytes of a CSV file, unpacked and counted."""

    def __init__(self, path: Path, unpacked_bytes: int) -> None:
        name = path.name.lower()
        codec = next((CODECS[suffix] for suffix in CODECS if name.endswith(suffix)), None)
        file = pa.OSFile(str(path))
        self._stream = file if codec is None else pa.CompressedInputStream(file, codec)
        self._left = unpacked_bytes
        self.hex_seen = False
        self._ahead = self._take(LINE_BYTES).removeprefix(b"\xef\xbb\xbf")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Read on; pyarrow calls this."""
        data = self._ahead or self._take(size if size > 0 else LINE_BYTES)
        data, self._ahead = (data[:size], data[size:]) if size > 0 else (data, b"")
        # Looking for one byte first is forty times as quick, and most files have none.
        if not self.hex_seen and (b"x" in data or b"X" in data) and _HEX.search(data):
            self.hex_seen = True
        return data

    def line(self) -> bytes:
        """Take off the next line that is not empty; no bytes at the end."""
        head = self._ahead
        while not re.search(rb"[\r\n]", head.lstrip(b"\r\n")) and len(head) <= LINE_BYTES:
            more = self._take(LINE_BYTES)
            if not more:
                break
            head += more
        head = head.lstrip(b"\r\n")
        line = re.split(rb"[\r\n]", head, maxsplit=1)[0]
        self._ahead = head[len(line) :]
        return line

    def _take(self, size: int) -> bytes:
        data = bytes(self._stream.read(size))
        self._left -= len(data)
        if self._left < 0:
            raise _TooLarge
        return data


class Source(_Unpacked):
    """The bytes of a CSV file from its first row on; the header line is taken off.

    `above` is how many lines stand above the header.
    """

    def __init__(self, path: Path, unpacked_bytes: int, above: int = 0) -> None:
        super().__init__(path, unpacked_bytes)
        for _ in range(above):
            self.line()
        text = self.line().decode()
        self.delimiter = delimiter_of(text)
        try:
            cells = next(csv.reader([text], delimiter=self.delimiter, strict=True), [])
        except csv.Error as error:
            raise ValueError("header") from error
        self.header = [name.strip() for name in cells]


def delimiter_of(line: str) -> str:
    """Tell what the cells of a line are separated by."""
    return ";" if line.count(";") > line.count(",") else ","


def first_lines(path: Path, count: int) -> list[str]:
    """Give the first lines of a CSV file that are not empty; none when it cannot be read."""
    try:
        source = _Unpacked(path, 2 * LINE_BYTES * count)
        lines = [source.line() for _ in range(count)]
    except BROKEN:
        return []
    return [line.decode(errors="replace") for line in lines if line]


def _open_source(path: Path, troubles: Troubles, unpacked_bytes: int, above: int) -> Source | None:
    try:
        source = Source(path, unpacked_bytes, above)
    except UnicodeDecodeError:
        troubles.add(path, None, None, "a header line in UTF-8", "other bytes")
    except _TooLarge:
        troubles.add(path, None, None, f"at most {unpacked_bytes} bytes when unpacked", "more")
    except BROKEN:
        troubles.add(path, None, None, "a whole file with a header line", "bytes that are not")
    else:
        if source.header:
            return source
        troubles.add(path, None, None, "a header line", "an empty file")
    return None


def csv_batches(
    path: Path,
    columns: Sequence[Column],
    troubles: Troubles,
    unpacked_bytes: int,
    above: int = 0,
) -> Iterator[Batch]:
    """Read a CSV file batch after batch; `above` is how many lines stand above its header."""
    source = _open_source(path, troubles, unpacked_bytes, above)
    if source is None:
        return
    there = match(path, source.header, columns, troubles)
    if there is None:
        return
    row, cleared = 1, False
    records = _records(source, there)
    while True:
        doubts = Troubles()
        values: dict[str, pa.Array] = {}
        try:
            record = next(records, None)
        except BROKEN:
            doubts.add(path, None, None, "a CSV file with such columns", "bytes that are not")
            record = None
        if record is not None:
            for column, array in zip(there, record.columns, strict=True):
                values[column.gives], faults = column.kind.judge(array)
                doubts.add_faults(path, row, column, empty_cells(column, array) + faults)
        # pyarrow reads 0x10 as the whole number 16.
        unsure = source.hex_seen and not cleared
        if doubts.count or unsure:
            before = troubles.count
            _diagnose(path, there, troubles, unpacked_bytes, above)
            cleared = True
            if troubles.count == before and doubts.count:
                troubles.problems += doubts.problems
                troubles.count += doubts.count
            if troubles.count > before:
                return
        if record is None:
            return
        yield Batch(row, record.num_rows, values)
        row += record.num_rows


def _records(source: Source, there: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    """Read the rest of a file, some pieces of it side by side."""
    return in_turn(partial(_typed, there=there, delimiter=source.delimiter), _pieces(source))


def _pieces(source: Source) -> Iterator[bytes]:
    """Cut the rest of a file into pieces of whole lines.

    Raises
    ------
    _LineTooLong : a line does not end in time.
    """
    rest = b""
    while data := source.read(_PIECE_BYTES):
        data = rest + data
        # What follows a carriage return at the end is not known yet.
        end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
        piece, rest = data[:end].lstrip(b"\r\n"), data[end:]
        if len(rest) > LINE_BYTES or _has_long_line(piece):
            raise _LineTooLong
        if piece:  # blank lines are no rows
            yield piece
    if rest := rest.strip(b"\r\n"):
        yield rest


def _has_long_line(piece: bytes) -> bool:
    # A line that is too long fills one of these, and few others do.
    half = LINE_BYTES // 2
    filled = (
        not any(piece.find(end, at, at + half) >= 0 for end in (b"\n", b"\r"))
        for at in range(0, len(piece) - half + 1, half)
    )
    return any(filled) and any(len(line) > LINE_BYTES for line in piece.splitlines())


def _typed(piece: bytes, there: Sequence[Column], delimiter: str) -> pa.RecordBatch:
    table = pyarrow.csv.read_csv(
        pa.BufferReader(piece),
        read_options=pyarrow.csv.ReadOptions(
            column_names=[column.name for column in there],
            block_size=len(piece) + 1,
            use_threads=False,
        ),
        parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={column.name: column.kind.csv_type for column in there},
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    return table.combine_chunks().to_batches()[0]


class _LineTooLong(ValueError):
    pass


def lines_of(source: Source) -> Iterator[bytes]:
    """Split the rest of a file into its lines, empty ones left out, as pyarrow does."""
    rest = b""
    while data := source.read(LINE_BYTES):
        lines = (rest + data).splitlines()
        # The last line may go on in the next piece.
        rest = lines.pop() if lines and not data.endswith((b"\n", b"\r")) else b""
        for line in lines:
            if len(line) > LINE_BYTES:
                raise _LineTooLong
            if line:
                yield line
        if len(rest) > LINE_BYTES:
            raise _LineTooLong
    if rest:
        yield rest


def _diagnose(
    path: Path, there: Sequence[Column], troubles: Troubles, unpacked_bytes: int, above: int
) -> None:
    """Read a CSV file plainly, cell by cell, and name every row that is wrong."""
    source = _open_source(path, troubles, unpacked_bytes, above)
    if source is None:
        return
    row = 0
    held: list[list[str]] = []
    try:
        for line in lines_of(source):
            row += 1
            cells = _split(path, row, line, source.delimiter, len(there), troubles)
            held.append(cells)
            if len(held) == BATCH_ROWS:
                _diagnose_cells(path, row - len(held) + 1, there, held, troubles)
                held.clear()
    except _LineTooLong:
        troubles.add(path, row + 1, None, "a line of at most 1 MiB", "a longer line")
    except _TooLarge:
        expected = f"at most {unpacked_bytes} bytes when unpacked"
        troubles.add(path, row + 1, None, expected, "more")
    except BROKEN:
        found = "bytes that cannot be unpacked or end too early"
        troubles.add(path, row + 1, None, "a whole file", found)
    if held:
        _diagnose_cells(path, row - len(held) + 1, there, held, troubles)


def _split(
    path: Path, row: int, line: bytes, delimiter: str, count: int, troubles: Troubles
) -> list[str]:
    """Split a line into its cells; none when it cannot be, and the problem is noted."""
    try:
        cells = next(csv.reader([line.decode()], delimiter=delimiter, strict=True))
    except UnicodeDecodeError:
        troubles.add(path, row, None, "UTF-8 text", "other bytes")
    except csv.Error:
        troubles.add(path, row, None, "quotes that open and close on the line", "others")
    else:
        if len(cells) == count:
            return cells
        troubles.add(path, row, None, f"{count} fields", f"{len(cells)}")
    return []


def _diagnose_cells(
    path: Path, first_row: int, there: Sequence[Column], held: list[list[str]], troubles: Troubles
) -> None:
    split: Mask = np.array([bool(cells) for cells in held])
    found = Troubles()
    for place, column in enumerate(there):
        texts = pa.array([cells[place] if cells else None for cells in held], pa.string())
        _, faults = text_cells(column.kind, texts)
        if not column.empty:
            blank = pc.equal(texts, "").fill_null(False)
            faults.append((blank.to_numpy(zero_copy_only=False) & split, "empty"))
        found.add_faults(path, first_row, column, faults)
    troubles.count += found.count - len(found.problems)
    for problem in sorted(found.problems, key=lambda problem: problem.row or 0):
        troubles.add(path, problem.row, problem.column, problem.expected, problem.found)
