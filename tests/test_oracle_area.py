"""The plain way of a whole grid area against the numbers of the market, and against itself.

Sources: domain §4, §6, §7; SD030. It must be right to judge tests/test_against_oracle_area.py.
"""

from datetime import date, timedelta
from fractions import Fraction
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests import areas, fleets, oracle, oracle_area
from tests.test_oracle import AFTER, BEFORE, DAY, LONG_AGO, POINT, a_row, read, rising

AREA, OTHER_AREA = fleets.AREAS
ONE_DAY = timedelta(days=1)
N = 96
SMART, PROFILED, SECOND, LARGE, LOSS, COUPLING = (POINT + k for k in range(6))


def flat(wh, day=DAY):
    return dict.fromkeys(oracle.market_day(day), wh)


def volumes(point, direction, by_period, origin="MSR", status=None, method=None):
    """Make quarter volumes {period_start: Wh} of a point or coupling."""
    return [
        {
            "accounting_point": point,
            "direction": direction,
            "period_start": start,
            "volume_wh": wh,
            "origin": origin,
            "validation_status": status,
            "method": method,
        }
        for start, wh in by_period.items()
    ]


def row(point, group="PRF", **cells):
    annual = {"annual_offtake_normal_wh": 1_000_000, "annual_offtake_low_wh": 0}
    more = {"group": group, "loss_type": "NVL", "dimensioned_profile": None}
    return a_row(point) | annual | more | cells


def a_coupling(point=COUPLING, area=AREA, other=None, **cells):
    return {
        "coupling": point,
        "grid_area": area,
        "other_grid_area": other,
        "valid_from": date(2025, 1, 1),
        "valid_to": None,
        "recorded_at": LONG_AGO,
    } | cells


def exchanged(into=0, out=0, point=COUPLING, day=DAY):
    """Make the volumes of a coupling, the same in every period."""
    return volumes(point, "E18", flat(into, day)) + volumes(point, "E17", flat(out, day))


def book(rows, delivered=(), couplings=None, readings=(), fractions=(), known_at=None, **changes):
    """Make a book; volumes and readings are delivered the day after, or as (moment, rows)."""
    soon = oracle.moments(AFTER)[-1] + timedelta(hours=12)
    if delivered and not isinstance(delivered[0], tuple):
        delivered = [(soon, list(delivered))]
    if readings and not isinstance(readings[0], tuple):
        readings = [(soon, list(readings))]
    return oracle_area.Book(
        rows,
        list(readings),
        areas.default_parameters() | changes,
        known_at,
        couplings=[a_coupling()] if couplings is None else couplings,
        volumes=list(delivered),
        fractions=list(fractions),
    )


def standard(offtake, infeed=0):
    return lambda day, direction: [offtake if direction == "E17" else infeed] * N


def series(result, group, direction, origin="CLC", category=None, kind=None, brp=0, supplier=0):
    parties = (fleets.BRPS[brp], fleets.SUPPLIERS[supplier])
    return result.series[AREA, *parties, group, category, kind, direction, origin]


def profiled(result, direction="E17", kind="AZI", **parties):
    return series(result, "PRF", direction, category="E1A", kind=kind, **parties)


def found(result, rule):
    return {finding[1:] for finding in result.findings if finding[0] == rule}


