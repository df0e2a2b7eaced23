"""Couplings between grid areas → the energy that an area exchanges with the others.

A coupling is metered once and seen by both its areas: what leaves the one comes into the other.
Source: domain §2, §6; decisions §22.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from kwartier import periods
from kwartier.arrays import Couplings, Int64s
from kwartier.validity import History, axes_of, known_by, taken


class Exchanges:
    """The couplings of all grid areas as known at a moment.

    Parameters
    ----------
    rows : tables.COUPLINGS, in any order.
    known_at : moment [s UTC]; rows recorded later do not exist yet.

    Attributes
    ----------
    until : the moment at which the last of the rows became known [s UTC].
    """

    def __init__(self, rows: pa.Table, known_at: int) -> None:
        rows = known_by(rows, known_at)
        self._history = History(axes_of(rows, "coupling"))
        self.until = self._history.until
        rows = taken(rows, self._history.row)
        self._area = rows["grid_area"].to_pylist()
        self._other = rows["other_grid_area"].to_pylist()

    def numbers(self) -> Int64s:
        """List the couplings that are known on any day, sorted."""
        return np.unique(self._history.subject)

    def of(self, day: date, grid_area: str) -> Couplings:
        """Give the couplings of an area on a market day."""
        number, mirrored = [], []
        for row in self._history.on(periods.number(day)).row.tolist():
            if grid_area in (self._area[row], self._other[row]):
                number.append(int(self._history.subject[row]))
                mirrored.append(self._area[row] != grid_area)
        return Couplings(np.array(number, np.int64), np.array(mirrored, bool))
