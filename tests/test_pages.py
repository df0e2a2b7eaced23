"""PURPOSE: readings come straight from pages only where these are just as the store writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwartier.adapters.store import day_rows, pages
from kwartier.adapters.store.storage import Folder, HomeError
from kwartier.arrays import Rows
from tests.market import AREA, DAY

ELEMENT = pa.field("element", pa.int32(), nullable=False)
SCHEMA = pa.schema([pa.field("reading_wh", pa.list_(ELEMENT), nullable=False)])
LAYOUT: dict[str, Any] = {
    "compression": "lz4",
    "use_dictionary": False,
    "column_encoding": {"reading_wh.list.element": "BYTE_STREAM_SPLIT"},
    "write_page_checksum": True,
}


def written(path: Path, lists: Any, schema: pa.Schema = SCHEMA, **layout: Any) -> Path:
    table = pa.table([pa.array(lists, schema.types[0])], schema=schema)
    pq.write_table(table, path, **{**LAYOUT, **layout})
    return path


def straight(path: Path, row_group: int = 0) -> Any:
    return pages.readings(path, pq.read_metadata(path), row_group, 0)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 60),
    numbers=st.integers(1, 40),
    page=st.sampled_from([1, 64, 500, 1 << 20]),
    groups=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_it_is_what_pyarrow_reads(
    tmp_path_factory: pytest.TempPathFactory,
    rows: int,
    numbers: int,
    page: int,
    groups: int,
    seed: int,
) -> None:
    """Lists of any length, of which pages cut some."""
    folder = tmp_path_factory.mktemp("pages")
    span = np.iinfo(np.int32)
    made = np.random.default_rng(seed).integers(span.min, span.max, (rows, numbers), endpoint=True)
    size = -(-rows // groups)
    path = written(
        folder / "file", made.tolist(), row_group_size=size, data_page_size=page, write_batch_size=3
    )
    read = [straight(path, n) for n in range(pq.read_metadata(path).num_row_groups)]
    assert np.array_equal(np.concatenate(read), made)


@pytest.mark.parametrize(
    "lists",
    [
        [[1, 2, 3], [4, 5]],
        [[1, 2], [3, 4, 5, 6]],  # together as many as two lists of three
        [[1, 2, 3, 4], []],
        [[], []],
        [[1] * 20, [2] * 19, [3] * 21],
    ],
)
def test_lists_of_other_lengths_are_not_read(tmp_path: Path, lists: list[list[int]]) -> None:
    assert straight(written(tmp_path / "file", lists)) is None


@pytest.mark.parametrize(
    "layout",
    [
        {"compression": "zstd"},
        {"compression": "none"},
        {"write_page_checksum": False},
        {"use_dictionary": True, "column_encoding": None},
        {"column_encoding": {"reading_wh.list.element": "PLAIN"}},
        {"column_encoding": {"reading_wh.list.element": "DELTA_BINARY_PACKED"}},
        {"data_page_version": "2.0"},
    ],
)
def test_other_layouts_are_not_read(tmp_path: Path, layout: dict[str, Any]) -> None:
    assert straight(written(tmp_path / "file", [[1, 2], [3, 4]], **layout)) is None


@pytest.mark.parametrize(
    "schema",
    [
        pa.schema([pa.field("reading_wh", pa.list_(ELEMENT))]),
        pa.schema([pa.field("reading_wh", pa.list_(pa.int32()), nullable=False)]),
        pa.schema(
            [pa.field("reading_wh", pa.list_(pa.field("element", pa.int64(), False)), False)]
        ),
    ],
)
def test_lists_that_can_hold_nothing_or_more_are_not_read(
    tmp_path: Path, schema: pa.Schema
) -> None:
    assert straight(written(tmp_path / "file", [[1, 2], [3, 4]], schema)) is None


def test_no_bit_of_a_page_can_change_unseen(tmp_path: Path) -> None:
    made = np.arange(120).reshape(10, 12) * 1_000
    path = written(tmp_path / "file", made.tolist())
    told = pq.read_metadata(path).row_group(0).column(0)
    whole = path.read_bytes()
    for at in range(told.data_page_offset, told.data_page_offset + told.total_compressed_size):
        for bit in range(8):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            read = straight(path)
            # Only what a header says beside what is read can change, as the page's statistics.
            assert read is None or np.array_equal(read, made), (at, bit)


def test_a_file_that_was_cut_is_not_read(tmp_path: Path) -> None:
    path = written(tmp_path / "file", [[n, n + 1] for n in range(500)])
    metadata, whole = pq.read_metadata(path), path.read_bytes()
    end = metadata.row_group(0).column(0).total_compressed_size
    for size in range(0, end, 7):
        path.write_bytes(whole[:size])
        assert pages.readings(path, metadata, 0, 0) is None
    path.unlink()
    assert pages.readings(path, metadata, 0, 0) is None


def _layer(folder: Path, rows: Rows) -> day_rows.Layer:
    storage = Folder(folder)
    writer = day_rows.LayerWriter(storage, DAY, AREA, "delivery")
    writer.write(rows, {})
    (entry,) = writer.close()
    return day_rows.Layer(storage, entry["path"], True, 1, entry["sha256"])


def _rows(count: int) -> Rows:
    number, none = np.arange(count) + 10, np.zeros(count, np.int64)
    reading = np.cumsum(np.full((count, 97), 3), axis=1) + number[:, None] * 1_000
    return Rows(number, none, none, reading, None, False)


def test_a_complete_layer_is_read_so_and_gives_what_pyarrow_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_rows, "ROW_GROUP", 16)
    rows = _rows(40)
    layer = _layer(tmp_path, rows)
    only = np.array([3, 12, 13, 40, 999])
    for group in range(layer.metadata.num_row_groups):
        straight = layer.straight(group)
        assert straight is not None
        for hidden, some in ((None, None), (only, None), (None, only)):
            block = day_rows.Block(layer, group, hidden, some)
            read = block.read()
            with monkeypatch.context() as patch:
                patch.setattr(day_rows.Layer, "straight", lambda *_: None)
                otherwise = block.read()
            assert np.array_equal(read.number, otherwise.number)
            assert np.array_equal(read.reading, otherwise.reading)
            assert read.reading.dtype == otherwise.reading.dtype or not len(read.number)
            expected = rows.reading[np.searchsorted(rows.number, read.number)]
            assert np.array_equal(read.reading, expected) or not len(read.number)


def test_a_damaged_page_is_told(tmp_path: Path) -> None:
    layer = _layer(tmp_path, _rows(40))
    path = tmp_path / layer.place
    told = layer.metadata.row_group(0).column(3)
    whole = bytearray(path.read_bytes())
    whole[told.data_page_offset + told.total_compressed_size - 5] ^= 1
    path.write_bytes(whole)
    with pytest.raises(HomeError, match="complete-delivery"):
        day_rows.Block(layer, 0).read()


def test_room_is_used_again_once_nobody_looks_at_it(tmp_path: Path) -> None:
    lists = [[[n, n + 1]] * 500 for n in range(5)]
    paths = [written(tmp_path / f"file-{n}", made) for n, made in enumerate(lists)]
    held = [straight(path) for path in paths]
    part = held[4][7:9]  # a part of it is enough
    for made, read in zip(lists, held, strict=True):
        assert read.tolist() == made
    at = {read.ctypes.data for read in held}
    assert len(at) == len(held)
    del read
    held.clear()
    again = straight(paths[0])
    assert again.ctypes.data in at
    assert again.tolist() == lists[0]
    more = straight(paths[1])
    assert part.tolist() == lists[4][7:9]
    assert (again.tolist(), more.tolist()) == (lists[0], lists[1])