# ---- the residual -------------------------------------------------------------------------------
def test_the_worked_example_of_the_market():
    # kWh of one quarter: coupling 1000 in, TMT 400, SMA 250 and 60 back, NVL 40, V_A 350, V_I 20.
    rows = [
        row(SMART, "SMA", consumption_type="AMI"),
        row(PROFILED, consumption_type="AMI", annual_infeed_normal_wh=1_000_000),
        row(LARGE, "TMT"),
        row(LOSS, "NVL"),
    ]
    delivered = exchanged(1_200_000, 200_000)
    delivered += volumes(LARGE, "E17", flat(400_000)) + volumes(LOSS, "E17", flat(40_000))
    readings = read(rising(step=250_000), point=SMART)
    readings += read(rising(step=60_000), point=SMART, register="2.8.0")
    result = book(
        rows,
        delivered,
        readings=readings,
        standard_fraction=standard(35_000_000, 2_000_000),
        margin=Fraction(1000),
    ).allocate_area(DAY, AREA)
    assert result.residual == [(390_000, 350_000, 20_000, 111_429, 0)] * N
    assert profiled(result, kind="AMI") == [390_000] * N
    assert profiled(result, "E18", "AMI") == [20_000] * N
    assert {line: wh[0] for line, wh in result.balance.items() if any(wh)} == {
        ("NKP", "E18"): 1_200_000,
        ("NKP", "E17"): 200_000,
        ("TMT", "E17"): 400_000,
        ("SMA", "E17"): 250_000,
        ("SMA", "E18"): 60_000,
        ("NVL", "E17"): 40_000,
        ("PRF", "E17"): 390_000,
        ("PRF", "E18"): 20_000,
    }
    high = ("residual_factor_out_of_band", None, None, 1, N, 111_429, 110_000)
    assert {*result.findings} == {high}


def test_a_residual_below_zero_is_spread_by_its_size():
    # Weights 2 : 1 and a residual of -100: -67 and -33.
    rows = [row(PROFILED, annual_offtake_normal_wh=2_000_000), row(SECOND, brp=fleets.BRPS[1])]
    built_in = standard(10_000)
    result = book(rows, exchanged(out=100), standard_fraction=built_in).allocate_area(DAY, AREA)
    assert profiled(result) == [-67] * N
    assert profiled(result, brp=1) == [-33] * N
    assert result.residual == [(-100, 300, 0, -33_333, 0)] * N


def test_of_equal_parts_the_first_party_gets_what_is_left():
    rows = [row(PROFILED, brp=fleets.BRPS[1]), row(SECOND)]
    result = book(rows, exchanged(5), standard_fraction=standard(10_000)).allocate_area(DAY, AREA)
    assert (profiled(result)[0], profiled(result, brp=1)[0]) == (3, 2)


def test_a_factor_is_rounded_half_up():
    for inward, factor in ((1, 50_000), (3, 150_000)):
        made = book([row(PROFILED)], exchanged(inward), standard_fraction=standard(200))
        assert made.allocate_area(DAY, AREA).residual[0] == (inward, 2, 0, factor, 0)
    # -1 ÷ 200,000 is half of 1e-5 below 0: up is 0.
    made = book([row(PROFILED)], exchanged(out=1), standard_fraction=standard(20_000_000))
    assert made.allocate_area(DAY, AREA).residual[0][3] == 0


def test_without_offtake_by_profile_the_rest_is_shown():
    for rows in ([row(LARGE, "TMT")], [row(LARGE, "TMT"), row(PROFILED)]):
        delivered = exchanged(7) + volumes(LARGE, "E17", flat(10))
        result = book(rows, delivered, standard_fraction=standard(0)).allocate_area(DAY, AREA)
        assert result.residual == [(-3, 0, 0, 100_000, -3)] * N
        assert result.balance["RST", "E17"] == [-3] * N
        assert {*result.findings} == {("energy_unassigned", None, None, 1, N, 3 * N, 0)}


def test_nobody_bears_the_residual():
    result = book(
        [row(PROFILED)],
        exchanged(250),
        standard_fraction=standard(10_000),
        residual_assigned_to="nobody",
    ).allocate_area(DAY, AREA)
    assert profiled(result) == [100] * N
    assert result.residual == [(250, 100, 0, 100_000, 150)] * N
    assert {f[0] for f in result.findings} == {"energy_unassigned"}


def test_an_area_without_couplings_does_not_close():
    made = book([row(PROFILED)], couplings=[], standard_fraction=standard(10_000))
    result = made.allocate_area(DAY, AREA)
    assert profiled(result) == [100] * N
    assert (result.balance, result.residual) == ({}, [])
    assert {*result.findings} == {("area_not_closed", None, None, 1, N, 0, 1)}


