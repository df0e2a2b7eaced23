"""Taking in quarter volumes: files → rows of a day. One call is one delivery, whole or not at all.

Source: SD030 N101, N131; decisions §19.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, findings, parameters, periods, tables
from kwartier.adapters import files, sorting
from kwartier.adapters.store import Home, registers
from kwartier.arrays import Bools, Delivered, Int64s
from kwartier.parameters import Parameters
from kwartier.runs.deliveries import (
    Intake,
    Source,
    deliver_rows,
    in_order,
    new_files,
)
from kwartier.runs.doubts import RULE_OF_DOOR, Doubted
from kwartier.runs.moments import (
    Progress,
    identity,
    parameters_of,
    seconds,
    silent,
)
from kwartier.steps import delivery
from kwartier.steps.delivery import Deliverable
from kwartier.validity import History, axes_of, known_by, taken

# A volume with its place. Few and narrow columns, for they are sorted: `place` is the day's number,
# `slot` the direction and the position, `said` what the volume says of itself.
_PLACED = pa.schema(
    [
        ("place", pa.int64()),
        ("number", pa.int64()),
        ("slot", pa.int32()),
        ("volume", pa.int64()),
        ("said", pa.int32()),
    ]
)
_ORDER = _PLACED.names[:3]
_POSITIONS = 2**7
# What is asked of the register.
_OF_REGISTER = ("accounting_point", "grid_area", "group", "valid_from", "valid_to", "recorded_at")


def ingest_volumes(
    home: Home,
    sources: Sequence[Source],
    *,
    recorded_at: datetime | None = None,
    progress: Progress = silent,
) -> Intake:
    """Take in files (or Arrow tables) of quarter volumes, as one delivery.

    Volumes of telemetry points, of grid losses and of couplings.

    Parameters
    ----------
    recorded_at : the moment of taking in; now when not given.
    progress : called with the rows read so far.

    Raises
    ------
    FileRefused : something is wrong in the files; nothing of them is kept.
    HomeError : there is no register yet, or a later delivery was taken in before.
    """
    moment = seconds(recorded_at)
    with home.writing():
        new = new_files(home, sources, "volumes", moment)
        if not new.paths:
            return Intake(None, skipped=new.skipped)
        in_order(home, "volumes", moment)
        door = _Door(home, moment, progress)
        batches = door.batches(files.read_volumes(new.paths))
        ordered = sorting.ordered(batches, _ORDER, home.scratch())
        inputs = new.told()
        name = identity([inputs, moment])
        written: list[dict[str, Any]] = []
        found: list[pa.Table] = []
        kept = 0
        for day, chunks in ordered:
            on = periods.day_of_number(day)
            built = [_built(chunk, periods.count(on)) for chunk in chunks]
            rows = Delivered(*map(np.concatenate, zip(*(part.rows for part in built), strict=True)))
            kept += sum(part.kept for part in built)
            found += door.findings_of(on, rows, np.concatenate([part.found for part in built]))
            if len(rows.number):
                written.append(home.add_volumes(rows, on, name))
        doubts = pa.concat_tables([door.doubt_table(), *found])
        return deliver_rows(
            home, "volumes", moment, name, inputs, new.skipped, written, doubts, door.rows_in, kept
        )


def _built(chunk: pa.RecordBatch, count: int) -> delivery.BuiltVolumes:
    slot = chunk["slot"].to_numpy().astype(np.int64)
    return delivery.build_volumes(
        count,
        chunk["number"].to_numpy(),
        slot // _POSITIONS,
        slot % _POSITIONS,
        chunk["volume"].to_numpy(),
        chunk["said"].to_numpy().astype(np.int64),
    )


class _Held:
    """Rows with two time axes, and of each its grid area and which rows are asked for."""

    def __init__(self, rows: pa.Table, key: str, known_at: int) -> None:
        rows = known_by(rows, known_at)
        self._history = History(axes_of(rows, key))
        self.rows = taken(rows, self._history.row)
        self.number = self._history.subject
        area = self.rows["grid_area"].combine_chunks()
        if not pa.types.is_dictionary(area.type):
            area = area.dictionary_encode()
        self.areas = area.dictionary.to_pylist()
        self.area = area.indices.to_numpy(zero_copy_only=False)

    def be(self, group: str) -> Bools:
        """Tell which rows are of a group."""
        return np.asarray(pc.equal(self.rows["group"], group).to_numpy(), bool)

    def on(self, day: date) -> Int64s:
        """Give the rows that count on a day."""
        return self._history.on(periods.number(day)).row


def _in(area: str, rows: pa.Table) -> pa.Table:
    """Keep the rows of an area: those of elsewhere are with their own."""
    here = pc.equal(rows["grid_area"], area)
    return rows if pc.all(here).as_py() else rows.filter(here)


class _Door:
    """Sends batches of volumes on to their day, and counts what is not kept."""

    def __init__(self, home: Home, recorded_at: int, progress: Progress) -> None:
        self._home, self._recorded_at, self._progress = home, recorded_at, progress
        taken_in = periods.locate(np.array([recorded_at], np.int64))[0][0]
        self._taken_in = periods.day_of_number(taken_in)
        couplings = [tables.COUPLINGS.empty(), *home.table_of("couplings", recorded_at)]
        self._couplings = _Held(pa.concat_tables(couplings), "coupling", recorded_at)
        rows = pa.concat_tables(
            _in(area, registers.unfolded(piece.read(), _OF_REGISTER))
            for area in registers.known_areas(home, recorded_at)
            for piece in registers.pieces(home, area, recorded_at)
        )
        self._points = _Held(rows, "accounting_point", recorded_at)
        self._telemetry = self._points.be(codes.TELEMETRY)
        self._by_volumes = np.any([self._points.be(g) for g in codes.BY_VOLUMES], axis=0)
        self._areas = self._couplings.areas + self._points.areas
        self._known = np.union1d(self._points.number, self._couplings.number)
        self._deliverable = lru_cache(maxsize=None)(self._deliverable_on)
        self._parameters = lru_cache(maxsize=None)(self._parameters_on)
        self._doubted = Doubted()
        self.rows_in = 0

    def _parameters_on(self, day: date) -> Parameters:
        return parameters_of(self._home, day, self._recorded_at)

    def _deliverable_on(self, day: date) -> Deliverable:
        coupled, points = self._couplings.on(day), self._points.on(day)
        number = np.concatenate([self._couplings.number[coupled], self._points.number[points]])
        shift = len(self._couplings.areas)
        area = np.concatenate([self._couplings.area[coupled], self._points.area[points] + shift])
        yes, no = np.ones(len(coupled), bool), np.zeros(len(coupled), bool)
        # A number that is both is the coupling.
        number, first = np.unique(number, return_index=True)
        return Deliverable(
            number,
            area[first],
            np.concatenate([yes, self._by_volumes[points]])[first],
            np.concatenate([no, self._telemetry[points]])[first],
            np.concatenate([no, (self._by_volumes & ~self._telemetry)[points]])[first],
        )

    def batches(self, read: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the volumes that may be kept, each with its day, direction and position."""
        for batch in read:
            self.rows_in += batch.num_rows
            self._progress(self.rows_in, None)
            number = batch["accounting_point"].to_numpy()
            words = ("origin", "validation_status", "method")
            said = delivery.pack(*(batch[name].to_numpy().astype(np.int64) for name in words))
            placed, doubts = delivery.place_volumes(
                number,
                batch["direction"].to_numpy(),
                batch["period_start"].to_numpy(),
                said,
                RULE_OF_DOOR[batch["rule"].to_numpy()],
                recorded_at=self._recorded_at,
                known=self._known,
                deliverable_on=self._deliverable,
                parameters=self._parameters(self._taken_in),
                parameters_on=self._parameters,
            )
            self._doubted.add(doubts, np.ones(len(doubts.number), np.int64))
            row = pa.array(placed.row)
            direction = batch["direction"].to_numpy()[placed.row].astype(np.int32)
            slot = direction * _POSITIONS + placed.position.astype(np.int32)
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array(placed.day),
                    pa.array(number[placed.row]),
                    pa.array(slot),
                    batch["volume_wh"].take(row),
                    pa.array(said[placed.row].astype(np.int32)),
                ],
                schema=_PLACED,
            )

    def findings_of(
        self, day: date, rows: Delivered, found: findings.Records
    ) -> Iterator[pa.Table]:
        """Make the findings of a day of which volumes may be kept, by area."""
        held = self._deliverable(day)
        late = delivery.late(
            np.unique(rows.number),
            day,
            self._taken_in,
            held,
            parameters.holidays(),
            self._parameters(day),
        )
        found = np.concatenate([found, late])
        area = held.area[np.searchsorted(held.number, found["accounting_point"])]
        for index in np.unique(area).tolist():
            mine = found[area == index]
            yield findings.table(mine, periods.number(day), self._areas[index])

    def doubt_table(self) -> pa.Table:
        """Make the findings of the rows that were not kept."""
        return self._doubted.table(self._areas, lambda day: self._deliverable(day)[:2])
