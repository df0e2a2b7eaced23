"""Taking in readings: files → day rows. One call is one delivery, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from kwartier import findings, periods
from kwartier.adapters import files, sorting, store
from kwartier.adapters.store import Block, Home
from kwartier.arrays import Int64s, Rows, joined
from kwartier.engines import cores
from kwartier.runs.deliveries import (
    Intake,
    Source,
    deliver_rows,
    in_order,
    new_files,
)
from kwartier.runs.door import ORDER, Door, built, day_and_area
from kwartier.runs.moments import Progress, identity, seconds, silent
from kwartier.runs.process import at_work
from kwartier.steps import delivery


def ingest(
    home: Home,
    sources: Sequence[Source],
    *,
    clock: str | None = None,
    recorded_at: datetime | None = None,
    progress: Progress = silent,
) -> Intake:
    """Take in files (or Arrow tables) of readings, as one delivery.

    Parameters
    ----------
    clock : what local times without UTC offset mean; None refuses them.
    recorded_at : the moment of taking in; now when not given.
    progress : called with the rows read so far.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them is kept.
    HomeError : there is no register yet, or a later delivery was taken in before.
    """
    moment = seconds(recorded_at)
    with home.writing(), at_work():
        new = new_files(home, sources, "readings", moment)
        if not new.paths:
            return Intake(None, skipped=new.skipped)
        in_order(home, "readings", moment)
        with ThreadPoolExecutor(1) as beside:
            telling = beside.submit(new.told)
            door = Door(home, moment, progress)
            batches = door.batches(files.ahead(files.read_readings(new.paths, clock)))
            ordered = sorting.ordered(batches, ORDER, home.scratch())
            inputs = telling.result()
        name = identity([inputs, moment])
        with ThreadPoolExecutor(cores()) as pool:
            write = partial(_write_layer, home, door.areas, name, moment)
            layers = list(pool.map(write, ordered))
        return deliver_rows(
            home,
            "readings",
            moment,
            name,
            inputs,
            new.skipped,
            [file for layer in layers for file in layer.written],
            pa.concat_tables([door.doubt_table(), *(layer.found for layer in layers)]),
            door.rows_in,
            sum(layer.kept for layer in layers),
        )


class _Layer(NamedTuple):
    """What was written of a day and area, what contradicted itself, how many readings are kept."""

    written: list[dict[str, Any]]
    found: pa.Table
    kept: int


def _write_layer(
    home: Home,
    areas: Sequence[str],
    name: str,
    moment: int,
    of_place: tuple[int, Iterator[pa.RecordBatch]],
) -> _Layer:
    """Turn the readings of a place, in order, into day rows over what is kept of its points."""
    place, strips = of_place
    number, index = day_and_area(place)
    day, area = periods.day_of_number(number), areas[index]
    writer = home.layer_writer(day, area, name)
    before = _Before(home, day, area, moment)
    records, kept = [], 0
    for chunk in strips:
        meters = store.meter_codes(chunk["meter_name"])[1]
        made = built(chunk, day)
        kept += made.kept
        records.append(made.found)
        rows = made.rows
        if before.blocks and len(rows.number):
            old, names = before.of(rows.number)
            rows = delivery.merge(old, rows)
            meters |= names
        writer.write(rows, meters)
    return _Layer(writer.close(), findings.table(np.concatenate(records), number, area), kept)


class _Before:
    """What is kept of a day and area; blocks are read once, for points are asked for in order."""

    def __init__(self, home: Home, day: date, grid_area: str, moment: int) -> None:
        self.blocks = home.blocks(day, grid_area, moment)
        self._none = np.empty(0, np.int64), np.empty((0, periods.count(day) + 1), np.int64)
        self._read = lru_cache(maxsize=4)(Block.read_named)

    def of(self, number: Int64s) -> tuple[Rows, dict[int, str]]:
        """Give the rows of some points, sorted, and the names of their meters."""
        none, empty = self._none
        parts = [Rows(none, none, none, empty, None, False)]
        names: dict[int, str] = {}
        for block in self.blocks:
            first, last = block.layer.range(block.row_group)
            near = number[np.searchsorted(number, first) : np.searchsorted(number, last, "right")]
            # The points are quick to read; so a block with none of them costs little.
            if len(near) and np.isin(block.numbers(), near).any():
                rows, named = self._read(block)
                mine = np.isin(rows.number, near)
                if mine.any():
                    parts.append(rows.take(mine))
                    names |= named
        return joined(parts), names
