"""The plain way against the numbers that the market's rules give: it must be right to judge.

Sources: FAQ; SD030; the worked numbers of the domain. The real code is held against the same
numbers in tests/test_numbers.py, and against the bugs of peers in tests/test_bugs_of_peers.py.
"""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import combinations
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests import fleets, oracle

DAY = date(2026, 6, 9)
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)
POINT = int(fleets.with_check_digit("87168590000000042"))
CELL = (fleets.AREAS[0], fleets.BRPS[0], fleets.SUPPLIERS[0], "SMA")
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
LIMIT = 5175  # Wh, 3x25


def a_row(point=POINT, **changes):
    row = {
        "accounting_point": point,
        "grid_area": CELL[0],
        "brp": CELL[1],
        "supplier": CELL[2],
        "valid_from": date(2025, 1, 1),
        "valid_to": None,
        "recorded_at": LONG_AGO,
        "group": "SMA",
        "profile_category": "E1A",
        "consumption_type": "AZI",
        "market_segment": "KVB",
        "capacity": "3x25",
        "physical_status": "in_service",
        "remote_reading": "on",
        "remotely_readable": True,
        "technically_readable": "true",
        "consent": False,
        "annual_offtake_normal_wh": 2_000_000,
        "annual_offtake_low_wh": 1_000_000,
        "annual_infeed_normal_wh": None,
        "annual_infeed_low_wh": None,
        "multiplier": 1,
        "digits": None,
    }
    return row | changes


def read(readings, day=DAY, point=POINT, register="1.8.0", meter=None, status=0):
    """Make the readings {position: Wh} of a register on a day."""
    return [
        {
            "accounting_point": point,
            "register": register,
            "read_at": oracle.moments(day)[j],
            "reading_wh": wh,
            "meter": meter,
            "status": status,
        }
        for j, wh in readings.items()
    ]


def rising(n=96, start=0, step=10, without=()):
    return {j: start + step * j for j in range(n + 1) if j not in without}


def allocate(readings, rows=None, day=DAY, parameters=None):
    delivered_at = oracle.moments(AFTER)[-1] + timedelta(hours=12)
    deliveries = readings if readings and isinstance(readings[0], tuple) else None
    return oracle.allocate(
        rows or [a_row()],
        deliveries or [(delivered_at, readings)],
        day,
        fleets.default_parameters() | (parameters or {}),
    )


def total(result, direction, origin):
    return sum(result.volumes[*CELL, direction, origin])


def rules(result):
    return {finding[0] for finding in result.findings}


# ---- identifiers and calendar -------------------------------------------------------------------
@pytest.mark.parametrize(
    "code",
    "8716916000004 8712423014022 8716871000002 8716912000008 8716892000005 8716878999996 "
    "8716867999983 871685900000056162 871687120000052782 871690910000025589".split(),
)
def test_check_digits(code):
    assert fleets.with_check_digit(code[:-1]) == code


@pytest.mark.parametrize(
    ("day", "first", "end", "n"),
    [
        (date(2020, 2, 9), "2020-02-08T23:00Z", "2020-02-09T23:00Z", 96),
        (date(2020, 3, 29), "2020-03-28T23:00Z", "2020-03-29T22:00Z", 92),
        (date(2020, 6, 9), "2020-06-08T22:00Z", "2020-06-09T22:00Z", 96),
        (date(2020, 10, 25), "2020-10-24T22:00Z", "2020-10-25T23:00Z", 100),
    ],
)
def test_market_day(day, first, end, n):
    at = oracle.moments(day)
    assert (at[0], at[-1]) == (datetime.fromisoformat(first), datetime.fromisoformat(end))
    assert len(oracle.market_day(day)) == n


@pytest.mark.parametrize(("month", "days", "periods"), [(3, 31, 2972), (10, 31, 2980)])
def test_months_with_a_clock_change(month, days, periods):
    assert sum(len(oracle.market_day(date(2026, month, k + 1))) for k in range(days)) == periods


