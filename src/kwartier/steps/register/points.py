"""The register as known at a moment → the points of a market day.

Source: NBNL register model; domain §4; decisions §2, §3, §21.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kwartier import codes, findings, kernels, periods
from kwartier.arrays import AreaPoints, Bools, Cell, Connections, Int32s, Int64s, Points
from kwartier.findings import Records
from kwartier.parameters import Parameters
from kwartier.steps.register.rows import Connection
from kwartier.steps.register.together import Lot, Map, together
from kwartier.validity import History


class OnDay(NamedTuple):
    """The points of a grid area on a market day, and what is doubtful in the register of them."""

    points: Points
    others: AreaPoints
    found: Records


class Register:
    """The register of a grid area as known at a moment, ready to be asked for any day.

    Parameters
    ----------
    lots : all rows that were known by then of the points that lie in the area on any day, in any
        order; also the rows of days on which they lie elsewhere.
    mapped : goes through lots: map(), or that of a pool of threads.

    Attributes
    ----------
    until : the moment at which the last of the rows became known [s UTC].
    """

    def __init__(self, grid_area: str, lots: Sequence[Lot], mapped: Map = map) -> None:
        rows, holder = together(lots, mapped)
        self._history = History(rows.axes)
        self.until = self._history.until
        row = self._history.row
        self._party, self._connection = rows.party[row], rows.connection[row]
        self._annual = tuple(column[row] for column in rows.annual)
        self._holder = None if holder is None else holder[row]
        self._parties, self._connections = rows.parties, rows.connections
        self._grid_area = grid_area
        self._here = np.array([party.grid_area == grid_area for party in rows.parties], bool)
        self._by_customer = np.array([one.by_customer for one in rows.connections], bool)

    def numbers(self) -> Int64s:
        """List the points that have lain in the area on any day, sorted."""
        return np.unique(self._history.subject)

    def has(self, day: date) -> bool:
        """Tell whether the area has any point on a market day."""
        row = self._history.on(periods.number(day)).row
        return bool(self._here[self._party[row]].any())

    def on(self, day: date, parameters: Parameters) -> OnDay:
        """Give the points of the area on a market day, and what is doubtful of them.

        register_gap, register_overlap, annual_volume_absurd and loss_point_twice are among the
        findings.
        """
        row, doubled, times, gone = self._history.on(periods.number(day))
        here = self._here[self._party[row[doubled]]]
        # Where a point was before it was gone, there it is missing.
        gone_here = self._here[self._party[np.searchsorted(self._history.subject, gone)]]
        terms = _terms(self._connections, day, parameters)
        ours, rest = self._parted(row)
        points, absurd = self._points(ours, terms)
        others, odd = self._others(rest, terms)
        found = [
            findings.records("register_gap", gone[gone_here], limit=1),
            findings.records(
                "register_overlap",
                self._history.subject[row[doubled[here]]],
                observed=times[here],
                limit=1,
            ),
            absurd,
            odd,
        ]
        return OnDay(points, others, np.concatenate(found))

    def some(self, day: date, among: Int64s, parameters: Parameters) -> Points:
        """Give some points of the area on a market day: those of the numbers given, sorted."""
        row = self._history.on(periods.number(day), among).row
        ours, _ = self._parted(row)
        return self._points(ours, _terms(self._connections, day, parameters))[0]

    def _parted(self, row: Int64s) -> tuple[Int32s, Int32s]:
        """Keep the rows that lie in the area: those of small customers, and all others."""
        parted: tuple[Int32s, Int32s] = kernels.by_customer(
            row, self._party, self._connection, self._here, self._by_customer
        )
        return parted

    def _points(self, rows: Int32s, terms: _Terms) -> tuple[Points, Records]:
        # Parties and kinds are few, and of their combinations few occur.
        occurs = np.zeros((len(self._parties), len(terms.kinds)), bool)
        kernels.mark_cells(rows, self._party, self._connection, terms.kind, occurs)
        cells = sorted(
            (Cell(*self._parties[party][1:], *terms.kinds[kind]), party, kind)
            for party, kind in np.argwhere(occurs).tolist()
        )
        cell_of = np.zeros(occurs.shape, np.int64)
        for index, (_, party, kind) in enumerate(cells):
            cell_of[party, kind] = index
        most = np.where(terms.small, terms.most, 0)
        return self._filled(rows, most, cell_of, [cell for cell, *_ in cells], terms)

    def _others(self, rows: Int32s, terms: _Terms) -> tuple[AreaPoints, Records]:
        of = [self._connections[i] for i in self._connection[rows].tolist()]
        parties = [self._parties[i] for i in self._party[rows].tolist()]
        reckoned = np.array([one.group == codes.UNMETERED for one in self._connections], bool)
        most = np.where(reckoned & terms.small, terms.most, 0)
        no_cell = np.zeros((len(self._parties), len(terms.kinds)), np.int64)
        made, absurd = self._filled(rows, most, no_cell, (), terms)
        others = AreaPoints(
            number=made.number,
            group=[one.group for one in of],
            brp=[party.brp for party in parties],
            supplier=[party.supplier for party in parties],
            profile_category=[one.profile_category for one in of],
            consumption_type=[one.consumption_type for one in of],
            loss_type=[
                (one.loss_type or codes.GRID_LOSS) if one.group == codes.GRID_LOSS else ""
                for one in of
            ],
            profile=[one.dimensioned_profile or "" for one in of],
            annual=made.annual,
            annual_low=made.annual_low,
            annual_known=made.annual_known,
            holder=made.holder,
        )
        kinds = np.array(others.loss_type, object)
        twice = [np.empty(0, findings.RECORD)]
        for kind in codes.LOSS_TYPES:
            same = made.number[kinds == kind]
            twice.append(
                findings.records("loss_point_twice", same[1:], observed=len(same), limit=1)
            )
        return others, np.concatenate([absurd, *twice])

    def _filled(
        self,
        rows: Int32s,
        most: Int64s,
        cell_of: Int64s,
        cells: Sequence[Cell],
        terms: _Terms,
    ) -> tuple[Points, Records]:
        """Give points what their rows say: annual volumes assumed where unknown, capped if absurd.

        Parameters
        ----------
        most : (connections), what each could carry in a year [Wh]; 0 where none is known.
        cell_of : (parties, kinds), the cell of each.
        """
        n = len(rows)
        points = Points(
            grid_area=self._grid_area,
            number=self._numbers_of(rows),
            state=np.empty(n, np.int8),
            cell=np.empty(n, np.int32),
            connection=np.empty(n, np.int32),
            with_infeed=np.empty(n, bool),
            annual=np.empty((n, 2), np.int64),
            annual_low=np.empty((n, 2), np.int64),
            annual_known=np.empty((n, 2), bool),
            cells=tuple(cells),
            connections=terms.connections,
            holder=self._holder_of(rows),
        )
        above = kernels.points_of(
            rows,
            self._party,
            self._connection,
            self._annual,
            (*terms[:4], most),
            cell_of,
            points[2 : Points._fields.index("cells")],
        )
        if not above:
            return points, np.empty(0, findings.RECORD)
        return points, _cap(points, most[self._connection[rows]])

    def _numbers_of(self, rows: Int32s) -> Int64s:
        """Give the number of the point of each row; of all rows they are there already."""
        number = self._history.subject
        return number if len(rows) == len(number) else number[rows]

    def _holder_of(self, rows: Int32s) -> Int64s | None:
        """Tell who holds the point of each row; a point of which it is not said is held apart."""
        if self._holder is None:
            return None
        named = self._holder[rows]
        return np.where(named < 0, named, self._history.subject[rows])


class _Terms(NamedTuple):
    """What each connection means on a day, (connections): see Points.

    `kind` is its index in `kinds`, profile category and consumption type; `annual` (connections, 2,
    2) the annual offtake and infeed to assume and the low tariff's part of each, `most` what it
    could carry in a year [Wh]; `small` whether it is of the small segment.
    """

    kind: Int64s
    state: npt.NDArray[np.int8]
    with_infeed: Bools
    annual: Int64s
    most: Int64s
    small: Bools
    kinds: Sequence[tuple[str, str]]
    connections: Connections


def _terms(connections: Sequence[Connection], day: date, parameters: Parameters) -> _Terms:
    kinds = sorted({(one.profile_category, one.consumption_type) for one in connections})
    limits = [parameters.limit_wh(one.capacity) for one in connections]
    annual = [
        (
            parameters.default_annual(one.profile_category, 0),
            parameters.default_annual(one.profile_category, 1) if one.with_infeed else (0, 0),
        )
        for one in connections
    ]
    pairs = zip(connections, limits, strict=True)
    kind = [kinds.index((one.profile_category, one.consumption_type)) for one in connections]
    return _Terms(
        np.array(kind, np.int64),
        np.array([one.state(day, parameters) for one in connections], np.int8),
        np.array([one.with_infeed for one in connections], bool),
        np.array(annual, np.int64).reshape(-1, 2, 2),
        np.array(limits, np.int64) * parameters.annual_cap_periods,
        np.array([one.market_segment == codes.SMALL for one in connections], bool),
        kinds,
        Connections(
            np.array(limits, np.int64),
            np.array([one.multiplier for one in connections], np.int64),
            np.array([one.rolls_at(limit) for one, limit in pairs], np.int64),
        ),
    )


def _cap(points: Points, cap: Int64s) -> Records:
    """Cap, in place, the annual volumes that no connection could carry.

    One of them would move every party of the area.

    Parameters
    ----------
    cap : (points) [Wh]; 0 where none is known.
    """
    annual, low = points.annual, points.annual_low
    point, direction = np.nonzero((annual > cap[:, None]) & (cap[:, None] > 0))
    found = findings.records(
        "annual_volume_absurd",
        points.number[point],
        register=np.array(findings.OF_DIRECTION)[direction],
        observed=annual[point, direction],
        limit=cap[point],
    )
    for p, d in zip(point.tolist(), direction.tolist(), strict=True):
        low[p, d] = int(low[p, d]) * int(cap[p]) // int(annual[p, d])
        annual[p, d] = cap[p]
    return found
