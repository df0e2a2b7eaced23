"""From readings to sums, slowly and in the open: what every engine must agree with.

Written from the market's rules alone and importing nothing of kwartier, so that an error of the
package is not an error of its own check. Every value is a plain int, str, date or datetime; every
loop is the sentence of the rule. A position j is the reading at the end of period j; position 0 is
the reading at the local midnight with which the day begins.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Europe/Amsterdam")
QUARTER = timedelta(minutes=15)
ONE_DAY = timedelta(days=1)
VOLT = 230
REJECTING_STATUS = 0b111  # AMR bits 0 critical error, 1 clock invalid, 2 data not valid
# Direction: its total register and its two tariff registers.
REGISTERS = {"E17": ("1.8.0", "1.8.1", "1.8.2"), "E18": ("2.8.0", "2.8.1", "2.8.2")}
UNIT = 10**8  # a fraction is an integer count of 1e-8

Finding = tuple[str, int, str | None, int, int, int, int]


@dataclass
class Result:
    """What a day comes to; every list has one value per period."""

    # (grid_area, brp, supplier, "SMA", direction, origin): [Wh] and [points]
    volumes: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    points: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    # (rule, accounting_point, register, first_period, last_period, observed, limit): times
    findings: Counter[Finding] = field(default_factory=Counter)
    # (grid_area, brp, supplier, "SMA", direction, origin, method, status): points, periods, Wh
    coverage: dict[tuple[str | None, ...], tuple[int, int, int]] = field(default_factory=dict)


# ---- the calendar -------------------------------------------------------------------------------
@cache
def moments(day: date) -> list[datetime]:
    """Give the n + 1 reading moments of a market day, in UTC, local midnight to local midnight."""
    start, end = (
        datetime.combine(midnight, time(), LOCAL).astimezone(UTC)
        for midnight in (day, day + ONE_DAY)
    )
    return [start + j * QUARTER for j in range((end - start) // QUARTER + 1)]


def market_day(day: date) -> list[datetime]:
    """Give the period starts of a market day, in UTC: 92, 96 or 100."""
    return moments(day)[:-1]


@cache
def places(moment: datetime) -> list[tuple[date, int]]:
    """Give the (day, position) that a moment serves: two at local midnight, else one."""
    day = moment.astimezone(LOCAL).date()
    position = (moment - moments(day)[0]) // QUARTER
    before = day - ONE_DAY
    return [(day, position)] + ([(before, len(market_day(before)))] if position == 0 else [])


# ---- one register -------------------------------------------------------------------------------
def limit_wh(capacity: str, margin: Fraction = Fraction(6, 5)) -> int:
    """Give the most Wh that a connection can pass in a quarter, margin included."""
    phases, ampere = capacity.split("x")
    return int(Fraction(int(phases) * VOLT * int(ampere), 4) * margin)


def longest_chain(readings: dict[int, int], limit: int) -> list[int]:
    """Give the positions of the longest chain that one real meter could have made.

    Of equally long chains: the one whose last reading is latest, then whose last but one is
    latest, and so on backwards.
    """
    positions = sorted(readings)
    length: dict[int, int] = {}
    before: dict[int, int] = {}
    for j in positions:
        length[j] = 1
        for i in positions:
            if i >= j:
                break
            possible = 0 <= readings[j] - readings[i] <= limit * (j - i)
            # "or equal": of predecessors that make the chain equally long, the latest one.
            if possible and length[i] + 1 >= length[j]:
                length[j], before[j] = length[i] + 1, i
    chain: list[int] = []
    if positions:
        chain = [max(positions, key=lambda j: (length[j], j))]
        while chain[-1] in before:
            chain.append(before[chain[-1]])
    return sorted(chain)


def unwrap(readings: dict[int, int], roll_over: int | None) -> tuple[dict[int, int], set[int]]:
    """Add the register's size to what was read after it rolled over, and tell where that was."""
    if roll_over is None or not readings:
        return readings, set()
    if 2 * (max(readings.values()) - min(readings.values())) <= roll_over:
        return readings, set()
    wrapped = {j for j, wh in readings.items() if 2 * wh < roll_over}
    return {j: wh + (roll_over if j in wrapped else 0) for j, wh in readings.items()}, wrapped


