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
from kwartier.adapters.store import Home, registers
from kwartier.arrays import MEASURABLE, Int64s
from kwartier.runs.doubts import RULE_OF_DOOR, Doubted
from kwartier.runs.moments import Progress, parameters_of, register_of
from kwartier.steps import delivery
from kwartier.steps.delivery import Readable

# A strip: readings that follow each other of one point, meter, register and day. Strips are what is
# put in order, for they are few. `place` is the day's number and the area's index, `slot` of each
# reading its position and whether it is counted here; `status` is null where all of it is 0.
STRIPS = pa.schema(
    [
        ("place", pa.int64()),
        ("number", pa.int64()),
        ("meter", pa.int64()),
        ("register", pa.int8()),
        ("meter_name", pa.string()),
        ("slot", pa.list_(pa.uint8())),
        ("reading", pa.list_(pa.int64())),
        ("status", pa.list_(pa.int32())),
    ]
)
ORDER = STRIPS.names[:4]
_AREAS = 2**16


def day_and_area(place: int) -> tuple[int, int]:
    """Give the number of the market day and the index of the area of a place."""
    return place // _AREAS, place % _AREAS


class Door:
    """Sends batches of readings on to their day and area, and counts what is not kept."""

    def __init__(self, home: Home, recorded_at: int, progress: Progress) -> None:
        self._recorded_at = recorded_at
        taken_in = periods.locate(np.array([recorded_at], np.int64))[0][0]
        self._parameters = parameters_of(home, periods.day_of_number(taken_in), recorded_at)
        self.areas = registers.known_areas(home, recorded_at)
        self._registers = [register_of(home, area, recorded_at) for area in self.areas]
        numbers = [register.numbers() for register in self._registers]
        self._known = np.unique(np.concatenate(numbers))
        self._readable = lru_cache(maxsize=None)(self._readable_on)
        self._home = home
        self._progress = progress
        self._doubted = Doubted()
        self.rows_in = 0

    def _readable_on(self, day: date) -> Readable:
        held = parameters_of(self._home, day, self._recorded_at)
        on = [register.on(day, held) for register in self._registers]
        # Points of other groups are known, and never read.
        points, others = ([getattr(one, of) for one in on] for of in ("points", "others"))
        parts = [(each.number, each.state == MEASURABLE) for each in points]
        parts += [(each.number, np.zeros(len(each.number), bool)) for each in others]
        number, readable = (np.concatenate(column) for column in zip(*parts, strict=True))
        area = np.repeat(
            np.tile(np.arange(len(self.areas)), 2), [len(numbers) for numbers, _ in parts]
        )
        order = np.argsort(number)
        return Readable(number[order], area[order], readable[order])

    def batches(self, read: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the readings that may be kept, in strips of a day, area and register."""
        for batch in read:
            if batch.schema.equals(files.DAY_BATCH):
                batch = self._of_day_rows(batch)
            self.rows_in += batch.num_rows
            self._progress(self.rows_in, None)
            number, register = (batch[n].to_numpy() for n in ("accounting_point", "register"))
            meter = store.meter_codes(batch["meter"])[0]
            placed, doubts = delivery.place(
                number,
                meter,
                register,
                batch["read_at"].to_numpy(),
                RULE_OF_DOOR[batch["rule"].to_numpy()],
                recorded_at=self._recorded_at,
                known=self._known,
                readable_on=self._readable,
                parameters=self._parameters,
            )
            self._doubted.add(doubts, np.ones(len(doubts.number), np.int64))
            if len(placed.row):
                yield _strips(batch, meter, placed)

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
                RULE_OF_DOOR[batch["rule"].to_numpy()][wrong].astype(np.int64),
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


def _strips(batch: pa.RecordBatch, meter: Int64s, placed: delivery.Placed) -> pa.RecordBatch:
    offsets = pa.array(np.append(placed.first, len(placed.row)), pa.int32())
    row, first = pa.array(placed.row), pa.array(placed.row[placed.first])
    slot = placed.position * 2 + placed.counts
    status = pa.nulls(len(first), STRIPS.field("status").type)
    if batch["status"].null_count < batch.num_rows:
        bits = pc.fill_null(batch["status"], 0).take(row)
        silent = ~np.logical_or.reduceat(bits.to_numpy() != 0, placed.first)
        status = pa.ListArray.from_arrays(offsets, bits, mask=pa.array(silent))
    return pa.RecordBatch.from_arrays(
        [
            pa.array(placed.day * _AREAS + placed.area),
            batch["accounting_point"].take(first),
            pa.array(meter[placed.row[placed.first]]),
            batch["register"].take(first),
            batch["meter"].take(first),
            pa.ListArray.from_arrays(offsets, pa.array(slot)),
            pa.ListArray.from_arrays(offsets, batch["reading_wh"].take(row)),
            status,
        ],
        schema=STRIPS,
    )


def built(strips: pa.RecordBatch, day: date) -> delivery.Built:
    """Build the day rows of strips of one day and area, in order."""
    slot = strips["slot"]
    slots = slot.flatten().to_numpy()
    status = None
    if strips["status"].null_count < strips.num_rows:
        size = slot.value_lengths().to_numpy()
        told = strips["status"].is_valid().to_numpy(zero_copy_only=False)
        status = np.zeros(len(slots), np.int32)
        status[np.repeat(told, size)] = strips["status"].flatten().to_numpy()
    return delivery.build(
        periods.count(day),
        strips["number"].to_numpy(),
        strips["meter"].to_numpy(),
        strips["register"].to_numpy(),
        slot.offsets.to_numpy()[:-1].astype(np.int64) - slot.offsets[0].as_py(),
        slots,
        strips["reading"].flatten().to_numpy(),
        status,
    )
