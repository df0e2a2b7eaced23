"""Random whole grid areas: every group, couplings between them, and deliveries with defects.

Plain Python data, made from one seed, as fleets are; the smart meters are those of a fleet.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from random import Random

from hypothesis import strategies as st

from tests import fleets, oracle, oracle_area
from tests.fleets import BRPS, ONE_DAY, at_noon, with_check_digit

AREAS = [*fleets.AREAS, with_check_digit("8716859" + "3".zfill(10))]
DAYS = [*fleets.DAYS, date(2026, 1, 6), date(2026, 1, 11), date(2026, 6, 13)]
# Of a kind of area: the most points that are smart meters, by profile, telemetry, unmetered.
MOST = {"mixed": (8, 6, 3, 3), "profiles": (0, 8, 0, 0), "telemetry": (0, 0, 5, 0)}
MOST |= {"infeed": (0, 3, 2, 0)}
KINDS = ["mixed"] * 4 + ["profiles", "telemetry", "infeed"]
DIMENSIONED = ["street_lights", "always_on"]
# Origin, validation status, repair method that go together.
TRIPLES = [
    ("MSR", None, None),
    ("MSR", "VLD", None),
    ("MSR", "NVD", None),
    ("UMS", None, None),
    ("UMS", "NVD", None),
    ("NMS", None, None),
    ("CLC", None, None),
    ("CLC", "VLD", None),
    ("CLC", None, "CMR"),
    ("CLC", None, "GMR"),
    ("CLC", None, "NCD"),
    ("CLC", "VLD", "CMR"),
    ("CLC", "VLD", "GMR"),
    ("CLC", "VLD", "NCD"),
]


@dataclass
class World:
    """Grid areas with all that is known of them."""

    register_rows: list[dict]
    deliveries: list[tuple[datetime, list[dict]]]  # (recorded_at, readings)
    couplings: list[dict]
    volumes: list[tuple[datetime, list[dict]]]  # (recorded_at, quarter volumes)
    # (recorded_at, {(profile, type or None, direction, day): ([1e-8], by tariff)})
    fractions: list[tuple[datetime, dict]]
    days: list[date]
    areas: list[str]
    parameters: dict
    known_at: datetime
    traits: Counter[str]  # what was put in, for a test to see that it is there

    def book(self) -> oracle_area.Book:
        return oracle_area.Book(
            self.register_rows,
            self.deliveries,
            self.parameters,
            self.known_at,
            couplings=self.couplings,
            volumes=self.volumes,
            fractions=self.fractions,
        )

    def but(self, **changes) -> "World":
        return replace(self, **changes)


def default_parameters() -> dict:
    return fleets.default_parameters() | {
        "unread_days_to_profile": 10,
        "low_tariff_hours": {"E1B": (23, 7), "E1C": (21, 7), "E2B": (23, 7)},
        "triples": set(TRIPLES),
        "residual_assigned_to": "offtake",
        "residual_alarm_low": Fraction(9, 10),
        "residual_alarm_high": Fraction(11, 10),
    }


# ---- points -------------------------------------------------------------------------------------
class Point(fleets.Point):
    """A point of any group in an area; only a smart meter has readings."""

    def __init__(self, random: Random, number: int, days: list[date], mixed: bool, **cells):
        self.cells_of_row = {"loss_type": "NVL", "dimensioned_profile": None} | cells
        super().__init__(random, number, days, mixed, infeed=random.choice([0.1, 0.9]))

    def make_row(self, mixed: bool, infeed: float) -> dict:
        return super().make_row(mixed, infeed) | self.cells_of_row

    def make_cells(self) -> dict:
        return super().make_cells() if self.row["group"] == "SMA" else {}

    def flow(self) -> list[int]:
        """Give offtake less infeed of each period, as its registers count it [Wh]."""
        cells = [(moment, obis, cell[0]) for (_, obis, moment), cell in self.cells.items()]
        total = any(obis[-1] == "0" for _, obis, _ in cells)
        counted = Counter()
        for moment, obis, wh in cells:
            if (obis[-1] == "0") == total:
                counted[moment] += wh if obis[0] == "1" else -wh
        at = [counted[moment] for moment in self.moments]
        return [(b - a) * self.row["multiplier"] for a, b in pairwise(at)]


def annual(random: Random, infeed: bool, most: int) -> dict:
    """Give annual volumes; of some points they are not known, of few they are absurd."""
    if random.random() < 0.1:
        names = [
            f"annual_{flow}_{tariff}_wh" for flow in ("offtake", "infeed") for tariff in TARIFFS
        ]
        return dict.fromkeys(names)
    absurd = random.random() < 0.06
    scale = 10**9 if absurd else most
    cells = {f"annual_offtake_{tariff}_wh": random.randrange(scale) for tariff in TARIFFS}
    for tariff in TARIFFS:
        cells[f"annual_infeed_{tariff}_wh"] = random.randrange(scale // 2) if infeed else None
    if random.random() < 0.1:
        cells["annual_offtake_low_wh"] = None
    return cells


TARIFFS = ("normal", "low")


def profiled(random: Random, kind: str) -> dict:
    """Give the cells of a point by profile: so registered, or a smart meter that is not read."""
    infeed = kind == "infeed" or random.random() < 0.4
    cells = annual(random, infeed, 4_000_000)
    if kind == "infeed":
        cells |= {"annual_offtake_normal_wh": 0, "annual_offtake_low_wh": 0}
    why = random.choice(
        [
            {"group": "PRF"},
            {"group": "PRF"},
            {"group": "PRF", "market_segment": "GVB"},
            {"group": "PRF", "physical_status": "out_of_service"},
            {"remote_reading": "off"},
            {"remotely_readable": False},
            {"market_segment": "GVB"},
        ]
    )
    category = random.choice(["E1A", "E1A", "E1B", "E1C", "E2A", "E2B", "E3A", "E3C", "E4A"])
    types = {"consumption_type": "AMI" if infeed else "AZI", "profile_category": category}
    return cells | types | {"group": "SMA"} | why


def telemetry(random: Random, kind: str) -> dict:
    infeed = kind == "infeed" or random.random() < 0.4
    large = {"group": "TMT", "market_segment": "GVB", "profile_category": "E3A"}
    return large | {"consumption_type": "AMI" if infeed else "AZI"}


def unmetered(random: Random) -> dict:
    profile = random.choice([None, *DIMENSIONED])
    infeed = random.random() < 0.2
    types = {"consumption_type": "AMI" if infeed else "AZI"}
    category = {"profile_category": random.choice(["E1A", "E1B", "E4A"])}
    cells = {"group": "DIM", "dimensioned_profile": profile}
    return annual(random, infeed, 2_000_000) | types | category | cells


def loss(random: Random) -> dict:
    kind = random.choice(["NVB", "TVB", "OVB", "NVL", "NVL"])
    return {"group": "NVL", "loss_type": kind, "consumption_type": "AZI", "market_segment": "GVB"}


def points_of(random: Random, area: str, kind: str, days: list[date], first: int) -> list[Point]:
    """Make the points of an area."""
    smart, by_profile, by_telemetry, dim = MOST[kind]
    cells: list[dict] = [{} for _ in range(random.randint(smart // 4, smart))]
    cells += [profiled(random, kind) for _ in range(random.randint(0, by_profile))]
    cells += [telemetry(random, kind) for _ in range(random.randint(0, by_telemetry))]
    cells += [unmetered(random) for _ in range(random.randint(0, dim))]
    if kind != "profiles":
        cells += [loss(random) for _ in range(random.choice([0, 1, 1, 2]))]
    cells = cells or [profiled(random, kind)]
    mixed = random.random() < 0.4
    parties = random.choice([BRPS, BRPS[:1]])
    return [
        Point(random, first + k, days, mixed, grid_area=area, brp=random.choice(parties), **own)
        for k, own in enumerate(cells)
    ]


# ---- what is delivered --------------------------------------------------------------------------
class Post:
    """Quarter volumes on their way: most come daily, some are late, wrong at first, or lost."""

    def __init__(self, random: Random, days: list[date], traits: Counter):
        self.random, self.days, self.traits = random, days, traits
        self.lots = defaultdict(list)
        self.last = at_noon(days[-1] + random.choice([3, 3, 25]) * ONE_DAY) + timedelta(hours=2)

    def send(self, point: int, direction: str, by_day: dict[date, list[int]], plain: bool) -> None:
        """Send a series; `plain`: of one origin, as couplings are."""
        for day, volumes in by_day.items():
            daily = at_noon(day + ONE_DAY) + timedelta(hours=1)
            triples = self.triples(len(volumes), plain)
            rows = [
                {
                    "accounting_point": point,
                    "direction": direction,
                    "period_start": start,
                    "volume_wh": wh,
                    "origin": triple[0],
                    "validation_status": triple[1],
                    "method": triple[2],
                }
                for start, wh, triple in zip(oracle.market_day(day), volumes, triples, strict=True)
            ]
            first = self.random.randrange(len(rows))
            some = range(first, min(len(rows), first + self.random.randint(1, 9)))
            defect = self.random.choices([None, *DEFECTS], [70, 5, 5, 1, 2, 3, 2, 2])[0]
            if defect is not None:
                self.traits[defect] += 1
                rows = getattr(self, defect)(rows, some)
            self.lots[daily] += rows

    def triples(self, n: int, plain: bool) -> list[tuple]:
        if plain or self.random.random() < 0.5:
            return [("MSR", None, None)] * n
        changed = sorted(self.random.sample(range(1, n), 2))
        kinds = self.random.choices(TRIPLES, k=3)
        return [kinds[sum(t >= change for change in changed)] for t in range(n)]

    def corrected(self, rows: list[dict], some: range) -> list[dict]:
        self.lots[self.last] += [rows[t] for t in some]
        wrong = {"origin": "UMS", "validation_status": None, "method": None}
        return [
            row | wrong | {"volume_wh": 2 * row["volume_wh"] + 5} if t in some else row
            for t, row in enumerate(rows)
        ]

    def late(self, rows: list[dict], some: range) -> list[dict]:
        self.lots[self.last] += [rows[t] for t in some]
        return [row for t, row in enumerate(rows) if t not in some]

    def lost(self, rows: list[dict], some: range) -> list[dict]:
        return [row for t, row in enumerate(rows) if t not in some]

    def without_value(self, rows: list[dict], some: range) -> list[dict]:
        """No volume at first; it comes later, or never."""
        if self.random.random() < 0.7:
            self.lots[self.last] += [rows[t] for t in some]
        return [row | {"volume_wh": None} if t in some else row for t, row in enumerate(rows)]

    def twice(self, rows: list[dict], some: range) -> list[dict]:
        return rows + [dict(rows[t]) for t in some]

    def contradicted(self, rows: list[dict], some: range) -> list[dict]:
        """Two volumes of a period: neither is kept, until the right one comes alone."""
        if self.random.random() < 0.7:
            self.lots[self.last] += [rows[t] for t in some]
        return rows + [rows[t] | {"volume_wh": rows[t]["volume_wh"] + 1} for t in some]

    def contradicted_later(self, rows: list[dict], some: range) -> list[dict]:
        """Two new volumes of a period in a later delivery: the first one stays."""
        for t in some:
            wh = rows[t]["volume_wh"]
            self.lots[self.last] += [rows[t] | {"volume_wh": wh + k} for k in (1, 2)]
        return rows

    def deliveries(self) -> list[tuple[datetime, list[dict]]]:
        for _, lot in sorted(self.lots.items()):
            self.random.shuffle(lot)
        return sorted((at, lot) for at, lot in self.lots.items() if lot)


DEFECTS = (
    "corrected",
    "late",
    "lost",
    "without_value",
    "twice",
    "contradicted",
    "contradicted_later",
)


def by_day(volumes: list[int], days: list[date]) -> dict[date, list[int]]:
    split, first = {}, 0
    for day in days:
        n = len(oracle.market_day(day))
        split[day], first = volumes[first : first + n], first + n
    return split


def sun(day: date, t: int) -> float:
    n = len(oracle.market_day(day))
    return max(0.0, 1 - abs(t - n / 2) / 16)


def earlier_readings(points: list[Point], days: list[date], random: Random) -> list[tuple]:
    """Read some meters on a day before, so that others were unread for too long, or not quite."""
    deliveries = defaultdict(list)
    for point in points:
        if not point.registers_before or random.random() < 0.5:
            continue
        day = days[0] - random.choice([1, 5, 9, 10, 10, 11, 12, 15]) * ONE_DAY
        for meter, obis in point.registers_before:
            known = [cell[0] for key, cell in point.cells.items() if key[:2] == (meter, obis)]
            start = max(0, min(known, default=10**5) - random.choice([0, 50, 4000]))
            for j in sorted(random.sample(range(len(oracle.market_day(day))), 3)):
                # Before noon, so that no other delivery has that moment.
                deliveries[at_noon(day + ONE_DAY) - timedelta(hours=1)].append(
                    {
                        "accounting_point": point.ean,
                        "register": obis,
                        "read_at": oracle.moments(day)[j],
                        "reading_wh": start,
                        "meter": meter,
                        "status": random.choice([0, 0, 0, 4]),
                    }
                )
    return sorted(deliveries.items())


# ---- couplings ----------------------------------------------------------------------------------
def coupling(number: int, area: str, other: str | None, days: list[date]) -> dict:
    return {
        "coupling": int(with_check_digit(f"8716859{900 + number:010d}")),
        "grid_area": area,
        "other_grid_area": other,
        "valid_from": days[0] - 30 * ONE_DAY,
        "valid_to": None,
        "recorded_at": at_noon(days[0] - 31 * ONE_DAY),
    }


def couple(areas: list[str], days: list[date], random: Random) -> list[dict]:
    """Couple areas to each other and to the national grid; at times an area to nothing."""
    if random.random() < 0.08:
        return []
    rows = []
    for k, area in enumerate(areas):
        for other in areas[k + 1 :]:
            if random.random() < 0.6:
                pair = random.choice([(area, other), (other, area)])
                rows.append(coupling(len(rows), *pair, days))
    for area in areas:
        for _ in range(random.choice([0, 1, 1, 1, 1, 1, 2])):
            rows.append(coupling(len(rows), area, None, days))
    for row in list(rows):
        chance = random.random()
        if chance < 0.05:
            row["valid_from"] = days[-1]  # on the first of two days it is not there yet
        elif chance < 0.1:
            recorded_at = at_noon(days[-1] + 4 * ONE_DAY)
            rows.append({**row, "other_grid_area": None, "recorded_at": recorded_at})
    return rows


def balance(points: list[Point], days: list[date], sunny: bool, random: Random) -> list[int]:
    """Give about what an area needs from others in each period, telemetry and losses left out."""
    needs = [0] * sum(len(oracle.market_day(day)) for day in days)
    for point in points:
        if point.row["group"] == "SMA" and point.cells:
            needs = [a + b for a, b in zip(needs, point.flow(), strict=True)]
        elif point.row["group"] in ("SMA", "PRF", "DIM"):
            wh = oracle.annual_wh(point.row, "E17", default_parameters())
            share = [f for day in days for f in fleets.standard_fraction(day, "E17")]
            needs = [a + wh * f // oracle.UNIT for a, f in zip(needs, share, strict=True)]
    at = [(day, t) for day in days for t in range(len(oracle.market_day(day)))]
    off = random.choice([1.0, 1.0, 1.25, 0.8])
    return [
        int(need * off * random.uniform(0.96, 1.04)) - (int(4000 * sun(*at[k])) if sunny else 0)
        for k, need in enumerate(needs)
    ]


# ---- worlds -------------------------------------------------------------------------------------
def send_points(post: Post, points: list[Point], days: list[date], sunny: bool) -> list[int]:
    """Send telemetry and grid losses; give offtake less infeed of all of them."""
    random = post.random
    at = [(day, t) for day in days for t in range(len(oracle.market_day(day)))]
    net = [0] * len(at)
    for point in points:
        row = point.row
        if row["group"] not in ("TMT", "NVL"):
            continue
        most = random.choice([0, 300, 20_000]) if row["group"] == "TMT" else 120
        offtake = [random.randint(most // 2, most) for _ in at]
        post.send(point.ean, "E17", by_day(offtake, days), plain=False)
        net = [a + b for a, b in zip(net, offtake, strict=True)]
        fed_in = row["consumption_type"] == "AMI" or random.random() < 0.15
        if row["group"] == "TMT" and fed_in:
            peak = random.choice([0, 5000, 60_000]) if sunny else 2000
            infeed = [int(peak * sun(day, t)) for day, t in at]
            post.send(point.ean, "E18", by_day(infeed, days), plain=False)
            net = [a - b for a, b in zip(net, infeed, strict=True)]
    return net


def send_couplings(post: Post, rows: list[dict], needs: dict[str, list[int]], days) -> None:
    """Send what passes the couplings, so that the areas about balance."""
    random = post.random
    for row in {row["coupling"]: row for row in reversed(rows)}.values():
        area, other = row["grid_area"], row["other_grid_area"]
        both_ways = random.choice([0, 0, 700])
        if other is None:
            inward, needs[area] = needs[area], [0] * len(needs[area])
        else:
            inward = [random.randint(-3000, 3000) for _ in needs[area]]
            needs[area] = [need - wh for need, wh in zip(needs[area], inward, strict=True)]
            needs[other] = [need + wh for need, wh in zip(needs[other], inward, strict=True)]
        into = [max(0, wh) + both_ways for wh in inward]
        out = [max(0, -wh) + both_ways for wh in inward]
        post.send(row["coupling"], "E18", by_day(into, days), plain=True)
        post.send(row["coupling"], "E17", by_day(out, days), plain=True)


def dimensioned(days: list[date], random: Random) -> list[tuple]:
    """Load the profiles of unmetered connections; at times one is missing, or corrected."""
    known = {}
    for name in DIMENSIONED:
        for day in days:
            if random.random() < 0.96:
                n = len(oracle.market_day(day))
                known[name, None, "E17", day] = ([random.randrange(6000) for _ in range(n)], False)
    loaded = [(at_noon(days[0] - 2 * ONE_DAY), known)] if known else []
    if known and random.random() < 0.3:
        key = random.choice(list(known))
        new = [count + 777 for count in known[key][0]]
        loaded.append((at_noon(days[-1] + 2 * ONE_DAY) + timedelta(hours=3), {key: (new, False)}))
    return loaded


def standard(days: list[date], random: Random) -> list[tuple]:
    """Load standard fractions of some categories, of a type or of both, by tariff or not."""
    loaded = []
    for k in range(random.choice([1, 2])):
        known = {}
        for _ in range(random.randint(1, 12)):
            day = random.choice(days)
            n = len(oracle.market_day(day))
            category = random.choice(["E1A", "E1B", "E1C", "E2B", "E3A", "E4A"])
            key = (category, random.choice([None, None, "AMI", "AZI"]), random.choice(FLOWS), day)
            known[key] = ([random.randrange(6000) for _ in range(n)], random.random() < 0.5)
        loaded.append((at_noon(days[0] - (3 - 2 * k) * ONE_DAY) + timedelta(hours=4), known))
    return loaded


FLOWS = oracle_area.DIRECTIONS


def make(seed: int, days: list[date], count: int, with_standard: bool) -> World:
    """Make `count` grid areas; the same arguments give the same world."""
    random = Random(seed)
    areas, traits = AREAS[:count], Counter()
    couplings = couple(areas, days, random)
    post = Post(random, days, traits)
    points: list[Point] = []
    needs = {}
    for area in areas:
        kind, sunny = random.choice(KINDS), random.random() < 0.3
        traits.update([kind] + ["sunny"] * sunny)
        own = points_of(random, area, kind, days, len(points))
        needs[area] = balance(own, days, sunny, random)
        delivered = send_points(post, own, days, sunny)
        needs[area] = [a + b for a, b in zip(needs[area], delivered, strict=True)]
        points += own
    send_couplings(post, couplings, needs, days)
    for point in points:
        point.registers_before = point.registers()
        smart = point.row["group"] == "SMA" and bool(point.cells)
        if smart and random.random() < 0.3:
            traits.update([random.choice(["never_read", "whole_day_missing"])])
            point.never_read() if random.random() < 0.6 else point.whole_day_missing()
        elif smart and random.random() < 0.4:
            traits.update(fleets.spoil(point, random))
        elif random.random() < 0.15:
            random.choice([point.switches_supplier, point.corrected_row])()
    deliveries, _ = fleets.deliver(points, days, random)
    rows = [row for point in points for row in point.rows]
    random.shuffle(rows)
    loaded = dimensioned(days, random)
    if with_standard and random.random() < 0.6:
        loaded += standard(days, random)
    deliveries = earlier_readings(points, days, random) + deliveries
    soon, late = days[-1] + 2 * ONE_DAY, days[-1] + 200 * ONE_DAY
    return World(
        register_rows=rows,
        deliveries=deliveries,
        couplings=couplings,
        volumes=post.deliveries(),
        fractions=loaded,
        days=days,
        areas=areas,
        parameters=default_parameters()
        | {
            "min_points_for_shape": random.choice([2, 3, 20]),
            "residual_assigned_to": random.choice(["offtake"] * 4 + ["nobody"]),
            "reference_areas": random.choice([{}, {AREAS[0]: AREAS[1]}]),
        },
        known_at=at_noon(random.choice([soon, late, late, late])),
        traits=traits,
    )


def worlds(with_standard: bool = True) -> st.SearchStrategy[World]:
    """Give random worlds; hypothesis draws the seed and the sizes only, so drawing is fast."""
    return st.builds(
        make,
        seed=st.integers(0, 2**32 - 1),
        days=st.builds(
            lambda first, count: [first + k * ONE_DAY for k in range(count)],
            st.sampled_from(DAYS),
            st.integers(1, 2),
        ),
        count=st.integers(1, 3),
        with_standard=st.just(with_standard),
    )
