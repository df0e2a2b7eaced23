"""The door of the readings: batches of files → readings with their place, and what is doubtful."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import periods
from kwartier.adapters import files, store
from kwartier.adapters.store import Home
from kwartier.arrays import MEASURABLE, Int64s
from kwartier.runs.doubts import RULE_OF_DOOR, Doubted
from kwartier.runs.moments import Progress, parameters_of, register_of
from kwartier.steps import delivery
from kwartier.steps.delivery import Readable

# A reading with its place. Few and narrow columns, for they are sorted: `place` is the day's number
# and the area's index, `slot` the register, the position and whether the row is counted here.
PLACED = pa.schema(
    [
        ("place", pa.int64()),
        ("number", pa.int64()),
        ("meter", pa.int64()),
        ("slot", pa.int32()),
        ("reading", pa.int64()),
        ("status", pa.int32()),
        ("meter_name", pa.string()),
    ]
)
ORDER = PLACED.names[:4]
_AREAS, _POSITIONS = 2**16, 2**7


def day_and_area(place: int) -> tuple[int, int]:
    """Give the number of the market day and the index of the area of a place."""
    return place // _AREAS, place % _AREAS


def unpack(slot: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """Give the register, the position and whether the row is counted, of slots."""
    return slot // 2 // _POSITIONS, slot // 2 % _POSITIONS, slot % 2


class Door:
    """Sends batches of readings on to their day and area, and counts what is not kept."""

    def __init__(self, home: Home, recorded_at: int, progress: Progress) -> None:
        self._recorded_at = recorded_at
        taken_in = periods.locate(np.array([recorded_at], np.int64))[0][0]
        self._parameters = parameters_of(home, periods.day_of_number(taken_in), recorded_at)
        self._register = register_of(home, recorded_at)
        self.areas = self._register.areas()
        self._known = self._register.numbers()
        self._readable = lru_cache(maxsize=None)(self._readable_on)
        self._home = home
        self._progress = progress
        self._doubted = Doubted()
        self.rows_in = 0

    def _readable_on(self, day: date) -> Readable:
        held = parameters_of(self._home, day, self._recorded_at)
        on = self._register.on(day, held)
        # Points of other groups are known, and never read.
        points, others = ([getattr(on[a], of) for a in self.areas] for of in ("points", "others"))
        parts = [(each.number, each.state == MEASURABLE) for each in points]
        parts += [(each.number, np.zeros(len(each.number), bool)) for each in others]
        number, readable = (np.concatenate(column) for column in zip(*parts, strict=True))
        area = np.repeat(
            np.tile(np.arange(len(self.areas)), 2), [len(numbers) for numbers, _ in parts]
        )
        order = np.argsort(number)
        return Readable(number[order], area[order], readable[order])

    def batches(self, read: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the readings that may be kept, each with its day, area and position."""
        for batch in read:
            if batch.schema.equals(files.DAY_BATCH):
                batch = self._of_day_rows(batch)
            self.rows_in += batch.num_rows
            self._progress(self.rows_in, None)
            number = batch["accounting_point"].to_numpy()
            placed, doubts = delivery.place(
                number,
                batch["read_at"].to_numpy(),
                RULE_OF_DOOR[batch["rule"].to_numpy()],
                recorded_at=self._recorded_at,
                known=self._known,
                readable_on=self._readable,
                parameters=self._parameters,
            )
            self._doubted.add(doubts, np.ones(len(doubts.number), np.int64))
            row = pa.array(placed.row)
            register = batch["register"].to_numpy()[placed.row].astype(np.int32)
            slot = (register * _POSITIONS + placed.position.astype(np.int32)) * 2 + placed.counts
            name = batch["meter"].take(row)
            yield pa.RecordBatch.from_arrays(
                [
                    pa.array(placed.day * _AREAS + placed.area),
                    batch["accounting_point"].take(row),
                    pa.array(store.meter_codes(name)[0]),
                    pa.array(slot.astype(np.int32)),
                    batch["reading_wh"].take(row),
                    pc.fill_null(batch["status"].take(row), 0),
                    name,
                ],
                schema=PLACED,
            )

    def _of_day_rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Unfold day rows into readings; of a row with a wrong count no reading is kept."""
        lengths = pc.list_value_length(batch["reading_wh"])
        wrong = batch["rule"].to_numpy() != 0
        days = batch["market_day"].cast(pa.int32()).to_numpy()
        number = batch["accounting_point"].to_numpy()
        count = np.array([periods.count(periods.day_of_number(d)) + 1 for d in days], np.int64)
        size = pc.fill_null(lengths, 0).to_numpy().astype(np.int64)
        self.rows_in += int(size[wrong].sum())
        self._doubted.add(
            delivery.Doubts(
                RULE_OF_DOOR[batch["rule"].to_numpy()][wrong],
                number[wrong],
                days[wrong].astype(np.int64),
                size[wrong],
                count[wrong],
            ),
            size[wrong],
        )
        batch = batch.filter(pa.array(~wrong))
        parent = pc.list_parent_indices(batch["reading_wh"])
        starts = np.array([periods.day_start(periods.day_of_number(d)) for d in days[~wrong]])
        size = size[~wrong]
        position = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        values = batch["reading_wh"].flatten()
        bits = np.zeros(len(values), np.int32)  # a row without any status is as if all were 0
        told = np.repeat(batch["status"].is_valid().to_numpy(zero_copy_only=False), size)
        bits[told] = pc.fill_null(batch["status"].flatten(), 0).to_numpy()
        made = pa.RecordBatch.from_arrays(
            [
                batch["accounting_point"].take(parent),
                batch["register"].take(parent),
                pa.array(np.repeat(starts, size) + periods.SECONDS * position),
                values,
                batch["meter"].take(parent),
                pa.array(bits),
                batch["file"].take(parent),
                batch["row"].take(parent),
                batch["rule"].take(parent),
            ],
            schema=files.READING_BATCH,
        )
        return made.filter(pc.is_valid(made["reading_wh"]))

    def doubt_table(self) -> pa.Table:
        """Make the findings of the rows that were not kept."""
        return self._doubted.table(self.areas, lambda day: self._readable(day)[:2])
