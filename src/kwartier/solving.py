"""HiGHS, as a solver that gives the same answer each time and says nothing.

Rows and bounds are numbers of its own kind (float); what decides is held against whole numbers or
fractions by those who ask. Source: HiGHS (MIT); decisions §34.
"""

from __future__ import annotations

from collections.abc import Sequence

import highspy
import numpy as np


class _Silent(highspy.Highs):
    """A solver that says nothing: it tells its name when callbacks are enabled, as it is made."""

    def enableCallbacks(self) -> None:
        self.silent()
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def begin() -> highspy.Highs:
    """Begin a model; one thread and one seed, so that its solution is the same each time."""
    model = _Silent()  # type: ignore[no-untyped-call]
    for option, value in (("threads", 1), ("random_seed", 0), ("mip_rel_gap", 0.0)):
        model.setOptionValue(option, value)
    return model


def choices(model: highspy.Highs, count: int) -> None:
    """Add so many columns that are 0 or 1."""
    for _ in range(count):
        model.addVar(0.0, 1.0)
        model.changeColIntegrality(model.getNumCol() - 1, highspy.HighsVarType.kInteger)


def bound(
    model: highspy.Highs, low: float, high: float, index: Sequence[int], value: Sequence[float]
) -> None:
    """Add a row: low ≤ the sum of value × column ≤ high."""
    model.addRow(low, high, len(index), np.array(index, np.int32), np.array(value, np.float64))


def solved(model: highspy.Highs) -> bool:
    """Run it; tell whether there is a best solution."""
    model.run()
    return bool(model.getModelStatus() == highspy.HighsModelStatus.kOptimal)