def test_the_band_is_judged_by_the_exact_factor_in_runs_of_a_side():
    at = oracle.market_day(DAY)
    # V_A is 10,000,000 Wh: 11,000,000 is the edge of the band, 11,000,001 rounds to it.
    wh = dict(zip(at, [11_000_001, 12_000_000, 8_000_000] + [11_000_000] * 93, strict=True))
    result = book(
        [row(PROFILED, annual_offtake_normal_wh=10_000_000)],
        volumes(COUPLING, "E18", wh) + volumes(COUPLING, "E17", flat(0)),
        standard_fraction=standard(oracle.UNIT),
    ).allocate_area(DAY, AREA)
    assert found(result, "residual_factor_out_of_band") == {
        (None, None, 1, 2, 110_000, 110_000),
        (None, None, 3, 3, 80_000, 90_000),
    }


# ---- what must be there -------------------------------------------------------------------------
def without(delivered, periods):
    gone = {oracle.market_day(DAY)[t - 1] for t in periods}
    return [volume for volume in delivered if volume["period_start"] not in gone]


def test_a_missing_quarter_of_a_coupling_refuses_both_its_areas_and_no_other():
    third = areas.AREAS[2]
    rows = [row(PROFILED), row(SECOND, grid_area=OTHER_AREA), row(SMART, grid_area=third)]
    couplings = [a_coupling(other=OTHER_AREA), a_coupling(LOSS, third)]
    delivered = without(exchanged(), [5, 6, 9]) + exchanged(point=LOSS)
    made = book(rows, delivered, couplings)
    missing = {
        (COUPLING, direction, *periods)
        for direction in ("E17", "E18")
        for periods in ((5, 6, 2), (9, 9, 1))
    }
    for area in (AREA, OTHER_AREA):
        assert made.allocate_area(DAY, area) == oracle_area.Refusal(missing, set())
    assert isinstance(made.allocate_area(DAY, third), oracle_area.Area)


def test_telemetry_needs_infeed_where_there_is_infeed_and_counts_it_anywhere():
    offtake, infeed = volumes(LARGE, "E17", flat(10)), volumes(LARGE, "E18", flat(4))
    needed = book([row(LARGE, "TMT", consumption_type="AMI")], exchanged() + offtake)
    assert needed.allocate_area(DAY, AREA).missing == {(LARGE, "E18", 1, N, N)}
    some = exchanged() + offtake + without(infeed, range(3, 97))
    result = book([row(LARGE, "TMT")], some).allocate_area(DAY, AREA)
    assert series(result, "TMT", "E18", "MSR") == [4, 4] + [0] * 94
    assert [r[0] for r in result.residual] == [-6, -6] + [-10] * 94


def test_a_later_delivery_corrects_and_a_contradiction_is_none():
    soon = oracle.moments(AFTER)[-1]
    at = oracle.market_day(DAY)
    first = exchanged() + volumes(LARGE, "E17", flat(10))
    later = volumes(LARGE, "E17", {at[0]: 11, at[1]: 12}, "CLC", None, "GMR")
    later += volumes(LARGE, "E17", {at[1]: 13}) + volumes(LARGE, "E17", {at[2]: None})
    delivered = [(soon, first), (soon + ONE_DAY, later)]
    result = book([row(LARGE, "TMT")], delivered).allocate_area(DAY, AREA)
    assert series(result, "TMT", "E17", "CLC") == [11] + [0] * 95
    assert series(result, "TMT", "E17", "MSR") == [0] + [10] * 95
    cell = (AREA, fleets.BRPS[0], fleets.SUPPLIERS[0], "TMT", "E17")
    assert result.coverage[*cell, "CLC", "GMR", None] == (1, 1, 11)
    assert result.coverage[*cell, "MSR", None, None] == (1, 95, 950)
    known = book([row(LARGE, "TMT")], delivered, known_at=soon).allocate_area(DAY, AREA)
    assert series(known, "TMT", "E17", "MSR") == [10] * N


def test_volumes_of_other_points_and_other_triples_are_not_kept():
    delivered = exchanged() + volumes(PROFILED, "E17", flat(1)) + volumes(SECOND, "E17", flat(1))
    delivered += volumes(LARGE, "E17", flat(1), "UMS", "VLD")
    made = book([row(PROFILED), row(LARGE, "TMT")], delivered)
    assert {point for point, _ in made.delivered} == {COUPLING}
    assert made.allocate_area(DAY, AREA).missing == {(LARGE, "E17", 1, N, N)}