def runs(positions: list[int], kind=lambda position: None) -> list[tuple[int, int]]:
    """Give (first, last) of each run of neighbouring positions of one kind."""
    found: list[tuple[int, int]] = []
    for j in sorted(positions):
        if found and found[-1][1] == j - 1 and kind(j - 1) == kind(j):
            found[-1] = (found[-1][0], j)
        else:
            found.append((j, j))
    return found


def why_rejected(readings: dict[int, int], chain: list[int], limit: int) -> dict[int, tuple]:
    """Give (rule, observed, limit) of each known reading that is not in the chain."""
    reasons = {}
    for j in sorted(set(readings) - set(chain)):
        a = max((i for i in chain if i < j), default=None)
        b = min((i for i in chain if i > j), default=None)
        from_a = None if a is None else readings[j] - readings[a]
        to_b = None if b is None else readings[b] - readings[j]
        if from_a is not None and from_a < 0:
            reasons[j] = ("reading_falls", from_a, 0)
        elif from_a is not None and from_a > limit * (j - a):
            reasons[j] = ("above_physical_limit", from_a, limit * (j - a))
        elif to_b < 0:
            reasons[j] = ("reading_falls", to_b, 0)
        else:
            reasons[j] = ("above_physical_limit", to_b, limit * (b - j))
    return reasons


# ---- rounding -----------------------------------------------------------------------------------
def largest_remainder(total: int, weights: list[int]) -> list[int]:
    """Spread a total by weights in whole Wh; ties go to the lower position."""
    if not any(weights):
        weights = [1] * len(weights)
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda t: (-(total * weights[t] % whole), t))
    for t in order[: total - sum(parts)]:
        parts[t] += 1
    return parts


def round_half_up(value: Fraction) -> int:
    return (value + Fraction(1, 2)).__floor__()


def round_day(exact: list[Fraction]) -> list[int]:
    """Round a day so that its sum is the exact sum, rounded half up; ties to the lower period."""
    parts = [value.__floor__() for value in exact]
    order = sorted(range(len(exact)), key=lambda t: (parts[t] - exact[t], t))
    for t in order[: round_half_up(sum(exact, Fraction())) - sum(parts)]:
        parts[t] += 1
    return parts


# ---- the register of accounting points ----------------------------------------------------------
def register_as_of(
    rows: list[dict], day: date, known_at: datetime | None, name: str = "accounting_point"
) -> dict[int, dict]:
    """Give the row of each accounting point that holds on a day, as known at a moment."""
    latest: dict[tuple, dict] = {}
    for row in rows:
        if known_at is not None and row["recorded_at"] > known_at:
            continue
        key = (row[name], row["valid_from"])
        if key not in latest or latest[key]["recorded_at"] < row["recorded_at"]:
            latest[key] = row
    holding: dict[int, dict] = {}
    for row in sorted(latest.values(), key=lambda row: (row["recorded_at"], row["valid_from"])):
        if row["valid_from"] <= day and (row["valid_to"] is None or day < row["valid_to"]):
            holding[row[name]] = row
    return holding


def group_of(row: dict, day: date, legal_ground: date) -> str:
    """Give SMA when the point is read, NCD when SMA but de-energised, else its other group."""
    if row["group"] != "SMA":
        return row["group"]
    readable = (
        row["market_segment"] == "KVB"
        and row["remote_reading"] == "on"
        and row["remotely_readable"]
        and (day >= legal_ground or row["consent"])
    )
    if not readable:
        return "PRF"
    return "SMA" if row["physical_status"] == "in_service" else "NCD"


def points_read(rows: list[dict], day: date, known_at, parameters: dict) -> dict[int, dict]:
    """Give the rows of the points that may be read for a day: known, eligible, in service."""
    return {
        point: row
        for point, row in register_as_of(rows, day, known_at).items()
        if group_of(row, day, parameters["legal_ground"]) == "SMA"
    }


