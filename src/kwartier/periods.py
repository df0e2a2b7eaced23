"""The market day and its quarter-hours.

A market day is one local calendar day (Europe/Amsterdam), handled in UTC: 92, 96 or 100 periods of
fifteen minutes, counted from 1. Reading position ``j`` is the register at the end of period ``j``;
position 0 is local midnight at the start of the day. Moments are whole seconds since 1970 (UTC).

A working day is Monday to Friday and no public holiday; the holidays are handed in.

Source: SD030 (one calendar day, PT15M, positions 1..n); domain §3.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

CLOCK = ZoneInfo("Europe/Amsterdam")
SECONDS = 900
EPOCH = date(1970, 1, 1)

Int64s = npt.NDArray[np.int64]


@lru_cache(maxsize=4096)
def day_start(day: date) -> int:
    """Give the moment of local midnight at which the market day starts [s UTC]."""
    return int(datetime.combine(day, time(), CLOCK).astimezone(UTC).timestamp())


def at_hour(day: date, hour: int, minute: int = 0) -> int:
    """Give the moment at which the local clock first shows a time of a day [s UTC]."""
    return int(datetime.combine(day, time(hour, minute), CLOCK).timestamp())


@lru_cache(maxsize=4096)
def count(day: date) -> int:
    """Count the periods of a market day: 92, 96 or 100."""
    return (day_start(day + timedelta(days=1)) - day_start(day)) // SECONDS


def starts(day: date) -> Int64s:
    """Give the moments at which the periods of a market day start [s UTC]."""
    return day_start(day) + SECONDS * np.arange(count(day), dtype=np.int64)


def local_hours(day: date) -> Int64s:
    """Give the hour that the wall clock shows at the start of each period."""
    return np.array(
        [datetime.fromtimestamp(int(moment), CLOCK).hour for moment in starts(day)], np.int64
    )


def between(first: date, last: date) -> list[date]:
    """List the market days from the first to the last, both included."""
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def is_working_day(day: date, holidays: Container[date]) -> bool:
    """Tell whether a day is Monday to Friday and no holiday."""
    # The holidays are asked of a weekend too, so that a year they do not cover never passes.
    return day not in holidays and day.weekday() < 5


def working_days_after(day: date, count: int, holidays: Container[date]) -> date:
    """Give the count-th working day after a day; with 0 the day itself.

    Raises
    ------
    ValueError : the count is negative.
    """
    if count < 0:
        raise ValueError(f"count: expected 0 or more working days, not {count}")
    while count:
        day += timedelta(days=1)
        count -= is_working_day(day, holidays)
    return day


def working_days_between(first: date, last: date, holidays: Container[date]) -> int:
    """Count the working days after the first day, up to and including the last."""
    after = between(first + timedelta(days=1), last)
    return sum(is_working_day(day, holidays) for day in after)


def number(day: date) -> int:
    """Number a market day: days since 1970-01-01, as Arrow's date32 does."""
    return (day - EPOCH).days


def day_of_number(days: int) -> date:
    """Give the market day of its number."""
    return EPOCH + timedelta(days=int(days))


def locate(moments: Int64s) -> tuple[Int64s, Int64s]:
    """Find the market day (as its number) of each moment and the seconds since it started.

    A moment at midnight belongs to the day that starts; its place as the last reading of the day
    before is for the caller to make.
    """
    if moments.size == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    # Local midnight is 1 or 2 hours before midnight UTC, so one day either side is wide enough.
    first = int(moments.min()) // 86_400 - 1
    last = int(moments.max()) // 86_400 + 2
    edges = np.array([day_start(day_of_number(d)) for d in range(first, last + 1)], np.int64)
    index = np.searchsorted(edges, moments, side="right") - 1
    return first + index, moments - edges[index]