def test_two_points_of_one_loss_are_both_counted():
    rows = [row(LOSS, "NVL"), row(LARGE, "NVL"), row(SMART, "NVL", loss_type="NVB")]
    delivered = exchanged()
    for point in (LOSS, LARGE, SMART):
        delivered += volumes(point, "E17", flat(5))
    result = book(rows, delivered).allocate_area(DAY, AREA)
    assert result.balance["NVL", "E17"] == [10] * N
    assert result.balance["NVB", "E17"] == [5] * N
    assert found(result, "loss_point_twice") == {(max(LOSS, LARGE), None, 0, 0, 2, 1)}
    assert result.residual[0][0] == -15


# ---- annual volumes and fractions ---------------------------------------------------------------
CAP = 5175 * 35_040


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ((CAP - 10, 10), (CAP - 10, 10)),
        ((CAP - 10, 11), (CAP - 10, 10)),
        ((3 * CAP, 3 * CAP), (CAP // 2, CAP // 2)),
        ((None, 7), (0, 7)),
        ((None, None), (1_950_000, 1_950_000)),
    ],
)
def test_an_annual_volume_is_given_capped_or_default(given, used):
    cells = dict(zip(("annual_offtake_normal_wh", "annual_offtake_low_wh"), given, strict=True))
    small, large = row(PROFILED, **cells), row(PROFILED, market_segment="GVB", **cells)
    assert oracle.annual_tariffs(small, "E17", areas.default_parameters()) == used
    result = book([small], exchanged()).allocate_area(DAY, AREA)
    if sum(wh or 0 for wh in given) > CAP:
        assert found(result, "annual_volume_absurd") == {(PROFILED, "E17", 0, 0, sum(given), CAP)}
        assert oracle.annual_tariffs(large, "E17", areas.default_parameters()) == given
    else:
        assert found(result, "annual_volume_absurd") == set()
    unknown = {(PROFILED, "E17", 1, N, 3_900_000, 0)} if given == (None, None) else set()
    assert found(result, "no_annual_volume") == unknown


def test_a_fraction_by_tariff_applies_to_the_tariff_of_the_period():
    point = row(PROFILED, profile_category="E1B", annual_offtake_low_wh=500_000)
    saturday = date(2026, 6, 13)
    key = ("E1B", None, "E17")
    loaded = {(*key, day): ([100_000] * N, True) for day in (DAY, saturday)}
    made = book([point], couplings=[], fractions=[(LONG_AGO, loaded)])
    result = made.allocate_area(DAY, AREA)
    # A Tuesday: low before 7 and from 23 o'clock.
    assert series(result, "PRF", "E17", category="E1B", kind="AZI") == (
        [500] * 28 + [1000] * 64 + [500] * 4
    )
    result = made.allocate_area(saturday, AREA)
    assert series(result, "PRF", "E17", category="E1B", kind="AZI") == [500] * N
    # The shape of a smart meter: the half of the default [mWh].
    assert made.shape(DAY, (AREA, "E1B", "AZI", "E17"))[0] == [1_950_000] * N


def test_a_category_without_low_hours_has_no_tariffs():
    loaded = {("E1A", None, "E17", DAY): ([100_000] * N, True)}
    point = row(PROFILED, annual_offtake_low_wh=500_000)
    result = book([point], couplings=[], fractions=[(LONG_AGO, loaded)]).allocate_area(DAY, AREA)
    assert profiled(result) == [1500] * N


