"""The rows of a delivery that are not kept, added up → findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import findings, periods, tables
from kwartier.adapters import files
from kwartier.arrays import Int64s, place_in
from kwartier.steps import delivery

# The rule in findings.RULE_NAMES of each of files.DOOR_RULES; -1: nothing is doubtful.
RULE_OF_DOOR = np.array([findings.RULE_INDEX.get(name, -1) for name in files.DOOR_RULES], np.int16)
# Of these the finding shows how far off the rows were; of the others how many there were.
_MEASURED = [findings.RULE_INDEX[n] for n in ("in_future", "off_quarter", "too_old", "wrong_count")]


class Doubted:
    """The rows that are not kept, by rule, point and day."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []

    def add(self, doubts: delivery.Doubts, rows: Int64s) -> None:
        """Add doubts, each with how many rows it stands for."""
        if len(doubts.number):
            self._parts.append(_add_up(pa.table({**doubts._asdict(), "rows": rows})))

    def table(
        self, areas: Sequence[str], area_on: Callable[[date], tuple[Int64s, Int64s]]
    ) -> pa.Table:
        """Make the findings.

        Parameters
        ----------
        area_on : gives the points of a day, sorted, and the index of the area of each.
        """
        if not self._parts:
            return tables.FINDINGS.empty()
        summed = _add_up(pa.concat_tables(self._parts))
        made = []
        for day in sorted(set(summed["day"].to_pylist())):
            part = summed.filter(pc.equal(summed["day"], day))
            number, rows = part["number"].to_numpy(), part["rows"].to_numpy()
            rule = part["rule"].to_numpy()
            held = findings.records(findings.RULE_NAMES[0], number, rows=rows)
            held["rule"] = rule
            measured = np.isin(rule, _MEASURED)
            held["observed"] = np.where(measured, part["observed"].to_numpy(), rows)
            held["limit"] = np.where(measured, part["limit"].to_numpy(), 0)
            points, area = area_on(periods.day_of_number(day))
            at = place_in(points, number)
            of_area = np.where(at >= 0, np.append(area, -1)[at], -1)
            for index in np.unique(of_area).tolist():
                name = areas[index] if index >= 0 else None
                made.append(findings.table(held[of_area == index], day, name))
        return pa.concat_tables(made)


def _add_up(doubts: pa.Table) -> pa.Table:
    grouped = doubts.group_by(["rule", "number", "day"]).aggregate(
        [("observed", "max"), ("limit", "max"), ("rows", "sum")]
    )
    names = [name.split("_")[0] for name in grouped.column_names]
    return grouped.rename_columns(names)
