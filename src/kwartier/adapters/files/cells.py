"""The kinds of cells that the file doors know, and how each is judged, whole columns at a time.

A cell comes as text (CSV), already typed by pyarrow (CSV, fast pass) or as a Parquet value; each
way ends in the same Arrow array and a list of faults. A fault says what kind of thing was found,
never the cell itself: it can hold an EAN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes

Mask = npt.NDArray[np.bool_]
Faults = list[tuple[Mask, str]]
Judged = tuple[pa.Array, Faults]

# No register counts further (10 TWh), and times any multiplier it still fits in 64 bits.
MOST_WH = 10**13


class Kind(Protocol):
    """A kind of cell.

    `csv_type` is what the fast CSV pass reads it as, `patterns` what its text looks like, each with
    what was found when it does not. `judge` takes an array of `csv_type`, `native` a Parquet array
    that is not text; None when cells cannot be of that type.
    """

    @property
    def expected(self) -> str: ...
    @property
    def csv_type(self) -> pa.DataType: ...
    @property
    def patterns(self) -> tuple[tuple[str, str], ...]: ...
    def judge(self, array: pa.Array) -> Judged: ...
    def native(self, array: pa.Array) -> Judged | None: ...


def text_cells(kind: Kind, texts: pa.Array) -> Judged:
    """Judge cells of text; an empty text is null."""
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    faults: Faults = []
    for pattern, found in kind.patterns:
        like = pc.match_substring_regex(texts, pattern)
        bad = _mask(pc.invert(like))
        if bad.any():
            faults.append((bad, found))
            texts = pc.if_else(like, texts, pa.scalar(None, pa.string()))
    if pa.types.is_dictionary(kind.csv_type):
        typed = texts.dictionary_encode()
    else:
        typed = cast_each(pc.utf8_trim(texts, characters=" \t"), kind.csv_type)
        bad = _mask(pc.and_(typed.is_null(), texts.is_valid()))
        if bad.any():
            faults.append((bad, "out of range"))
    values, more = kind.judge(typed)
    return values, faults + more


def parquet_cells(kind: Kind, array: pa.Array) -> Judged | None:
    """Judge cells of a Parquet column; None when cells cannot be of its type."""
    if isinstance(array, pa.DictionaryArray):
        return _dictionary_cells(kind, array)
    # A column in which nothing is known has no type of its own.
    if _is_text(array.type) or (pa.types.is_null(array.type) and not isinstance(kind, Lists)):
        return text_cells(kind, array.cast(pa.string()))
    return kind.native(array)


def _dictionary_cells(kind: Kind, array: pa.DictionaryArray) -> Judged | None:
    """Judge each different cell once, where cells repeat."""
    if len(array.dictionary) >= len(array) or array.dictionary.null_count:
        return parquet_cells(kind, array.dictionary_decode())
    judged = parquet_cells(kind, array.dictionary)
    if judged is None:
        return None
    values, faults = judged
    places, null = numbers_of(array.indices)
    return values.take(array.indices), marked(
        [(mask[places] & ~null, found) for mask, found in faults]
    )


def _is_text(type_: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_)
    )


def _mask(array: pa.Array) -> Mask:
    """Make a mask of a boolean array, null being False."""
    return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False), bool)


def cast_each(array: pa.Array, to: pa.DataType) -> pa.Array:
    """Cast an array; a cell that cannot be cast becomes null."""
    try:
        return array.cast(to)
    except pa.ArrowInvalid:
        if len(array) == 1:
            return pa.nulls(1, to)
        half = len(array) // 2
        return pa.concat_arrays([cast_each(array[:half], to), cast_each(array[half:], to)])


def numbers_of(array: pa.Array) -> tuple[npt.NDArray[np.int64], Mask]:
    """Give an array of whole numbers with 0 for null, and where it is null."""
    if array.null_count:
        null = array.is_null().to_numpy(zero_copy_only=False)
        return array.fill_null(0).to_numpy(zero_copy_only=False), null
    return array.to_numpy(zero_copy_only=False), np.zeros(len(array), bool)


def array_of(numbers: npt.NDArray[Any], null: Mask, type_: pa.DataType) -> pa.Array:
    """Give numbers as an array, null where that is said."""
    return pa.array(numbers, type_, mask=null if null.any() else None, safe=False)


def within(numbers: npt.NDArray[np.int64], low: int, high: int) -> bool:
    """Tell whether all numbers lie between two, both included."""
    return not len(numbers) or (int(numbers.min()) >= low and int(numbers.max()) <= high)


def marked(faults: Faults) -> Faults:
    """Keep the faults that a cell has."""
    return [(mask, found) for mask, found in faults if mask.any()]


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`; `digits`: an identifier of at most so many digits."""

    expected: str
    low: int
    high: int
    type: pa.DataType
    digits: int = 0

    csv_type = pa.int64()
    patterns = ((r"^[ \t]*-?[0-9]+[ \t]*$", "not a whole number"),)

    def judge(self, array: pa.Array) -> Judged:
        """Judge whole numbers."""
        numbers, null = numbers_of(array)
        if (
            array.type == self.type
            and not array.null_count
            and within(numbers, self.low, self.high)
            and (not self.digits or self._holds(numbers).all())
        ):
            return array, []
        low = (numbers < self.low) & ~null
        high = (numbers > self.high) & ~null
        faults = [(low, "negative" if self.low == 0 else "too small"), (high, "too large")]
        bad = null | low | high
        if self.digits:
            wrong = ~self._holds(numbers) & ~bad
            faults.append((wrong, "check digit wrong"))
            bad |= wrong
        if array.type == self.type and not (low.any() or high.any()):
            return array, marked(faults)
        return array_of(np.where(bad, 0, numbers), bad, self.type), marked(faults)

    def _holds(self, numbers: npt.NDArray[np.int64]) -> Mask:
        """Tell which numbers have their check digit."""
        # Rows of a point mostly follow each other: its digits are checked once a run.
        differs = np.ones(len(numbers), bool)
        np.not_equal(numbers[1:], numbers[:-1], out=differs[1:])
        first = np.flatnonzero(differs)
        holds = codes.check_digits_hold(numbers[first], self.digits)
        if holds.all():
            return np.ones(len(numbers), bool)
        return np.repeat(holds, np.diff(first, append=len(numbers)))

    def native(self, array: pa.Array) -> Judged | None:
        """Judge whole numbers of any width; floats (as pandas makes them) when they are whole."""
        if pa.types.is_integer(array.type):
            return self.judge(array.cast(pa.int64()))
        if pa.types.is_floating(array.type) and not self.digits:
            numbers, bad, null = scaled(array, 1)
            values, faults = self.judge(array_of(numbers, null | bad, pa.int64()))
            return values, [*marked([(bad, "not a whole number")]), *faults]
        return None