def test_a_fraction_of_the_type_goes_before_one_of_both_and_a_later_one_before_an_earlier():
    later = LONG_AGO + ONE_DAY
    of_type = {("E1A", "AZI", "E17", DAY): ([1] * N, False)}
    of_both = {("E1A", None, "E17", DAY): ([2] * N, False)}
    again = {("E1A", None, "E17", DAY): ([3] * N, False)}
    fractions = [(LONG_AGO, of_both | of_type), (later, again)]
    made = book([row(PROFILED)], couplings=[], fractions=fractions).allocate_area(DAY, AREA)
    assert made.fractions["E1A", "AZI", "E17"] == ([1] * N, "STD")
    assert made.fractions["E1A", "AMI", "E17"] == ([3] * N, "STD")
    known = book([row(PROFILED)], couplings=[], fractions=fractions, known_at=LONG_AGO)
    assert known.allocate_area(DAY, AREA).fractions["E1A", "AMI", "E17"] == ([2] * N, "STD")
    built_in = areas.default_parameters()["standard_fraction"](DAY, "E18")
    assert made.fractions["E1A", "AMI", "E18"] == (built_in, "STD")


def test_a_dynamic_fraction_is_used_by_profile():
    rows = [row(POINT + 10 * k, "SMA") for k in range(1, 21)] + [row(PROFILED)]
    readings = []
    for smart in rows[:-1]:
        readings += read(rising(), point=smart["accounting_point"])
    made = book(rows, couplings=[], readings=readings)
    result = made.allocate_area(DAY, AREA)
    # 20 points of 10 Wh and 1 MWh each: a hundred-thousandth.
    assert result.fractions["E1A", "AZI", "E17"] == ([1000] * N, "DYN")
    assert profiled(result) == [10] * N
    cell = (AREA, fleets.BRPS[0], fleets.SUPPLIERS[0], "PRF", "E17", "CLC", None)
    assert result.coverage[*cell, "DYN"] == (1, N, 10 * N)


def test_infeed_by_profile_closes_on_the_day_and_is_not_scaled():
    point = row(PROFILED, consumption_type="AMI", annual_infeed_normal_wh=1_000_000)
    made = book([point, row(SECOND)], exchanged(9), standard_fraction=standard(1000, 150))
    result = made.allocate_area(DAY, AREA)
    # 1.5 Wh a period: 144 over the day, the halves to the first periods.
    assert profiled(result, "E18", "AMI") == [2] * 48 + [1] * 48
    assert profiled(result, "E18", "AZI") == [0] * N
    parties = (fleets.BRPS[0], fleets.SUPPLIERS[0])
    kinds = [
        result.points[AREA, *parties, "PRF", "E1A", kind, "E18", "CLC"] for kind in ("AMI", "AZI")
    ]
    assert kinds == [[1] * N, [0] * N]
    assert [r[2] for r in result.residual] == [2] * 48 + [1] * 48


# ---- unmetered ----------------------------------------------------------------------------------
def test_unmetered_is_annual_volume_by_its_own_profile():
    rows = [
        row(PROFILED, "DIM", dimensioned_profile="lights"),
        row(SECOND, "DIM", dimensioned_profile="lights", annual_offtake_normal_wh=500_000),
    ]
    lights = ([0] * 48 + [100] * 48, False)
    fractions = [(LONG_AGO, {("lights", None, "E17", DAY): lights})]
    result = book(rows, exchanged(), fractions=fractions).allocate_area(DAY, AREA)
    # 1.5 Wh in 48 periods: 72 over the day, one Wh more in the first 24 of them.
    assert series(result, "DIM", "E17") == [0] * 48 + [2] * 24 + [1] * 24
    assert series(result, "DIM", "E18") == [0] * N
    cell = (AREA, fleets.BRPS[0], fleets.SUPPLIERS[0], "DIM", "E17", "CLC", None, "STD")
    assert result.coverage[cell] == (2, 2 * N, 72)
    refused = book(rows, exchanged()).allocate_area(DAY, AREA)
    assert refused == oracle_area.Refusal(set(), {(PROFILED, "lights"), (SECOND, "lights")})


