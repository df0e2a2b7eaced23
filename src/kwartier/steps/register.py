"""The register of accounting points, as at a market day and as known at a moment → its points.

Rows of the register have two time axes: the days on which they hold and the moment at which they
became known. Source: NBNL register model; domain §4; decisions §2, §3.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from kwartier import codes, findings, periods
from kwartier.arrays import (
    MEASURABLE,
    NO_CURRENT,
    PROFILED,
    AreaPoints,
    Bools,
    Cell,
    Int64s,
    Points,
)
from kwartier.findings import Records
from kwartier.parameters import Parameters
from kwartier.validity import History, numbers, taken

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


class OnDay(NamedTuple):
    """The register on a market day, by grid area."""

    points: dict[str, Points]
    others: dict[str, AreaPoints]
    found: dict[str, Records]


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
        self._history = History(rows, "accounting_point", known_at)
        self.until = self._history.until
        self._area = _coded(self._history.rows["grid_area"])
        # Most registers name no points but those of small customers.
        words = _coded(self._history.rows["group"])
        self._by_customer = words.be(codes.SMART_METER) | words.be(codes.PROFILE)

    def areas(self) -> list[str]:
        """List the grid areas that the register names."""
        return sorted(self._area.words)

    def numbers(self) -> Int64s:
        """List the points that the register knows on any day, sorted."""
        return np.unique(self._history.subject)

    def on(self, day: date, parameters: Parameters) -> OnDay:
        """Give the points of each grid area on a market day, and what is doubtful in the register.

        Returns
        -------
        points, others, found : by grid area; register_gap, register_overlap, annual_volume_absurd
            and loss_point_twice among the findings.
        """
        subject = self._history.subject
        chosen, times, gone = self._history.on(periods.number(day))
        made = OnDay({}, {}, {})
        area_of_gone = self._area.code[np.searchsorted(subject, gone)]
        of_customer = self._by_customer[chosen]
        for code, area in enumerate(self._area.words):
            here = self._area.code[chosen] == code
            doubled = here & (times > 1)
            points, absurd = self._points(area, chosen[here & of_customer], day, parameters)
            others, odd = self._others(chosen[here & ~of_customer], parameters)
            made.points[area], made.others[area] = points, others
            made.found[area] = np.concatenate(
                [
                    findings.records("register_gap", gone[area_of_gone == code], limit=1),
                    findings.records(
                        "register_overlap",
                        subject[chosen[doubled]],
                        observed=times[doubled],
                        limit=1,
                    ),
                    absurd,
                    odd,
                ]
            )
        return made

    def _points(
        self, area: str, rows: Int64s, day: date, parameters: Parameters
    ) -> tuple[Points, Records]:
        part = taken(self._history.rows, rows)
        number = self._history.subject[rows]
        category = _coded(part["profile_category"])
        consumption = _coded(part["consumption_type"])
        capacity = _coded(part["capacity"])
        brp, supplier = _coded(part["brp"]), _coded(part["supplier"])
        with_infeed = consumption.be(codes.WITH_INFEED)

        metered = _coded(part["group"]).be(codes.SMART_METER)
        ground = day >= parameters.legal_ground
        readable = (
            metered
            & _coded(part["market_segment"]).be(codes.SMALL)
            & part["remote_reading"].to_numpy()
            & part["remotely_readable"].to_numpy()
            & (ground | part["consent"].to_numpy())
        )
        in_service = _coded(part["physical_status"]).be("in_service")
        state = np.full(len(rows), PROFILED, np.int8)
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
        limits = np.array([parameters.limit_wh(token) for token in capacity.words], np.int64)
        limit = limits[capacity.code] if len(rows) else np.empty(0, np.int64)
        annual = _annual(part, category, with_infeed, parameters)
        small = _coded(part["market_segment"]).be(codes.SMALL)
        annual, absurd = _capped(number, annual, np.where(small, limit, 0), parameters)
        digits = numbers(part["digits"], -1)
        multiplier = numbers(part["multiplier"], 1)
        rolls_at = 1000 * 10 ** np.clip(digits, 0, _MOST_DIGITS) * multiplier
        # A register that a day's energy could turn by half does not tell a roll-over from a fall.
        tells = (digits >= 0) & (digits <= _MOST_DIGITS) & (rolls_at > 2 * limit * _LONGEST_DAY)
        points = Points(
            grid_area=area,
            number=number,
            state=state,
            cell=place[key],
            limit=limit,
            multiplier=multiplier,
            rolls_at=np.where(tells, rolls_at, 0),
            with_infeed=with_infeed,
            annual=annual.total,
            annual_low=annual.low,
            annual_known=annual.known,
            cells=tuple(cells[i] for i in order),
        )
        return points, absurd

    def _others(self, rows: Int64s, parameters: Parameters) -> tuple[AreaPoints, Records]:
        part = taken(self._history.rows, rows)
        number = self._history.subject[rows]
        category = _coded(part["profile_category"])
        with_infeed = _coded(part["consumption_type"]).be(codes.WITH_INFEED)
        annual = _annual(part, category, with_infeed, parameters)
        capacity = _coded(part["capacity"])
        limits = np.array([parameters.limit_wh(token) for token in capacity.words], np.int64)
        small = _coded(part["market_segment"]).be(codes.SMALL)
        reckoned = small & _coded(part["group"]).be(codes.UNMETERED)
        limit = limits[capacity.code] if len(rows) else np.empty(0, np.int64)
        annual, absurd = _capped(number, annual, np.where(reckoned, limit, 0), parameters)
        group, loss_type = part["group"].to_pylist(), part["loss_type"].to_pylist()
        others = AreaPoints(
            number=number,
            group=group,
            brp=part["brp"].to_pylist(),
            supplier=part["supplier"].to_pylist(),
            profile_category=part["profile_category"].to_pylist(),
            consumption_type=part["consumption_type"].to_pylist(),
            loss_type=[
                (kind or codes.GRID_LOSS) if of == codes.GRID_LOSS else ""
                for of, kind in zip(group, loss_type, strict=True)
            ],
            profile=[name or "" for name in part["dimensioned_profile"].to_pylist()],
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


class _Annual(NamedTuple):
    """Annual offtake and infeed (points, 2) [Wh], the low tariff's part, and what is known."""

    total: Int64s
    low: Int64s
    known: Bools


