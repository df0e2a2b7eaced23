"""A whole grid area, slowly and in the open: every group, the couplings, the residual, the balance.

The plain way goes on here from the smart meters of tests/oracle.py, in the same manner: from the
market's rules alone, importing nothing of kwartier. A period t is 1 to n; of a list its value is
at t - 1.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from functools import cache
from itertools import product

from tests import oracle
from tests.oracle import LOCAL, ONE_DAY, UNIT, largest_remainder, market_day, round_day
from tests.oracle import round_half_up as rounded

DIRECTIONS = ("E17", "E18")  # out of the grid area, into it
BY_VOLUMES = ("TMT", "NVL")
LOSSES = ("NVB", "TVB", "OVB", "NVL")
CATEGORIES = "E1A E1B E1C E2A E2B E3A E3B E3C E3D E4A".split()
FACTOR_ONE = 10**5  # a factor is an integer count of 1e-5


@dataclass
class Refusal:
    """Why an area cannot be allocated."""

    # (point or coupling, direction, first_period, last_period, missing periods)
    missing: set[tuple[int, str, int, int, int]]
    # (point, dimensioned profile that was not loaded for the day)
    profiles: set[tuple[int, str]]


@dataclass
class Area:
    """What an area and day come to; every list has one value per period."""

    n: int  # periods of the day
    # (grid_area, brp, supplier, group, category, type, direction, origin): [Wh] and [points]
    series: dict[tuple, list[int]] = field(default_factory=dict)
    points: dict[tuple, list[int]] = field(default_factory=dict)
    # (line, direction): [Wh]; empty where the area has no coupling
    balance: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    # (residual, assumed offtake, assumed infeed, factor, unassigned); empty likewise
    residual: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    # (category, type, direction): [1e-8], status
    fractions: dict[tuple[str, str, str], tuple[list[int], str]] = field(default_factory=dict)
    # (grid_area, brp, supplier, group, direction, origin, method, status): points, periods, Wh
    coverage: dict[tuple, tuple[int, int, int]] = field(default_factory=dict)
    findings: Counter[oracle.Finding] = field(default_factory=Counter)

    def make(self, *key) -> tuple:
        """Make a series of zeros, if it is not there yet; give its key."""
        self.series.setdefault(key, [0] * self.n)
        self.points.setdefault(key, [0] * self.n)
        return key

    def total(self, group: str, direction: str) -> list[int]:
        """Sum all series of a group and direction, per period."""
        alike = [wh for key, wh in self.series.items() if (key[3], key[6]) == (group, direction)]
        return [sum(wh[t] for wh in alike) for t in range(self.n)]


def find(result: Area, rule, point, register, first, last, observed, limit) -> None:
    result.findings[rule, point, register, first, last, observed, limit] += 1


def key_of(row: dict) -> tuple[str, str, str]:
    return row["grid_area"], row["brp"], row["supplier"]


def kind_of(row: dict, direction: str) -> tuple[str, str, str, str]:
    return oracle.class_of(row, direction)


def has_infeed(row: dict) -> bool:
    return row["consumption_type"] == "AMI"


# ---- what is kept of the delivered volumes ------------------------------------------------------
def take_in_volumes(rows, couplings, deliveries, known_at, parameters) -> dict:
    """Give what is kept: {(point, direction): {period_start: (Wh, origin, status, method)}}.

    Deliveries are (recorded_at, volumes). Within one, volumes of the same point, direction and
    period must be the same, or none is used; a later delivery replaces an earlier one. A row
    without a volume is no row.
    """
    stored = defaultdict(dict)
    for recorded_at, volumes in sorted(deliveries, key=lambda delivery: delivery[0]):
        if known_at is not None and recorded_at > known_at:
            continue

        @cache
        def delivered_by(day: date, at: datetime = recorded_at) -> set[int]:
            points = oracle.register_as_of(rows, day, at).items()
            by_volumes = {point for point, row in points if row["group"] in BY_VOLUMES}
            return by_volumes | {*oracle.register_as_of(couplings, day, at, "coupling")}

        said = defaultdict(set)
        for volume in volumes:
            day = volume["period_start"].astimezone(LOCAL).date()
            triple = (volume["origin"], volume["validation_status"], volume["method"])
            known = volume["accounting_point"] in delivered_by(day)
            if known and triple in parameters["triples"] and volume["volume_wh"] is not None:
                key = (volume["accounting_point"], volume["direction"], volume["period_start"])
                said[key].add((volume["volume_wh"], *triple))
        for (point, direction, start), values in said.items():
            if len(values) == 1:
                stored[point, direction][start] = next(iter(values))
    return stored


# ---- tariffs ------------------------------------------------------------------------------------
def low_tariff(day: date, hours: tuple[int, int]) -> list[bool]:
    """Tell for each period of a day whether the low tariff holds."""
    start, end = hours
    clock = [moment.astimezone(LOCAL).hour for moment in market_day(day)]
    return [day.weekday() >= 5 or hour >= start or hour < end for hour in clock]


# ---- the area -----------------------------------------------------------------------------------
class Book(oracle.Book):
    """Everything known at a moment, of smart meters and of all else that makes an area close.

    Parameters
    ----------
    couplings : rows of the couplings.
    volumes : deliveries (recorded_at, volumes) of telemetry, grid losses and couplings.
    fractions : deliveries (recorded_at, {(profile, type or None, direction, day): ([1e-8],
        by tariff)}) of loaded fractions.
    """

    def __init__(
        self, register_rows, deliveries, parameters, known_at=None, *, couplings, volumes, fractions
    ):
        super().__init__(register_rows, deliveries, parameters, known_at)
        self.coupling_rows, self.loaded = couplings, fractions
        self.delivered = take_in_volumes(register_rows, couplings, volumes, known_at, parameters)
        self.smart: dict[date, oracle.Result] = {}
        self.fell: dict = {}

    def areas(self, day: date) -> set[str]:
        """Give the grid areas that have a point on a day."""
        return {row["grid_area"] for row in self.judge(day).register.values()}

    def rows_of(self, day: date, area: str) -> list[dict]:
        """Give the rows of an area's points on a day, by EAN."""
        holding = sorted(self.judge(day).register.items())
        return [row for _, row in holding if row["grid_area"] == area]

    def couplings_of(self, day: date, area: str) -> list[dict]:
        """Give the couplings that have the area at either side on a day."""
        holding = oracle.register_as_of(self.coupling_rows, day, self.known_at, "coupling")
        return [
            row
            for _, row in sorted(holding.items())
            if area in (row["grid_area"], row["other_grid_area"])
        ]

    def volumes_of(self, point: int, direction: str, day: date) -> dict[int, tuple]:
        """Give {period: (Wh, origin, status, method)} that was delivered."""
        kept = self.delivered.get((point, direction), {})
        return {t: kept[at] for t, at in enumerate(market_day(day), 1) if at in kept}

    # ---- groups ---------------------------------------------------------------------------------
    def group(self, row: dict, day: date) -> str:
        """Give the group, by profile too when a smart meter was unread for too long."""
        group = super().group(row, day)
        return "PRF" if group == "SMA" and self.fell_back(row, day) else group

    def fell_back(self, row: dict, day: date) -> bool:
        key = (row["accounting_point"], day)
        if key not in self.fell:
            self.fell[key] = self.unread_too_long(row, day)
        return self.fell[key]

    def unread_too_long(self, row: dict, day: date) -> bool:
        """Tell whether a point was readable on N + 1 days and read on none, though others were."""
        point, allowed = row["accounting_point"], self.parameters["unread_days_to_profile"]
        for away in range(allowed + 1):
            judged = self.judge(day - away * ONE_DAY)
            that_day = judged.register.get(point)
            if that_day is None or super().group(that_day, day - away * ONE_DAY) != "SMA":
                return False
            series = [judged.series.get((point, direction)) for direction in DIRECTIONS]
            if any(one is not None and one.readings for one in series):
                return False
        return any(
            self.any_kept(day - away * ONE_DAY, row["grid_area"])
            for away in range(allowed, allowed + 31)
        )

    def any_kept(self, day: date, area: str) -> bool:
        """Tell whether any reading of an area was kept of a day."""
        if day not in self.stored:
            return False
        register = self.judge(day).register
        read = [point for point, registers in self.stored[day].items() if any(registers.values())]
        return any(point in register and register[point]["grid_area"] == area for point in read)

    # ---- fractions ------------------------------------------------------------------------------
    def loaded_fraction(self, profile: str, consumption_type, direction: str, day: date):
        """Give ([1e-8], by tariff) as last loaded: of the type, else of both; None where none."""
        for kind in (consumption_type, None):
            key = (profile, kind, direction, day)
            known = [
                (recorded_at, fractions[key])
                for recorded_at, fractions in self.loaded
                if key in fractions and (self.known_at is None or recorded_at <= self.known_at)
            ]
            if known:
                return max(known, key=lambda delivery: delivery[0])[1]
        return None

    def standard_fraction(self, day: date, kind: tuple) -> tuple[list[int], bool]:
        """Give the standard fraction, loaded or built in, and whether it is by tariff."""
        _, category, consumption_type, direction = kind
        loaded = self.loaded_fraction(category, consumption_type, direction, day)
        if loaded is None:
            return list(self.parameters["standard_fraction"](day, direction)), False
        return list(loaded[0]), loaded[1] and category in self.parameters["low_tariff_hours"]

    def by_tariff(self, day: date, category: str, tariffs: tuple[int, int]) -> list[int]:
        """Give in each period the annual Wh of the tariff that holds then."""
        low = low_tariff(day, self.parameters["low_tariff_hours"][category])
        return [tariffs[is_low] for is_low in low]

    def standard_shape(self, day: date, kind: tuple) -> tuple[list[int], list[int]]:
        _, category, _, direction = kind
        fraction, by_tariff = self.standard_fraction(day, kind)
        default = self.parameters["default_annual_wh"][direction][category]
        annual = [default] * len(fraction)
        if by_tariff:
            annual = self.by_tariff(day, category, oracle.halves(default))
        return [c * wh * 1000 // UNIT for c, wh in zip(fraction, annual, strict=True)], fraction

    def annual_by_period(self, row: dict, day: date, kind: tuple) -> list[int]:
        standard = self.shape(day, kind)[2] == "STD"
        return self.annual_of(row, day, kind, standard and self.standard_fraction(day, kind)[1])

    def annual_of(self, row: dict, day: date, kind: tuple, by_tariff: bool) -> list[int]:
        """Give the annual Wh that the fraction of each period applies to."""
        tariffs = oracle.annual_tariffs(row, kind[3], self.parameters)
        if by_tariff:
            return self.by_tariff(day, kind[1], tariffs)
        return [sum(tariffs)] * len(market_day(day))

    # ---- why an area is refused -----------------------------------------------------------------
    def refused(self, day: date, area: str) -> Refusal | None:
        """Give what is missing of an area; None where nothing is."""
        required = []
        for row in self.rows_of(day, area):
            if row["group"] in BY_VOLUMES:
                required.append((row["accounting_point"], "E17"))
            if row["group"] == "TMT" and has_infeed(row):
                required.append((row["accounting_point"], "E18"))
        for row in self.couplings_of(day, area):
            required += [(row["coupling"], direction) for direction in DIRECTIONS]
        n = len(market_day(day))
        missing = set()
        for point, direction in required:
            there = self.volumes_of(point, direction, day)
            for first, last in oracle.runs([t for t in range(1, n + 1) if t not in there]):
                missing.add((point, direction, first, last, last - first + 1))
        profiles = {
            (row["accounting_point"], row["dimensioned_profile"])
            for row in self.rows_of(day, area)
            if row["group"] == "DIM"
            and row["dimensioned_profile"] is not None
            and self.loaded_fraction(row["dimensioned_profile"], None, "E17", day) is None
        }
        return Refusal(missing, profiles) if missing or profiles else None

    # ---- the groups, one after the other --------------------------------------------------------
    def allocate_area(self, day: date, area: str) -> Refusal | Area:
        """Allocate an area and day, or say why not."""
        refusal = self.refused(day, area)
        if refusal is not None:
            return refusal
        result = Area(len(market_day(day)))
        for kind in product(CATEGORIES, ("AMI", "AZI"), DIRECTIONS):
            result.fractions[kind] = self.shape(day, (area, *kind))[1:]
        cover = defaultdict(lambda: [set(), 0, 0])
        self.report(result, day, area)
        self.add_smart_meters(result, day, area)
        self.add_delivered(result, cover, day, area)
        self.add_unmetered(result, cover, day, area)
        cells = self.profiled_cells(day, area)
        self.add_profiled_infeed(result, cells, day)
        self.add_profiled_offtake(result, cells, day, area)
        self.cover_profiled(result, cover, cells, day)
        result.coverage |= {key: (len(who), times, wh) for key, (who, times, wh) in cover.items()}
        return result

    def report(self, result: Area, day: date, area: str) -> None:
        """Report what the register says that is odd."""
        n = len(market_day(day))
        losses = defaultdict(list)
        for row in self.rows_of(day, area):
            point = row["accounting_point"]
            group = self.group(row, day)
            if super().group(row, day) == "SMA" and group == "PRF":
                allowed = self.parameters["unread_days_to_profile"]
                find(result, "fell_back_to_profile", point, None, 1, n, allowed + 1, allowed)
            if group == "NVL":
                losses[row["loss_type"]].append(point)
            if group in BY_VOLUMES:
                continue
            for direction in DIRECTIONS:
                given = oracle.annual_given(row, direction)
                cap = oracle.annual_cap(row, self.parameters)
                if given is not None and cap is not None and sum(given) > cap:
                    find(result, "annual_volume_absurd", point, direction, 0, 0, sum(given), cap)
                needed = direction == "E17" or (group == "PRF" and has_infeed(row))
                if given is None and needed and group in ("PRF", "DIM"):
                    used = oracle.annual_wh(row, direction, self.parameters)
                    find(result, "no_annual_volume", point, direction, 1, n, used, 0)
        for points in losses.values():
            for point in sorted(points)[1:]:
                find(result, "loss_point_twice", point, None, 0, 0, len(points), 1)

    def add_smart_meters(self, result: Area, day: date, area: str) -> None:
        """Take over what the smart meters of the area come to."""
        if day not in self.smart:
            self.smart[day] = self.allocate(day)
        smart = self.smart[day]
        for key, wh in smart.volumes.items():
            if key[0] == area:
                at = (*key[:4], None, None, *key[4:])
                result.series[at], result.points[at] = list(wh), list(smart.points[key])
        result.coverage |= {key: of for key, of in smart.coverage.items() if key[0] == area}
        here = {row["accounting_point"] for row in self.rows_of(day, area)}
        result.findings.update({f: times for f, times in smart.findings.items() if f[1] in here})

    def add_delivered(self, result: Area, cover: dict, day: date, area: str) -> None:
        """Add telemetry (TMT) and grid losses (NVL) as they were delivered."""
        for row in self.rows_of(day, area):
            group, point = row["group"], row["accounting_point"]
            if group not in BY_VOLUMES:
                continue
            cell = (*key_of(row), group)
            for direction in DIRECTIONS if group == "TMT" else ("E17",):
                for origin in ("MSR", "CLC"):
                    result.make(*cell, None, None, direction, origin)
                delivered = self.volumes_of(point, direction, day)
                for t, (wh, origin, _, method) in delivered.items():
                    at = result.make(*cell, None, None, direction, origin)
                    result.series[at][t - 1] += wh
                    result.points[at][t - 1] += 1
                    covered = cover[*cell, direction, origin, method, None]
                    covered[0].add(point)
                    covered[1] += 1
                    covered[2] += wh

    def add_unmetered(self, result: Area, cover: dict, day: date, area: str) -> None:
        """Add unmetered connections (DIM): annual volume × fraction of their own profile."""
        n = len(market_day(day))
        weights = defaultdict(lambda: [0] * n)  # (cell, profile, direction): [Wh × 1e-8]
        for row in self.rows_of(day, area):
            if row["group"] != "DIM":
                continue
            cell = (*key_of(row), "DIM")
            for direction in DIRECTIONS:
                at = result.make(*cell, None, None, direction, "CLC")
                profile, fraction, annual = self.unmetered(row, direction, day)
                if direction == "E18" and oracle.annual_given(row, direction) is None:
                    annual = [0] * n
                for t in range(n):
                    weights[cell, profile, direction][t] += annual[t] * fraction[t]
                if direction == "E17" or has_infeed(row):
                    result.points[at] = [points + 1 for points in result.points[at]]
                    covered = cover[*cell, direction, "CLC", None, "STD"]
                    covered[0].add(row["accounting_point"])
                    covered[1] += n
        for (cell, _, direction), weight in weights.items():
            volumes = round_day([Fraction(w, UNIT) for w in weight])
            wh = result.series[*cell, None, None, direction, "CLC"]
            for t in range(n):
                wh[t] += volumes[t]
            covered = (*cell, direction, "CLC", None, "STD")
            if covered in cover:
                cover[covered][2] += sum(volumes)

    def unmetered(self, row: dict, direction: str, day: date) -> tuple:
        """Give profile, fraction and annual Wh per period of an unmetered connection."""
        kind = kind_of(row, direction)
        profile = row["dimensioned_profile"]
        if profile is not None:
            # A dimensioned profile has no direction of its own, nor a tariff.
            fraction = self.loaded_fraction(profile, None, "E17", day)[0]
            return profile, fraction, self.annual_of(row, day, kind, by_tariff=False)
        fraction, by_tariff = self.standard_fraction(day, kind)
        return kind[1:3], fraction, self.annual_of(row, day, kind, by_tariff)

    # ---- by profile -----------------------------------------------------------------------------
    def profiled_cells(self, day: date, area: str) -> dict[tuple, list[dict]]:
        """Give the rows of (brp, supplier, category, type) by profile, in the order of the key."""
        cells = defaultdict(list)
        for row in self.rows_of(day, area):
            if self.group(row, day) == "PRF":
                key = ("brp", "supplier", "profile_category", "consumption_type")
                cells[tuple(row[name] for name in key)].append(row)
        return dict(sorted(cells.items()))

    def weights(self, rows: list[dict], direction: str, day: date) -> list[int]:
        """Give annual volume × fraction of a cell, per period [Wh × 1e-8]."""
        kind = kind_of(rows[0], direction)
        fraction = self.shape(day, kind)[1]
        annual = [self.annual_by_period(row, day, kind) for row in rows]
        return [fraction[t] * sum(wh[t] for wh in annual) for t in range(len(fraction))]

    def add_profiled_infeed(self, result: Area, cells: dict, day: date) -> None:
        """Add the infeed by profile, of points that have any: as assumed, never scaled."""
        n = len(market_day(day))
        for (brp, supplier, category, consumption_type), rows in cells.items():
            area = rows[0]["grid_area"]
            at = result.make(area, brp, supplier, "PRF", category, consumption_type, "E18", "CLC")
            if consumption_type == "AMI":
                weight = self.weights(rows, "E18", day)
                result.series[at] = round_day([Fraction(w, UNIT) for w in weight])
                result.points[at] = [len(rows)] * n

    def add_profiled_offtake(self, result: Area, cells: dict, day: date, area: str) -> None:
        """Assign the residual of each period to the offtake by profile, so that the area closes."""
        n = len(market_day(day))
        weights = {cell: self.weights(rows, "E17", day) for cell, rows in cells.items()}
        assumed = [Fraction(sum(w[t] for w in weights.values()), UNIT) for t in range(n)]
        closes = bool(self.couplings_of(day, area))
        residual = self.residual(result, day, area) if closes else None
        by_factor = closes and self.parameters["residual_assigned_to"] == "offtake"
        keys = {
            cell: result.make(area, *cell[:2], "PRF", *cell[2:], "E17", "CLC") for cell in cells
        }
        for t in range(n):
            total = residual[t] if by_factor else rounded(assumed[t])
            if assumed[t] == 0:
                total = 0
            sign = -1 if total < 0 else 1
            shares = largest_remainder(abs(total), [w[t] for w in weights.values()])
            for share, cell in zip(shares, cells, strict=True):
                result.series[keys[cell]][t] = sign * share
                result.points[keys[cell]][t] = len(cells[cell])
        if not closes:
            find(result, "area_not_closed", None, None, 1, n, 0, 1)
            return
        assigned = result.total("PRF", "E17")
        unassigned = [residual[t] - assigned[t] for t in range(n)]
        exact = {t: residual[t] / assumed[t] for t in range(n) if by_factor and assumed[t] > 0}
        factors = [rounded(exact[t] * FACTOR_ONE) if t in exact else FACTOR_ONE for t in range(n)]
        infeed = result.total("PRF", "E18")
        assumed_wh = [rounded(wh) for wh in assumed]
        result.residual = [*zip(residual, assumed_wh, infeed, factors, unassigned, strict=True)]
        self.add_balance(result, day, area, unassigned)
        self.report_factor(result, exact, factors)
        open_periods = [t for t in range(1, n + 1) if unassigned[t - 1] != 0]
        if open_periods:
            wh = sum(abs(rest) for rest in unassigned)
            first, last = open_periods[0], open_periods[-1]
            find(result, "energy_unassigned", None, None, first, last, wh, 0)

    def exchange(self, day: date, area: str) -> dict[str, list[int]]:
        """Sum what passes the couplings of an area, as the area sees it."""
        sums = {direction: [0] * len(market_day(day)) for direction in DIRECTIONS}
        mirrored = {"E17": "E18", "E18": "E17"}
        for row in self.couplings_of(day, area):
            for direction in DIRECTIONS:
                seen = direction if row["grid_area"] == area else mirrored[direction]
                for t, (wh, *_) in self.volumes_of(row["coupling"], direction, day).items():
                    sums[seen][t - 1] += wh
        return sums

    def residual(self, result: Area, day: date, area: str) -> list[int]:
        """Give what is left of the area's energy for the offtake by profile."""
        coupling = self.exchange(day, area)
        plus = [coupling["E18"]]
        plus += [result.total(group, "E18") for group in ("TMT", "SMA", "DIM", "PRF")]
        minus = [coupling["E17"]]
        minus += [result.total(group, "E17") for group in ("TMT", "SMA", "DIM", "NVL")]
        return [
            sum(wh[t] for wh in plus) - sum(wh[t] for wh in minus)
            for t in range(len(market_day(day)))
        ]

    def add_balance(self, result: Area, day: date, area: str, unassigned: list[int]) -> None:
        """Show the energy of the area: groups, grid losses by kind, couplings, and the rest."""
        for group in ("SMA", "PRF", "TMT", "DIM"):
            for direction in DIRECTIONS:
                result.balance[group, direction] = result.total(group, direction)
        for row in self.rows_of(day, area):
            if row["group"] == "NVL":
                line = result.balance.setdefault((row["loss_type"], "E17"), [0] * len(unassigned))
                for t, (wh, *_) in self.volumes_of(row["accounting_point"], "E17", day).items():
                    line[t - 1] += wh
        for direction, wh in self.exchange(day, area).items():
            result.balance["NKP", direction] = wh
        result.balance["RST", "E17"] = unassigned

    def report_factor(self, result: Area, exact: dict[int, Fraction], factors: list[int]) -> None:
        """Report each run of periods whose factor is out of the band at the same side."""
        low, high = (self.parameters[f"residual_alarm_{end}"] for end in ("low", "high"))
        side = {t: (factor > high) - (factor < low) for t, factor in exact.items()}
        outside = [t for t in side if side[t]]
        for first, last in oracle.runs(outside, kind=lambda t: side[t]):
            limit = int((high if side[first] > 0 else low) * FACTOR_ONE)
            key = ("residual_factor_out_of_band", None, None, first + 1, last + 1)
            result.findings[*key, factors[first], limit] += 1

    def cover_profiled(self, result: Area, cover: dict, cells: dict, day: date) -> None:
        """Count what was allocated by profile, by where its fraction came from."""
        for (brp, supplier, category, consumption_type), rows in cells.items():
            area = rows[0]["grid_area"]
            for direction in DIRECTIONS if consumption_type == "AMI" else ("E17",):
                status = self.shape(day, kind_of(rows[0], direction))[2]
                at = (area, brp, supplier, "PRF", category, consumption_type, direction, "CLC")
                covered = cover[area, brp, supplier, "PRF", direction, "CLC", None, status]
                covered[0].update(row["accounting_point"] for row in rows)
                covered[1] += len(rows) * len(market_day(day))
                covered[2] += sum(result.series[at])