def test_unmetered_without_a_profile_takes_the_fractions_of_its_category():
    own = {"consumption_type": "AMI", "annual_infeed_normal_wh": 300_000}
    rows = [row(PROFILED, "DIM", **own), row(SECOND, "DIM", annual_offtake_normal_wh=None)]
    rows[1]["annual_offtake_low_wh"] = None
    result = book(rows, exchanged(), standard_fraction=standard(1000, 1000))
    result = result.allocate_area(DAY, AREA)
    assert series(result, "DIM", "E17") == [10 + 39] * N
    assert series(result, "DIM", "E18") == [3] * N
    assert found(result, "no_annual_volume") == {(SECOND, "E17", 1, N, 3_900_000, 0)}


# ---- points that are no longer read -------------------------------------------------------------
@pytest.mark.parametrize(
    ("last_read", "other_read", "group"),
    [
        (10, 10, "SMA"),
        (11, None, "PRF"),
        (None, 9, "SMA"),
        (None, 10, "PRF"),
        (None, 40, "PRF"),
        (None, 41, "SMA"),
        (None, None, "SMA"),
    ],
)
def test_a_point_unread_for_more_than_ten_days_is_allocated_by_profile(
    last_read, other_read, group
):
    readings = []
    for point, away in ((SMART, last_read), (SECOND, other_read)):
        if away is not None:
            readings += read({40: 1000}, DAY - away * ONE_DAY, point)
    parameters = areas.default_parameters()
    made = book([row(SMART, "SMA"), row(SECOND, "SMA")], exchanged(), readings=readings)
    assert made.group(made.judge(DAY).register[SMART], DAY) == group
    result = made.allocate_area(DAY, AREA)
    fell = {point for point, *_ in found(result, "fell_back_to_profile")}
    assert (SMART in fell) == (group == "PRF")
    if group == "PRF":
        allowed = parameters["unread_days_to_profile"]
        expected = (SMART, None, 1, N, allowed + 1, allowed)
        assert expected in found(result, "fell_back_to_profile")
        assert (SMART, None, 1, N, 0, N + 1) in found(result, "unread_point")


def test_a_rejected_reading_is_no_reading_and_a_day_that_may_not_be_read_is_no_unread_day():
    other = read({40: 1000}, DAY - 10 * ONE_DAY, SECOND)
    bad = read({40: 1000}, BEFORE, SMART, status=1)
    rows = [row(SMART, "SMA"), row(SECOND, "SMA")]
    made = book(rows, exchanged(), readings=other + bad)
    assert made.group(rows[0], DAY) == "PRF"
    off = row(SMART, "SMA", physical_status="out_of_service", valid_to=DAY - 9 * ONE_DAY)
    rows = [off, row(SMART, "SMA", valid_from=DAY - 9 * ONE_DAY), rows[1]]
    made = book(rows, exchanged(), readings=other)
    assert made.group(rows[1], DAY) == "SMA"


# ---- every world --------------------------------------------------------------------------------
# No shrinking: a world comes of its seed, so a smaller seed is no simpler world.
every_world = settings(
    max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)


def outcomes(world):
    made = world.book()
    return {
        (day, area): made.allocate_area(day, area)
        for day in world.days
        for area in sorted(made.areas(day))
    }


def allocated(world):
    return [area for area in outcomes(world).values() if isinstance(area, oracle_area.Area)]


@every_world
@given(areas.worlds())
def test_what_comes_in_is_what_goes_out(world):
    for result in allocated(world):
        for t in range(result.n):
            into, out = (
                sum(wh[t] for (_, d), wh in result.balance.items() if d == direction)
                for direction in ("E18", "E17")
            )
            assert into == out
        if result.balance:
            for line, direction in result.balance:
                if line in ("SMA", "PRF", "TMT", "DIM"):
                    assert result.balance[line, direction] == result.total(line, direction)


@every_world
@given(areas.worlds())
def test_only_profiled_offtake_is_below_zero_and_what_is_covered_is_what_is_allocated(world):
    for result in allocated(world):
        for key, wh in result.series.items():
            assert min(wh) >= 0 or (key[3], key[6]) == ("PRF", "E17")
        for direction in ("E17", "E18"):
            for group in ("SMA", "PRF", "TMT", "DIM", "NVL"):
                cell = (group, direction)
                covered = [of[2] for key, of in result.coverage.items() if key[3:5] == cell]
                assert sum(covered) == sum(result.total(group, direction))


