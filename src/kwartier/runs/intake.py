"""Taking in readings: files → day rows. One call is one delivery, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from kwartier import findings, periods
from kwartier.adapters import files, sorting, store
from kwartier.adapters.store import Home
from kwartier.arrays import Int64s, Rows, joined
from kwartier.runs.deliveries import (
    Intake,
    Source,
    deliver_rows,
    in_order,
    new_files,
)
from kwartier.runs.door import ORDER, Door, built, day_and_area
from kwartier.runs.moments import Progress, identity, seconds, silent
from kwartier.runs.stages import ahead
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
    with home.writing():
        paths, inputs, skipped = new_files(home, sources, "readings", moment)
        if not paths:
            return Intake(None, skipped=tuple(skipped))
        in_order(home, "readings", moment)
        door = Door(home, moment, progress)
        name = identity([inputs, moment])
        batches = door.batches(ahead(files.read_readings(paths, clock)))
        rows = sorting.ordered(batches, ORDER, home.scratch())
        written, found, kept = _write_layers(home, rows, door.areas, name, moment)
        doubts = pa.concat_tables([door.doubt_table(), *found])
        return deliver_rows(
            home, "readings", moment, name, inputs, skipped, written, doubts, door.rows_in, kept
        )


def _write_layers(
    home: Home,
    ordered: Iterator[tuple[int, Iterator[pa.RecordBatch]]],
    areas: Sequence[str],
    name: str,
    moment: int,
) -> tuple[list[dict[str, Any]], list[pa.Table], int]:
    """Turn ordered readings into day rows and lay them over what is kept of the same points."""
    written: list[dict[str, Any]] = []
    found: list[pa.Table] = []
    kept = 0
    for place, chunks in ordered:
        day, area = day_and_area(place)
        at = periods.day_of_number(day)
        writer = home.layer_writer(at, areas[area], name)
        layers = bool(home.layers(at, areas[area], moment))
        records = []
        for meters, made in ahead(_built(chunks, at)):
            kept += made.kept
            records.append(made.found)
            rows = made.rows
            if layers and len(rows.number):
                before, names = _kept_rows(home, at, areas[area], moment, np.unique(rows.number))
                rows = delivery.merge(before, rows)
                meters |= names
            writer.write(rows, meters)
        written += writer.close()
        found.append(findings.table(np.concatenate(records), day, areas[area]))
    return written, found, kept


def _built(
    chunks: Iterator[pa.RecordBatch], day: date
) -> Iterator[tuple[dict[int, str], delivery.Built]]:
    for chunk in chunks:
        yield store.meter_codes(chunk["meter_name"])[1], built(chunk, day)


def _kept_rows(
    home: Home, day: date, grid_area: str, moment: int, only: Int64s
) -> tuple[Rows, dict[int, str]]:
    """Read what is kept of some points."""
    none = np.empty(0, np.int64)
    empty = np.empty((0, periods.count(day) + 1), np.int64)
    parts = [Rows(none, none, none, empty, None, False)]
    names: dict[int, str] = {}
    for block in home.blocks(day, grid_area, moment, only):
        part, named = block.read_named()
        names |= named
        if len(part.number):
            parts.append(part)
    return joined(parts), names
