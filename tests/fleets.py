"""Random fleets of accounting points with the defects that real deliveries have.

Plain Python data, made from one seed; hypothesis draws the seed and the sizes. Most points are
good, so that the day's own shapes are there when a fleet is large.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from random import Random

from hypothesis import strategies as st

from tests import oracle

ONE_DAY = timedelta(days=1)
LAYOUTS = {"total": ("0",), "tariffs": ("1", "2"), "both": ("0", "1", "2")}
DAYS = [
    date(2026, 3, 27),
    date(2026, 3, 28),
    date(2026, 3, 29),
    date(2026, 10, 24),
    date(2026, 10, 25),
    date(2025, 12, 30),
    date(2025, 12, 31),
    date(2026, 1, 14),
    date(2026, 6, 9),
]


@dataclass
class Fleet:
    register_rows: list[dict]
    deliveries: list[tuple[datetime, list[dict]]]  # (recorded_at, readings)
    days: list[date]
    parameters: dict
    defects: Counter[str]  # what was put in, for a test to see that it is there


def with_check_digit(digits: str) -> str:
    """Put the GS1 check digit behind a number: weights 3, 1 from the right."""
    total = sum(int(digit) * (3, 1)[k % 2] for k, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)


AREAS = [with_check_digit(f"8716859{k:010d}") for k in (1, 2)]
BRPS = [with_check_digit(f"871685900{k:03d}") for k in (1, 2, 3)]
SUPPLIERS = [with_check_digit(f"871685910{k:03d}") for k in (1, 2, 3, 4)]


def standard_fraction(day: date, direction: str) -> list[int]:
    """Give a made-up standard profile, not flat, whole counts of 1e-8 per period."""
    n = len(oracle.market_day(day))
    noon = [max(0, 20 - abs(t - n // 2)) for t in range(n)]
    return [1500 + 37 * (t % 24) if direction == "E17" else 230 * noon[t] for t in range(n)]


def default_parameters() -> dict:
    categories = "E1A E1B E1C E2A E2B E3A E3B E3C E3D E4A".split()
    return {
        "margin": Fraction(6, 5),
        "tariff_tolerance_wh": 1,
        "day_sum_tolerance_wh": 2,
        "min_points_for_shape": 20,
        "bracket_days": 10,
        "bracket_periods": 960,
        "off_quarter_seconds": 30,
        "too_old_days": 130,
        "legal_ground": date(2026, 1, 1),
        "reference_areas": {},
        "annual_cap_periods": 35_040,
        "default_annual_wh": {
            "E17": {name: 3_900_000 if name[1] == "1" else 4_500_000 for name in categories},
            "E18": dict.fromkeys(categories, 2_000_000),
        },
        "standard_fraction": standard_fraction,
    }


def at_noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


# ---- one point ----------------------------------------------------------------------------------
class Point:
    """A point with its register rows and its cells: {(meter, obis, moment): [Wh, status]}."""

    def __init__(self, random: Random, number: int, days: list[date], mixed: bool, infeed: float):
        self.random, self.days = random, days
        self.ean = int(with_check_digit(f"8716859{10_000 + number:010d}"))
        self.conflicting = False  # whether deliveries contradict themselves about it
        self.stamps: dict[tuple, timedelta] = {}  # how far a reading's stamp is off
        self.moments = [m for day in days for m in oracle.market_day(day)]
        self.moments.append(oracle.moments(days[-1])[-1])
        self.row = self.make_row(mixed, infeed)
        self.rows = [self.row]
        self.meter = random.choice([None, "M1"])
        self.layout = random.choices(list(LAYOUTS), [6, 2, 2])[0]
        self.fed_in = self.row["consumption_type"] == "AMI" and random.random() < 0.9
        if self.row["consumption_type"] == "AZI" and random.random() < 0.03:
            self.fed_in = True
        self.size = None if self.row["digits"] is None else 10 ** (self.row["digits"] + 3)
        self.cells = self.make_cells()

    def make_row(self, mixed: bool, infeed: float) -> dict:
        random = self.random
        has_infeed = random.random() < (0.4 if mixed else infeed)
        known = random.random() < 0.9
        infeed_known = known and has_infeed
        return {
            "accounting_point": self.ean,
            "grid_area": AREAS[random.random() < (0.5 if mixed else 0.08)],
            "brp": random.choice(BRPS),
            "supplier": random.choice(SUPPLIERS),
            "valid_from": self.days[0] - 30 * ONE_DAY,
            "valid_to": None,
            "recorded_at": at_noon(self.days[0] - 31 * ONE_DAY),
            "group": "SMA",
            "profile_category": random.choice(["E1A", "E1B", "E2A"]) if mixed else "E1A",
            "consumption_type": "AMI" if has_infeed else "AZI",
            "market_segment": "KVB",
            "capacity": random.choice(["1x6", "1x25", "3x25", "3x35"]),
            "physical_status": "in_service",
            "remote_reading": "on",
            "remotely_readable": True,
            "technically_readable": "true",
            "consent": random.random() < 0.8,
            "annual_offtake_normal_wh": random.randrange(0, 4_000_000) if known else None,
            "annual_offtake_low_wh": random.randrange(0, 3_000_000) if known else None,
            "annual_infeed_normal_wh": random.randrange(3_000_000)
            if known and has_infeed
            else None,
            "annual_infeed_low_wh": random.randrange(1_000_000) if infeed_known else None,
            "multiplier": random.choices([1, 2, 80], [18, 1, 1])[0],
            "digits": None,
        }

    def make_cells(self) -> dict[tuple, list]:
        """Read registers that count what flows: the tariffs take turns, the total counts both."""
        random = self.random
        limit = oracle.limit_wh(self.row["capacity"]) // self.row["multiplier"]
        mean = min(random.choice([0, 2, 60, 60, 150]), limit // 2)
        cells = {}
        for direction in "12" if self.fed_in else "1":
            low, normal = random.randrange(10**7), random.randrange(10**7)
            for k, moment in enumerate(self.moments):
                if k:
                    sunny = direction == "1" or 7 <= moment.hour <= 15
                    volume = min(limit, int(random.expovariate(1 / (mean + 1)))) if sunny else 0
                    if 6 <= moment.hour < 21:
                        normal += volume
                    else:
                        low += volume
                for kind in LAYOUTS[self.layout]:
                    wh = {"0": low + normal, "1": low, "2": normal}[kind]
                    cells[self.meter, f"{direction}.8.{kind}", moment] = [wh, 0]
        return cells

    def registers(self) -> list[tuple]:
        return sorted({(meter, obis) for meter, obis, _ in self.cells}, key=str)

    def some_moments(self, most: int) -> list[datetime]:
        """Choose a run of neighbouring moments; a midnight is as likely as not among them."""
        length = self.random.randint(1, most)
        first = self.random.randrange(len(self.moments))
        if self.random.random() < 0.3:
            midnight = oracle.moments(self.random.choice(self.days))[0]
            first = max(0, self.moments.index(midnight) - self.random.randrange(length + 1))
        return self.moments[first : first + length]

    def one_register(self, moments: list[datetime]) -> list[tuple]:
        if not self.cells:
            return []
        meter, obis = self.random.choice(self.registers())
        return [(meter, obis, m) for m in moments if (meter, obis, m) in self.cells]

    # ---- defects: each is one sentence about a real meter or delivery ---------------------------
    def missing_cells(self):
        for _ in range(self.random.randint(1, 4)):
            for key in self.one_register(self.some_moments(6)):
                del self.cells[key]

    def gap(self):
        gone = set(self.some_moments(self.random.choice([8, 60, 150])))
        self.cells = {key: cell for key, cell in self.cells.items() if key[2] not in gone}

    def whole_day_missing(self):
        day = self.random.choice(self.days)
        edge = self.random.randint(0, 1)
        gone = set(oracle.moments(day)[edge : None if self.random.random() < 0.5 else -1])
        self.cells = {key: cell for key, cell in self.cells.items() if key[2] not in gone}

    def never_read(self):
        self.cells = {}

    def rogue_reading(self):
        for key in self.one_register(self.some_moments(2)):
            wh = self.cells[key][0]
            rogue = [0, wh + 10**6, wh - 10**5, wh + 400, wh - 3, wh + self.random.randrange(5000)]
            self.cells[key][0] = max(0, self.random.choice(rogue))

    def catch_up_step(self):
        start = self.random.choice(self.moments)
        for meter, obis in self.registers()[:1]:
            for moment in self.moments:
                if moment >= start:
                    self.cells[meter, obis, moment][0] += 122_900

    def reset(self):
        start = self.random.choice(self.moments)
        for meter, obis in self.registers():
            zero = self.cells[meter, obis, start][0]
            for moment in self.moments:
                if moment >= start:
                    self.cells[meter, obis, moment][0] -= zero

    def status_bits(self):
        status = self.random.choice([1, 2, 4, 5, 8, 32, 36, 64, 128])
        for key in self.one_register(self.some_moments(12)):
            self.cells[key][1] = status

    def off_quarter(self):
        for key in self.one_register(self.some_moments(20)):
            seconds = self.random.choice([1, 12, 29, 30, 31, 45, 400])
            self.stamps[key] = self.random.choice([-1, 1]) * timedelta(seconds=seconds)

    def total_off(self):
        extra = self.random.choice([-2, -1, 1, 2, 50])
        for key in self.one_register(self.some_moments(10)):
            self.cells[key][0] = max(0, self.cells[key][0] + extra)

    def meter_exchange(self):
        """The old meter is read up to a moment, the new one from about then on, from near zero."""
        last = self.random.randrange(1, len(self.moments))
        first = max(0, last + self.random.choice([-4, -4, -2, -1, 0, 0, 1, 5]))
        start = self.random.randrange(100)
        old, self.cells = self.cells, {}
        for (meter, obis, moment), (wh, status) in old.items():
            k = self.moments.index(moment)
            if k <= last:
                self.cells[meter, obis, moment] = [wh, status]
            if k >= first:
                begin = old[meter, obis, self.moments[min(first, len(self.moments) - 1)]][0]
                self.cells["M2", obis, moment] = [start + wh - begin, status]

    def roll_over(self):
        """The registers pass their last digit; often how many digits they have is known."""
        digits = self.random.choice([5, 6])
        size = 10 ** (digits + 3)
        passed = self.random.choice(self.moments)
        self.row["digits"] = digits if self.random.random() < 0.8 else None
        for meter, obis in self.registers():
            offset = size - self.cells[meter, obis, passed][0]
            for moment in self.moments:
                cell = self.cells[meter, obis, moment]
                cell[0] = (cell[0] + offset) % size
        if self.random.random() < 0.3:
            self.gap()

    # ---- the register of points -----------------------------------------------------------------
    def not_read(self):
        column, value = self.random.choice(
            [
                ("remote_reading", "off"),
                ("remotely_readable", False),
                ("physical_status", "out_of_service"),
                ("group", "PRF"),
                ("market_segment", "GVB"),
            ]
        )
        self.row[column] = value

    def refuses_later(self):
        """The refusal becomes known after the readings were delivered."""
        recorded_at = at_noon(self.days[-1] + 6 * ONE_DAY)
        self.rows.append({**self.row, "remote_reading": "off", "recorded_at": recorded_at})

    def switches_supplier(self):
        """Another supplier from a midnight on; at times the old row was left open."""
        day = self.random.choice(self.days)
        new = {**self.row, "valid_from": day, "supplier": self.random.choice(SUPPLIERS)}
        new["brp"] = self.random.choice(BRPS)
        new["recorded_at"] = self.row["recorded_at"] + ONE_DAY
        if self.random.random() < 0.7:
            self.row["valid_to"] = day
        if self.random.random() < 0.2:
            self.row["valid_to"] = day - ONE_DAY  # a day that no row covers
        self.rows.append(new)

    def corrected_row(self):
        recorded_at = at_noon(self.days[-1] + 3 * ONE_DAY)
        brp = self.random.choice(BRPS)
        self.rows.append({**self.row, "brp": brp, "recorded_at": recorded_at})


ALONE = [
    "meter_exchange",
    "meter_exchange",
    "roll_over",
    "roll_over",
    "catch_up_step",
    "reset",
    "never_read",
]
TOGETHER = [
    "missing_cells",
    "gap",
    "whole_day_missing",
    "rogue_reading",
    "status_bits",
    "off_quarter",
    "total_off",
]
OF_THE_ROW = ["not_read", "refuses_later", "switches_supplier", "corrected_row"]
MULTIPLE = [*TOGETHER, "gap", "rogue_reading", "whole_day_missing"]


def spoil(point: Point, random: Random) -> list[str]:
    """Put one or a few defects into a point; give their names."""
    names = []
    if random.random() < 0.3:
        names = [random.choice(ALONE)]
        if names == ["roll_over"] and point.layout == "both":
            names = ["gap"]  # total and tariffs roll over apart: no rule compares them then
    else:
        names = random.choices(MULTIPLE, k=random.choice([1, 1, 2, 3]))
    if random.random() < 0.2:
        names.append(random.choice(OF_THE_ROW))
    for name in names:
        getattr(point, name)()
    point.conflicting = "meter_exchange" not in names
    return names


# ---- deliveries ---------------------------------------------------------------------------------
def deliver(points: list[Point], days: list[date], random: Random) -> tuple[list, Counter]:
    """Spread the cells over deliveries: one after each day, and at times an early and late ones."""
    daily = {day: [] for day in days}
    early, late, too_old, defects = [], [], [], Counter()
    half_past = at_noon(days[0])
    for point in points:
        for (meter, obis, moment), (wh, status) in point.cells.items():
            stamp = moment + point.stamps.get((meter, obis, moment), timedelta())
            reading = {
                "accounting_point": point.ean,
                "register": obis,
                "read_at": stamp,
                "reading_wh": wh,
                "meter": meter,
                "status": status,
            }
            served = [day for day, _ in oracle.places(moment) if day in daily]
            lot = daily[min(served)]
            chance = random.random() if point.conflicting else random.uniform(0.003, 1)
            if chance < 0.003:
                lot += [reading, {**reading, "reading_wh": wh + random.choice([1, 7, 90_000])}]
                defects["conflict"] += 1
            elif chance < 0.991:
                lot.append(reading)
            elif chance < 0.993:
                lot += [reading, dict(reading)]
                defects["duplicate"] += 1
            elif chance < 0.996:
                lot.append({**reading, "reading_wh": max(0, wh - random.choice([1, 7, 90_000]))})
                late.append(reading)
                defects["corrected"] += 1
            elif chance < 0.998:
                late.append(reading)
                defects["late"] += 1
            elif chance < 0.999:
                lot.append(reading)
                too_old.append({**reading, "reading_wh": wh + 9})
                defects["too_old"] += 1
            else:
                lot.append(reading)
                early.append({**reading, "reading_wh": wh + 5})  # in the future, or corrected later
                defects["early"] += 1
    if points:
        stranger = int(with_check_digit("8716859" + "9" * 10))
        lot = daily[days[-1]]
        lot += [{**reading, "accounting_point": stranger} for reading in lot[:3]]
    deliveries = [(at_noon(day + ONE_DAY), lot) for day, lot in daily.items()]
    deliveries += [
        (half_past, early),
        (at_noon(days[-1] + 5 * ONE_DAY), late),
        (at_noon(days[-1] + 140 * ONE_DAY), too_old),
    ]
    deliveries = sorted((lot for lot in deliveries if lot[1]), key=lambda lot: lot[0])
    for _, lot in deliveries:
        random.shuffle(lot)
    return deliveries, defects


def make(seed: int, points: int, days: list[date], mixed: bool, spoiled: float) -> Fleet:
    """Make a fleet; the same arguments give the same fleet.

    Parameters
    ----------
    mixed : the points are spread over areas, categories and types, so that few are alike.
    spoiled : share of the points that get a defect.
    """
    random = Random(seed)
    fleet, defects = [], Counter()
    infeed = random.choice([0.1, 0.9])  # where points are alike: the share with infeed
    for number in range(points):
        point = Point(random, number, days, mixed, infeed)
        if random.random() < spoiled:
            defects.update(spoil(point, random))
        fleet.append(point)
    deliveries, delivered = deliver(fleet, days, random)
    rows = [row for point in fleet for row in point.rows]
    random.shuffle(rows)
    return Fleet(rows, deliveries, days, default_parameters(), defects + delivered)


def fleets(most_points: int = 60, most_days: int = 3) -> st.SearchStrategy[Fleet]:
    """Give random fleets; hypothesis draws the seed and the sizes only, so drawing is fast."""
    return st.builds(
        make,
        seed=st.integers(0, 2**32 - 1),
        points=st.integers(1, most_points),
        days=st.builds(
            lambda first, count: [first + k * ONE_DAY for k in range(count)],
            st.sampled_from(DAYS),
            st.integers(1, most_days),
        ),
        mixed=st.booleans(),
        spoiled=st.sampled_from([0.0, 0.2, 0.3, 0.6, 1.0]),
    )
