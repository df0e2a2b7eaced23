"""The readings of whole day rows, from the pages of their column.

To Parquet a list is two levels for each of its numbers, and to make lists of them takes three times
as long as all else. The rows of a complete layer have as many readings each, so here levels are
held against what they must be, and the numbers put together as they lie. A page has a checksum,
which is looked at first. What is in any way not as the store writes it is read by pyarrow.
Source: Apache Parquet format, parquet.thrift; Thrift compact protocol; decisions §43.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from sys import getrefcount
from threading import local

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from zlib_ng.zlib_ng import crc32

from kwartier import kernels

_CODEC = "lz4_raw"
_SPLIT, _RUNS, _DATA = 9, 3, 0  # BYTE_STREAM_SPLIT, RLE, DATA_PAGE
# Fields of a page header: kind, sizes of the page as it was and as it lies, checksum, and of its
# data: numbers, encodings of numbers and of both levels.
_KIND, _SIZE, _LIES, _CHECKSUM, _PAGE = 1, 2, 3, 4, 5
_COUNT, _ENCODING, _LEVEL, _OTHER_LEVEL = 1, 2, 3, 4
_MOST_TO_ONE = 256  # bytes that LZ4 can make of one, so that no footer asks for more memory
_SHORTEST = 8  # bytes of a page: how long its levels are, twice
_DEEPEST = 4  # structures within each other
_LEVELS: dict[tuple[int, int, int], npt.NDArray[np.uint8]] = {}
_MOST_LEVELS = 64  # some 10 kB each
_SPARE = local()


def _references(held: Sequence[npt.NDArray[np.uint32]]) -> int:
    return getrefcount(held[0])


# Of a room that nobody looks at: which of them count differs between versions of Python.
_UNSEEN = _references([np.empty(0, np.uint32)])


class _Otherwise(Exception):
    """Something is not as the store writes it."""


def readings(
    path: Path, metadata: pq.FileMetaData, row_group: int, column: int
) -> npt.NDArray[np.int32] | None:
    """Read lists of as many whole numbers each, (rows, numbers); None: they are not so written.

    Parameters
    ----------
    column : which of all columns that have no columns within them.
    """
    group = metadata.row_group(row_group)
    told, levels = group.column(column), metadata.schema.column(column)
    rows = group.num_rows
    if (
        not rows
        or told.num_values % rows
        or told.physical_type != "INT32"
        or told.compression != "LZ4"
        or told.dictionary_page_offset is not None
        or 4 * told.num_values > _MOST_TO_ONE * told.total_compressed_size
        or (levels.max_definition_level, levels.max_repetition_level) != (1, 1)
    ):
        return None
    try:
        with path.open("rb") as file:
            file.seek(told.data_page_offset)
            chunk = file.read(told.total_compressed_size)
        numbers = _spare(told.num_values)
        _put_together(chunk, told.num_values // rows, numbers)
        return numbers.view(np.int32).reshape(rows, -1)
    except (_Otherwise, IndexError, OSError, pa.ArrowInvalid):
        return None


def _spare(count: int) -> npt.NDArray[np.uint32]:
    """Give room for numbers: what this thread read before, once nobody looks at it any more.

    New memory takes longer to get than to fill; and of one room more stays in the cache than of two
    in turn.
    """
    held: list[npt.NDArray[np.uint32]] = _SPARE.__dict__.setdefault("held", [])
    if not held or _references(held) != _UNSEEN or len(held[0]) < count:
        held[:] = [np.empty(count, np.uint32)]
    return held[0][:count]


def _put_together(chunk: bytes, every: int, numbers: npt.NDArray[np.uint32]) -> None:
    """Put the numbers of all pages together.

    every : how many a list has.
    """
    count, done = len(numbers), 0
    for page, held in _pages(chunk):
        if held > count - done:
            raise _Otherwise
        at = 0
        for of_list in (every, 0):
            end = at + 4 + int.from_bytes(page[at : at + 4].tobytes(), "little")
            if end > len(page):
                raise _Otherwise
            _look_at(page[at + 4 : end], done % every, held, of_list)
            at = end
        if len(page) != at + 4 * held:
            raise _Otherwise
        kernels.put_together(page, at, numbers[done : done + held])
        done += held
    if done != count:
        raise _Otherwise


def _look_at(levels: npt.NDArray[np.uint8], first: int, held: int, every: int) -> None:
    """Hold levels against what they must be; those of one row group are often those of the next.

    first, held, every : see kernels.levels_are(); `first` is a place within a list.
    """
    of = (first, held, every)
    known = _LEVELS.get(of)
    if known is None or not np.array_equal(known, levels):
        if not kernels.levels_are(levels, first, held, every):
            raise _Otherwise
        if len(_LEVELS) >= _MOST_LEVELS:
            _LEVELS.clear()
        _LEVELS[of] = levels.copy()


def _pages(chunk: bytes) -> Iterator[tuple[npt.NDArray[np.uint8], int]]:
    """Give the pages of a column, uncompressed, and how many numbers each has."""
    codec, at, lying = pa.Codec(_CODEC), 0, memoryview(chunk)
    while at < len(chunk):
        header, at = _structure(chunk, at)
        of_page = header.get(_PAGE)
        size, lies = header.get(_SIZE), header.get(_LIES)
        if not isinstance(of_page, dict) or not isinstance(size, int) or not isinstance(lies, int):
            raise _Otherwise
        count = of_page.get(_COUNT)
        written = (header.get(_KIND), *(of_page.get(n) for n in (_ENCODING, _LEVEL, _OTHER_LEVEL)))
        body = lying[at : at + max(lies, 0)]
        if (
            written != (_DATA, _SPLIT, _RUNS, _RUNS)
            or not isinstance(count, int)
            # Levels take less than the numbers do.
            or not _SHORTEST + 4 * count <= size <= _SHORTEST + 8 * count
            or len(body) != lies
            or header.get(_CHECKSUM) != _signed(crc32(body))
        ):
            raise _Otherwise
        yield np.frombuffer(codec.decompress(body, size), np.uint8), count
        at += lies


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


_Structure = dict[int, "int | _Structure | None"]


def _structure(data: bytes, at: int, depth: int = 0) -> tuple[_Structure, int]:
    """Read a structure of the compact protocol: whole numbers and structures by the field of each.

    Returns
    -------
    fields, at : None where a field is of another type; where the structure ends.
    """
    if depth > _DEEPEST:
        raise _Otherwise
    fields: _Structure = {}
    field = 0
    while data[at]:
        step, kind = data[at] >> 4, data[at] & 15
        at += 1
        if not step:  # written out, where it is further away than 15
            raise _Otherwise
        field += step
        if kind in (1, 2):  # true and false, which take no room
            fields[field] = None
        elif kind in (4, 5, 6):
            number, at = _number(data, at)
            fields[field] = (number >> 1) ^ -(number & 1)
        elif kind == 8:
            length, at = _number(data, at)
            fields[field] = None
            at += length
        elif kind == 12:
            fields[field], at = _structure(data, at, depth + 1)
        else:
            raise _Otherwise
    return fields, at + 1


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of which each byte holds seven bits."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, at
        if shift > 63:
            raise _Otherwise