@every_world
@given(areas.worlds(), st.integers())
def test_the_order_of_what_comes_in_is_nothing(world, seed):
    before = outcomes(world)
    lots = [world.register_rows, world.couplings]
    lots += [rows for _, rows in world.deliveries + world.volumes]
    lots += [world.deliveries, world.volumes, world.fractions]
    for lot in lots:
        Random(seed).shuffle(lot)
    assert outcomes(world) == before


@every_world
@given(areas.worlds())
def test_what_passes_between_areas_adds_up_to_what_the_national_grid_gives(world):
    made = world.book()
    for day in world.days:
        net = [0] * len(oracle.market_day(day))
        for area in world.areas:
            exchange = made.exchange(day, area)
            net = [a + b - c for a, b, c in zip(net, exchange["E18"], exchange["E17"], strict=True)]
        couplings = {row["coupling"]: row for a in world.areas for row in made.couplings_of(day, a)}
        for coupling in couplings.values():
            if coupling["other_grid_area"] is None:
                for sign, direction in ((-1, "E18"), (1, "E17")):
                    for t, (wh, *_) in made.volumes_of(
                        coupling["coupling"], direction, day
                    ).items():
                        net[t - 1] += sign * wh
        assert net == [0] * len(net)


@every_world
@given(areas.worlds())
def test_with_nothing_by_profile_the_factor_is_one_and_the_rest_is_the_residual(world):
    made = world.book()
    for day in world.days:
        register = made.judge(day).register
        gone = {point for point, row in register.items() if made.group(row, day) == "PRF"}
        rows = [row for row in world.register_rows if row["accounting_point"] not in gone]
        for result in allocated(world.but(register_rows=rows, days=[day])):
            assert all(factor == 100_000 and rest == r for r, _, _, factor, rest in result.residual)
            assert found(result, "residual_factor_out_of_band") == set()


@every_world
@given(areas.worlds())
def test_every_cell_bears_its_share_to_less_than_one_wh(world):
    made = world.book()
    for (day, area), result in outcomes(world).items():
        if isinstance(result, oracle_area.Refusal) or not result.residual:
            continue
        cells = made.profiled_cells(day, area)
        weights = {cell: made.weights(rows, "E17", day) for cell, rows in cells.items()}
        for t, (_, _, _, _, rest) in enumerate(result.residual):
            whole = sum(weight[t] for weight in weights.values())
            total = result.residual[t][0] - rest
            for (brp, supplier, *kind), weight in weights.items():
                wh = result.series[area, brp, supplier, "PRF", *kind, "E17", "CLC"][t]
                exact = Fraction(total * weight[t], whole) if whole else 0
                assert abs(wh - exact) < 1


def test_the_worlds_have_what_they_are_for():
    seen = set()
    for seed in range(40):
        days = [areas.DAYS[seed % len(areas.DAYS)]]
        world = areas.make(seed, days, 1 + seed % 3, with_standard=True)
        assert 1 <= len({row["accounting_point"] for row in world.register_rows}) <= 66
        seen |= {*world.traits}
        for result in outcomes(world).values():
            if isinstance(result, oracle_area.Refusal):
                seen |= {"missing volumes"} if result.missing else set()
                seen |= {"missing profile"} if result.profiles else set()
                continue
            rules = {finding[0] for finding in result.findings}
            seen |= rules | {status for _, status in result.fractions.values()}
            seen |= {key[3] for key in result.series} | {key[7] for key in result.series}
            seen |= {"below zero"} if any(r[0] < 0 for r in result.residual) else set()
            if result.residual and "residual_factor_out_of_band" not in rules:
                seen |= {"in band"}
    assert seen >= {
        *"SMA PRF TMT DIM NVL MSR CLC UMS NMS DYN FBL STD".split(),
        *"area_not_closed energy_unassigned residual_factor_out_of_band".split(),
        *"fell_back_to_profile loss_point_twice annual_volume_absurd no_annual_volume".split(),
        *areas.KINDS,
        *areas.DEFECTS,
        *("missing volumes", "missing profile", "below zero", "in band"),
    }
