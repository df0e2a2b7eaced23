"""Bugs that real systems of this kind had; each is here so that it never becomes ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from kwartier import HomeError, parameters
from kwartier.steps import profiles
from tests.market import (
    AUTUMN,
    BRP,
    DAY,
    FLAT,
    ONE_DAY,
    OTHER,
    OTHER_BRP,
    POINT,
    REGISTERED,
    SPRING,
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


def rising(day: date = DAY) -> list[int]:
    """Give volumes that tell the periods apart: 1 Wh in the first, 2 in the second, and so on."""
    return list(range(1, len(moments(day))))


def test_days_are_local_and_no_utc_buckets(market: Market) -> None:
    market.register(point())
    market.deliver(read(counted(rising())), read(counted(rising(), START), day=DAY + ONE_DAY)[1:])
    made = market.run()
    assert made.measured() == rising()
    starts = {row["position"]: row["period_start"] for row in made.allocation}
    assert starts[1].isoformat() == "2026-01-13T23:00:00+00:00"


@pytest.mark.parametrize(("day", "count"), [(SPRING, 92), (DAY, 96), (AUTUMN, 100)])
def test_not_every_day_has_96_periods_and_the_25_hour_day_is_not_refused(
    market: Market, day: date, count: int
) -> None:
    market.register(point())
    market.deliver(read(counted(rising(day)), day=day))
    made = market.run(day)
    assert made.measured() == rising(day)
    assert len(made.measured()) == count
    assert made.findings == []


def test_weekday_and_hour_are_both_local() -> None:
    # The first hour of a local Monday lies on Sunday in UTC; it must weigh as a Monday's does.
    held = parameters.load(date(2026, 6, 1))
    sunday, monday, tuesday = (
        profiles.standard_fraction(date(2026, 6, day), 0, held) for day in (7, 8, 9)
    )
    assert monday.tolist() == tuesday.tolist()
    assert monday[:8].tolist() != sunday[:8].tolist()
    # The sun stands highest at 13:40 summer time; by hours of UTC it would be at 11:40.
    assert int(profiles.standard_fraction(date(2026, 6, 8), 1, held).argmax()) // 4 in (13, 14)


def test_unsorted_readings_are_no_gaps(market: Market) -> None:
    rows = read(counted(rising())) + read(flat(), OTHER)
    Random(1).shuffle(rows)
    market.register(point(), point(OTHER))
    market.deliver(rows)
    made = market.run()
    assert made.findings == []
    assert made.measured() == [FLAT + wh for wh in rising()]


def test_a_fall_is_not_clamped_to_zero(market: Market) -> None:
    market.register(point())
    market.deliver(read(but(flat(), {40: START})))
    made = market.run()
    assert made.series("E17", "MSR", "points")[39:41] == [0, 0]
    assert sum(made.measured()) + sum(made.calculated()) == 96 * FLAT
    assert sum(made.calculated()) == 2 * FLAT


@pytest.mark.parametrize("before", [200_000_000, 800_000_000])
def test_no_roll_over_is_guessed_at_a_meter_exchange(market: Market, before: int) -> None:
    # A new meter begins at 0 under the old one's name, digits known: 200,000 kWh in a quarter?
    market.register(point(digits=6))
    old, new = flat(start=before)[:60], flat(start=0)[60:]
    market.deliver(read([*old, *new]))
    made = market.run()
    assert max(made.measured() + made.calculated()) < 5175
    assert made.found("register_rolled_over") == []
    assert made.series("E17", "MSR", "points")[:60] == [1] * 59 + [0]


def test_a_spike_does_not_hide_itself_in_the_mean(market: Market) -> None:
    # Nine spikes lift mean and deviation so far that none of them would be 3 deviations off.
    volumes = [5000 if t % 10 == 5 else FLAT for t in range(96)]
    market.register(point())
    market.deliver(read(counted(volumes)))
    made = market.run()
    spikes = [row["first_period"] for row in made.found("outlier")]
    assert spikes == [t + 1 for t in range(96) if volumes[t] == 5000]
    assert (5000 - np.mean(volumes)) / np.std(volumes) < 3.1


def test_three_readings_missing_are_four_parts(market: Market) -> None:
    market.register(point(), *(point(ean(100 + k)) for k in range(20)))
    gap = [0, None, None, None, *([100] * 93)]
    market.deliver(read(gap), *(read(flat(), ean(100 + k)) for k in range(20)))
    assert market.run().calculated()[:4] == [25] * 4


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_no_grid_of_86400_seconds_drifts_after_a_clock_change(market: Market, change: date) -> None:
    market.register(point())
    days = [change, change + ONE_DAY, change + 2 * ONE_DAY]
    rows: list[dict[str, Any]] = []
    start = START
    for day in days:
        readings = counted(rising(day), start)
        rows += read(readings, day=day)[:-1]
        start = readings[-1] or 0
    market.deliver(rows, read([start], day=days[-1] + ONE_DAY))
    made = market.run(*days)
    assert made.findings == []
    assert made.measured() == [wh for day in days for wh in rising(day)]


@pytest.mark.parametrize("total", [True, False])
def test_a_total_and_its_tariffs_are_not_summed_together(market: Market, total: bool) -> None:
    market.register(point())
    rows = read(flat(step=40, start=0), register="1.8.1")
    rows += read(flat(step=60, start=0), register="1.8.2")
    rows += read(flat(start=0)) if total else []
    market.deliver(rows)
    assert market.run().measured() == [FLAT] * 96


def test_one_tariff_alone_is_not_the_energy_of_a_point(market: Market) -> None:
    market.register(point(annual_offtake_low_wh=3_000_000))
    market.deliver(read(flat(), register="1.8.1"))
    made = market.run()
    assert made.series("E17", "MSR", "points") == [0] * 96
    assert made.methods()["GMR"][:2] == (1, 96)


def test_offtake_and_infeed_are_two_series_and_never_netted(market: Market) -> None:
    market.register(point(consumption_type="AMI"))
    market.deliver(read(flat(step=70)), read(flat(step=90), register="2.8.0"))
    made = market.run()
    assert made.measured("E17") == [70] * 96
    assert made.measured("E18") == [90] * 96


def test_a_correction_is_not_outranked_by_an_older_delivery(market: Market) -> None:
    market.register(point())
    first, corrected = flat(), but(flat(), {40: START + 40 * FLAT + 7})
    early = moments(DAY + 3 * ONE_DAY)[0]
    market.deliver(read(first), recorded_at=early)
    market.deliver(read(corrected), recorded_at=early + ONE_DAY)
    with pytest.raises(HomeError, match="in order"):
        market.deliver(read(first)[:-1], recorded_at=early)
    assert market.run().measured()[39:41] == [FLAT + 7, FLAT - 7]
    assert market.run(known_at=early).measured()[39:41] == [FLAT, FLAT]


def test_the_latest_run_counts_also_when_runs_follow_each_other_within_a_second(
    market: Market,
) -> None:
    market.register(point())
    early = moments(DAY + 3 * ONE_DAY)[0]
    market.deliver(read(flat()), recorded_at=early)
    market.deliver(read(but(flat(), {40: START + 40 * FLAT + 7})), recorded_at=early + ONE_DAY)
    seen = [market.run(known_at=early + k * ONE_DAY).measured()[39] for k in (0, 1, 0, 1)]
    assert seen == [FLAT, FLAT + 7] * 2


def test_a_later_version_of_the_register_is_not_outranked_by_a_later_start(market: Market) -> None:
    # Known first: another BRP from 1 January on. Corrected later: the old BRP all the time.
    market.register(point(brp=BRP), point(brp=OTHER_BRP, valid_from=date(2026, 1, 1)))
    corrected = point(brp=BRP, valid_from=date(2025, 6, 1))
    market.register(corrected, recorded_at=REGISTERED + 300 * ONE_DAY)
    market.deliver(read(flat()))
    assert {row["brp"] for row in market.run().allocation} == {BRP}
    before = market.run(known_at=REGISTERED + 299 * ONE_DAY)
    assert {row["brp"] for row in before.allocation} == {OTHER_BRP}


def test_a_register_file_with_a_history_gives_each_moment_its_own_run(market: Market) -> None:
    # Both rows are in one file, so the input files of both runs are the same.
    later = REGISTERED + 300 * ONE_DAY
    market.register(
        point(brp=BRP, recorded_at=REGISTERED),
        point(brp=OTHER_BRP, valid_from=date(2026, 1, 1), recorded_at=later),
    )
    market.deliver(read(flat()))
    known = [market.run(known_at=at).allocation for at in (later, REGISTERED + 299 * ONE_DAY)]
    assert [{row["brp"] for row in rows} for rows in known] == [{OTHER_BRP}, {BRP}]


def test_a_run_as_known_at_a_moment_knows_no_finding_of_a_later_delivery(market: Market) -> None:
    market.register(point())
    early = moments(DAY + 2 * ONE_DAY)[0]
    market.deliver(read(flat()), recorded_at=early)
    market.deliver(read(flat(), ean(77)), recorded_at=early + ONE_DAY)
    assert market.run(known_at=early).findings == []
    assert [row["rule"] for row in market.run().findings] == ["unknown_point"]


def test_readings_refused_before_their_point_was_registered_are_taken_when_sent_again(
    market: Market,
) -> None:
    market.register(point(OTHER))
    rows = read(flat()) + read(flat(), OTHER)
    assert market.deliver(rows).found == {"unknown_point": 97}
    market.register(point(), recorded_at=REGISTERED + 230 * ONE_DAY)
    again = market.deliver(rows, recorded_at=REGISTERED + 231 * ONE_DAY)
    assert again.found.get("unknown_point", 0) == 0
    assert market.run().series("E17", "MSR", "points") == [2] * 96


def test_points_that_were_never_read_are_in_the_sum(market: Market) -> None:
    market.register(point(), *(point(ean(100 + k), annual_offtake_low_wh=10**6) for k in range(3)))
    market.deliver(read(flat()))
    made = market.run()
    assert made.series("E17", "CLC", "points") == [3] * 96
    assert sum(made.calculated()) > 0
    assert len(made.found("unread_point")) == 3


def test_missing_is_not_zero(market: Market) -> None:
    market.register(point())
    market.deliver(read(but(flat(), dict.fromkeys(range(20, 40)))))
    made = market.run()
    assert made.series("E17", "MSR", "points")[19:40] == [0] * 21
    assert made.series("E17", "CLC", "points")[19:40] == [1] * 21
    assert min(made.calculated()[19:40]) > 0
    assert sum(made.measured()) + sum(made.calculated()) == 96 * FLAT


@pytest.mark.parametrize("difference", [1, 2, 3, 5, 97, 1000, 33_333])
def test_rounding_residues_close(market: Market, difference: int) -> None:
    readings = but([START] * 97, dict.fromkeys(range(1, 8)))
    readings = [r if j < 8 or r is None else r + difference for j, r in enumerate(readings)]
    market.register(point())
    market.deliver(read(readings))
    assert sum(market.run().calculated()) == difference


def test_completeness_is_not_netted_over_days(market: Market) -> None:
    # Four readings too many on one day and four too few on the next look complete together.
    other_day = DAY + ONE_DAY
    market.register(point())
    rows = read(flat()) + read(flat())[40:44]
    rows += read(but(flat(start=START + 9600), dict.fromkeys(range(40, 44))), day=other_day)[1:]
    market.deliver(rows)
    made = market.run(DAY, other_day)
    found = [(row["market_day"], row["rule"], row["observed"]) for row in made.findings]
    assert found == [(DAY, "duplicate_reading", 2)] * 4 + [(other_day, "missing_readings", 4)]


def test_a_truncated_delivery_does_not_validate_clean(market: Market) -> None:
    market.register(point())
    market.deliver(read(flat())[:80])
    (missing,) = market.run().found("missing_readings")
    assert (missing["first_period"], missing["last_period"]) == (80, 96)


def test_a_reading_of_midnight_in_either_file_serves_both_days(market: Market) -> None:
    later = read(flat(start=START + 9600), day=DAY + ONE_DAY)
    market.register(point())
    market.deliver(read(flat())[:-1])
    assert market.run().found("missing_readings") != []
    market.deliver(later)
    made = market.run()
    assert made.findings == []
    assert made.measured() == [FLAT] * 96


def test_a_dated_parameter_of_the_door_holds_from_its_date_on(tmp_path: Path) -> None:
    # The tolerance of the quarter was 30 s and is 60 s since 2026; a reading of 2026 is 45 s late.
    market = Market(tmp_path, "off_quarter_seconds: {values: {2026-01-01: 60}}\n")
    rows = read(flat())
    rows[40]["read_at"] += timedelta(seconds=45)
    market.register(point())
    market.deliver(rows)
    assert market.run().findings == []


def test_no_accounting_point_is_in_a_sum(market: Market) -> None:
    market.register(point())
    market.deliver(read(flat()))
    made = market.run()
    for row in made.allocation + made.coverage:
        assert POINT not in row.values()
        assert str(POINT) not in row.values()


def test_a_forgotten_moment_is_mended_by_taking_in_the_same_files_again(market: Market) -> None:
    late = REGISTERED + 700 * ONE_DAY
    market.register(point(), recorded_at=late)
    assert market.deliver(read(flat()), recorded_at=late).found == {"too_old": 97}
    market.register(point())
    in_time = market.deliver(read(flat()), recorded_at=REGISTERED + 231 * ONE_DAY)
    assert in_time.rows_kept == 97
    assert market.run().series("E17", "MSR", "points") == [1] * 96


DAYS_AROUND = [DAY + k * ONE_DAY for k in range(-1, 2)]


def part(readings: Sequence[int | None], first: int, last: int) -> list[int | None]:
    """Give the readings from one position to another; the others were not made."""
    return [wh if first <= j <= last else None for j, wh in enumerate(readings)]


def test_gaps_at_both_ends_of_an_exchange_day_are_each_closed_on_their_own_meter(
    market: Market,
) -> None:
    before, day, after = DAYS_AROUND
    old, new = 1_000_000, 500
    market.register(point())
    market.deliver(
        read(part(flat(before, start=old), 0, 89), day=before, meter="A"),
        # The other meter counts nearly alike, so a difference between the two would look possible.
        read(part(flat(before, start=old), 20, 20), day=before, meter="B"),
        read(part(flat(day, start=old + 9_600), 10, 30), meter="A"),
        read(part(flat(day, 50, new), 50, 80), meter="B"),
        read(part(flat(after, 50, new + 96 * 50), 5, 96), day=after, meter="B"),
    )
    made = [market.run(each) for each in (before, day, after)]
    assert [each.methods()["CMR"][:2] for each in made] == [(1, 7), (1, 26), (1, 5)]
    closed = sum(each.methods()["CMR"][2] for each in (made[0], made[2]))
    inside = made[1].calculated()
    assert closed + sum(inside[:10]) + sum(inside[80:]) == 17 * 100 + 21 * 50


def test_the_energy_of_a_gap_is_not_given_to_days_without_current(market: Market) -> None:
    dead, alive = DAY + ONE_DAY, DAY + 3 * ONE_DAY
    market.register(
        point(valid_to=dead),
        point(valid_from=dead, valid_to=alive, physical_status="out_of_service"),
        point(valid_from=alive),
    )
    market.deliver(
        read(part(flat(), 0, 50)),
        read(flat(alive, start=START + 96 * FLAT), day=alive),
    )
    made = market.run()
    assert sum(made.measured()) + sum(made.calculated()) == 96 * FLAT


@pytest.mark.parametrize("missing", [None, 40])
def test_a_register_of_two_digits_guesses_no_roll_over_in_either_way_of_reading(
    market: Market, missing: int | None
) -> None:
    readings = but(flat(step=600, start=10_000), {missing: None} if missing else {})
    market.register(point(digits=2))
    market.deliver(read(readings))
    made = market.run()
    assert sum(made.measured()) + sum(made.calculated()) == 96 * 600
    assert not made.found("reading_falls")


def test_a_register_of_more_digits_than_fit_counts_without_overflow(market: Market) -> None:
    market.register(point(digits=12, multiplier=10_000, capacity="3x80"))
    after = DAY + ONE_DAY
    market.deliver(
        read(part(flat(step=0), 0, 50)), read(part(flat(after, 0, START + 1), 10, 96), day=after)
    )
    made = [market.run(day) for day in (DAY, after)]
    assert not any(each.found("broken_bracket") for each in made)
    assert sum(sum(each.calculated()) for each in made) == 10_000


def test_either_all_days_of_a_long_gap_find_both_its_readings_or_none_does(
    market: Market,
) -> None:
    days = [date(2026, 3, 25) + k * ONE_DAY for k in range(12)]  # the 29th has 92 periods
    periods = sum(len(moments(day)) - 1 for day in days[:-1])
    market.register(point(), point(OTHER))
    market.deliver(
        read(part(flat(days[0]), 0, 95), day=days[0]),
        read(part(flat(days[-1], start=START + periods * FLAT), 3, 96), day=days[-1]),
        *(read(flat(day), OTHER, day=day) for day in days),  # so that every day can be run
    )
    assert 1 + periods - 96 + 3 <= 960
    methods = {method for day in days for method in market.run(day).methods()}
    assert methods == {"GMR"}


def conserved(seed: int, folder: Path) -> None:
    """Hold a fleet with random bracketed gaps against what its registers counted."""
    random, market = Random(seed), Market(folder)
    first = random.choice([SPRING - 2 * ONE_DAY, AUTUMN - 2 * ONE_DAY, DAY])
    days = [first + k * ONE_DAY for k in range(random.choice([3, 4, 5]))]
    counts = [len(moments(day)) - 1 for day in days]
    wanted = {"E17": 0, "E18": 0}
    points, rows, fed_in = [], [], 0
    for number in range(100, 103 if seed % 2 else 125):
        infeed, multiplier = random.random() < 0.4, random.choice([1, 1, 40])
        digits = random.choice([None, 5, 6])
        fed_in += infeed
        points.append(
            point(
                ean(number),
                brp=random.choice([BRP, OTHER_BRP]),
                consumption_type="AMI" if infeed else "AZI",
                multiplier=multiplier,
                digits=digits,
                profile_category=random.choice(["E1A", "E3A"]),
            )
        )
        for direction, register in [("E17", "1.8.0"), ("E18", "2.8.0")][: 1 + infeed]:
            size = 10 ** (digits + 3) if digits else 10**12
            start = size - random.randrange(1, 1000) if digits else START
            true = counted([random.choice([0, random.randrange(99)]) for _ in range(sum(counts))])
            true = [start + int(wh or 0) - START for wh in true]
            wanted[direction] += multiplier * (true[-1] - true[0])
            unread: set[int] = set()
            for _ in range(random.randrange(4)):
                gap = random.randrange(1, sum(counts))
                unread |= set(range(gap, min(sum(counts), gap + random.choice([1, 5, 60, 250]))))
            at = 0
            for day, count in zip(days, counts, strict=True):
                made = [None if k in unread else true[k] % size for k in range(at, at + count + 1)]
                at += count
                rows.append(
                    read(made if day == days[-1] else made[:-1], ean(number), register, day)
                )
    market.register(*points)
    market.deliver(*rows)
    outcomes = [market.run(day, threads=2) for day in days]
    for direction, energy in wanted.items():
        got = sum(sum(o.measured(direction)) + sum(o.calculated(direction)) for o in outcomes)
        assert got == energy
        series = len(points) if direction == "E17" else fed_in
        for outcome in outcomes:
            parts = (outcome.series(direction, origin, "points") for origin in ("MSR", "CLC"))
            assert {sum(both) for both in zip(*parts, strict=True)} == {series}
    for outcome in outcomes:
        covered, summed = outcome.coverage, outcome.allocation
        assert sum(r["volume_wh"] for r in covered) == sum(r["volume_wh"] for r in summed)
        assert sum(r["periods"] for r in covered) == sum(r["points"] for r in summed)


@pytest.mark.parametrize("seed", range(4))
def test_all_days_together_hold_what_the_registers_counted(seed: int, tmp_path: Path) -> None:
    conserved(seed, tmp_path)