def scaled(array: pa.Array, scale: int) -> tuple[npt.NDArray[np.int64], Mask, Mask]:
    """Give floats times `scale` as whole numbers, where they are none, and where they are null.

    A float holds when it is the one nearest to a number of that many decimals: 0.1 does.
    """
    null = array.is_null().to_numpy(zero_copy_only=False)
    floats = array.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.rint(floats * scale)
        holds = (np.abs(near) < 2.0**53) & (near / scale == floats)
    return np.where(holds, near, 0).astype(np.int64), ~holds, null


EAN = Whole("an EAN of 18 digits", 1, 10**codes.EAN_DIGITS - 1, pa.int64(), codes.EAN_DIGITS)
WH = Whole("whole Wh, 0 or more", 0, MOST_WH, pa.int64())


@dataclass(frozen=True)
class KilowattHours:
    """Energy in kWh with at most 3 decimals; becomes whole Wh."""

    expected: str = "kWh, 0 or more, with a decimal point and at most 3 decimals"
    signed: bool = False

    csv_type = pa.decimal128(18, 3)
    patterns = (
        (r"^[ \t]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[ \t]*$", "not a number"),
        (r"^[^.]*(\.[0-9]{0,3}0*)?[ \t]*$", "more than 3 decimals"),
    )

    def judge(self, array: pa.Array) -> Judged:
        """Judge decimals, exactly."""
        # The low half of each 128-bit count of thousandths is the number of Wh.
        data = np.frombuffer(array.buffers()[1] or b"", np.int64)
        wh = data[2 * array.offset : 2 * (array.offset + len(array)) : 2]
        return self._limits(wh, array.is_null().to_numpy(zero_copy_only=False))

    def _limits(self, wh: npt.NDArray[np.int64], null: Mask) -> Judged:
        low, high = (wh < (-MOST_WH if self.signed else 0)) & ~null, (wh > MOST_WH) & ~null
        values = array_of(np.where(null, 0, wh), null, pa.int64())
        too_low = "too small" if self.signed else "negative"
        return values, marked([(low, too_low), (high, "too large")])

    def native(self, array: pa.Array) -> Judged | None:
        """Judge decimals and whole numbers; floats that stand for at most 3 decimals."""
        if pa.types.is_floating(array.type):
            wh, bad, null = scaled(array, 1000)
            values, faults = self._limits(wh, null | bad)
            return values, [*marked([(bad, "not a number of at most 3 decimals")]), *faults]
        if pa.types.is_integer(array.type):
            array = array.cast(pa.int64()).cast(pa.decimal128(19, 0))
        if pa.types.is_decimal(array.type):
            typed = cast_each(array, self.csv_type)
            bad = _mask(pc.and_(typed.is_null(), array.is_valid()))
            values, faults = self.judge(typed)
            return values, [*marked([(bad, "more than 3 decimals, or too large")]), *faults]
        return None