@pytest.mark.parametrize(
    ("capacity", "wh"),
    [
        *[("1x6", 345), ("1x10", 575), ("1x25", 1437.5), ("1x35", 2012.5), ("1x50", 2875)],
        *[("1x63", 3622.5), ("1x80", 4600), ("3x25", 4312.5), ("3x35", 6037.5)],
        *[("3x50", 8625), ("3x63", 10867.5), ("3x80", 13800)],
    ],
)
def test_physical_limit(capacity, wh):
    assert oracle.limit_wh(capacity, Fraction(1)) == int(wh)
    assert oracle.limit_wh(capacity) == int(Fraction(str(wh)) * Fraction(6, 5))


# ---- one register -------------------------------------------------------------------------------
def test_a_rogue_reading_is_dropped_and_both_its_faults_with_it():
    # Seen in real data: 9,293 → 10,289 → 9,293 kWh.
    readings = {0: 9_293_000, 1: 9_293_000, 2: 10_289_000, 3: 9_293_000, 4: 9_293_010}
    assert oracle.longest_chain(readings, LIMIT) == [0, 1, 3, 4]
    reasons = oracle.why_rejected(readings, [0, 1, 3, 4], LIMIT)
    assert reasons == {2: ("above_physical_limit", 996_000, LIMIT)}


def test_a_catch_up_step_is_rejected_as_a_whole_part():
    readings = {j: 10 * j + (122_900 if j >= 5 else 0) for j in range(8)}
    assert oracle.longest_chain(readings, LIMIT) == [0, 1, 2, 3, 4]
    readings = {j: 10 * j + (122_900 if j >= 4 else 0) for j in range(8)}
    assert oracle.longest_chain(readings, LIMIT) == [4, 5, 6, 7], "of two halves the later one"


def test_a_step_at_the_limit_is_kept_and_one_above_is_not():
    assert oracle.longest_chain({0: 0, 2: 2 * LIMIT}, LIMIT) == [0, 2]
    assert oracle.longest_chain({0: 0, 2: 2 * LIMIT + 1}, LIMIT) == [2]


@given(st.lists(st.integers(0, 12), max_size=8), st.integers(0, 4))
def test_the_chain_is_the_best_of_all_choices(values, limit):
    readings = {j: wh for j, wh in enumerate(values) if wh != 12}
    possible = [
        chain
        for k in range(len(readings) + 1)
        for chain in combinations(readings, k)
        if all(0 <= readings[j] - readings[i] <= limit * (j - i) for i, j in combinations(chain, 2))
    ]
    best = max(possible, key=lambda chain: (len(chain), chain[::-1]))
    assert oracle.longest_chain(readings, limit) == list(best)


def test_largest_remainder():
    assert oracle.largest_remainder(2000, [2, 3, 4, 1]) == [400, 600, 800, 200]
    assert oracle.largest_remainder(2, [1, 1, 1]) == [1, 1, 0]
    assert oracle.largest_remainder(7, [0, 0]) == [4, 3]


# ---- a day --------------------------------------------------------------------------------------
def test_volumes_of_three_readings():
    result = allocate(read({0: 1_000_000, 1: 1_002_500, 2: 1_004_800}))
    assert result.volumes[*CELL, "E17", "MSR"][:3] == [2500, 2300, 0]
    assert result.points[*CELL, "E17", "MSR"][:3] == [1, 1, 0]


@pytest.mark.parametrize(
    ("shape", "difference", "expected"),
    [((20, 30, 40, 10), 2000, [400, 600, 800, 200]), ((1, 1, 1, 1), 100, [25, 25, 25, 25])],
)
def test_a_gap_sums_to_its_register_difference(shape, difference, expected):
    def standard(day, direction):
        return [0] * 10 + [count * 100_000 for count in shape] + [0] * 82

    readings = {j: 0 if j <= 10 else difference for j in range(97) if j not in (11, 12, 13)}
    result = allocate(read(readings), parameters={"standard_fraction": standard})
    assert result.volumes[*CELL, "E17", "CLC"][10:14] == expected
    assert total(result, "E17", "CLC") == difference
    assert result.points[*CELL, "E17", "CLC"] == [0] * 10 + [1] * 4 + [0] * 82


