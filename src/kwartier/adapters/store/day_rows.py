"""Day rows as they are kept: layers of Parquet, read block by block, written point by point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from kwartier import codes
from kwartier.adapters.store.storage import Folder, Storage, reading
from kwartier.adapters.store.writing import Writer
from kwartier.arrays import NOT_READ, Int64s, Rows, joined, place_in

ROW_GROUP = 16_384
STRETCHES = 16  # of a layer, at most
BLOCKS = 4  # of a stretch, at least, but for the last of a layer
_LARGEST = np.iinfo(np.int32).max
_REGISTER = pa.field("register", pa.string(), nullable=False)
_POINT = pa.field("accounting_point", pa.int64(), nullable=False)
_METER = pa.field("meter", pa.string())
# Readings without holes decode fastest as 32-bit whole numbers that cannot be null.
_WHOLE = pa.field("reading_wh", pa.list_(pa.field("element", pa.int32(), nullable=False)), False)
_HOLED = pa.field("reading_wh", pa.list_(pa.int64()), nullable=False)
_STATUS = pa.field("status", pa.list_(pa.field("element", pa.int32(), nullable=False)))
_FLAT = [_POINT.name, _REGISTER.name, _METER.name]  # columns before the readings
# Chosen by measuring decode time and size (docs/decisions.md §14).
LAYOUT: dict[str, Any] = {
    "compression": "lz4",
    "use_dictionary": ["register"],
    "column_encoding": {
        "accounting_point": "DELTA_BINARY_PACKED",
        "reading_wh.list.element": "BYTE_STREAM_SPLIT",
    },
    "write_statistics": ["accounting_point"],
    "write_page_checksum": True,
}


def partition(day: date, grid_area: str) -> str:
    return f"market_day={day.isoformat()}/grid_area={grid_area}"


@dataclass(frozen=True)
class Layer:
    """The day rows that one delivery holds of a grid area and market day, in one file."""

    storage: Storage
    place: str
    complete: bool
    order: int
    sha256: str

    @cached_property
    def metadata(self) -> pq.FileMetaData:
        """The footer of the file."""
        with self.reading():
            return pq.read_metadata(self.storage.source(self.place))

    def reading(self) -> AbstractContextManager[None]:
        """Say that it cannot be read."""
        return reading(self.storage.name(self.place))

    def open(self, **options: Any) -> pq.ParquetFile:
        """Open it to read some of it."""
        return pq.ParquetFile(
            self.storage.source(self.place),
            metadata=self.metadata,
            pre_buffer=self.storage.pre_buffer,
            page_checksum_verification=True,
            **options,
        )

    def straight(self, row_group: int) -> npt.NDArray[np.int32] | None:
        """Read the readings of a row group from their pages, where that can be; else None."""
        if not self.complete or not isinstance(self.storage, Folder):
            return None
        from kwartier.adapters.store import pages  # who writes rows waits for no kernels

        return pages.readings(self.storage.source(self.place), self.metadata, row_group, len(_FLAT))

    def __reduce__(self) -> tuple[Any, ...]:
        """Be the same layer, with its footer, for all blocks of it that come to a machine."""
        return _layer, (self.storage, self.place, self.complete, self.order, self.sha256)

    def range(self, row_group: int) -> tuple[int, int]:
        """The lowest and the highest point in a row group."""
        statistics = self.metadata.row_group(row_group).column(0).statistics
        return statistics.min, statistics.max

    def numbers(self) -> Int64s:
        """The points it holds, each once."""
        with self.reading():
            column = self.open().read([_POINT.name])
        return np.unique(column[_POINT.name].to_numpy())

    def numbers_in(self, row_groups: Sequence[int]) -> list[Int64s]:
        """The points of the rows of each of some row groups."""
        if not row_groups:
            return []
        with self.reading():
            file = self.open()
            columns = [
                file.read_row_group(group, columns=[_POINT.name], use_threads=False)[_POINT.name]
                for group in row_groups
            ]
        return [column.to_numpy() for column in columns]


@lru_cache(maxsize=16)
def _layer(storage: Storage, place: str, complete: bool, order: int, sha256: str) -> Layer:
    return Layer(storage, place, complete, order, sha256)


@dataclass(frozen=True, eq=False)
class Block:
    """A row group of a layer.

    `hidden` are the points in its range that a later delivery holds, None: there are none; `only`
    restricts it to some points. Both are sorted.
    """

    layer: Layer
    row_group: int
    hidden: Int64s | None = None
    only: Int64s | None = None

    def numbers(self) -> Int64s:
        """Read the points of its rows, also of those that are hidden."""
        return self.layer.numbers_in([self.row_group])[0]

    def read(self) -> Rows:
        """Read the rows, sorted by point, meter and register."""
        return self.read_named()[0]

    def read_named(self) -> tuple[Rows, dict[int, str]]:
        """Read the rows, and the name of each meter code among them."""
        if self.only is not None and not (place_in(self.numbers(), self.only) >= 0).any():
            # The points are quick to read; so one that was not read for long costs little.
            none = np.empty(0, np.int64)
            return Rows(none, none, none, none.reshape(0, 1), None, self.layer.complete), {}
        readings = self.layer.straight(self.row_group)
        columns = None if readings is None else _FLAT
        with self.layer.reading():
            file = self.layer.open(read_dictionary=[_REGISTER.name, _METER.name])
            table = file.read_row_group(self.row_group, columns=columns, use_threads=False)
        if readings is None:
            readings = _matrix(table["reading_wh"])
        number = table["accounting_point"].to_numpy()
        keep = None
        for points, inside in ((self.hidden, False), (self.only, True)):
            if points is not None:
                held = place_in(points, number) >= 0
                keep = (held == inside) if keep is None else keep & (held == inside)
        if keep is not None and not keep.all():
            table = table.filter(pa.array(keep))
            number, readings = number[keep], readings[keep]
        register = table["register"].combine_chunks()
        index = np.array(
            [codes.REGISTER_INDEX[obis] for obis in register.dictionary.to_pylist()], np.int64
        )
        meter, names = meter_codes(table["meter"].combine_chunks())
        rows = Rows(
            number=number,
            register=index[register.indices.to_numpy()] if len(number) else index[:0],
            meter=meter,
            reading=readings,
            status=_bits(table["status"]) if "status" in table.column_names else None,
            complete=self.layer.complete,
        )
        return rows, names


class Stretch(NamedTuple):
    """Blocks of a layer that follow each other: what is computed, and kept, as one."""

    blocks: tuple[Block, ...]

    def range(self) -> tuple[int, int]:
        """The lowest and the highest point in it."""
        layer = self.blocks[0].layer
        return (
            layer.range(self.blocks[0].row_group)[0],
            layer.range(self.blocks[-1].row_group)[1],
        )

    def name(self) -> bytes:
        """Name what is in it: files, row groups, and the points that are hidden of each."""
        hiding = [block.row_group for block in self.blocks if block.hidden is not None]
        numbers = iter(self.blocks[0].layer.numbers_in(hiding))
        names = []
        for block in self.blocks:
            digest = blake2b(f"{block.layer.sha256} {block.row_group}".encode(), digest_size=16)
            if block.hidden is not None:
                digest.update(block.hidden[place_in(next(numbers), block.hidden) >= 0].tobytes())
            names.append(digest.digest())
        return b"".join(names)


def stretches(blocks: Sequence[Block], size: int | None = None) -> list[Stretch]:
    """Put blocks of a layer together.

    Parameters
    ----------
    size : how many, at most; when not given so many that there are a few dozen stretches of a
        layer: fewer would have to be computed again as a whole where a little changed, more would
        be work to keep.
    """
    made: list[Stretch] = []
    for layer, of_layer in groupby(blocks, key=lambda block: block.layer):
        many = size or max(BLOCKS, -(-layer.metadata.num_row_groups // STRETCHES))
        for _, part in groupby(of_layer, key=lambda block: block.row_group // many):
            made.append(Stretch(tuple(part)))
    return made


def _matrix(column: pa.ChunkedArray) -> npt.NDArray[np.signedinteger]:
    lists = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    first, last = (lists.offsets[i].as_py() for i in (0, -1))
    values = lists.values.slice(first, last - first)  # no list is null, so nothing is copied
    if values.null_count:
        values = values.fill_null(pa.scalar(int(NOT_READ), values.type))
    return values.to_numpy().reshape(len(lists), -1) if len(lists) else np.empty((0, 1), np.int64)


def _bits(column: pa.ChunkedArray) -> Int64s | None:
    """Give the status of every reading; a row without any has null."""
    if column.null_count == len(column):
        return None
    told = column.is_valid().to_numpy()
    matrix = _matrix(column.drop_null())
    bits = np.zeros((len(told), matrix.shape[1]), np.int64)
    bits[told] = matrix
    return bits


def _status_lists(rows: Rows) -> pa.Array:
    """Make the status of rows; null where all of a row is 0, which is quicker to write and read."""
    if rows.status is None:
        return pa.nulls(len(rows.number), _STATUS.type)
    told = rows.status.any(axis=1)
    values = pa.array(rows.status[told].reshape(-1).astype(np.int32))
    ends = np.cumsum(np.append(0, told * rows.status.shape[1])).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), values, type=_STATUS.type, mask=pa.array(~told))


def meter_code(name: str) -> int:
    """Give the number that stands for a meter's name inside a run; 0 stands for no name."""
    digest = blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True) or 1


