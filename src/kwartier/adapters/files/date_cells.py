"""Cells of days and moments, judged whole columns at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from kwartier.adapters.files.cells import Judged, array_of, marked, numbers_of, within

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)


@dataclass(frozen=True)
class Day:
    """A calendar day."""

    first: date = FIRST_DAY
    last: date = LAST_DAY

    csv_type = pa.date32()
    patterns = ((r"^[ \t]*[0-9]{4}-[0-9]{2}-[0-9]{2}[ \t]*$", "not a day"),)

    @property
    def expected(self) -> str:
        """Say what a cell should be."""
        return f"a day YYYY-MM-DD from {self.first} to {self.last}"

    def judge(self, array: pa.Array) -> Judged:
        """Judge days."""
        numbers, null = numbers_of(array.cast(pa.int32()))
        epoch = date(1970, 1, 1)
        outside = (numbers < (self.first - epoch).days) | (numbers > (self.last - epoch).days)
        outside &= ~null
        values = array_of(np.where(outside, 0, numbers), null | outside, pa.int32())
        return values.cast(pa.date32()), marked([(outside, "out of range")])

    def native(self, array: pa.Array) -> Judged | None:
        """Judge dates; also moments without a zone (as pandas makes them) that are midnights."""
        if pa.types.is_date32(array.type):
            return self.judge(array)
        if pa.types.is_date64(array.type):
            array = array.cast(pa.timestamp("ms"))
        if pa.types.is_timestamp(array.type) and array.type.tz is None:
            numbers, null = numbers_of(array.cast(pa.int64()))
            unit = _PER_SECOND[array.type.unit] * 86_400
            bad = (numbers % unit != 0) & ~null
            days = np.clip(numbers // unit, -(2**31), 2**31 - 1).astype(np.int32)
            values, faults = self.judge(array_of(days, null | bad, pa.int32()).cast(pa.date32()))
            return values, [*marked([(bad, "a time of day")]), *faults]
        return None


_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_CLOCK_TEXT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}(:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?)?"
_OFFSET_TEXT = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"


@dataclass(frozen=True)
class Moment:
    """A moment, in whole seconds since 1970; `local`: as a clock shows it, without offset.

    `clock` tells that the door can be told what a clock without offset shows.
    """

    local: bool = False
    clock: bool = False

    @property
    def expected(self) -> str:
        """Say what a cell should be."""
        if self.local:
            return "a local time such as 2026-03-01T00:15:00, without UTC offset as the first row"
        text = "a moment with UTC offset, such as 2026-03-01T00:15:00+01:00 or 2026-02-28T23:15Z"
        hint = " (for local time without offset, give the clock: --clock Europe/Amsterdam)"
        return text + hint if self.clock else text

    @property
    def csv_type(self) -> pa.DataType:
        """Give the type of the fast pass."""
        return pa.timestamp("us") if self.local else pa.timestamp("us", "UTC")

    @property
    def patterns(self) -> tuple[tuple[str, str], ...]:
        """Give what the text looks like."""
        shape = (_CLOCK_TEXT + _OFFSET_TEXT + "?$", "not a moment")
        if self.local:
            return (shape, (_CLOCK_TEXT + "$", "a UTC offset"))
        return (shape, (_OFFSET_TEXT + "$", "no UTC offset"))

    def judge(self, array: pa.Array) -> Judged:
        """Judge moments."""
        numbers, null = numbers_of(array.cast(pa.int64()))
        per_second = _PER_SECOND[array.type.unit]
        seconds = numbers // per_second
        parts = (seconds * per_second != numbers) & ~null
        first = datetime(FIRST_DAY.year, 1, 1, tzinfo=UTC).timestamp()
        last = datetime(LAST_DAY.year, 12, 31, tzinfo=UTC).timestamp()
        if not array.null_count and within(seconds, int(first), int(last) - 1):
            return pa.array(seconds), marked([(parts, "parts of a second")])
        outside = ((seconds < first) | (seconds >= last)) & ~null
        return (
            array_of(np.where(outside, 0, seconds), null, pa.int64()),
            marked([(parts, "parts of a second"), (outside, "out of range")]),
        )

    def native(self, array: pa.Array) -> Judged | None:
        """Judge Parquet timestamps: with a zone, or without where they are local."""
        if not pa.types.is_timestamp(array.type):
            return None
        if (array.type.tz is None) == self.local:
            return self.judge(array)
        wrong = array.is_valid().to_numpy(zero_copy_only=False)
        found = "a UTC offset" if self.local else "no UTC offset"
        return pa.nulls(len(array), pa.int64()), marked([(wrong, found)])