def test_roll_over_with_known_digits():
    readings = {0: 999_998_500, 1: 1500}
    result = allocate(read(readings), [a_row(digits=6)])
    assert result.volumes[*CELL, "E17", "MSR"][0] == 3000
    assert ("register_rolled_over", POINT, "1.8.0", 1, 1, 1500, 10**9) in result.findings


def test_roll_over_with_unknown_digits_gives_no_value_and_a_finding():
    result = allocate(read({0: 999_998_500, 1: 1500}))
    assert total(result, "E17", "MSR") == 0
    # Of two chains of one reading the later is kept, so the first is the one rejected.
    assert ("reading_falls", POINT, "1.8.0", 1, 1, -999_997_000, 0) in result.findings


def test_a_gap_over_midnight_is_shared_and_lost_nowhere():
    readings = read(rising(without=range(91, 97)), BEFORE)
    readings += read(rising(start=960, without=range(5)))
    days = [allocate(readings, day=day) for day in (BEFORE, DAY)]
    assert sum(total(result, "E17", "CLC") for result in days) == 11 * 10
    assert sum(total(result, "E17", "MSR") for result in days) == 192 * 10 - 110
    assert not any("broken_bracket" in rules(result) for result in days)


def test_no_closing_register_is_annual_volume_times_fraction():
    readings = read(rising(without=range(93, 97)))
    others = [POINT + 10 * k for k in range(1, 21)]
    for other in others:
        readings += read(rising(step=3), point=other)
    rows = [a_row(point) for point in (POINT, *others)]
    result = allocate(readings, rows)
    # 20 points of 3 Wh and 3 MWh: each period's fraction is 1e-6; 12 Wh for four periods.
    assert result.volumes[*CELL, "E17", "CLC"] == [0] * 92 + [3] * 4
    assert result.coverage[*CELL, "E17", "CLC", "GMR", "DYN"] == (1, 4, 12)
    few = allocate(readings, rows[:-1])
    assert few.coverage[*CELL, "E17", "CLC", "GMR", "STD"][:2] == (1, 4)


def test_a_de_energised_point_is_zero_and_calculated():
    result = allocate(read(rising()), [a_row(physical_status="out_of_service")])
    assert result.volumes[*CELL, "E17", "CLC"] == [0] * 96
    assert result.points[*CELL, "E17", "CLC"] == [1] * 96


# ---- bugs that peers had ------------------------------------------------------------------------
def test_days_are_local_and_input_may_be_unsorted():
    readings = read(rising(step=7))
    Random(1).shuffle(readings)
    assert total(allocate(readings), "E17", "MSR") == 96 * 7


@pytest.mark.parametrize(("day", "n"), [(date(2026, 3, 29), 92), (date(2026, 10, 25), 100)])
def test_clock_change_days_are_whole(day, n):
    late = oracle.moments(day)[-1] + timedelta(hours=5)
    result = allocate([(late, read(rising(n), day))], day=day)
    assert result.volumes[*CELL, "E17", "MSR"] == [10] * n
    assert result.findings == {}


def test_a_fall_is_no_zero():
    result = allocate(read({**rising(), 50: 470}))
    assert result.points[*CELL, "E17", "MSR"][49:51] == [0, 0]
    assert total(result, "E17", "MSR") + total(result, "E17", "CLC") == 960