def meter_codes(name: pa.Array) -> tuple[Int64s, dict[int, str]]:
    """Give the code of each meter's name, and the name of each code."""
    if name.null_count == len(name):
        return np.zeros(len(name), np.int64), {}
    encoded = name if pa.types.is_dictionary(name.type) else name.dictionary_encode()
    names = {meter_code(word): word for word in encoded.dictionary.to_pylist()}
    of_word = np.array([*names, 0], np.int64)
    return of_word[encoded.indices.fill_null(len(names)).to_numpy()], names


def _meter_names(code: Int64s, names: Mapping[int, str]) -> pa.Array:
    different, at = np.unique(code, return_inverse=True)
    words = [names.get(number) for number in different.tolist()]
    return pa.array(words, pa.string()).take(pa.array(at))


class LayerWriter:
    """Writes the day rows of one delivery, area and day, points in rising order.

    Points of which every row is whole go to the complete file, all others to the partial one.
    """

    def __init__(self, storage: Storage, day: date, grid_area: str, delivery: str) -> None:
        self._storage = storage
        self._folder = f"readings/{partition(day, grid_area)}"
        self._delivery = delivery
        self._writers: dict[bool, Writer] = {}
        self._waiting: dict[bool, list[Rows]] = {True: [], False: []}
        self._names: dict[bool, dict[int, str]] = {True: {}, False: {}}

    def write(self, rows: Rows, meters: Mapping[int, str]) -> None:
        """Write rows, sorted by point, meter and register; a point's rows come in one call."""
        whole = (rows.reading.min(axis=1) >= 0) & (rows.reading.max(axis=1) <= _LARGEST)
        if rows.status is not None:
            whole &= (rows.status == 0).all(axis=1)
        starts = np.ones(len(rows.number), bool)
        starts[1:] = rows.number[1:] != rows.number[:-1]
        first = np.nonzero(starts)[0]
        if len(first):
            whole = np.logical_and.reduceat(whole, first)
            lowest = np.minimum.reduceat(rows.meter, first)
            whole &= lowest == np.maximum.reduceat(rows.meter, first)
            whole = np.repeat(whole, np.diff(np.append(first, len(rows.number))))
        for complete in (True, False):
            part = rows.take(whole == complete)
            if len(part.number):
                if complete:
                    part = part._replace(reading=part.reading.astype(np.int32), status=None)
                names = {code: meters[code] for code in np.unique(part.meter).tolist() if code}
                self._names[complete] |= names
                self._waiting[complete].append(part)
                self._flush(complete, ROW_GROUP)

    def _flush(self, complete: bool, least: int) -> None:
        """Write what waits in row groups of whole points; less than `least` rows go on waiting."""
        if sum(len(part.number) for part in self._waiting[complete]) < least:
            return
        rows = joined(self._waiting[complete])
        ends = np.append(np.nonzero(rows.number[1:] != rows.number[:-1])[0] + 1, len(rows.number))
        at = 0
        while len(rows.number) - at >= least and at < len(rows.number):
            fitting = np.searchsorted(ends, at + ROW_GROUP, "right") - 1
            end = int(ends[max(fitting, np.searchsorted(ends, at, "right"))])
            self._write(complete, rows.cut(at, end))
            at = end
        rest = rows.cut(at, len(rows.number))
        self._waiting[complete] = [rest] if len(rest.number) else []
        names = self._names[complete]
        self._names[complete] = {c: names[c] for c in np.unique(rest.meter).tolist() if c}

    def _write(self, complete: bool, rows: Rows) -> None:
        size = rows.reading.size
        offsets = pa.array(np.arange(0, size + 1, rows.reading.shape[1], dtype=np.int32))
        columns = {
            _POINT: pa.array(rows.number),
            _REGISTER: pa.array(codes.REGISTERS).take(pa.array(rows.register)),
            _METER: _meter_names(rows.meter, self._names[complete]),
        }
        readings = rows.reading.reshape(-1)
        if complete:
            values = pa.array(readings)
            columns[_WHOLE] = pa.ListArray.from_arrays(offsets, values, type=_WHOLE.type)
        else:
            values = pa.array(readings, mask=readings == NOT_READ)
            columns[_HOLED] = pa.ListArray.from_arrays(offsets, values)
            columns[_STATUS] = _status_lists(rows)
        table = pa.table(list(columns.values()), schema=pa.schema(list(columns)))
        if complete not in self._writers:
            name = "complete" if complete else "partial"
            place = f"{self._folder}/{name}-{self._delivery}.parquet"
            self._writers[complete] = Writer(self._storage, place, table.schema, **LAYOUT)
        self._writers[complete].write(table)

    def close(self) -> list[dict[str, Any]]:
        """Finish the files and give what a manifest says of them."""
        entries = []
        for complete in (True, False):
            self._flush(complete, 1)
            writer = self._writers.get(complete)
            if writer:
                with writer:
                    pass
                entries.append(writer.entry())
        return entries
