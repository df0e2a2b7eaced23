"""Every rule fires once, and stands still once on its edge; warnings reject nothing.

Each test goes the whole way: register, delivery, run, result. Its input stands in it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kwartier import findings, ingest
from tests.market import (
    AREA,
    AUTUMN,
    DAY,
    FLAT,
    LIMIT,
    ONE_DAY,
    OTHER,
    POINT,
    REGISTERED,
    SPRING,
    START,
    Market,
    Outcome,
    but,
    counted,
    ean,
    flat,
    moments,
    point,
    read,
    volumes,
)

FIRES: set[str] = set()
STANDS_STILL: set[str] = set()
Test = Callable[..., None]


def fires(rule: str) -> Callable[[Test], Test]:
    return lambda test: FIRES.add(rule) or test  # type: ignore[func-returns-value]


def stands_still(*rules: str) -> Callable[[Test], Test]:
    return lambda test: STANDS_STILL.update(rules) or test  # type: ignore[func-returns-value]


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path)


def of(
    rule: str,
    severity: str,
    periods: tuple[int, int],
    observed: int,
    limit: int,
    *,
    register: str | None = None,
    rows: int = 0,
    number: int = POINT,
    day: date = DAY,
    grid_area: str | None = AREA,
) -> list[dict[str, Any]]:
    """Give the one finding that is expected, whole."""
    return [
        {
            "market_day": day,
            "grid_area": grid_area,
            "rule": rule,
            "severity": severity,
            "accounting_point": number,
            "register": register,
            "first_period": periods[0],
            "last_period": periods[1],
            "observed": observed,
            "limit": limit,
            "rows": rows,
        }
    ]


def outcome(market: Market, *days: list[dict[str, Any]], **cells: Any) -> Outcome:
    """Give what comes of one point with these readings on DAY."""
    market.register(point(**cells))
    market.deliver(*days)
    return market.run()


def local(market: Market, day: date, *rows: str) -> Outcome:
    """Give what comes of readings whose times stand in local time without offset."""
    market.register(point())
    path = market.home.root.parent / "readings.csv"
    head = "accounting_point,register,read_at,reading_wh\n"
    path.write_text(head + "".join(f"{POINT},1.8.0,{row}\n" for row in rows), "utf-8")
    recorded_at = datetime.combine(day + 2 * ONE_DAY, datetime.min.time(), UTC)
    ingest(market.home, [path], clock="Europe/Amsterdam", recorded_at=recorded_at)
    return market.run(day)


# At the door, when readings are taken in


@fires("no_value")
def test_a_row_without_a_reading_is_found(market: Market) -> None:
    empty = {**read(flat())[40], "reading_wh": None}
    made = outcome(market, read(flat()), [empty])
    assert made.found("no_value") == of("no_value", "error", (0, 0), 1, 0, rows=1)


@stands_still("no_value")
def test_a_reading_of_zero_is_a_reading(market: Market) -> None:
    made = outcome(market, read(flat(start=0)))
    assert made.findings == []


@fires("nonexistent_time")
def test_a_local_time_in_the_hour_skipped_in_spring_is_found(market: Market) -> None:
    made = local(market, SPRING, "2026-03-29T01:45:00,10", "2026-03-29T02:15:00,20")
    expected = of("nonexistent_time", "error", (0, 0), 1, 0, rows=1, day=SPRING)
    assert made.found("nonexistent_time") == expected


@stands_still("nonexistent_time")
def test_the_local_times_on_both_sides_of_the_skipped_hour_exist(market: Market) -> None:
    # 01:45 and 03:00 are one quarter apart; period 8 is 01:45 to 03:00.
    made = local(market, SPRING, "2026-03-29T01:45:00,10", "2026-03-29T03:00:00,20")
    assert made.found("nonexistent_time") == []
    assert made.measured()[7] == 10


@fires("ambiguous_time")
def test_a_local_time_in_the_doubled_hour_of_autumn_alone_is_found(market: Market) -> None:
    made = local(market, AUTUMN, "2026-10-25T01:45:00,10", "2026-10-25T02:15:00,20")
    expected = of("ambiguous_time", "error", (0, 0), 1, 0, rows=1, day=AUTUMN)
    assert made.found("ambiguous_time") == expected


@stands_still("ambiguous_time")
def test_the_doubled_hour_read_twice_in_order_is_clear(market: Market) -> None:
    times = ["01:45", "02:00", "02:15", "02:30", "02:45", "02:00", "02:15", "02:30", "02:45"]
    rows = [f"2026-10-25T{shown}:00,{10 * j}" for j, shown in enumerate([*times, "03:00"])]
    made = local(market, AUTUMN, *rows)
    assert made.found("ambiguous_time") == []
    # 01:45 is the end of period 7; the nine quarters after it are all measured.
    assert made.measured()[7:16] == [10] * 9


def day_row(market: Market, day: date, readings: list[int | None]) -> Outcome:
    market.register(point(), point(OTHER))
    market.deliver(read(flat(day), OTHER, day=day))
    table = pa.table(
        {
            "accounting_point": [POINT],
            "market_day": [day],
            "register": ["1.8.0"],
            "reading_wh": [readings],
        }
    )
    ingest(market.home, [table], recorded_at=moments(day)[-1] + 3 * ONE_DAY)
    return market.run(day)


@fires("wrong_count")
def test_a_day_row_of_97_readings_on_the_day_of_92_periods_is_found(market: Market) -> None:
    made = day_row(market, SPRING, flat(DAY))
    expected = of("wrong_count", "error", (0, 0), 97, 93, rows=97, day=SPRING)
    assert made.found("wrong_count") == expected


@stands_still("wrong_count")
@pytest.mark.parametrize("day", [DAY, SPRING, AUTUMN])
def test_a_day_row_of_the_day_s_own_count_is_taken(market: Market, day: date) -> None:
    made = day_row(market, day, flat(day))
    assert made.findings == []
    assert set(made.measured()) == {2 * FLAT}


@fires("unknown_point")
def test_a_reading_of_a_point_that_is_not_in_the_register_is_found(market: Market) -> None:
    made = outcome(market, read(flat()), read(flat(), ean(77))[:1])
    expected = of("unknown_point", "error", (0, 0), 1, 0, rows=1, number=ean(77), grid_area=None)
    assert made.found("unknown_point") == expected


@stands_still("unknown_point")
def test_a_point_that_the_register_knows_from_tomorrow_on_is_not_unknown(market: Market) -> None:
    market.register(point(), point(OTHER, valid_from=DAY + ONE_DAY))
    market.deliver(read(flat()), read(flat(), OTHER)[40:41])
    made = market.run()
    assert made.found("unknown_point") == []
    assert [row["rule"] for row in made.findings] == ["not_eligible"]


NEW_YEAR = date(2026, 1, 1)
EVE = NEW_YEAR - ONE_DAY


@fires("not_eligible")
@pytest.mark.parametrize(
    "cells",
    [
        {"remote_reading": "off"},
        {"remotely_readable": False},
        {"market_segment": "GVB"},
        {"group": "PRF"},
        {"group": "TMT"},
        {"physical_status": "out_of_service"},
    ],
    ids=lambda cells: " ".join(map(str, *cells.items())),
)
def test_of_a_point_that_may_not_be_read_only_the_fact_is_kept(
    market: Market, cells: dict[str, Any]
) -> None:
    market.register(point(**cells), point(OTHER))
    took = market.deliver(read(flat()), read(flat(), OTHER))
    assert took.rows_kept == 97
    if cells.get("group") == "TMT":
        market.volumes(volumes(POINT, 0))
    made = market.run()
    # The 97th, at the closing midnight, is counted once: on the day that it opens.
    [found] = made.found("not_eligible")
    assert [found] == of("not_eligible", "info", (0, 0), 96, 0, rows=96)
    # What is allocated by profile without an annual volume takes the default.
    assert {row["rule"] for row in made.findings} <= {"not_eligible", "no_annual_volume"}
    assert made.measured() == [FLAT] * 96  # of the other point


@fires("not_eligible")
def test_before_the_legal_ground_a_point_without_consent_may_not_be_read(market: Market) -> None:
    market.register(point(), point(OTHER, consent=True))
    market.deliver(read(flat(EVE), day=EVE)[40:41], read(flat(EVE), OTHER, day=EVE))
    made = market.run(EVE)
    assert made.found("not_eligible") == of("not_eligible", "info", (0, 0), 1, 0, rows=1, day=EVE)


@stands_still("not_eligible")
def test_the_midnight_at_which_the_legal_ground_begins_may_be_read(market: Market) -> None:
    market.register(point(), point(OTHER, consent=True))
    market.deliver(read(flat(NEW_YEAR), day=NEW_YEAR), read(flat(EVE), OTHER, day=EVE))
    assert market.run(EVE).found("not_eligible") == []
    made = market.run(NEW_YEAR)
    assert made.found("not_eligible") == []
    assert made.series("E17", "MSR", "points") == [1] * 96


def read_late(position: int, seconds: int) -> list[dict[str, Any]]:
    rows = read(flat())
    rows[position]["read_at"] += timedelta(seconds=seconds)
    return rows


@fires("off_quarter")
@pytest.mark.parametrize("seconds", [31, -31])
def test_a_reading_31_seconds_off_the_quarter_is_found(market: Market, seconds: int) -> None:
    made = outcome(market, read_late(40, seconds))
    assert made.found("off_quarter") == of("off_quarter", "warning", (0, 0), 31, 30, rows=1)
    assert made.series("E17", "MSR", "points")[38:42] == [1, 0, 0, 1]


@stands_still("off_quarter")
@pytest.mark.parametrize("seconds", [30, -30])
@pytest.mark.parametrize("position", [0, 40, 96])
def test_a_reading_30_seconds_off_is_that_quarter_s(
    market: Market, position: int, seconds: int
) -> None:
    made = outcome(market, read_late(position, seconds))
    assert made.findings == []
    assert made.measured() == [FLAT] * 96


def taken_in(market: Market, recorded_at: datetime, *days: list[dict[str, Any]]) -> Outcome:
    market.register(point())
    market.deliver(*days, recorded_at=recorded_at)
    return market.run()


@fires("in_future")
def test_a_reading_one_second_later_than_its_taking_in_is_found(market: Market) -> None:
    made = taken_in(market, moments(DAY)[40] - timedelta(seconds=1), read(flat())[:41])
    assert made.found("in_future") == of("in_future", "error", (0, 0), 1, 0, rows=1)


@stands_still("in_future")
def test_a_reading_of_the_moment_of_its_taking_in_is_kept(market: Market) -> None:
    made = taken_in(market, moments(DAY)[40], read(flat())[:41])
    assert made.found("in_future") == []
    assert made.measured()[39] == FLAT


@fires("too_old")
def test_a_reading_131_days_old_is_found(market: Market) -> None:
    market.register(point(), point(OTHER))
    market.deliver(read(flat(), OTHER))
    market.deliver(read(flat())[40:41], recorded_at=moments(DAY + 131 * ONE_DAY)[0])
    made = market.run()
    assert made.found("too_old") == of("too_old", "warning", (0, 0), 131, 130, rows=1)


@stands_still("too_old")
def test_a_reading_130_days_old_is_kept(market: Market) -> None:
    last_moment = moments(DAY + 130 * ONE_DAY)[-1] - timedelta(seconds=1)
    made = taken_in(market, last_moment, read(flat()))
    assert made.findings == []


@fires("duplicate_reading")
def test_the_same_reading_twice_in_a_delivery_is_kept_once(market: Market) -> None:
    made = outcome(market, read(flat()), read(flat())[40:41])
    expected = of("duplicate_reading", "info", (40, 41), 2, 1, register="1.8.0", rows=1)
    assert made.findings == expected
    assert made.measured() == [FLAT] * 96


@stands_still("duplicate_reading", "conflicting_readings")
def test_the_same_reading_in_two_deliveries_is_no_duplicate(market: Market) -> None:
    market.register(point())
    market.deliver(read(flat()))
    market.deliver(read(flat())[40:41])
    assert market.run().findings == []


@fires("conflicting_readings")
def test_two_values_of_one_moment_in_a_delivery_are_both_left_out(market: Market) -> None:
    other = but(flat(), {40: START + 40 * FLAT + 1})
    made = outcome(market, read(flat()), read(other)[40:41])
    expected = of("conflicting_readings", "error", (40, 41), 2, 1, register="1.8.0", rows=2)
    assert made.found("conflicting_readings") == expected
    assert made.series("E17", "MSR", "points")[38:42] == [1, 0, 0, 1]


@fires("conflicting_readings")
def test_two_values_at_midnight_are_found_on_both_days_that_lose_the_reading(
    market: Market,
) -> None:
    other = read(but(flat(), {96: START + 96 * FLAT + 1}))[96:]
    market.register(point())
    market.deliver(read(flat()), other, read(flat(start=START + 9600), day=DAY + ONE_DAY)[1:])
    made = market.run(DAY, DAY + ONE_DAY)
    found = made.found("conflicting_readings")
    assert [(row["market_day"], row["first_period"], row["last_period"]) for row in found] == [
        (DAY, 96, 96),
        (DAY + ONE_DAY, 1, 1),
    ]
    assert sum(row["rows"] for row in found) == 2


@stands_still("conflicting_readings")
def test_another_value_in_a_later_delivery_is_a_correction(market: Market) -> None:
    market.register(point())
    market.deliver(read(flat()))
    market.deliver(read(but(flat(), {40: START + 40 * FLAT + 1}))[40:41])
    made = market.run()
    assert made.findings == []
    assert made.measured()[39:41] == [FLAT + 1, FLAT - 1]


# In the run: the register of points


@fires("register_gap")
def test_a_day_between_two_rows_of_a_point_is_found(market: Market) -> None:
    market.register(point(valid_to=DAY), point(valid_from=DAY + ONE_DAY), point(OTHER))
    market.deliver(read(flat(), OTHER))
    assert market.run().findings == of("register_gap", "error", (0, 0), 0, 1)


@stands_still("register_gap", "register_overlap")
def test_rows_that_meet_at_midnight_leave_no_gap_and_no_overlap(market: Market) -> None:
    market.register(point(valid_to=DAY), point(valid_from=DAY))
    market.deliver(read(flat()))
    assert market.run().findings == []


@stands_still("register_gap")
def test_the_days_before_a_point_s_first_row_and_after_its_last_are_no_gap(market: Market) -> None:
    market.register(
        point(valid_to=DAY), point(ean(3), valid_from=DAY + ONE_DAY), point(OTHER), point(ean(4))
    )
    market.deliver(read(flat(), OTHER), read(flat(), ean(4)))
    assert market.run().findings == []


@fires("register_overlap")
@pytest.mark.parametrize("rows", [2, 3])
def test_rows_recorded_together_that_hold_the_same_day_are_found(market: Market, rows: int) -> None:
    market.register(*(point(valid_from=date(2025, 1 + j, 1)) for j in range(rows)))
    market.deliver(read(flat()))
    assert market.run().findings == of("register_overlap", "error", (0, 0), rows, 1)


@stands_still("register_overlap")
def test_a_row_recorded_later_replaces_and_does_not_overlap(market: Market) -> None:
    market.register(point(valid_from=date(2025, 1, 1)))
    market.register(point(valid_from=date(2025, 2, 1)), recorded_at=REGISTERED + ONE_DAY)
    market.deliver(read(flat()))
    assert market.run().findings == []


@fires("no_annual_volume")
def test_an_estimate_without_an_annual_volume_in_the_register_is_found(market: Market) -> None:
    market.register(point(), point(OTHER))
    market.deliver(read(flat(), OTHER))
    made = market.run()
    expected = of("no_annual_volume", "info", (1, 96), 3_900_000, 0, register="E17")
    assert made.found("no_annual_volume") == expected


@stands_still("no_annual_volume")
@pytest.mark.parametrize("annual", [0, 3_000_000])
def test_an_annual_volume_of_zero_is_given(market: Market, annual: int) -> None:
    market.register(point(annual_offtake_low_wh=annual), point(OTHER))
    market.deliver(read(flat(), OTHER))
    made = market.run()
    assert made.found("no_annual_volume") == []
    assert (sum(made.calculated()) > 0) == (annual > 0)


# In the run: the readings


@fires("status_invalid")
@pytest.mark.parametrize("bits", [1, 2, 4, 4 + 8])
def test_a_reading_that_its_meter_calls_invalid_is_not_used(market: Market, bits: int) -> None:
    made = outcome(market, read(flat(), status={40: bits}))
    assert made.findings == of("status_invalid", "error", (40, 41), bits, 0, register="1.8.0")
    assert made.series("E17", "MSR", "points")[38:42] == [1, 0, 0, 1]


@stands_still("status_invalid")
def test_the_other_status_bits_reject_nothing(market: Market) -> None:
    made = outcome(market, read(flat(), status={40: 8 + 16 + 32 + 64 + 128}))
    assert made.findings == []
    assert made.measured() == [FLAT] * 96


@fires("reading_falls")
def test_a_reading_below_the_ones_before_is_not_used(market: Market) -> None:
    made = outcome(market, read(but(flat(), {40: START + 38 * FLAT - 1})))
    assert made.findings == of("reading_falls", "error", (40, 41), -FLAT - 1, 0, register="1.8.0")
    assert made.series("E17", "MSR", "points")[38:42] == [1, 0, 0, 1]


@fires("reading_falls")
def test_of_two_readings_that_contradict_each_other_the_later_is_believed(market: Market) -> None:
    # Without either of them the rest is a chain, equally long.
    made = outcome(market, read(but(flat(), {40: START + 39 * FLAT - 1})))
    assert made.findings == of("reading_falls", "error", (39, 40), -1, 0, register="1.8.0")


@stands_still("reading_falls")
def test_a_reading_equal_to_the_one_before_is_used(market: Market) -> None:
    made = outcome(market, read(but(flat(), {40: START + 39 * FLAT})))
    assert made.findings == []
    assert made.measured()[39] == 0


@fires("above_physical_limit")
def test_one_wh_above_the_physical_limit_is_not_used(market: Market) -> None:
    made = outcome(market, read(but(flat(), {96: START + 95 * FLAT + LIMIT + 1})))
    expected = of("above_physical_limit", "error", (95, 96), LIMIT + 1, LIMIT, register="1.8.0")
    assert made.found("above_physical_limit") == expected
    assert made.series("E17", "MSR", "points")[93:] == [1, 0, 0]


@stands_still("above_physical_limit")
def test_the_physical_limit_itself_is_used(market: Market) -> None:
    made = outcome(market, read(but(flat(), {96: START + 95 * FLAT + LIMIT})))
    assert made.found("above_physical_limit") == []
    assert made.measured()[95] == LIMIT


@stands_still("above_physical_limit")
def test_over_a_gap_the_limit_counts_for_every_elapsed_quarter(market: Market) -> None:
    readings = [START, None, START + 2 * LIMIT, *[START + 2 * LIMIT] * 94]
    made = outcome(market, read(readings))
    assert made.found("above_physical_limit") == []
    assert sum(made.calculated()) == 2 * LIMIT


@fires("above_physical_limit")
def test_two_tariffs_each_within_the_limit_can_be_above_it_together(market: Market) -> None:
    low, normal = (counted([0] * 95 + [wh]) for wh in (LIMIT, 1))
    made = outcome(market, read(low, register="1.8.1"), read(normal, register="1.8.2"))
    expected = of("above_physical_limit", "error", (95, 96), LIMIT + 1, LIMIT, register="E17")
    assert made.found("above_physical_limit") == expected


MOST = 10**9  # where a register of 6 digits begins again [Wh]


@fires("register_rolled_over")
def test_a_register_that_began_again_at_zero_counts_on(market: Market) -> None:
    readings = [(MOST - 50 * FLAT + 1 + FLAT * j) % MOST for j in range(97)]
    made = outcome(market, read(readings), digits=6)
    expected = of("register_rolled_over", "info", (50, 50), 1, MOST, register="1.8.0")
    assert made.findings == expected
    assert made.measured() == [FLAT] * 96


@stands_still("register_rolled_over")
def test_the_highest_number_is_no_roll_over(market: Market) -> None:
    made = outcome(market, read([MOST - 1 - 96 * FLAT + FLAT * j for j in range(97)]), digits=6)
    assert made.findings == []


@stands_still("register_rolled_over")
def test_without_known_digits_no_roll_over_is_guessed(market: Market) -> None:
    readings = [(MOST - 50 * FLAT + 1 + FLAT * j) % MOST for j in range(97)]
    made = outcome(market, read(readings))
    assert made.found("register_rolled_over") == []
    fall = of("reading_falls", "error", (50, 96), FLAT - MOST, 0, register="1.8.0")
    assert made.found("reading_falls") == fall


@stands_still("total_differs_from_tariffs")
def test_a_total_that_rolled_over_before_its_tariffs_still_agrees_with_them(
    market: Market,
) -> None:
    # Yesterday the total passed 999999.999 kWh; its tariffs stand at 400000 and 600000 kWh.
    rows = read(flat(start=0))
    rows += read(flat(step=40, start=400_000_000), register="1.8.1")
    rows += read(flat(step=60, start=600_000_000), register="1.8.2")
    made = outcome(market, rows, digits=6)
    assert made.findings == []
    assert made.measured() == [FLAT] * 96


def tariffs(off: dict[int, int]) -> list[dict[str, Any]]:
    """Give total and tariffs that agree but for `off`, by position [Wh]."""
    total = [1_000_000 + 100 * j + off.get(j, 0) for j in range(97)]
    low, normal = (
        [start + wh * j for j in range(97)] for start, wh in ((400_000, 40), (600_000, 60))
    )
    return read(total) + read(low, register="1.8.1") + read(normal, register="1.8.2")


@fires("total_differs_from_tariffs")
@pytest.mark.parametrize("off", [2, -2])
def test_a_total_two_wh_off_its_tariffs_is_not_used_nor_are_they(market: Market, off: int) -> None:
    made = outcome(market, tariffs({20: off}))
    expected = of("total_differs_from_tariffs", "error", (20, 21), off, 1, register="1.8.0")
    assert made.findings == expected
    assert made.series("E17", "MSR", "points")[18:22] == [1, 0, 0, 1]


@stands_still("total_differs_from_tariffs")
def test_a_total_one_wh_off_its_tariffs_is_rounding(market: Market) -> None:
    made = outcome(market, tariffs({20: 1}))
    assert made.findings == []
    assert made.measured()[19:21] == [FLAT + 1, FLAT - 1]


@fires("day_sum_differs")
def test_a_day_sum_three_wh_off_the_tariffs_is_found(market: Market) -> None:
    made = outcome(market, tariffs({96: 3}))
    expected = of("day_sum_differs", "warning", (1, 96), 3, 2, register="1.8.0")
    assert made.found("day_sum_differs") == expected


@stands_still("day_sum_differs")
def test_a_day_sum_two_wh_off_the_tariffs_is_rounding(market: Market) -> None:
    made = outcome(market, tariffs({0: -1, 96: 1}))
    assert made.findings == []
    assert sum(made.measured()) == 96 * FLAT + 2


@fires("day_sum_differs")
def test_a_smaller_tolerance_of_the_day_sum_is_held_also_where_every_reading_is_there(
    tmp_path: Path,
) -> None:
    market = Market(tmp_path, "day_sum_tolerance_wh: {values: {2026-01-01: 1}}\n")
    made = outcome(market, tariffs({0: -1, 96: 1}))
    assert made.findings == of("day_sum_differs", "warning", (1, 96), 2, 1, register="1.8.0")


@fires("missing_readings")
@pytest.mark.parametrize(
    ("missing", "periods"),
    [(range(2), (1, 2)), (range(40, 43), (40, 43)), (range(96, 97), (96, 96))],
    ids=["head", "within", "truncated by one"],
)
def test_readings_that_are_not_there_are_found(
    market: Market, missing: range, periods: tuple[int, int]
) -> None:
    made = outcome(market, read(but(flat(), dict.fromkeys(missing))), annual_offtake_low_wh=1)
    expected = of("missing_readings", "warning", periods, len(missing), 0, register="1.8.0")
    assert made.findings == expected


@stands_still("missing_readings")
@pytest.mark.parametrize("day", [DAY, SPRING, AUTUMN])
def test_the_count_of_the_day_is_whole(market: Market, day: date) -> None:
    market.register(point())
    market.deliver(read(flat(day), day=day))
    assert market.run(day).findings == []


@stands_still("missing_readings")
def test_tariffs_of_the_daily_profile_beside_a_total_lack_nothing(market: Market) -> None:
    daily = [row for row in tariffs({}) if row["register"] == "1.8.0"]
    daily += [row for row in tariffs({}) if row["read_at"] in (moments(DAY)[0], moments(DAY)[-1])]
    daily = [dict(row) for row in {tuple(row.items()) for row in daily}]
    made = outcome(market, daily)
    assert made.findings == []
    assert made.measured() == [FLAT] * 96


@fires("missing_readings")
def test_the_infeed_of_which_no_register_came_is_found(market: Market) -> None:
    made = outcome(market, read(flat()), consumption_type="AMI", annual_infeed_normal_wh=1_000_000)
    assert made.methods("E18")["GMR"][:2] == (1, 96)
    expected = of("missing_readings", "warning", (1, 96), 97, 0, register="E18")
    assert made.findings == expected


@stands_still("missing_readings", "meter_exchanged")
def test_an_exchange_at_midnight_leaves_both_days_whole(market: Market) -> None:
    following = DAY + ONE_DAY
    market.register(point())
    market.deliver(
        read(flat(), meter="OLD"), read(flat(following, start=7), day=following, meter="NEW")
    )
    made = market.run(DAY, following)
    assert made.measured() == [FLAT] * 192
    assert made.findings == []


@fires("unread_point")
def test_a_point_of_which_nothing_came_is_found(market: Market) -> None:
    market.register(point(annual_offtake_low_wh=3_000_000), point(OTHER))
    market.deliver(read(flat(), OTHER))
    made = market.run()
    assert made.findings == of("unread_point", "warning", (1, 96), 0, 97)
    assert made.series("E17", "CLC", "points") == [1] * 96


@stands_still("unread_point")
def test_one_reading_is_a_reading(market: Market) -> None:
    made = outcome(market, read(flat())[96:])
    assert made.found("unread_point") == []
    assert made.found("missing_readings")[0]["observed"] == 96


def exchange(old: range, new: range) -> list[dict[str, Any]]:
    """Give the readings of an old and a new meter, each at its positions."""
    first = [reading if j in old else None for j, reading in enumerate(flat())]
    second = [reading if j in new else None for j, reading in enumerate(flat(start=7))]
    return read(first, meter="OLD") + read(second, meter="NEW")


@fires("meter_exchanged")
def test_two_meters_on_a_day_are_found_and_each_measures_its_own_periods(market: Market) -> None:
    made = outcome(market, exchange(range(49), range(48, 97)))
    assert made.found("meter_exchanged") == of("meter_exchanged", "info", (1, 96), 2, 1)
    assert made.measured() == [FLAT] * 96


@stands_still("meter_exchanged", "two_meters_at_once")
def test_one_meter_with_more_than_one_register_is_one_meter(market: Market) -> None:
    made = outcome(market, [{**row, "meter": "ONE"} for row in tariffs({})])
    assert made.findings == []


@fires("two_meters_at_once")
def test_a_period_that_two_meters_measured_is_measured_by_neither(market: Market) -> None:
    made = outcome(market, exchange(range(50), range(48, 97)))
    expected = of("two_meters_at_once", "error", (49, 49), 2, 1, register="E17")
    assert made.found("two_meters_at_once") == expected
    assert made.series("E17", "MSR", "points")[47:50] == [1, 0, 1]


@stands_still("two_meters_at_once")
def test_two_meters_read_at_the_same_moment_share_no_period(market: Market) -> None:
    made = outcome(market, exchange(range(49), range(48, 97)))
    assert made.found("two_meters_at_once") == []


def over_midnight(market: Market, rise: int) -> Outcome:
    """Give a day read up to position 90 and the next from position 4 on, `rise` Wh later."""
    market.register(point(annual_offtake_low_wh=3_000_000))
    later = flat(start=START + 90 * FLAT + rise - 4 * FLAT)
    market.deliver(read(flat())[:91], read(later, day=DAY + ONE_DAY)[4:])
    return market.run()


@fires("broken_bracket")
@pytest.mark.parametrize("rise", [-1, 10 * LIMIT + 1])
def test_readings_around_a_gap_that_no_meter_could_make_close_nothing(
    market: Market, rise: int
) -> None:
    made = over_midnight(market, rise)
    expected = of("broken_bracket", "error", (91, 96), rise, 10 * LIMIT, register="E17")
    assert made.found("broken_bracket") == expected
    assert set(made.methods()) == {"GMR"}


@stands_still("broken_bracket")
@pytest.mark.parametrize("rise", [0, 10 * LIMIT])
def test_readings_around_a_gap_at_the_edge_of_the_possible_close_it(
    market: Market, rise: int
) -> None:
    made = over_midnight(market, rise)
    assert made.found("broken_bracket") == []
    assert set(made.methods()) == {"CMR"}


# Warnings that reject nothing


def all_measured(made: Outcome, volumes: list[int]) -> bool:
    return made.measured() == volumes and made.calculated() == [0] * 96


@fires("zero_run")
def test_eight_hours_without_energy_are_found_and_kept(market: Market) -> None:
    volumes = [FLAT] * 10 + [0] * 32 + [FLAT] * 54
    made = outcome(market, read(counted(volumes)))
    assert made.findings == of("zero_run", "warning", (11, 42), 32, 32)
    assert all_measured(made, volumes)


@stands_still("zero_run")
def test_a_quarter_less_without_energy_is_nothing_odd(market: Market) -> None:
    made = outcome(market, read(counted([FLAT] * 10 + [0] * 31 + [FLAT] * 55)))
    assert made.findings == []


@stands_still("zero_run", "silent_meter")
def test_no_offtake_while_there_is_infeed_is_no_zero_run(market: Market) -> None:
    made = outcome(
        market,
        read(counted([0] * 96)),
        read(counted([0] * 31 + [FLAT] * 30 + [0] * 31 + [FLAT] * 4), register="2.8.0"),
        consumption_type="AMI",
    )
    assert made.findings == []


@fires("silent_meter")
def test_a_day_without_any_energy_is_found_and_kept(market: Market) -> None:
    made = outcome(market, read(counted([0] * 96)))
    assert made.findings == of("silent_meter", "warning", (1, 96), 0, 0)
    assert all_measured(made, [0] * 96)
    assert made.series("E17", "MSR", "points") == [1] * 96


@fires("silent_meter")
def test_a_silent_meter_is_found_whatever_a_long_zero_run_is(tmp_path: Path) -> None:
    market = Market(tmp_path, "zero_run_periods: {values: {2026-01-01: 200}}\n")
    made = outcome(market, read(counted([0] * 96)))
    assert made.findings == of("silent_meter", "warning", (1, 96), 0, 0)


@stands_still("silent_meter")
def test_one_wh_is_not_silence(market: Market) -> None:
    made = outcome(market, read(counted([0] * 95 + [1])))
    assert [row["rule"] for row in made.findings] == ["zero_run"]


def both(market: Market, infeed: int) -> Outcome:
    return outcome(
        market,
        read(counted([FLAT] * 19 + [1500] + [FLAT] * 76)),
        read(counted([0] * 19 + [infeed] + [0] * 76), register="2.8.0"),
        consumption_type="AMI",
    )


@fires("both_directions_large")
def test_large_offtake_and_infeed_at_once_are_found_and_kept(market: Market) -> None:
    made = both(market, 1001)
    assert made.findings == of("both_directions_large", "warning", (20, 20), 1001, 1000)
    assert made.measured("E17")[19] == 1500
    assert made.measured("E18")[19] == 1001


@stands_still("both_directions_large")
def test_infeed_of_one_kwh_beside_large_offtake_is_nothing_odd(market: Market) -> None:
    assert both(market, 1000).findings == []


@fires("outlier")
def test_a_volume_far_from_the_day_s_median_is_found_and_kept(market: Market) -> None:
    volumes = [FLAT] * 30 + [FLAT + 3001] + [FLAT] * 65
    made = outcome(market, read(counted(volumes)))
    assert made.findings == of("outlier", "warning", (31, 31), 3001, 3000, register="E17")
    assert all_measured(made, volumes)


@stands_still("outlier")
def test_a_volume_at_the_edge_of_the_usual_is_nothing_odd(market: Market) -> None:
    volumes = [FLAT] * 30 + [FLAT + 3000] + [FLAT] * 65
    assert outcome(market, read(counted(volumes))).findings == []


def test_every_rule_has_a_test_that_fires_it_and_one_on_its_edge() -> None:
    for name in ("test_area", "test_volumes_door"):  # hold the rules of the area and of its door
        import_module(f"tests.{name}")
    assert set(findings.RULES) == FIRES
    assert set(findings.RULES) == STANDS_STILL