def _annual(
    part: pa.Table, category: _Coded, with_infeed: Bools, parameters: Parameters
) -> _Annual:
    unknown = -1
    totals, lows, known = [], [], []
    offtake = np.array(
        [parameters.default_annual_offtake_wh[word] for word in category.words], np.int64
    )
    defaults = (
        offtake[category.code] if part.num_rows else np.empty(0, np.int64),
        np.where(with_infeed, parameters.default_annual_infeed_wh, 0),
    )
    for name, default in zip(("offtake", "infeed"), defaults, strict=True):
        normal = numbers(part[f"annual_{name}_normal_wh"], unknown)
        low = numbers(part[f"annual_{name}_low_wh"], unknown)
        given = (normal != unknown) | (low != unknown)
        lows.append(np.where(given, np.maximum(low, 0), default // 2))
        totals.append(np.where(given, np.maximum(normal, 0) + np.maximum(low, 0), default))
        known.append(given)
    # Without infeed there is nothing to be known about it.
    known[1] |= ~with_infeed
    total, low, is_known = (np.stack(columns, axis=1) for columns in (totals, lows, known))
    return _Annual(total.astype(np.int64), low.astype(np.int64), is_known)


def _capped(
    number: Int64s, annual: _Annual, limit: Int64s, parameters: Parameters
) -> tuple[_Annual, Records]:
    """Cap the annual volumes that no connection could carry; one moves every party of the area.

    Parameters
    ----------
    limit : (points) [Wh per period]; 0 where none is known.
    """
    cap = (limit * parameters.annual_cap_periods)[:, None]
    point, direction = np.nonzero((annual.total > cap) & (cap > 0))
    total, low = annual.total.copy(), annual.low.copy()
    for p, d in zip(point.tolist(), direction.tolist(), strict=True):
        total[p, d] = cap[p, 0]
        low[p, d] = int(annual.low[p, d]) * int(cap[p, 0]) // int(annual.total[p, d])
    found = findings.records(
        "annual_volume_absurd",
        number[point],
        register=np.array(findings.OF_DIRECTION)[direction],
        observed=annual.total[point, direction],
        limit=cap[point, 0],
    )
    return annual._replace(total=total, low=low), found
