"""The points of a simulated grid area and their register."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kwartier import codes
from kwartier.simulation.figures import Floats, figures, generator, hour_shares, month_days
from kwartier.simulation.mix import Mix, owned

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Fictitious numbers: prefix 8716 99 is none of the seventeen areas of domain §3.
GRID_AREAS = tuple(codes.with_check_digit(87169900000000000 + n) for n in (1, 2))
BRPS = tuple(codes.with_check_digit(871699100000 + n) for n in range(1, 5))
SUPPLIERS = tuple(codes.with_check_digit(871699200000 + n) for n in range(1, 8))
# The BRP of each supplier in the larger and in the smaller area; the last uses two.
BRP_OF_SUPPLIER = np.array([[0, 0], [0, 0], [1, 1], [1, 1], [2, 2], [3, 3], [2, 3]])
SUPPLIER_SHARE = (0.26, 0.08, 0.22, 0.10, 0.16, 0.10, 0.08)
LARGER_AREA_SHARE = 0.7
POINT_BODY = 87169990000000000
TOTALS, TARIFFS, BOTH = 0, 1, 2
KNOWN_DIGITS = 6  # of the kWh register, where the register of points knows them


def point_numbers(first: int, count: int) -> Ints:
    """Number accounting points: EAN-18 with its check digit, in rising order."""
    body = POINT_BODY + np.arange(first, first + count, dtype=np.int64)
    rest, total = body.copy(), np.zeros(count, np.int64)
    for place in range(codes.EAN_DIGITS - 1):
        total += rest % 10 * (3 if place % 2 == 0 else 1)
        rest //= 10
    return body * 10 + (10 - total % 10) % 10


def capacity_limit_wh(capacity: str) -> int:
    """Give the most energy a connection carries in a quarter-hour, without margin [Wh]."""
    phases, amperes = codes.CAPACITIES[capacity]
    return phases * 230 * amperes // 4


@dataclass(frozen=True)
class Points:
    """Accounting points, one entry of each array a point."""

    number: Ints
    area: Ints
    supplier: Ints
    later_supplier: Ints  # from the switch day on; the same where the point does not switch
    capacity: npt.NDArray[np.str_]
    category: npt.NDArray[np.str_]
    limit_wh: Ints
    load_wh: Floats  # a year's use
    solar_wh: Floats  # a year's production, 0 without panels
    panels: Bools
    car_wh: Floats  # what a year's charging at home takes, 0 without an electric car
    pump_wh: Floats  # what a heat pump takes in a year, 0 without one
    dynamic: Bools  # has a contract whose price follows the hour
    registers: Ints  # TOTALS, TARIFFS or BOTH
    refused: Bools
    remotely_readable: Bools
    unreadable: Bools
    in_service: Bools
    large_segment: Bools
    digits: Ints  # 0: unknown
    annual_wh: Floats  # (points, 4): offtake normal, low, infeed normal, low; nan unknown

    @property
    def use_wh(self) -> Floats:
        """Give all that a point uses in a year."""
        return self.load_wh + self.car_wh + self.pump_wh

    @property
    def profiled(self) -> Bools:
        """Tell which points are allocated by profile when the legal ground holds."""
        return self.large_segment | self.refused | ~self.remotely_readable

    @property
    def delivering(self) -> Bools:
        """Tell which points are read."""
        return self.in_service & ~self.profiled & ~self.unreadable

    def suppliers(self, switched: bool) -> Ints:
        """Give the supplier of each point before or after the switch day."""
        return self.later_supplier if switched else self.supplier

    def brps(self, switched: bool) -> Ints:
        """Give the BRP of each point before or after the switch day."""
        return np.asarray(BRP_OF_SUPPLIER[self.suppliers(switched), self.area], np.int64)


def _pick(rng: np.random.Generator, shares: Mapping[str, float], n: int) -> npt.NDArray[np.str_]:
    weights = np.array(list(shares.values()))
    picked = rng.choice(len(weights), n, p=weights / weights.sum())
    return np.array(list(shares))[picked]


def tariff_split(load: Floats, solar: Floats) -> Floats:
    """Net a typical year of load and panels.

    Returns
    -------
    annual : (points, 4) [Wh] offtake normal, offtake low, infeed normal, infeed low.
    """
    figure = figures()["solar"]
    sun = np.array(figure["typical_day_levels"])
    swing = figure["load_swing"] * np.array([-1.0, 1.0])
    use = np.outer(figure["typical_load_levels"], 1.0 + swing).ravel()
    out = np.zeros((len(load), 4))
    for month in range(1, 13):
        first = date(2026, month, 1)
        taken, made = (4.0 * hour_shares(first, way) for way in ("offtake", "infeed"))
        days = month_days(first)
        for kind, hour in np.ndindex(3, 24):
            # The low tariff: weekends, and weekdays before 7 and after 23 o'clock.
            low = int(kind > 0 or not 7 <= hour < 23)
            net = (load[:, None] * (taken[kind, hour] * use))[:, :, None] - (
                solar[:, None] * (made[kind, hour] * sun)
            )[:, None, :]
            out[:, low] += days[kind] * np.maximum(net, 0.0).mean(axis=(1, 2))
            out[:, 2 + low] += days[kind] * np.maximum(-net, 0.0).mean(axis=(1, 2))
    return out


def _readable_already(number: Ints, share: float) -> Bools:
    """Choose a share of the points by a hash of each, so that a larger share has the smaller."""
    mixed = number.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed >> np.uint64(11)) * 2.0**-53 < share)


def make_points(count: int, seed: int, readable: float = 1.0, mix: Mix | None = None) -> Points:
    """Make the small connections of the two simulated grid areas.

    Parameters
    ----------
    readable : part of them whose meters can be read already, if nothing else stands in the way.
    mix : what the customers have and how the suppliers differ; None: panels and refusals as the
        figures say, alike at every supplier, and no cars, heat pumps or dynamic contracts.
    """
    rng = generator(seed, 1)
    share = figures()["connections"]
    solar_share = figures()["solar"]
    capacity = _pick(rng, share["capacity"], count)
    limit = np.array([capacity_limit_wh(str(token)) for token in capacity], np.int64)
    large = limit > capacity_limit_wh("3x25")
    category = np.where(
        large,
        _pick(rng, share["category_large"], count),
        _pick(rng, share["category_small"], count),
    )
    use = figures()["annual_load"]
    load = use["median_wh"] * np.exp(use["log_sd"] * rng.standard_normal(count))
    load *= np.where(large, use["business_factor"], 1.0)
    sunny = rng.random(count)
    solar = solar_share["median_wh"] * np.exp(solar_share["log_sd"] * rng.standard_normal(count))
    supplier = rng.choice(len(SUPPLIERS), count, p=SUPPLIER_SHARE)
    has = owned(supplier, SUPPLIER_SHARE, seed, mix)
    panels = sunny < has.panels
    solar = np.where(panels, solar, 0.0)
    switches = rng.random(count) < share["party_switch"]
    parts = np.array([share["registers"][k] for k in ("totals", "tariffs", "both")])
    in_service = rng.random(count) >= share["out_of_service"]
    load, solar = load * in_service, solar * in_service
    # The register knows the panels, and the annual volumes of the year before them.
    sunny_then = panels & ~has.new_panels
    annual = np.zeros((count, 4))
    annual[sunny_then] = tariff_split(load[sunny_then], solar[sunny_then])
    flat = tariff_split(np.ones(1), np.zeros(1))[0]
    annual[~sunny_then] = load[~sunny_then, None] * flat
    annual += (has.known_extra_wh * in_service)[:, None] * flat
    annual *= np.exp(share["annual_log_sd"] * rng.standard_normal((count, 1)))
    annual[rng.random(count) < share["annual_unknown"]] = np.nan
    number = point_numbers(0, count)
    return Points(
        number=number,
        area=(np.arange(count) >= round(LARGER_AREA_SHARE * count)).astype(np.int64),
        supplier=supplier,
        later_supplier=np.where(switches, (supplier + 1) % len(SUPPLIERS), supplier),
        capacity=capacity,
        category=category,
        limit_wh=limit,
        load_wh=load,
        solar_wh=solar,
        panels=panels,
        car_wh=has.car_wh * in_service,
        pump_wh=has.pump_wh * in_service,
        dynamic=has.dynamic,
        registers=rng.choice(3, count, p=parts),
        refused=rng.random(count) < has.refused,
        remotely_readable=(rng.random(count) >= share["not_remotely_readable"])
        & _readable_already(number, readable),
        unreadable=rng.random(count) < share["technically_unreadable"],
        in_service=in_service,
        large_segment=large & (rng.random(count) < share["large_segment"]),
        digits=np.where(rng.random(count) < share["digits_known"], KNOWN_DIGITS, 0),
        annual_wh=annual,
    )


def register_table(
    points: Points, start: date, switch_day: date | None, others: pa.Table
) -> pa.Table:
    """Write the register of the points as a file would bring it.

    Parameters
    ----------
    start : first day on which the rows hold.
    switch_day : market day on which some points change supplier; None for no changes.
    others : rows of the other points, without recorded_at.
    """
    n = len(points.number)
    switching = (points.later_supplier != points.supplier) & (switch_day is not None)
    earlier = _rows(points, False, np.arange(n), [start] * n)
    ends = pa.array([switch_day if s else None for s in switching], pa.date32())
    earlier = earlier.append_column("valid_to", ends)
    moved = np.flatnonzero(switching)
    later = _rows(points, True, moved, [switch_day] * len(moved))
    later = later.append_column("valid_to", pa.nulls(len(moved), pa.date32()))
    table = pa.concat_tables([earlier, later, others]).combine_chunks()
    recorded = datetime(start.year, 1, 1, tzinfo=UTC)
    stamps = pa.array([recorded] * len(table), pa.timestamp("s", "UTC"))
    return table.append_column("recorded_at", stamps)


def _rows(points: Points, switched: bool, rows: Ints, start: list[date | None]) -> pa.Table:
    def texts(numbers: tuple[int, ...], index: Ints, digits: int) -> pa.Array:
        names = pa.array([f"{number:0{digits}d}" for number in numbers])
        return names.take(pa.array(index[rows]))

    def chosen(condition: Bools, yes: str, no: str) -> pa.Array:
        return pa.array(np.where(condition[rows], yes, no).tolist(), pa.string())

    annual = points.annual_wh[rows]
    whole = np.rint(np.nan_to_num(annual)).astype(np.int64)
    numbers = [codes.ean(int(number)) for number in points.number[rows]]
    columns: dict[str, pa.Array] = {
        "accounting_point": pa.array(numbers, pa.string()),
        "grid_area": texts(GRID_AREAS, points.area, codes.EAN_DIGITS),
        "brp": texts(BRPS, points.brps(switched), codes.GLN_DIGITS),
        "supplier": texts(SUPPLIERS, points.suppliers(switched), codes.GLN_DIGITS),
        "group": pa.repeat(codes.SMART_METER, len(rows)),
        "profile_category": pa.array(points.category[rows].tolist(), pa.string()),
        "consumption_type": chosen(points.panels, "AMI", "AZI"),
        "market_segment": chosen(points.large_segment, "GVB", "KVB"),
        "capacity": pa.array(points.capacity[rows].tolist(), pa.string()),
        "physical_status": chosen(points.in_service, "in_service", "out_of_service"),
        "remote_reading": chosen(points.refused, "off", "on"),
        "remotely_readable": pa.array(points.remotely_readable[rows]),
        "technically_readable": chosen(points.unreadable, "39.1", "true"),
    }
    for place, name in enumerate(("offtake_normal", "offtake_low", "infeed_normal", "infeed_low")):
        unknown = np.isnan(annual[:, place])
        columns[f"annual_{name}_wh"] = pa.array(whole[:, place], mask=unknown)
    digits = points.digits[rows].astype(np.int8)
    columns["digits"] = pa.array(digits, mask=digits == 0)
    columns["loss_type"] = pa.nulls(len(rows), pa.string())
    columns["dimensioned_profile"] = pa.nulls(len(rows), pa.string())
    columns["valid_from"] = pa.array(start, pa.date32())
    return pa.table(columns)
