"""The register of accounting points, as at a market day and as known at a moment → its points.

Rows of the register have two time axes: the days on which they hold and the moment at which they
became known. Source: NBNL register model; domain §4; decisions §2, §3.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, findings, periods
from kwartier.arrays import MEASURABLE, NO_CURRENT, OTHER, PROFILED, Bools, Cell, Int64s, Points
from kwartier.parameters import Parameters

_OPEN = np.int64(np.iinfo(np.int64).max)
_LONGEST_DAY = 100  # periods
_MOST_DIGITS = 10  # no reading is above 10 TWh, so a register with more never begins again


class _Coded(NamedTuple):
    code: Int64s
    words: list[str]

    def be(self, word: str) -> Bools:
        """Tell where the column holds the word."""
        index = self.words.index(word) if word in self.words else -1
        return np.asarray(self.code == index)


def _coded(column: pa.ChunkedArray) -> _Coded:
    encoded = column.combine_chunks()
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    return _Coded(
        encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64),
        encoded.dictionary.to_pylist(),
    )


def _numbers(column: pa.ChunkedArray, missing: int) -> Int64s:
    if pa.types.is_date(column.type):
        column = column.cast(pa.int32())
    filled = pc.fill_null(column.cast(pa.int64()), missing)
    return np.asarray(filled.to_numpy(), np.int64)


def _taken(rows: pa.Table, index: Int64s) -> pa.Table:
    """Take rows; all of them in their order are taken without a copy."""
    if len(index) == rows.num_rows and (index == np.arange(len(index))).all():
        return rows
    return rows.take(pa.array(index))


class Register:
    """The rows of the register as known at a moment, ready to be asked for any day.

    Parameters
    ----------
    rows : tables.REGISTER, in any order.
    known_at : moment [s UTC]; rows recorded later do not exist yet.

    Attributes
    ----------
    until : the moment at which the last of the rows became known [s UTC].
    """

    def __init__(self, rows: pa.Table, known_at: int) -> None:
        recorded = _numbers(rows["recorded_at"], 0)
        known = recorded <= known_at
        if not known.all():
            rows, recorded = rows.filter(pa.array(known)), recorded[known]
        number = _numbers(rows["accounting_point"], 0)
        starts = _numbers(rows["valid_from"], 0)
        order = np.lexsort((recorded, starts, number))
        # A later record of the same point and start replaces the earlier one; rows recorded
        # together stay, and show as an overlap.
        number, starts, recorded = number[order], starts[order], recorded[order]
        first = np.ones(len(order), bool)
        first[1:] = (number[1:] != number[:-1]) | (starts[1:] != starts[:-1])
        group = np.cumsum(first) - 1
        newest = recorded[np.nonzero(np.append(first[1:], True)[: len(order)])[0]]
        replaced = recorded < newest[group]
        self._rows = _taken(rows, order[~replaced])
        self._number = number[~replaced]
        self._starts = starts[~replaced]
        self._recorded = recorded[~replaced]
        self._ends = _numbers(self._rows["valid_to"], int(_OPEN))
        self.until = int(recorded.max(initial=0))
        self._area = _coded(self._rows["grid_area"])

    def areas(self) -> list[str]:
        """List the grid areas that the register names."""
        return sorted(self._area.words)

    def numbers(self) -> Int64s:
        """List the points that the register knows on any day, sorted."""
        return np.unique(self._number)

    def on(
        self, day: date, parameters: Parameters
    ) -> tuple[dict[str, Points], dict[str, findings.Records]]:
        """Give the points of each grid area on a market day, and what is doubtful in the register.

        Returns
        -------
        points, found : by grid area; register_gap and register_overlap among the findings.
        """
        at = periods.number(day)
        holds = (self._starts <= at) & (at < self._ends)
        rows = np.nonzero(holds)[0]
        number = self._number[rows]
        # Of the rows that hold the day the last recorded counts, then the last to start.
        if (number[1:] == number[:-1]).any():
            order = np.lexsort((self._starts[rows], self._recorded[rows], number))
            rows, number = rows[order], number[order]
        last = np.append(number[1:] != number[:-1], True) if len(rows) else np.empty(0, bool)
        chosen = rows[last]
        of_point = np.cumsum(last) - last
        together = self._recorded[rows] == self._recorded[chosen][of_point]
        times = np.bincount(of_point[together], minlength=len(chosen))
        lies = self._starts < self._ends
        before = np.unique(self._number[lies & (self._ends <= at)])
        after = np.unique(self._number[lies & (self._starts > at)])
        gone = np.intersect1d(before, after)
        gone = gone[~np.isin(gone, number)] if len(gone) else gone

        points: dict[str, Points] = {}
        found: dict[str, findings.Records] = {}
        area_of_gone = self._area.code[np.searchsorted(self._number, gone)]
        for code, area in enumerate(self._area.words):
            here = self._area.code[chosen] == code
            mine, doubled = chosen[here], here & (times > 1)
            points[area] = self._points(area, mine, day, parameters)
            found[area] = np.concatenate(
                [
                    findings.records("register_gap", gone[area_of_gone == code], limit=1),
                    findings.records(
                        "register_overlap",
                        self._number[chosen[doubled]],
                        observed=times[doubled],
                        limit=1,
                    ),
                ]
            )
        return points, found

    def _points(self, area: str, rows: Int64s, day: date, parameters: Parameters) -> Points:
        part = _taken(self._rows, rows)
        number = self._number[rows]
        category = _coded(part["profile_category"])
        consumption = _coded(part["consumption_type"])
        capacity = _coded(part["capacity"])
        brp, supplier = _coded(part["brp"]), _coded(part["supplier"])
        with_infeed = consumption.be(codes.WITH_INFEED)

        metered = _coded(part["group"]).be(codes.SMART_METER)
        ground = day >= parameters.legal_ground
        readable = (
            metered
            & _coded(part["market_segment"]).be("KVB")
            & part["remote_reading"].to_numpy()
            & part["remotely_readable"].to_numpy()
            & (ground | part["consent"].to_numpy())
        )
        in_service = _coded(part["physical_status"]).be("in_service")
        state = np.full(len(rows), OTHER, np.int8)
        state[metered | _coded(part["group"]).be(codes.PROFILE)] = PROFILED
        state[readable & in_service] = MEASURABLE
        state[readable & ~in_service] = NO_CURRENT

        # Parties and kinds are few, so every combination has a number and those that occur are few.
        columns = (brp, supplier, category, consumption)
        sizes = [max(len(column.words), 1) for column in columns]
        key = np.ravel_multi_index(tuple(column.code for column in columns), sizes)
        occurring = np.nonzero(np.bincount(key, minlength=1))[0] if len(rows) else key
        words = zip(*np.unravel_index(occurring, sizes), strict=True)
        cells = [
            Cell(*(column.words[i] for column, i in zip(columns, of, strict=True))) for of in words
        ]
        order = sorted(range(len(cells)), key=cells.__getitem__)
        place = np.zeros(int(np.prod(sizes)), np.int64)
        place[occurring[order]] = np.arange(len(cells))
        cell = np.where(state == OTHER, -1, place[key])

        annual, annual_known = self._annual(part, category, with_infeed, parameters)
        limits = np.array([parameters.limit_wh(token) for token in capacity.words], np.int64)
        digits = _numbers(part["digits"], -1)
        multiplier = _numbers(part["multiplier"], 1)
        limit = limits[capacity.code] if len(rows) else np.empty(0, np.int64)
        rolls_at = 1000 * 10 ** np.clip(digits, 0, _MOST_DIGITS) * multiplier
        # A register that a day's energy could turn by half does not tell a roll-over from a fall.
        tells = (digits >= 0) & (digits <= _MOST_DIGITS) & (rolls_at > 2 * limit * _LONGEST_DAY)
        return Points(
            grid_area=area,
            number=number,
            state=state,
            cell=cell.astype(np.int64),
            limit=limit,
            multiplier=multiplier,
            rolls_at=np.where(tells, rolls_at, 0),
            with_infeed=with_infeed,
            annual=annual,
            annual_known=annual_known,
            cells=tuple(cells[i] for i in order),
        )

    @staticmethod
    def _annual(
        part: pa.Table, category: _Coded, with_infeed: Bools, parameters: Parameters
    ) -> tuple[Int64s, Bools]:
        unknown = -1
        volumes, known = [], []
        offtake = np.array(
            [parameters.default_annual_offtake_wh[word] for word in category.words], np.int64
        )
        defaults = (
            offtake[category.code] if part.num_rows else np.empty(0, np.int64),
            np.where(with_infeed, parameters.default_annual_infeed_wh, 0),
        )
        for name, default in zip(("offtake", "infeed"), defaults, strict=True):
            normal = _numbers(part[f"annual_{name}_normal_wh"], unknown)
            low = _numbers(part[f"annual_{name}_low_wh"], unknown)
            given = (normal != unknown) | (low != unknown)
            volumes.append(np.where(given, np.maximum(normal, 0) + np.maximum(low, 0), default))
            known.append(given)
        # Without infeed there is nothing to be known about it.
        known[1] |= ~with_infeed
        return np.stack(volumes, axis=1).astype(np.int64), np.stack(known, axis=1)
