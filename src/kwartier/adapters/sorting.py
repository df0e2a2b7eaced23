"""Rows in order, also when they do not fit in memory."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

BATCH = 1_000_000


def ordered(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, by: Sequence[str], scratch: Path
) -> Iterator[pa.RecordBatch]:
    """Put rows in order; what does not fit in memory goes to the scratch folder.

    All batches are read before the first ordered one comes out, so what is wrong with the input
    is raised, as it is, before anything is made of it.
    """
    import duckdb  # only taking in needs it, and it takes its time to load

    raised: list[BaseException] = []

    def guarded() -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except BaseException as error:  # handed on below; the database would make text of it
            raised.append(error)
            raise

    reader = pa.RecordBatchReader.from_batches(schema, guarded())
    with duckdb.connect(config={"temp_directory": str(scratch), "memory_limit": "4GB"}) as database:
        try:
            database.register("rows", reader)
            result = database.sql(f"SELECT * FROM rows ORDER BY {', '.join(by)}")
            yield from result.to_arrow_reader(BATCH)
        except duckdb.Error:
            if raised:
                raise raised[0] from None
            # Its own text may show what is in the rows.
            text = "no room to sort the rows, neither in memory nor here"
            raise OSError(errno.ENOSPC, text, str(scratch)) from None