def test_no_roll_over_at_a_meter_exchange():
    readings = read({j: 999_990_000 + j for j in range(41)}, meter="old")
    readings += read({j: j for j in range(44, 97)}, meter="new")
    result = allocate(readings, [a_row(digits=6)])
    assert result.volumes[*CELL, "E17", "MSR"] == [1] * 40 + [0] * 4 + [1] * 52
    assert result.points[*CELL, "E17", "CLC"][40:44] == [1] * 4
    assert ("meter_exchanged", POINT, None, 1, 96, 2, 1) in result.findings


def test_two_meters_at_once_are_neither_used():
    readings = read(rising(42), meter="old") + read(rising(), meter="new")
    result = allocate(readings)
    assert result.points[*CELL, "E17", "MSR"] == [0] * 42 + [1] * 54
    assert ("two_meters_at_once", POINT, "E17", 1, 42, 2, 1) in result.findings


def test_total_and_tariffs_are_not_summed_twice():
    readings = read(rising()) + read(rising(step=4), register="1.8.1")
    readings += read(rising(step=6), register="1.8.2")
    assert total(allocate(readings), "E17", "MSR") == 960
    readings[20]["reading_wh"] += 2
    result = allocate(readings)
    assert ("total_differs_from_tariffs", POINT, "1.8.0", 20, 21, 2, 1) in result.findings
    readings[20]["reading_wh"] -= 1
    assert allocate(readings).findings == {}


def test_directions_are_never_netted():
    readings = read(rising()) + read(rising(step=25), register="2.8.0")
    result = allocate(readings)
    assert (total(result, "E17", "MSR"), total(result, "E18", "MSR")) == (960, 2400)


def test_a_correction_is_not_outranked_by_an_older_delivery():
    wrong, right = read(rising(step=1)), read(rising(step=2))
    soon, later = (oracle.moments(AFTER)[-1] + timedelta(hours=h) for h in (1, 2))
    deliveries = [(later, right), (soon, wrong)]
    assert total(allocate(deliveries), "E17", "MSR") == 192
    known = oracle.allocate([a_row()], deliveries, DAY, fleets.default_parameters(), soon)
    assert total(known, "E17", "MSR") == 96


def test_a_point_never_read_is_in_the_sum():
    result = allocate([])
    assert total(result, "E17", "CLC") > 0
    assert ("unread_point", POINT, None, 1, 96, 0, 97) in result.findings


def test_a_refused_point_is_not_read():
    assert allocate(read(rising()), [a_row(remote_reading="off")]).volumes == {}


def test_status_and_conflict_are_not_counted_as_zero():
    readings = read(rising())
    readings[30]["status"] = 4
    readings += read({60: 7})
    result = allocate(readings)
    assert ("status_invalid", POINT, "1.8.0", 30, 31, 4, 0) in result.findings
    assert ("missing_readings", POINT, "1.8.0", 60, 61, 1, 0) in result.findings
    assert total(result, "E17", "CLC") == 40


# ---- every fleet --------------------------------------------------------------------------------
# No shrinking: a fleet comes of its seed, so a smaller seed is no simpler fleet.
@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(fleets.fleets(most_points=25, most_days=2), st.integers())
def test_every_point_is_in_each_period_once_and_order_is_nothing(fleet, seed):
    day = fleet.days[-1]
    result = oracle.allocate(fleet.register_rows, fleet.deliveries, day, fleet.parameters)
    ground = fleet.parameters["legal_ground"]
    rows = oracle.register_as_of(fleet.register_rows, day, None).values()
    points = sum(oracle.group_of(row, day, ground) in ("SMA", "NCD") for row in rows)
    offtake = [times for key, times in result.points.items() if key[4] == "E17"]
    for t in range(len(oracle.market_day(day))):
        assert sum(times[t] for times in offtake) == points
    assert all(min(wh) >= 0 for wh in result.volumes.values())
    for lot in (fleet.register_rows, *(readings for _, readings in fleet.deliveries)):
        Random(seed).shuffle(lot)
    again = oracle.allocate(fleet.register_rows, fleet.deliveries, day, fleet.parameters)
    assert again == result