@dataclass(frozen=True)
class Word:
    """A word: one of a list, or any that `fault` finds nothing wrong with.

    `words` maps what stands in the file to the value it becomes; `digits` is the length of an
    identifier, for files that hold it as a number.
    """

    expected: str
    fault: Callable[[str], str | None]
    words: Mapping[str, object] | None = None
    type: pa.DataType = pa.string()  # noqa: RUF009
    digits: int = 0

    csv_type = pa.dictionary(pa.int32(), pa.string())
    patterns = ()

    def judge(self, array: pa.Array) -> Judged:
        """Judge each different word once."""
        words = array.dictionary.to_pylist()
        found = [None if word is None else self.fault(word) for word in words]
        faults: Faults = []
        places, null = numbers_of(array.indices)
        for what in dict.fromkeys(found):
            if what is not None:
                wrong = np.array([other == what for other in found])
                faults.append((wrong[places] & ~null, what))
        values = words if self.words is None else [self.words.get(word) for word in words]
        return pc.take(pa.array(values, self.type), array.indices), marked(faults)

    def native(self, array: pa.Array) -> Judged | None:
        """Judge words that Parquet holds as another type: truth values, identifiers as numbers."""
        if pa.types.is_boolean(array.type):
            if pa.types.is_boolean(self.type):
                return array, []
            return self.judge(array.cast(pa.string()).dictionary_encode())
        if pa.types.is_integer(array.type) and self.digits:
            texts = pc.utf8_lpad(array.cast(pa.string()), self.digits, "0")
            return self.judge(texts.dictionary_encode())
        return None


def token(words: Mapping[str, object] | tuple[str, ...], type_: pa.DataType | None = None) -> Word:
    """Make the kind of a word from a list."""
    allowed = words if isinstance(words, Mapping) else {word: word for word in words}
    return Word(
        "one of " + " ".join(allowed),
        lambda word: None if word in allowed else "another word",
        allowed,
        type_ or pa.string(),
    )


def identifier(name: str, digits: int) -> Word:
    """Make the kind of an EAN or GLN kept as text."""

    def fault(word: str) -> str | None:
        if len(word) != digits or not (word.isascii() and word.isdigit()):
            return f"not {digits} digits"
        holds = codes.check_digits_hold(np.array([int(word)], np.int64), digits)
        return None if holds[0] else "check digit wrong"

    return Word(f"{name} of {digits} digits", fault, digits=digits)


def _name_fault(word: str) -> str | None:
    if len(word) > 100:
        return "a longer text"
    return None if word.isprintable() and '"' not in word else "quotes or control characters"


NAME = Word("a text of at most 100 printable characters", _name_fault)


@dataclass(frozen=True)
class Lists:
    """A list of cells of one kind; Parquet only. A null in it is allowed."""

    of: Whole

    csv_type = pa.string()
    patterns = (("^$", "text"),)

    @property
    def expected(self) -> str:
        """Say what a cell should be."""
        return f"a list, each {self.of.expected}"

    def judge(self, array: pa.Array) -> Judged:
        """Refuse text."""
        return pa.nulls(len(array), pa.list_(self.of.type)), []

    def native(self, array: pa.Array) -> Judged | None:
        """Judge the cells in the lists."""
        if pa.types.is_fixed_size_list(array.type):
            array = array.cast(pa.list_(array.type.value_type))
        if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type)):
            return None
        lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
        judged = parquet_cells(self.of, array.flatten())
        if judged is None:
            return None
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        null = array.is_null() if array.null_count else None
        lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), judged[0], mask=null)
        faults: Faults = []
        for mask, found in judged[1]:
            rows = np.zeros(len(array), bool)
            rows[np.searchsorted(offsets, np.flatnonzero(mask), side="right") - 1] = True
            faults.append((rows, found))
        return lists, faults
