"""Rows come out in order, whole numbers together, however they are cut and wherever they lie."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwartier.adapters import sorting

SCHEMA = pa.schema(
    [
        ("place", pa.int64()),
        ("number", pa.int64()),
        ("part", pa.int8()),
        ("values", pa.list_(pa.int64())),
        ("name", pa.string()),
    ]
)
ROW = st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 2), st.integers(0, 5))


def _batch(rows: list[tuple[int, int, int, int]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(
        [
            {"place": p, "number": n, "part": k, "values": [v] * v or None, "name": f"{p}{n}"}
            for p, n, k, v in rows
        ],
        schema=SCHEMA,
    )


@given(
    batches=st.lists(st.lists(ROW, max_size=12), max_size=12),
    lot=st.sampled_from([1, 300, 1 << 20]),
    piece=st.sampled_from([1, 100, 1 << 20]),
    held=st.sampled_from([0, 500, 1 << 20]),
)
def test_rows_come_out_in_order_and_whole(
    batches: list[list[tuple[int, int, int, int]]], lot: int, piece: int, held: int
) -> None:
    rows = [row for batch in batches for row in batch]
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as scratch:
        patch.setattr(sorting, "LOT_BYTES", lot)
        patch.setattr(sorting, "PIECE_BYTES", piece)
        patch.setattr(sorting, "HELD_BYTES", held)
        made = [
            (place, [part.to_pylist() for part in parts])
            for place, parts in sorting.ordered(
                map(_batch, batches), SCHEMA.names[:3], Path(scratch)
            )
        ]
    assert [place for place, _ in made] == sorted({row[0] for row in rows})
    for place, parts in made:
        here = [row for part in parts for row in part]
        assert {row["place"] for row in here} == {place}
        keys = [(row["number"], row["part"]) for row in here]
        assert keys == sorted(keys)
        numbers = [{row["number"] for row in part} for part in parts]
        assert sum(map(len, numbers)) == len(set().union(*numbers))
    came = [repr(row) for _, parts in made for part in parts for row in part]
    assert sorted(came) == sorted(map(repr, _batch(rows).to_pylist()))


def test_what_is_wrong_with_the_input_is_raised_as_it_is(tmp_path: Path) -> None:
    def broken():  # type: ignore[no-untyped-def]
        yield _batch([(0, 1, 0, 1)])
        raise RuntimeError("the file ends here")

    with pytest.raises(RuntimeError, match="the file ends here"):
        sorting.ordered(broken(), SCHEMA.names[:3], tmp_path)
