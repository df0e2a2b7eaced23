"""What goes wrong with a simulated meter, its readings and their delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from kwartier import codes, periods
from kwartier.simulation.figures import figures, generator
from kwartier.simulation.points import (
    KNOWN_DIGITS,
    TOTALS,
    Bools,
    Ints,
    Points,
    point_numbers,
)

# These stay with the point or last for days, so such a point has nothing else.
LASTING = ("gap", "never_delivered", "catch_up", "meter_exchange", "roll_over")
# How many reading positions a defect within a day touches; 1 where not named.
LENGTH = {"status_bits": 4, "duplicate_rows": 3, "conflicting_rows": 2}
SMALL_ROGUE_LATER = 40  # positions ahead from which a small rogue reading is taken
ROLL_OVER_WH = 1_000 * 10**KNOWN_DIGITS
METER_BEFORE, METER_AFTER = 1, 2  # codes of the meter column; 0 is none


@dataclass(frozen=True)
class Defect:
    """One defect: from the reading at `position` of `day` on; a gap ends at the moment `until`."""

    kind: str
    point: int
    day: date
    position: int
    until: int = 0


@dataclass
class Delivery:
    """The readings of a market day on their way out; arrays [register, point, position]."""

    day: date
    moments: Ints
    value: Ints
    present: Bools
    meter: Ints
    status: Ints


def plan(points: Points, days: Sequence[date], share: float, seed: int) -> list[Defect]:
    """Choose what goes wrong; with a share above 0 every kind happens at least once.

    Parameters
    ----------
    share : part of the read points that have something on a day.
    """
    if share <= 0.0:
        return []
    rng = generator(seed, 5)
    weights = figures()["defects"]["weight"]
    read = rng.permutation(np.flatnonzero(points.delivering))
    rollable = (points.registers == TOTALS) & (points.digits > 0) & (points.load_wh > 0)
    wanted = share * len(read) * len(days) / sum(weights.values())
    count = {kind: max(1, round(wanted * weight)) for kind, weight in weights.items()}
    # At most half of the points have a lasting defect, whatever the number of days.
    scale = min(1.0, len(read) / 2.0 / sum(count[kind] for kind in LASTING))
    found: list[Defect] = []
    free = list(read)
    for kind in LASTING:
        able = [p for p in free if kind != "roll_over" or rollable[p]]
        taken = able[: max(1, int(count[kind] * scale))]
        free = [p for p in free if p not in set(taken)]
        hours = _gap_hours(len(taken))
        for place, point in enumerate(taken):
            day = days[int(rng.integers(len(days)))]
            position = int(rng.integers(2, periods.count(day) - 2))
            until = 0
            if kind == "gap":
                until = periods.day_start(day) + 900 * position + 3_600 * int(hours[place])
            found.append(Defect(kind, int(point), day, position, until))
    refused = np.flatnonzero(points.refused & points.in_service)
    seen: set[tuple[int, date]] = set()
    for kind in (kind for kind in weights if kind not in LASTING):
        pool = refused if kind == "refused_point" else np.array(free)
        for _ in range(count[kind] if len(pool) else 0):
            point, day = int(rng.choice(pool)), days[int(rng.integers(len(days)))]
            if (point, day) in seen:
                continue
            seen.add((point, day))
            last = periods.count(day) - 2 - LENGTH.get(kind, 1)
            found.append(Defect(kind, point, day, int(rng.integers(2, last))))
    return found


def _gap_hours(count: int) -> Ints:
    """Draw gap lengths in the measured proportions, spread evenly over them."""
    hours = figures()["gaps"]["hours"]
    cumulative = np.cumsum(list(hours.values()))
    at = (np.arange(count) + 0.5) / max(count, 1) * cumulative[-1]
    return np.asarray(np.array(list(hours), np.int64)[np.searchsorted(cumulative, at)])


@dataclass(frozen=True)
class Shift:
    """A lasting change of what a point's registers show, from a moment on."""

    defect: Defect
    since: int
    add_wh: Ints  # (registers)


