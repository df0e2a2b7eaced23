"""The oracle numbers of the market, on the real code: days, check digits, limits, estimates."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kwartier import allocate, codes, ingest, kernels, parameters, periods, result
from tests.market import (
    DAY,
    FLAT,
    ONE_DAY,
    POINT,
    START,
    Market,
    but,
    counted,
    ean,
    flat,
    moments,
    point,
    read,
)


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path)


# The market day


@pytest.mark.parametrize(
    ("day", "opens", "closes", "count"),
    [
        ("2020-02-09", "2020-02-08T23:00Z", "2020-02-09T23:00Z", 96),
        ("2020-03-29", "2020-03-28T23:00Z", "2020-03-29T22:00Z", 92),
        ("2020-06-09", "2020-06-08T22:00Z", "2020-06-09T22:00Z", 96),
        ("2020-10-25", "2020-10-24T22:00Z", "2020-10-25T23:00Z", 100),
    ],
)
def test_a_market_day_is_a_local_day(day: str, opens: str, closes: str, count: int) -> None:
    market_day = date.fromisoformat(day)
    edges = [int(datetime.fromisoformat(text).timestamp()) for text in (opens, closes)]
    assert [periods.day_start(market_day), periods.day_start(market_day + ONE_DAY)] == edges
    assert periods.count(market_day) == count
    starts = periods.starts(market_day)
    assert len(starts) == count
    assert (np.diff(starts) == 900).all()
    days, seconds = periods.locate(np.array([edges[0], edges[1] - 1, edges[1]], np.int64))
    assert [periods.day_of_number(d) for d in days] == [market_day] * 2 + [market_day + ONE_DAY]
    assert seconds.tolist() == [0, 900 * count - 1, 0]


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [("2026-03-01", "2026-03-31", 2972), ("2026-10-01", "2026-10-31", 2980)],
)
def test_a_month_with_a_clock_change_has_four_periods_less_or_more(
    first: str, last: str, count: int
) -> None:
    days = periods.between(date.fromisoformat(first), date.fromisoformat(last))
    assert sum(map(periods.count, days)) == count


def test_a_year_of_periods_has_no_seam() -> None:
    days = periods.between(date(2026, 1, 1), date(2026, 12, 31))
    starts = np.concatenate([periods.starts(day) for day in days])
    assert len(starts) == 365 * 96
    assert (np.diff(starts) == 900).all()


# Identifiers

OPERATORS = {
    "Coteq": 8716916000004,
    "Enexis": 8712423014022,
    "Liander": 8716871000002,
    "RENDO": 8716912000008,
    "Stedin": 8716892000005,
    "Westland Infra": 8716878999996,
    "TenneT": 8716867999983,
    "active energy, a product": 8716867000030,
}
AREAS = [
    871685900000056162,
    871687120000052782,
    871687400000002254,
    871687800090000015,
    871687910000219120,
    871688520000076884,
    871688600000002202,
    871689200000010161,
    871690200000000007,
    871690499910000003,
    871690910000025589,
    871691280000000008,
    871691600019188908,
    871692100000010038,
    871692510000000005,
    871694600000002173,
    871694830000000309,
]


@pytest.mark.parametrize(
    ("number", "digits"),
    [*((number, 13) for number in OPERATORS.values()), *((area, 18) for area in AREAS)],
)
def test_the_check_digit_of_every_real_identifier_holds_and_no_other(
    number: int, digits: int
) -> None:
    last_digits = np.array([number - number % 10 + digit for digit in range(10)], np.int64)
    held = codes.check_digits_hold(last_digits, digits)
    assert last_digits[held].tolist() == [number]
    assert codes.with_check_digit(number // 10) == number


def test_there_are_seventeen_grid_areas() -> None:
    assert len(set(AREAS)) == 17


# The physical limit of a connection

BEFORE_MARGIN = {  # phases × 230 V × A ÷ 4 [Wh per quarter], in tenths
    "1x6": 3450,
    "1x10": 5750,
    "1x25": 14_375,
    "1x35": 20_125,
    "1x50": 28_750,
    "1x63": 36_225,
    "1x80": 46_000,
    "3x25": 43_125,
    "3x35": 60_375,
    "3x50": 86_250,
    "3x63": 108_675,
    "3x80": 138_000,
}


def test_the_limits_stand_for_every_capacity() -> None:
    assert set(BEFORE_MARGIN) == set(codes.CAPACITIES)


@pytest.mark.parametrize(("capacity", "tenths"), BEFORE_MARGIN.items())
def test_the_limit_of_a_capacity_before_and_after_the_margin(capacity: str, tenths: int) -> None:
    without = {"limit_margin": {"values": {DAY: "1"}}}
    assert parameters.load(DAY, without).limit_wh(capacity) == tenths // 10
    # The half Wh counts: it is rounded after the margin, 1x25 carries 1725 Wh and not 1724.
    assert parameters.load(DAY).limit_wh(capacity) == tenths * 12 // 100


# Volumes and estimates


def csv(market: Market, rows: list[str], column: str = "reading_kwh") -> None:
    path = market.home.root.parent / "readings.csv"
    path.write_text("\n".join([f"accounting_point,register,read_at,{column}", *rows]) + "\n")
    ingest(market.home, [path], recorded_at=moments(DAY + 2 * ONE_DAY)[0])


def test_readings_in_kwh_give_volumes_in_wh(market: Market) -> None:
    # 1000.0, 1002.5, 1004.8 kWh → 2.5, 2.3 kWh
    market.register(point())
    at = [moment.isoformat() for moment in moments(DAY)[:3]]
    kwh = zip(at, ("1000.0", "1002.5", "1004.8"), strict=True)
    csv(market, [f"{POINT},1.8.0,{moment},{reading}" for moment, reading in kwh])
    assert market.run().measured()[:3] == [2500, 2300, 0]


def with_shape(market: Market, shape: list[int], gap: list[int | None]) -> list[int]:
    """Give how a gap is filled where twenty other points measured this shape [Wh]."""
    others = [ean(100 + k) for k in range(20)]
    market.register(point(), *(point(number) for number in others))
    market.deliver(read(gap), *(read(counted(shape), number) for number in others))
    made = market.run()
    assert made.methods()["CMR"][:2] == (1, made.series("E17", "CLC", "points").count(1))
    return made.calculated()


def test_a_gap_is_spread_by_the_day_s_shape(market: Market) -> None:
    # 4 missing quarters, difference 2.000 kWh, shape .2 .3 .4 .1 → .4 .6 .8 .2
    shape = [FLAT] * 40 + [200, 300, 400, 100] + [FLAT] * 52
    later = START + 40 * FLAT + 2000
    gap = [START + FLAT * j for j in range(41)] + [None] * 3 + [later + FLAT * j for j in range(53)]
    filled = with_shape(market, shape, gap)
    assert filled == [0] * 40 + [400, 600, 800, 200] + [0] * 52


def test_a_gap_with_a_flat_shape_is_spread_evenly(market: Market) -> None:
    # 0, ?, ?, ?, 100 → 25, 25, 25, 25
    gap = [0, None, None, None, *([100] * 93)]
    assert with_shape(market, [FLAT] * 96, gap)[:5] == [25, 25, 25, 25, 0]


def test_a_gap_where_nobody_used_anything_is_spread_evenly(market: Market) -> None:
    gap = [0, None, None, None, *([100] * 93)]
    assert with_shape(market, [0] * 4 + [FLAT] * 92, gap)[:5] == [25, 25, 25, 25, 0]


def test_what_rounding_leaves_goes_to_the_largest_remainders_the_earlier_first() -> None:
    assert kernels.spread(100, np.array([1, 1, 1])).tolist() == [34, 33, 33]
    assert kernels.spread(2000, np.array([2, 3, 4, 1])).tolist() == [400, 600, 800, 200]
    assert kernels.spread(10, np.array([1, 2, 3])).tolist() == [2, 3, 5]  # 1.67 3.33 5.00
    assert kernels.spread(1, np.array([0, 0, 0])).tolist() == [1, 0, 0]
    assert kernels.spread(0, np.array([5, 5])).tolist() == [0, 0]


def rolled(digits: int | None, market: Market) -> tuple[list[int], list[int], list[str]]:
    """Give what 999998.5 → 1.5 kWh in the last quarter of the day becomes."""
    market.register(point(**({"digits": digits} if digits else {})))
    market.deliver(read([*[999_998_500] * 96, 1_500]))
    made = market.run()
    points = made.series("E17", "MSR", "points")
    return made.measured(), points, [row["rule"] for row in made.findings]


def test_a_roll_over_with_six_digits_is_three_kwh(market: Market) -> None:
    volumes, points, _ = rolled(6, market)
    assert (volumes[95], points[95]) == (3000, 1)


def test_a_roll_over_without_known_digits_is_no_value_and_a_finding(market: Market) -> None:
    volumes, points, found = rolled(None, market)
    assert (volumes[95], points[95]) == (0, 0)
    assert "reading_falls" in found
    assert "register_rolled_over" not in found


def test_a_dynamic_fraction_is_the_measured_volume_by_the_annual_volume(market: Market) -> None:
    # Twenty points of 3,000 kWh a year measure 100 Wh in each quarter: 2,000 / 60,000,000 has
    # 8 decimals 0.00003333. A point of 4,500 kWh gets 0.149985 kWh of it: 14,399 Wh a day.
    others = [ean(100 + k) for k in range(20)]
    unread = point(annual_offtake_normal_wh=2_500_000, annual_offtake_low_wh=2_000_000)
    market.register(
        unread,
        *(
            point(n, annual_offtake_normal_wh=1_000_000, annual_offtake_low_wh=2_000_000)
            for n in others
        ),
    )
    market.deliver(*(read(flat(), number) for number in others))
    made = market.run()
    assert made.methods() == {"GMR": (1, 96, 14_399)}
    # 149.985 Wh each: 149, and the 95 Wh that are left go to the first quarters.
    assert made.calculated() == [150] * 95 + [149]
    (status,) = {row["status"] for row in made.coverage if row["method"] == "GMR"}
    assert status == "DYN"


def test_a_measured_quarter_without_energy_is_measured(market: Market) -> None:
    market.register(point())
    market.deliver(read(but(flat(), {41: START + 40 * FLAT})))
    made = market.run()
    assert made.measured()[40] == 0
    assert made.series("E17", "MSR", "points")[40] == 1


def test_all_four_series_are_always_there(market: Market) -> None:
    market.register(point())
    market.deliver(read(flat()))
    made = market.run()
    series = {(row["direction"], row["origin"]) for row in made.allocation}
    assert series == {("E17", "MSR"), ("E17", "CLC"), ("E18", "MSR"), ("E18", "CLC")}
    assert len(made.allocation) == 4 * 96
    assert made.measured("E18") == [0] * 96


def test_a_parameter_holds_from_its_date_on() -> None:
    own = {"limit_margin": {"values": {date(2026, 2, 1): "1.5"}}}
    assert parameters.load(date(2026, 1, 31), own).limit_wh("1x10") == 690
    assert parameters.load(date(2026, 2, 1), own).limit_wh("1x10") == 862


def test_sums_as_arrow_say_the_unit_of_the_market(market: Market) -> None:
    market.register(point())
    market.deliver(read(flat()))
    allocate(market.home, [DAY], known_at=datetime(2026, 2, 1, tzinfo=UTC))
    table = result(market.home, "allocation", [DAY])
    assert table.schema.field("volume_wh").type == pa.int64()
