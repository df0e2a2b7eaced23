"""Rows of the register of accounting points, as numbers.

Of many million rows few say the same in other words, so each is kept as numbers: its axes, its
annual volumes, and which party and which kind of connection it names.
Source: NBNL register model; domain §4; decisions §28.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes
from kwartier.arrays import MEASURABLE, NO_CURRENT, PROFILED, Int32s, Int64s
from kwartier.parameters import Parameters
from kwartier.validity import Axes, axes_of, known_by, numbers

_LONGEST_DAY = 100  # periods
_MOST_DIGITS = 10  # no reading is above 10 TWh, so a register with more never begins again
_DENSE = 1 << 20  # keys up to which counting is quicker than sorting
_UNKNOWN = -1  # an annual volume that the register does not give


class Party(NamedTuple):
    """Where a point lies, and who bears and supplies it."""

    grid_area: str
    brp: str
    supplier: str


class Connection(NamedTuple):
    """All else that a row says in words; tables.REGISTER tells what."""

    group: str
    profile_category: str
    consumption_type: str
    market_segment: str
    capacity: str
    physical_status: str
    remote_reading: bool
    remotely_readable: bool
    consent: bool
    multiplier: int
    digits: int | None
    loss_type: str | None
    dimensioned_profile: str | None

    def state(self, day: date, parameters: Parameters) -> int:
        """Tell what is done with such a point of a small customer on a day."""
        readable = (
            self.group == codes.SMART_METER
            and self.market_segment == codes.SMALL
            and self.remote_reading
            and self.remotely_readable
            and (self.consent or day >= parameters.legal_ground)
        )
        if not readable:
            return PROFILED
        return MEASURABLE if self.physical_status == "in_service" else NO_CURRENT

    def rolls_at(self, limit: int) -> int:
        """Tell where its registers begin again [Wh], 0 where that cannot be told.

        A register that a day's energy could turn by half does not tell a roll-over from a fall.
        """
        if self.digits is None or self.digits > _MOST_DIGITS:
            return 0
        at = int(1000 * 10**self.digits * self.multiplier)
        return at if at > 2 * limit * _LONGEST_DAY else 0

    @property
    def by_customer(self) -> bool:
        """Whether it is of a small customer, by smart meter or by profile."""
        return self.group in (codes.SMART_METER, codes.PROFILE)

    @property
    def with_infeed(self) -> bool:
        """Whether it must have infeed."""
        return self.consumption_type == codes.WITH_INFEED


ANNUAL = tuple(
    f"annual_{of}_{tariff}_wh" for of in ("offtake", "infeed") for tariff in ("normal", "low")
)


class Part(NamedTuple):
    """Some rows of the register as numbers.

    `party` and `connection` are indexes in `parties` and `connections`; `annual` holds the annual
    volumes in the order of the columns [Wh], (rows) each, -1 where not given; `holder` the names
    of who hold the points, as a dictionary; None where no row gives one.
    """

    axes: Axes
    party: Int32s
    connection: Int32s
    annual: tuple[Int64s, ...]
    parties: Sequence[Party]
    connections: Sequence[Connection]
    holder: pa.Array | None = None


def part_of(rows: pa.Table, known_at: int) -> Part:
    """Read rows of tables.REGISTER as numbers; those recorded after a moment do not exist yet.

    known_at : [s UTC].
    """
    rows = known_by(rows, known_at)
    party, parties = combined(rows, Party._fields)
    connection, connections = combined(rows, Connection._fields)
    return numbered(
        rows,
        party,
        connection,
        [Party(*words) for words in parties],
        [Connection(*words) for words in connections],
    )


def numbered(
    rows: pa.Table,
    party: Int32s,
    connection: Int32s,
    parties: Sequence[Party],
    connections: Sequence[Connection],
) -> Part:
    """Read the other columns of rows as numbers."""
    return Part(
        axes_of(rows, "accounting_point"),
        party,
        connection,
        tuple(numbers(rows[name], _UNKNOWN) for name in ANNUAL),
        parties,
        connections,
        _holder(rows["holder"]),
    )


def _holder(column: pa.ChunkedArray) -> pa.Array | None:
    """Give a column of names as a dictionary; None where all are empty."""
    if column.null_count == len(column):
        return None
    together = column.combine_chunks()
    coded = pa.types.is_dictionary(together.type)
    return together if coded else together.dictionary_encode()


def combined(rows: pa.Table, names: Sequence[str]) -> tuple[Int32s, list[tuple[Any, ...]]]:
    """Number the combinations that some columns have, and list them."""
    code = np.zeros(rows.num_rows, np.int64)
    made: list[tuple[Any, ...]] = [()] if rows.num_rows else []
    for name in names:
        index, words = _coded(rows[name].combine_chunks())
        if index is None:
            made = [(*before, *words) for before in made]
            continue
        # Few of all combinations occur, so that the numbers stay small from column to column.
        occurring, code = _numbered(code * len(words) + index, len(made) * len(words))
        made = [(*made[n // len(words)], words[n % len(words)]) for n in occurring.tolist()]
    return code.astype(np.int32), made


def _coded(column: pa.Array) -> tuple[npt.NDArray[np.integer] | None, list[Any]]:
    """Number the words of a column, and list them; no numbers where all are alike."""
    if column.null_count == len(column):
        return None, [None]
    if not pa.types.is_dictionary(column.type):
        lowest, highest = pc.min_max(column).values()
        if lowest == highest and not column.null_count:
            return None, [lowest.as_py()]
        column = column.dictionary_encode()
    words = column.dictionary.to_pylist()
    if len(words) == 1 and not column.null_count:
        return None, words
    if not column.null_count:
        return column.indices.to_numpy(), words
    return pc.fill_null(column.indices, len(words)).to_numpy(), [*words, None]


def _numbered(key: Int64s, size: int) -> tuple[Int64s, Int64s]:
    """List the keys below a size that occur, and give the place of each key in that list."""
    if size > _DENSE:
        occurring, place = np.unique(key, return_inverse=True)
        return occurring, place
    occurs = np.bincount(key, minlength=size) > 0
    return np.nonzero(occurs)[0], (np.cumsum(occurs) - 1)[key]