def shift_of(defect: Defect, level: Ints) -> Shift | None:
    """Find the lasting change a defect makes to the registers.

    Parameters
    ----------
    level : int64 (registers, positions) [Wh], the true registers of the point on that day.
    """
    at, moment = level[:, defect.position], periods.day_start(defect.day) + 900 * defect.position
    if defect.kind == "roll_over":
        add = np.zeros(len(level), np.int64)
        # Every reading shifts, so that the register of the total passes its last number here.
        add[0] = ROLL_OVER_WH - at[0]
        return Shift(defect, 0, add)
    if defect.kind == "catch_up":
        add = np.zeros(len(level), np.int64)
        add[[0, 2]] = figures()["defects"]["catch_up_wh"]
        return Shift(defect, moment, add)
    if defect.kind == "meter_exchange":
        # The new meter starts at 0 in the middle of the quarter-hour after the last reading.
        following = level[:, defect.position + 1]
        return Shift(defect, moment + 1, -(at + (following - at) // 2))
    return None


def apply_shifts(delivery: Delivery, shifts: Sequence[Shift], points: Points) -> None:
    """Apply the lasting changes and let the registers roll over."""
    for shift in shifts:
        later = delivery.moments >= shift.since
        point = shift.defect.point
        delivery.value[:, point, later] += shift.add_wh[:, None]
        if shift.defect.kind == "meter_exchange":
            delivery.meter[:, point] = np.where(later, METER_AFTER, METER_BEFORE)
    known = points.digits > 0
    delivery.value[:, known] %= ROLL_OVER_WH


def apply_defect(delivery: Delivery, defect: Defect) -> None:
    """Apply a defect of the readings themselves to the day being delivered."""
    point, j = defect.point, defect.position
    value = delivery.value[:, point]
    figure = figures()["defects"]
    match defect.kind:
        case "gap":
            start = periods.day_start(defect.day) + 900 * j
            gone = (delivery.moments >= start) & (delivery.moments < defect.until)
            delivery.present[:, point, gone] = False
        case "never_delivered":
            delivery.present[:, point] = False
        case "missing_reading":
            delivery.present[:, point, j] = False
        case "rogue_spike":
            value[:, j] += figure["rogue_spike_wh"]
        case "rogue_small":
            value[:, j] = value[:, min(j + SMALL_ROGUE_LATER, value.shape[1] - 1)]
        case "rogue_zero":
            value[:, j] = 0
        case "status_bits":
            delivery.status[:, point, j : j + LENGTH["status_bits"]] = 1 << (j % 3)
        case "refused_point":
            delivery.present[[0, 3], point] = True


def touches(defect: Defect, day: date) -> bool:
    """Tell whether a defect shows in the delivery of a market day."""
    if defect.kind == "never_delivered":
        return True
    if defect.kind == "gap":
        start = periods.day_start(defect.day) + 900 * defect.position
        first = periods.day_start(day)
        return start <= first + 900 * periods.count(day) and first < defect.until
    return defect.day == day


@dataclass(frozen=True)
class Rows:
    """Delivered rows, one entry of each array a row."""

    number: Ints
    register: Ints
    read_at: Ints
    value: Ints
    meter: Ints
    status: Ints

    def chosen(self, index: Ints) -> Rows:
        """Give the rows of an index."""
        return Rows(*(column[index] for column in vars(self).values()))

    def joined(self, others: Sequence[Rows]) -> Rows:
        """Give these rows and others after them."""
        every = [vars(rows) for rows in (self, *others)]
        return Rows(*(np.concatenate([rows[name] for rows in every]) for name in every[0]))


def rows_of(delivery: Delivery, points: Points, defects: Sequence[Defect]) -> Rows:
    """Write a delivery as rows, with the defects that make or move rows."""
    register, point, position = np.nonzero(delivery.present)
    at = (register, point, position)
    rows = Rows(
        points.number[point],
        register,
        delivery.moments[position],
        delivery.value[at],
        delivery.meter[at],
        delivery.status[at],
    )
    strangers = point_numbers(len(points.number), 1 + len(defects))
    extra: list[Rows] = []
    for place, defect in enumerate(defects):
        kinds = ("duplicate_rows", "conflicting_rows", "off_quarter", "unknown_point")
        if defect.kind not in kinds:
            continue
        own = np.flatnonzero(point == defect.point)
        last = defect.position + LENGTH.get(defect.kind, 1)
        near = own[(position[own] >= defect.position) & (position[own] < last)]
        if defect.kind == "off_quarter":
            rows.read_at[near] += figures()["defects"]["off_quarter_seconds"]
        elif defect.kind == "duplicate_rows":
            extra.append(rows.chosen(near))
        elif defect.kind == "conflicting_rows":
            again = rows.chosen(near)
            again.value[:] += 1_000
            extra.append(again)
        else:
            copy = rows.chosen(own)
            copy.number[:] = strangers[place]
            extra.append(copy)
    return rows.joined(extra)


def defects_table(points: Points, days: Sequence[date], defects: Sequence[Defect]) -> pa.Table:
    """List the defects, one row for each market day that a defect touches."""
    rows: list[tuple[str, str, date, int, int]] = []
    for day in days:
        begin, count = periods.day_start(day), periods.count(day)
        mine = [defect for defect in defects if touches(defect, day)]
        strangers = point_numbers(len(points.number), 1 + len(mine))
        for place, defect in enumerate(mine):
            number = int(points.number[defect.point])
            first, last = defect.position, defect.position + LENGTH.get(defect.kind, 1) - 1
            if defect.kind == "gap":
                start = periods.day_start(defect.day) + 900 * defect.position
                first = max(0, (start - begin) // 900)
                last = min(count, (defect.until - 1 - begin) // 900)
            elif defect.kind in ("never_delivered", "unknown_point", "refused_point"):
                first, last = 0, count
            if defect.kind == "unknown_point":
                number = int(strangers[place])
            rows.append((defect.kind, codes.ean(number), day, first, last))
    types = (pa.string(), pa.string(), pa.date32(), pa.int32(), pa.int32())
    names = ("kind", "accounting_point", "market_day", "first_position", "last_position")
    arrays = [pa.array([row[i] for row in rows], t) for i, t in enumerate(types)]
    return pa.table(dict(zip(names, arrays, strict=True)))
