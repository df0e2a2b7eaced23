"""PURPOSE: documents that were accepted are kept as rows, and come out of them as they went in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwartier import documents, tables
from kwartier.documents import PROCESSES
from tests import messages


@pytest.mark.parametrize("process", PROCESSES)
@settings(max_examples=10)
@given(data=st.data())
def test_documents_come_out_of_their_table(process: str, data: st.DataObject) -> None:
    first = data.draw(messages.documents(process))
    second = replace(first, id="another", created_at=first.created_at + 1)
    kept = documents.table([first, second])
    assert kept.schema == tables.SERIES.schema
    assert documents.from_table(kept) == (first, second)


def test_documents_come_out_of_rows_in_any_order_and_of_a_file(tmp_path: Path) -> None:
    given_ = tuple(messages.document(process) for process in PROCESSES)
    kept = documents.table(given_)
    path = tmp_path / "series.parquet"
    pq.write_table(kept.take(pa.array(np.arange(kept.num_rows)[::-1])), path, row_group_size=3)
    assert documents.from_table(pq.read_table(path)) == given_[::-1]


def test_what_a_series_has_not_is_null() -> None:
    (row,) = documents.table([messages.document("N151", messages.series("N151"))]).to_pylist()
    absent = {name for name, value in row.items() if value is None}
    assert absent == {
        *("direction", "brp", "supplier", "accounting_point", "profile_category", "status"),
        *("consumption_type", "origin", "origins", "statuses", "methods", "revision_request"),
    }


def test_no_documents_make_an_empty_table_and_back() -> None:
    assert documents.from_table(documents.table([])) == ()


def test_a_document_without_series_cannot_be_kept() -> None:
    with pytest.raises(ValueError, match="at least one series"):
        documents.table([replace(messages.document("N111"), series=())])