def has_series(row: dict, direction: str, stored: dict) -> bool:
    """Tell whether a point has a series: offtake always, infeed when it may or does feed in."""
    there = any(obis in REGISTERS[direction] for _, obis in stored)
    return direction == "E17" or row["consumption_type"] == "AMI" or there


def class_of(row: dict, direction: str) -> tuple[str, str, str, str]:
    return (row["grid_area"], row["profile_category"], row["consumption_type"], direction)


def annual_given(row: dict, direction: str) -> tuple[int, int] | None:
    """Give the annual Wh in the register, (normal, low tariff); None where it gives none."""
    name = "annual_offtake" if direction == "E17" else "annual_infeed"
    tariffs = (row[f"{name}_normal_wh"], row[f"{name}_low_wh"])
    return None if tariffs == (None, None) else tuple(wh or 0 for wh in tariffs)


def annual_cap(row: dict, parameters: dict) -> int | None:
    """Give the most Wh that a small connection can pass in a year; None for a large one."""
    if row["market_segment"] != "KVB":
        return None
    return limit_wh(row["capacity"], parameters["margin"]) * parameters["annual_cap_periods"]


def halves(total: int) -> tuple[int, int]:
    """Give the (normal, low tariff) of an annual volume of which only the total is known."""
    return total - total // 2, total // 2


def annual_tariffs(row: dict, direction: str, parameters: dict) -> tuple[int, int]:
    """Give a point's annual Wh of a direction, (normal, low tariff): given, capped, or default."""
    given = annual_given(row, direction)
    if given is None:
        if direction == "E18" and row["consumption_type"] == "AZI":
            return 0, 0
        return halves(parameters["default_annual_wh"][direction][row["profile_category"]])
    cap = annual_cap(row, parameters)
    if cap is None or sum(given) <= cap:
        return given
    low = given[1] * cap // sum(given)
    return cap - low, low


def annual_wh(row: dict, direction: str, parameters: dict) -> int:
    """Give a point's annual Wh of a direction, both tariffs; the default where it is unknown."""
    return sum(annual_tariffs(row, direction, parameters))


# ---- what is kept of the deliveries -------------------------------------------------------------
def take_in(rows: list[dict], deliveries: list, known_at: datetime | None, parameters: dict):
    """Give what is stored: {day: {point: {(meter, register): {position: (wh, status)}}}}.

    Deliveries are (recorded_at, readings). Within one, readings of the same point, register, meter
    and moment must be the same, or none is used; a later delivery replaces an earlier one.
    """
    stored = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    tolerance = timedelta(seconds=parameters["off_quarter_seconds"])
    for recorded_at, readings in sorted(deliveries, key=lambda delivery: delivery[0]):
        if known_at is not None and recorded_at > known_at:
            continue
        said = defaultdict(set)
        for reading in readings:
            moment = nearest_quarter(reading["read_at"])
            off_quarter = abs(reading["read_at"] - moment) > tolerance
            in_future = reading["read_at"] > recorded_at
            if not off_quarter and not in_future:
                key = (reading["accounting_point"], reading["meter"], reading["register"], moment)
                said[key].add((reading["reading_wh"], reading["status"]))
        oldest = recorded_at.astimezone(LOCAL).date() - parameters["too_old_days"] * ONE_DAY
        read = cache(lambda day, at=recorded_at: points_read(rows, day, at, parameters))
        for (point, meter, obis, moment), values in said.items():
            if len(values) > 1:
                continue
            for day, position in places(moment):
                if day >= oldest and point in read(day):
                    stored[day][point][meter, obis][position] = next(iter(values))
    return stored


