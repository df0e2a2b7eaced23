"""The cells of files of fractions: numbers and stamps; each different text is read once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pyarrow as pa

from kwartier import codes
from kwartier.adapters.files.cells import NAME, Faults, Judged, Word
from kwartier.adapters.files.date_cells import FIRST_DAY, LAST_DAY
from kwartier.arrays import FRACTION_SCALE

_TEXT = pa.dictionary(pa.int32(), pa.string())
_UNIT = Decimal(1) / FRACTION_SCALE


def _each(texts: pa.DictionaryArray, read: Callable[[str], int]) -> Judged:
    """Read each different text once; what `read` raises ValueError for is a fault."""
    numbers, found = [], []
    for text in texts.dictionary.to_pylist():
        try:
            number, what = (0 if text is None else read(text)), ""
        except ValueError as error:
            number, what = 0, str(error)
        numbers.append(number)
        found.append(what)
    null = texts.indices.is_null().to_numpy(zero_copy_only=False)
    places = texts.indices.fill_null(0).to_numpy(zero_copy_only=False)
    if null.all():
        return pa.nulls(len(texts), pa.int64()), []
    faults: Faults = []
    for what in sorted(set(found) - {""}):
        wrong = np.array([other == what for other in found])
        faults.append((wrong[places] & ~null, what))
    return pa.array(np.array(numbers, np.int64)[places], mask=null), faults


_NUMBER = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Fraction:
    """A fraction of an annual volume; becomes a whole count of 1e-8, rounded half up.

    `exact`: more than 8 decimals are refused. `comma`: the decimal sign may be a comma.
    """

    exact: bool = False
    comma: bool = False

    csv_type = _TEXT
    patterns = ()

    @property
    def expected(self) -> str:
        """Say what a cell should be."""
        decimals = " with at most 8 decimals" if self.exact else ""
        return f"a fraction from 0 to 1{decimals}"

    def judge(self, array: pa.Array) -> Judged:
        """Judge texts, exactly."""
        return _each(array, self._count)

    def _count(self, text: str) -> int:
        text = text.strip(" \t")
        if not _NUMBER.fullmatch(text) or ("," in text and not self.comma):
            raise ValueError("not a number")
        value = Decimal(text.replace(",", "."))
        if value < 0:
            raise ValueError("negative")
        if value > 1:
            raise ValueError("too large")
        count = value.quantize(_UNIT, ROUND_HALF_UP)
        if self.exact and count != value:
            raise ValueError("more than 8 decimals")
        return int(count * FRACTION_SCALE)

    def native(self, array: pa.Array) -> Judged | None:
        """Judge decimals and whole numbers; a float counts as the nearest number of 8 decimals."""
        if pa.types.is_decimal(array.type) or pa.types.is_integer(array.type):
            return self.judge(array.cast(pa.string()).dictionary_encode())
        if not pa.types.is_floating(array.type):
            return None
        null = array.is_null().to_numpy(zero_copy_only=False)
        floats = array.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
        none = np.isnan(floats)
        low, high = floats < 0, floats > 1
        bad = none | low | high | null
        counts = np.rint(np.where(bad, 0, floats) * FRACTION_SCALE).astype(np.int64)
        faults = [(none, "not a number"), (low, "negative"), (high, "too large")]
        return pa.array(counts, mask=bad), [(mask, what) for mask, what in faults if mask.any()]


_TIME = r"[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?"
_DAY_FIRST = re.compile(r"([0-9]{1,2})-([0-9]{1,2})-([0-9]{4})" + _TIME)
_OFFSET = r"(?:Z|([+-])([0-9]{2}):?([0-9]{2}))?"
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})" + _TIME + _OFFSET)
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Stamp:
    """A moment as the market's profile files write it, on a clock that is always UTC+1.

    In whole seconds since 1970, UTC. One with its own offset is read by that.
    """

    expected: str = "a moment such as 31-12-2026 23:45, on the clock of UTC+1"

    csv_type = _TEXT
    patterns = ()

    def judge(self, array: pa.Array) -> Judged:
        """Judge texts."""
        return _each(array, _moment)

    def native(self, array: pa.Array) -> Judged | None:
        """Refuse Parquet, in which these files do not come."""
        return None


def _moment(text: str) -> int:
    text = text.strip(" \t")
    offset = timedelta(hours=1)
    if found := _DAY_FIRST.fullmatch(text):
        day, month, year, hour, minute, second = (int(part or 0) for part in found.groups())
    elif found := _ISO.fullmatch(text):
        *parts, sign, hours, minutes = found.groups()
        year, month, day, hour, minute, second = (int(part or 0) for part in parts)
        if text.endswith("Z"):
            offset = timedelta(0)
        elif sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes)) * (1 if sign == "+" else -1)
    else:
        raise ValueError("not a moment")
    # The last quarter of a day may end at 24:00.
    if not FIRST_DAY.year <= year <= LAST_DAY.year or (hour, minute, second) > (24, 0, 0):
        raise ValueError("out of range")
    try:
        midnight = datetime(year, month, day)
        moment = datetime(1, 1, 1, hour % 24, minute, second) - datetime(1, 1, 1)
    except ValueError:
        raise ValueError("out of range") from None
    whole = midnight + moment + timedelta(days=hour // 24) - offset
    return (whole - _EPOCH) // timedelta(seconds=1)


def _profile_fault(word: str) -> str | None:
    if word in codes.PROFILE_CATEGORIES:
        return "a profile category"
    return NAME.fault(word)


PROFILE_NAME = Word(
    "the name of a profile of your own, at most 100 printable characters", _profile_fault
)
