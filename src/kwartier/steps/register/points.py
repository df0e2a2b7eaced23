"""The register as known at a moment → the points of a market day.

Source: NBNL register model; domain §4; decisions §2, §3, §21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from kwartier import codes, findings, kernels, periods
from kwartier.arrays import AreaPoints, Bools, Cell, Connections, Int32s, Int64s, Points
from kwartier.findings import Records
from kwartier.parameters import Parameters
from kwartier.steps.register.rows import Connection, Part, Party, numbered_holders
from kwartier.validity import Axes, History

_T = TypeVar("_T")
_Words = TypeVar("_Words")

_AXES = len(Axes._fields)


class Map(Protocol):
    """Calls a function with each of some things and gives what it gave, in their order."""

    def __call__(self, act: Callable[[Any], _T], of: Iterable[Any], /) -> Iterable[_T]:
        """Call it."""


class OnDay(NamedTuple):
    """The points of a grid area on a market day, and what is doubtful in the register of them."""

    points: Points
    others: AreaPoints
    found: Records


class Areas(Mapping[str, OnDay]):
    """The points of the grid areas on a market day; of each resolved when it is first asked for.

    Parameters
    ----------
    count : how many points each area has.
    resolve : gives what an area has.
    """

    def __init__(self, count: Mapping[str, int], resolve: Callable[[str], OnDay]) -> None:
        self._count, self._resolve = count, resolve
        self._resolved: dict[str, OnDay] = {}

    def has(self, grid_area: str) -> bool:
        """Tell whether an area has any point."""
        return self._count[grid_area] > 0

    def __getitem__(self, grid_area: str) -> OnDay:
        """Give the points of an area, and what is doubtful of them."""
        if grid_area not in self._resolved:
            self._resolved[grid_area] = self._resolve(grid_area)
        return self._resolved[grid_area]

    def __iter__(self) -> Iterator[str]:
        return iter(self._count)

    def __len__(self) -> int:
        return len(self._count)


class Register:
    """The register as known at a moment, ready to be asked for any day.

    Parameters
    ----------
    parts : all rows that were known by then, in any order.
    mapped : goes through columns: map(), or that of a pool of threads.

    Attributes
    ----------
    until : the moment at which the last of the rows became known [s UTC].
    """

    def __init__(self, parts: Sequence[Part], mapped: Map = map) -> None:
        parties: dict[Party, int] = {}
        connections: dict[Connection, int] = {}
        columns = [
            *zip(*(part.axes for part in parts), strict=True),
            *zip(*(part.annual for part in parts), strict=True),
            [_places(part.parties, parties)[part.party] for part in parts],
            [_places(part.connections, connections)[part.connection] for part in parts],
        ]
        *of_rows, party, connection = mapped(np.concatenate, columns)
        axes, annual = Axes(*of_rows[:_AXES]), of_rows[_AXES:]
        self._history = History(axes)
        self.until = self._history.until
        row = self._history.row
        self._party, self._connection = party[row], connection[row]
        self._annual = tuple(column[row] for column in annual)
        holder = numbered_holders(parts)
        self._holder = None if holder is None else holder[row]
        self._parties, self._connections = list(parties), list(connections)
        self._areas = sorted({party.grid_area for party in parties})
        place = {area: i for i, area in enumerate(self._areas)}
        self._area_of = np.array([place[party.grid_area] for party in parties], np.int16)
        self._by_customer = np.array([one.by_customer for one in connections], bool)

    def areas(self) -> list[str]:
        """List the grid areas that the register names."""
        return self._areas

    def numbers(self) -> Int64s:
        """List the points that the register knows on any day, sorted."""
        return np.unique(self._history.subject)

    def on(self, day: date, parameters: Parameters) -> Areas:
        """Give the points of each grid area on a market day, and what is doubtful of them.

        register_gap, register_overlap, annual_volume_absurd and loss_point_twice are among the
        findings.
        """
        row, times, gone = self._history.on(periods.number(day))
        terms = _terms(self._connections, day, parameters)
        rows, ends = kernels.by_lot(row, self._lot_of(row), 2 * len(self._areas))
        lots = dict(zip(self._areas, np.split(rows, ends[:-1])[::2], strict=True))
        others_of = dict(zip(self._areas, np.split(rows, ends[:-1])[1::2], strict=True))
        several = np.nonzero(times > 1)[0]
        doubled, times = row[several], times[several]
        area_of_doubled = self._lot_of(doubled) // 2
        area_of_gone = self._lot_of(np.searchsorted(self._history.subject, gone)) // 2

        def resolve(area: str) -> OnDay:
            index = self._areas.index(area)
            points, absurd = self._points(area, lots[area], terms)
            others, odd = self._others(area, others_of[area], terms)
            here = area_of_doubled == index
            found = [
                findings.records("register_gap", gone[area_of_gone == index], limit=1),
                findings.records(
                    "register_overlap",
                    self._history.subject[doubled[here]],
                    observed=times[here],
                    limit=1,
                ),
                absurd,
                odd,
            ]
            return OnDay(points, others, np.concatenate(found))

        count = {area: len(lots[area]) + len(others_of[area]) for area in self._areas}
        return Areas(count, resolve)

    def _lot_of(self, row: Int64s) -> npt.NDArray[np.int16]:
        """Give twice the index of the area of each row, and one more where it is no customer's."""
        lot = self._area_of[self._party[row]] * np.int16(2)
        return np.asarray(lot + ~self._by_customer[self._connection[row]], np.int16)

    def some(self, day: date, grid_area: str, among: Int64s, parameters: Parameters) -> Points:
        """Give some points of a grid area on a market day: those of the numbers given, sorted."""
        row = self._history.on(periods.number(day), among).row
        here = self._lot_of(row) == 2 * self._areas.index(grid_area)
        rows = row[here].astype(np.int32)
        return self._points(grid_area, rows, _terms(self._connections, day, parameters))[0]

    def _points(self, area: str, rows: Int32s, terms: _Terms) -> tuple[Points, Records]:
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
        return self._filled(area, rows, most, cell_of, [cell for cell, *_ in cells], terms)

    def _others(self, area: str, rows: Int32s, terms: _Terms) -> tuple[AreaPoints, Records]:
        of = [self._connections[i] for i in self._connection[rows].tolist()]
        parties = [self._parties[i] for i in self._party[rows].tolist()]
        reckoned = np.array([one.group == codes.UNMETERED for one in self._connections], bool)
        most = np.where(reckoned & terms.small, terms.most, 0)
        no_cell = np.zeros((len(self._parties), len(terms.kinds)), np.int64)
        made, absurd = self._filled(area, rows, most, no_cell, (), terms)
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
        area: str,
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
            grid_area=area,
            number=self._history.subject[rows],
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


def _places(words: Sequence[_Words], all_words: dict[_Words, int]) -> Int32s:
    """Give the numbers that words have among the words of all parts."""
    return np.array([all_words.setdefault(word, len(all_words)) for word in words], np.int32)