@cache
def nearest_quarter(moment: datetime) -> datetime:
    whole = moment.replace(minute=0, second=0, microsecond=0)
    return whole + ((moment - whole + QUARTER / 2) // QUARTER) * QUARTER


# ---- a day, judged by its own rules -------------------------------------------------------------
@dataclass
class Series:
    """One direction of one point on one day."""

    row: dict
    direction: str
    # (meter, basis "total" or "tariffs"): {position: Wh}, the accepted direction readings
    readings: dict[tuple[str | None, str], dict[int, int]]
    volumes: dict[int, int]  # period: measured Wh
    twice: dict[int, int]  # period: number of meters that have it, where more than one


@dataclass
class JudgedDay:
    register: dict[int, dict]
    series: dict[tuple[int, str], Series] = field(default_factory=dict)
    findings: Counter[Finding] = field(default_factory=Counter)


class Book:
    """Everything known at a moment; days are judged once and kept."""

    def __init__(self, register_rows, deliveries, parameters, known_at=None):
        self.rows, self.parameters, self.known_at = register_rows, parameters, known_at
        self.stored = take_in(register_rows, deliveries, known_at, parameters)
        self.judged: dict[date, JudgedDay] = {}
        self.shapes: dict = {}

    def limit(self, row: dict) -> int:
        return limit_wh(row["capacity"], self.parameters["margin"])

    def group(self, row: dict, day: date) -> str:
        return group_of(row, day, self.parameters["legal_ground"])

    def judge(self, day: date) -> JudgedDay:
        """Judge all readings of a day: findings, accepted direction readings, volumes."""
        if day not in self.judged:
            judged = JudgedDay(register_as_of(self.rows, day, self.known_at))
            for point, row in points_read(self.rows, day, self.known_at, self.parameters).items():
                stored = self.stored.get(day, {}).get(point, {})
                self.judge_point(judged, row, stored, len(market_day(day)))
            self.judged[day] = judged
        return self.judged[day]

    def judge_point(self, judged: JudgedDay, row: dict, stored: dict, n: int) -> None:
        def find(rule, register, first, last, observed, limit):
            key = (rule, row["accounting_point"], register, first, last, observed, limit)
            judged.findings[key] += 1

        def find_at(rule, register, first, last, observed, limit):
            # A reading is the end of one period and the start of the next: both are touched.
            find(rule, register, max(1, first), min(n, last + 1), observed, limit)

        if not stored:
            find("unread_point", None, 1, n, 0, n + 1)
        meters = sorted({meter for meter, _ in stored}, key=str)
        # A meter that is read at one midnight only was there for the other day.
        there = {
            meter for (meter, _), readings in stored.items() if any(0 < j < n for j in readings)
        }
        if len(there) > 1:
            find("meter_exchanged", None, 1, n, len(there), 1)
        self.report_missing(row, stored, n, find, find_at)
        accepted = {
            (meter, obis): self.judge_register(row, obis, readings, n, find, find_at)
            for (meter, obis), readings in stored.items()
        }
        for direction, registers in REGISTERS.items():
            if not has_series(row, direction, stored):
                continue
            readings = {}
            for meter in meters:
                rows = [accepted.get((meter, obis), {}) for obis in registers]
                self.compare_total(row, registers[0], *rows, find_at)
                basis, known = self.direction_readings(row, direction, *rows, find_at)
                if known:
                    readings[meter, basis] = known
            by_meter = [
                {t: known[t] - known[t - 1] for t in known if t - 1 in known}
                for known in readings.values()
            ]
            times = Counter(t for volumes in by_meter for t in volumes)
            once = {t: v for volumes in by_meter for t, v in volumes.items() if times[t] == 1}
            twice = {t: meters_there for t, meters_there in times.items() if meters_there > 1}
            for first, last in runs(list(twice)):
                find("two_meters_at_once", direction, first, last, twice[first], 1)
            judged.series[row["accounting_point"], direction] = Series(
                row, direction, readings, once, twice
            )

    def report_missing(self, row, stored, n, find, find_at) -> None:
        """Report the readings that no meter has; of a direction without register: all of them."""
        of_register = defaultdict(set)
        for (_, obis), readings in stored.items():
            of_register[obis].update(readings)
        for obis, known in of_register.items():
            total = of_register.get(obis[:-1] + "0", set())
            daily = obis[-1] != "0" and known <= {0, n} and any(0 < j < n for j in total)
            if not daily:
                for first, last in runs([j for j in range(n + 1) if j not in known]):
                    find_at("missing_readings", obis, first, last, last - first + 1, 0)
        for direction, registers in REGISTERS.items():
            if (
                stored
                and has_series(row, direction, stored)
                and not of_register.keys() & {*registers}
            ):
                find("missing_readings", direction, 1, n, n + 1, 0)

    def judge_register(self, row, obis, readings, n, find, find_at) -> dict[int, int]:
        """Give the readings of one register row that the chain keeps; report the rest."""
        invalid = [j for j, (_, status) in readings.items() if status & REJECTING_STATUS]
        for first, last in runs(invalid):
            find_at("status_invalid", obis, first, last, readings[first][1], 0)
        known = {j: wh * row["multiplier"] for j, (wh, _) in readings.items() if j not in invalid}
        known, wrapped = unwrap(known, roll_over_wh(row))
        chain = longest_chain(known, self.limit(row))
        kept_wrapped = [j for j in chain if j in wrapped]
        if kept_wrapped and len(kept_wrapped) < len(chain):
            j = kept_wrapped[0]
            find("register_rolled_over", obis, j, j, readings[j][0], 10 ** (row["digits"] + 3))
        self.report_rejected(obis, known, chain, self.limit(row), find_at)
        return {j: known[j] for j in chain}

    @staticmethod
    def report_rejected(register, known, chain, limit, find_at) -> None:
        reasons = why_rejected(known, chain, limit)
        for first, last in runs(list(reasons), kind=lambda j: reasons[j][0]):
            rule, observed, allowed = reasons[first]
            find_at(rule, register, first, last, observed, allowed)

    def compare_total(self, row, obis, total, tariff1, tariff2, find_at) -> None:
        """Take away all three readings of a moment at which the total is not its tariffs' sum."""
        tolerance = self.parameters["tariff_tolerance_wh"]
        size = roll_over_wh(row)

        def apart(j: int) -> int:
            # Each register begins again at zero at its own time, so they are compared modulo that.
            off = total[j] - tariff1[j] - tariff2[j]
            return off if size is None else (off + size // 2) % size - size // 2

        together = [j for j in total if j in tariff1 and j in tariff2]
        off = {j: apart(j) for j in together if abs(apart(j)) > tolerance}
        for first, last in runs(list(off)):
            find_at("total_differs_from_tariffs", obis, first, last, off[first], tolerance)
        for readings in (total, tariff1, tariff2):
            for j in off:
                del readings[j]

    def direction_readings(self, row, direction, total, tariff1, tariff2, find_at):
        """Give the basis and the accepted readings of a direction: never total plus tariffs."""
        if total:
            return "total", total
        added = {j: tariff1[j] + tariff2[j] for j in tariff1 if j in tariff2}
        chain = longest_chain(added, self.limit(row))
        self.report_rejected(direction, added, chain, self.limit(row), find_at)
        return "tariffs", {j: added[j] for j in chain}

    # ---- shapes and fractions -------------------------------------------------------------------
    def shape(self, day: date, kind: tuple) -> tuple[list[int], list[int], str]:
        """Give shape [mWh per point], fraction [1e-8] and status of a class on a day."""
        if (day, kind) not in self.shapes:
            self.shapes[day, kind] = self.find_shape(day, kind)
        return self.shapes[day, kind]

    def find_shape(self, day: date, kind: tuple) -> tuple[list[int], list[int], str]:
        area, category, *_ = kind
        reference = self.parameters.get("reference_areas", {}).get(area)
        candidates = [("DYN", [area]), ("FBR", [reference] if reference else []), ("FBL", None)]
        if category[:2] in ("E3", "E4"):
            candidates = []  # the market has no dynamic fractions for these
        for status, areas in candidates:
            measured = self.measured_mean(day, kind, areas)
            if measured is not None:
                return (*measured, status)
        return (*self.standard_shape(day, kind), "STD")

    def standard_shape(self, day: date, kind: tuple) -> tuple[list[int], list[int]]:
        """Give shape and fraction of the standard profile."""
        _, category, _, direction = kind
        fraction = list(self.parameters["standard_fraction"](day, direction))
        default = self.parameters["default_annual_wh"][direction][category]
        return [count * default * 1000 // UNIT for count in fraction], fraction

    def annual_by_period(self, row: dict, day: date, kind: tuple) -> list[int]:
        """Give the annual Wh of a point that the fraction of each period applies to."""
        return [annual_wh(row, kind[3], self.parameters)] * len(market_day(day))

    def measured_mean(self, day: date, kind: tuple, areas: list[str] | None):
        """Give shape and fraction over the fully measured points of a class; None: too few."""
        n = len(market_day(day))
        sums, annual, points = [0] * n, 0, 0
        for series in self.judge(day).series.values():
            area, *rest = class_of(series.row, series.direction)
            alike = tuple(rest) == kind[1:] and (areas is None or area in areas)
            if alike and len(series.volumes) == n:
                sums = [total + series.volumes[t + 1] for t, total in enumerate(sums)]
                annual += annual_wh(series.row, series.direction, self.parameters)
                points += 1
        if points < self.parameters["min_points_for_shape"]:
            return None
        fraction = [round_half_up(Fraction(s * UNIT, annual)) if annual else 0 for s in sums]
        return [s * 1000 // points for s in sums], fraction

    # ---- estimation -----------------------------------------------------------------------------
    def outside(self, series: Series, day: date, step: int, like: tuple | None):
        """Give the nearest accepted reading before (-1) or after (+1) a day, not at its midnights.

        A (moment, Wh, (meter, basis)); None where there is none within the days searched.
        """
        opening, closing = moments(day)[0], moments(day)[-1]
        point = series.row["accounting_point"]
        for away in range(1, self.parameters["bracket_days"] + 1):
            other_day = day + step * away * ONE_DAY
            other = self.judge(other_day).series.get((point, series.direction))
            found = [
                (moments(other_day)[j], wh, meter)
                for meter, known in (other.readings.items() if other else ())
                for j, wh in known.items()
                if (like is None or meter == like)
                and not opening <= moments(other_day)[j] <= closing
            ]
            if found:
                return (min if step > 0 else max)(found, key=lambda reading: reading[0])
        return None

    def spans(self, series: Series, day: date) -> list[tuple]:
        """Give (start, end, Wh at start, Wh at end) of the gaps that have both ends."""
        at = moments(day)
        ends = []
        for meter, known in series.readings.items():
            inside = [(at[j], known[j], meter) for j in sorted(known)]
            before = self.outside(series, day, -1, meter) if 0 not in known else None
            after = self.outside(series, day, +1, meter) if len(at) - 1 not in known else None
            chain = [reading for reading in (before, *inside, after) if reading is not None]
            ends += list(pairwise(chain))
        if not series.readings:
            before = self.outside(series, day, -1, None)
            after = self.outside(series, day, +1, before[2]) if before else None
            ends = [(before, after)] if before and after else []
        return [(a[0], b[0], a[1], b[1]) for a, b in ends if b[0] - a[0] > QUARTER]

    def bracketed(self, series: Series, day: date, findings: Counter) -> dict[int, int]:
        """Give {period: Wh} of the gaps that are closed on their register difference (CMR)."""
        n = len(market_day(day))
        spans = []
        for start, end, wh_start, wh_end in self.spans(series, day):
            first = max(0, (start - moments(day)[0]) // QUARTER) + 1
            last = min(n, (end - moments(day)[0]) // QUARTER)
            elapsed = (end - start) // QUARTER
            difference = wh_end - wh_start
            limit = self.limit(series.row) * elapsed
            size = roll_over_wh(series.row)
            if difference < 0 and size is not None and size > limit:
                difference += size
            if elapsed > self.parameters["bracket_periods"]:
                continue
            if self.days_apart(start, end) > self.parameters["bracket_days"]:
                continue
            if not 0 <= difference <= limit:
                point = series.row["accounting_point"]
                findings[
                    ("broken_bracket", point, series.direction, first, last, difference, limit)
                ] += 1
                continue
            spans.append((range(first, last + 1), start, elapsed, difference))
        # What another meter measured or claims too is not this meter's to fill.
        taken = Counter(t for periods, *_ in spans for t in periods)
        taken.update([*series.volumes, *series.twice])
        estimates = {}
        for periods, start, elapsed, difference in spans:
            if all(taken[t] == 1 for t in periods):
                shares = self.spread(series, day, start, elapsed, difference)
                offset = (start - moments(day)[0]) // QUARTER
                estimates.update({t: shares[t - 1 - offset] for t in periods})
        return estimates

    def spread(self, series, day, start, elapsed, difference) -> list[int]:
        """Spread a register difference over a gap by the shape of each of its days."""
        weights, live = [], []
        for quarter in range(elapsed):
            that_day, position = places(start + quarter * QUARTER)[0]
            row = self.judge(that_day).register.get(series.row["accounting_point"], series.row)
            current = group_of(row, that_day, self.parameters["legal_ground"]) != "NCD"
            shape = self.shape(that_day, class_of(row, series.direction))[0]
            weights.append(shape[position] * current)
            live.append(int(current))
        return largest_remainder(difference, weights if any(weights) else live)

    @staticmethod
    def days_apart(start, end) -> int:
        """Count the midnights strictly inside a gap."""
        return (places(end - QUARTER)[0][0] - places(start)[0][0]).days

    # ---- allocation -----------------------------------------------------------------------------
    def allocate(self, day: date) -> Result:
        """Sum a day per quarter, BRP, supplier, grid area, direction and origin."""
        n = len(market_day(day))
        judged = self.judge(day)
        result = Result(findings=Counter(judged.findings))
        covered = defaultdict(lambda: [set(), 0, 0])
        annual = defaultdict(lambda: [0] * n)  # cell: annual Wh estimated by GMR per period

        def add(cell, direction, origin, method, status, point, t, wh):
            result.volumes[*cell, direction, origin][t - 1] += wh
            result.points[*cell, direction, origin][t - 1] += 1
            cover = covered[*cell, direction, origin, method, status]
            cover[0].add(point)
            cover[1] += 1
            cover[2] += wh

        for point, row in judged.register.items():
            group = self.group(row, day)
            if group not in ("SMA", "NCD"):
                continue
            cell = (row["grid_area"], row["brp"], row["supplier"], "SMA")
            for direction in REGISTERS:
                for origin in ("MSR", "CLC"):
                    result.volumes.setdefault((*cell, direction, origin), [0] * n)
                    result.points.setdefault((*cell, direction, origin), [0] * n)
            for direction in REGISTERS:
                if not has_series(row, direction, self.stored.get(day, {}).get(point, {})):
                    continue
                if group == "NCD":
                    for t in range(1, n + 1):
                        add(cell, direction, "CLC", "NCD", None, point, t, 0)
                    continue
                series = judged.series[point, direction]
                kind = class_of(row, direction)
                bracketed = self.bracketed(series, day, result.findings)
                by_period = self.annual_by_period(row, day, kind)
                for t in range(1, n + 1):
                    if t in series.volumes:
                        add(cell, direction, "MSR", None, None, point, t, series.volumes[t])
                        continue
                    status = self.shape(day, kind)[2]
                    if t in bracketed:
                        add(cell, direction, "CLC", "CMR", status, point, t, bracketed[t])
                    else:
                        add(cell, direction, "CLC", "GMR", status, point, t, 0)
                        annual[cell, kind][t - 1] += by_period[t - 1]

        for (cell, kind), wh in annual.items():
            _, fraction, status = self.shape(day, kind)
            parts = round_day([Fraction(wh[t] * fraction[t], UNIT) for t in range(n)])
            for t in range(n):
                result.volumes[*cell, kind[3], "CLC"][t] += parts[t]
            covered[*cell, kind[3], "CLC", "GMR", status][2] += sum(parts)
        result.coverage = {key: (len(who), times, wh) for key, (who, times, wh) in covered.items()}
        return result


def roll_over_wh(row: dict) -> int | None:
    """Give the size of a point's registers in Wh, multiplied as its readings are."""
    return None if row["digits"] is None else row["multiplier"] * 10 ** (row["digits"] + 3)


def allocate(register_rows, deliveries, day, parameters, known_at=None) -> Result:
    """Allocate one day; `deliveries` are (recorded_at, readings)."""
    return Book(register_rows, deliveries, parameters, known_at).allocate(day)
