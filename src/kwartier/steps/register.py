"""The register of accounting points, as at a market day and as known at a moment → its points.

Rows of the register have two time axes: the days on which they hold and the moment at which they
became known. Of many million rows few say the same in other words, so each is kept as numbers: its
axes, its annual volumes, and which party and which kind of connection it names.
Source: NBNL register model; domain §4; decisions §2, §3.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, findings, kernels, periods
from kwartier.arrays import (
    MEASURABLE,
    NO_CURRENT,
    PROFILED,
    AreaPoints,
    Bools,
    Cell,
    Int32s,
    Int64s,
    Points,
)
from kwartier.findings import Records
from kwartier.parameters import Parameters
from kwartier.validity import Axes, History, axes_of, known_by, numbers

_Words = TypeVar("_Words")

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


_AXES = ("accounting_point", "valid_from", "valid_to", "recorded_at")
_ANNUAL = tuple(
    f"annual_{of}_{tariff}_wh" for of in ("offtake", "infeed") for tariff in ("normal", "low")
)
# What is read of tables.REGISTER.
COLUMNS = (*_AXES, *Party._fields, *Connection._fields, *_ANNUAL)


class Part(NamedTuple):
    """Some rows of the register as numbers.

    `party` and `connection` are indexes in `parties` and `connections`; `annual` holds the annual
    volumes in the order of the columns [Wh], (rows) each, -1 where not given.
    """

    axes: Axes
    party: Int32s
    connection: Int32s
    annual: tuple[Int64s, ...]
    parties: Sequence[Party]
    connections: Sequence[Connection]


def part_of(rows: pa.Table, known_at: int) -> Part:
    """Read rows of tables.REGISTER as numbers; those recorded after a moment do not exist yet.

    known_at : [s UTC].
    """
    rows = known_by(rows, known_at)
    party, parties = _combined(rows, Party._fields)
    connection, connections = _combined(rows, Connection._fields)
    return Part(
        axes_of(rows, "accounting_point"),
        party,
        connection,
        tuple(numbers(rows[name], _UNKNOWN) for name in _ANNUAL),
        [Party(*words) for words in parties],
        [Connection(*words) for words in connections],
    )


def _combined(rows: pa.Table, names: Sequence[str]) -> tuple[Int32s, list[tuple[Any, ...]]]:
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


class OnDay(NamedTuple):
    """The points of a grid area on a market day, and what is doubtful in the register of them."""

    points: Points
    others: AreaPoints
    found: Records


class Register:
    """The register as known at a moment, ready to be asked for any day.

    Parameters
    ----------
    parts : all rows that were known by then, in any order.

    Attributes
    ----------
    until : the moment at which the last of the rows became known [s UTC].
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        parties: dict[Party, int] = {}
        connections: dict[Connection, int] = {}
        axes = Axes(*map(np.concatenate, zip(*(part.axes for part in parts), strict=True)))
        party, connection = (
            np.concatenate(columns)
            for columns in zip(
                *(
                    (
                        _renumbered(part.party, part.parties, parties),
                        _renumbered(part.connection, part.connections, connections),
                    )
                    for part in parts
                ),
                strict=True,
            )
        )
        annual = [np.concatenate(of) for of in zip(*(part.annual for part in parts), strict=True)]
        self._history = History(axes)
        self.until = self._history.until
        row = self._history.row
        self._party, self._connection = party[row], connection[row]
        self._annual = tuple(column[row] for column in annual)
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

    def on(self, day: date, parameters: Parameters) -> dict[str, OnDay]:
        """Give the points of each grid area on a market day, and what is doubtful of them.

        Returns
        -------
        by grid area; register_gap, register_overlap, annual_volume_absurd and loss_point_twice
        among the findings.
        """
        row, times, gone = self._history.on(periods.number(day))
        terms = _terms(self._connections, day, parameters)
        area = self._area_of[self._party[row]]
        first = np.searchsorted(self._history.subject, gone)
        area_of_gone = self._area_of[self._party[first]]
        made = {}
        for index, name in enumerate(self._areas):
            here = slice(None) if len(self._areas) == 1 else np.nonzero(area == index)[0]
            rows, together = row[here], times[here]
            doubled = together > 1
            points, absurd = self._points(name, rows, terms)
            others, odd = self._others(rows, terms)
            found = [
                findings.records("register_gap", gone[area_of_gone == index], limit=1),
                findings.records(
                    "register_overlap",
                    self._history.subject[rows[doubled]],
                    observed=together[doubled],
                    limit=1,
                ),
                absurd,
                odd,
            ]
            made[name] = OnDay(points, others, np.concatenate(found))
        return made

    def some(self, day: date, grid_area: str, among: Int64s, parameters: Parameters) -> Points:
        """Give some points of a grid area on a market day: those of the numbers given, sorted."""
        row = self._history.on(periods.number(day), among).row
        here = self._area_of[self._party[row]] == self._areas.index(grid_area)
        terms = _terms(self._connections, day, parameters)
        return self._points(grid_area, row[here], terms)[0]

    def _points(self, area: str, rows: Int64s, terms: _Terms) -> tuple[Points, Records]:
        rows = rows[self._by_customer[self._connection[rows]]]
        number = self._history.subject[rows]
        party, connection = self._party[rows], self._connection[rows].astype(np.intp)
        annual, absurd = self._annual_of(rows, np.where(terms.small, terms.most, 0), terms)
        # Parties and kinds are few, so every combination has a number and those that occur are few.
        size = len(self._parties) * len(terms.kinds)
        key = party.astype(np.int64) * len(terms.kinds) + terms.kind[connection]
        occurring, place = _numbered(key, size)
        cells = [
            Cell(*self._parties[n // len(terms.kinds)][1:], *terms.kinds[n % len(terms.kinds)])
            for n in occurring.tolist()
        ]
        order = sorted(range(len(cells)), key=cells.__getitem__)
        rank = np.zeros(len(cells), np.int64)
        rank[order] = np.arange(len(cells))
        points = Points(
            grid_area=area,
            number=number,
            state=terms.state[connection],
            cell=rank[place],
            limit=terms.limit[connection],
            multiplier=terms.multiplier[connection],
            rolls_at=terms.rolls_at[connection],
            with_infeed=terms.with_infeed[connection],
            annual=annual.total,
            annual_low=annual.low,
            annual_known=annual.known,
            cells=tuple(cells[i] for i in order),
        )
        return points, absurd

    def _others(self, rows: Int64s, terms: _Terms) -> tuple[AreaPoints, Records]:
        rows = rows[~self._by_customer[self._connection[rows]]]
        number = self._history.subject[rows]
        connection = self._connection[rows]
        of = [self._connections[i] for i in connection.tolist()]
        parties = [self._parties[i] for i in self._party[rows].tolist()]
        reckoned = np.array([one.group == codes.UNMETERED for one in self._connections], bool)
        most = np.where(reckoned & terms.small, terms.most, 0)
        annual, absurd = self._annual_of(rows, most, terms)
        others = AreaPoints(
            number=number,
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
            annual=annual.total,
            annual_low=annual.low,
            annual_known=annual.known,
        )
        kinds = np.array(others.loss_type, object)
        twice = [np.empty(0, findings.RECORD)]
        for kind in codes.LOSS_TYPES:
            same = number[kinds == kind]
            twice.append(
                findings.records("loss_point_twice", same[1:], observed=len(same), limit=1)
            )
        return others, np.concatenate([absurd, *twice])

    def _annual_of(self, rows: Int64s, most: Int64s, terms: _Terms) -> tuple[_Annual, Records]:
        """Give the annual volumes of rows: a default where none is known, capped where absurd.

        Parameters
        ----------
        most : (connections), what each could carry in a year [Wh]; 0 where none is known.
        """
        total, low, known, above = kernels.annual_volumes(
            rows, self._annual, self._connection, terms.annual, most
        )
        connection = self._connection[rows]
        # Without infeed there is nothing to be known about it.
        known[:, 1] |= ~terms.with_infeed[connection]
        annual = _Annual(total, low, known)
        if not above:
            return annual, np.empty(0, findings.RECORD)
        return _capped(self._history.subject[rows], annual, most[connection])


class _Terms(NamedTuple):
    """What each connection means on a day, (connections): see Points.

    `kind` is its index in `kinds`, profile category and consumption type; `annual` (connections, 2,
    2) the annual offtake and infeed to assume and the low tariff's part of each, `most` what it
    could carry in a year [Wh]; `small` whether it is of the small segment.
    """

    state: npt.NDArray[np.int8]
    limit: Int64s
    multiplier: Int64s
    rolls_at: Int64s
    with_infeed: Bools
    small: Bools
    annual: Int64s
    most: Int64s
    kind: Int64s
    kinds: Sequence[tuple[str, str]]


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
    kind = [kinds.index((one.profile_category, one.consumption_type)) for one in connections]
    return _Terms(
        np.array([one.state(day, parameters) for one in connections], np.int8),
        np.array(limits, np.int64),
        np.array([one.multiplier for one in connections], np.int64),
        np.array(
            [one.rolls_at(limit) for one, limit in zip(connections, limits, strict=True)], np.int64
        ),
        np.array([one.with_infeed for one in connections], bool),
        np.array([one.market_segment == codes.SMALL for one in connections], bool),
        np.array(annual, np.int64).reshape(-1, 2, 2),
        np.array(limits, np.int64) * parameters.annual_cap_periods,
        np.array(kind, np.int64),
        kinds,
    )


class _Annual(NamedTuple):
    """Annual offtake and infeed (points, 2) [Wh], the low tariff's part, and what is known."""

    total: Int64s
    low: Int64s
    known: Bools


def _capped(number: Int64s, annual: _Annual, cap: Int64s) -> tuple[_Annual, Records]:
    """Cap the annual volumes that no connection could carry; one moves every party of the area.

    Parameters
    ----------
    cap : (points) [Wh]; 0 where none is known.
    """
    point, direction = np.nonzero((annual.total > cap[:, None]) & (cap[:, None] > 0))
    total, low = annual.total.copy(), annual.low.copy()
    for p, d in zip(point.tolist(), direction.tolist(), strict=True):
        total[p, d] = cap[p]
        low[p, d] = int(annual.low[p, d]) * int(cap[p]) // int(annual.total[p, d])
    found = findings.records(
        "annual_volume_absurd",
        number[point],
        register=np.array(findings.OF_DIRECTION)[direction],
        observed=annual.total[point, direction],
        limit=cap[point],
    )
    return annual._replace(total=total, low=low), found


def _renumbered(code: Int32s, words: Sequence[_Words], all_words: dict[_Words, int]) -> Int32s:
    """Give the numbers that words have among the words of all parts."""
    place = np.array([all_words.setdefault(word, len(all_words)) for word in words], np.int32)
    return np.asarray(place[code], np.int32)
