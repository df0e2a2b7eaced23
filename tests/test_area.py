"""A whole grid area, through the doors and the way: its groups, its rules, and that it closes.

Each rule of the area fires once and stands still once on its edge.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from kwartier import result
from tests.market import (
    AREA,
    BRP,
    COUPLING,
    DAY,
    FLAT,
    LIGHTING,
    LIMIT,
    LOSS,
    ONE_DAY,
    OTHER,
    OTHER_AREA,
    OTHER_BRP,
    OTHER_SUPPLIER,
    POINT,
    START,
    TELEMETRY,
    Market,
    Outcome,
    coupling,
    ean,
    flat,
    lighting,
    point,
    read,
    volumes,
)
from tests.test_rules import fires, stands_still

N = 96
REFUSED = ean(20)
PROFILED: dict[str, Any] = {"remote_reading": "off", "annual_offtake_normal_wh": 3_650_000}


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path)


def whole(
    market: Market,
    *rows: dict[str, Any],
    delivered: list[dict[str, Any]] | None = None,
    net: int = 100_000,
    day: date = DAY,
) -> Outcome:
    """Allocate an area with a smart meter, a refused point, and a coupling to the national grid."""
    own = [point(POINT), point(REFUSED, **PROFILED)]
    market.register(*own, *rows)
    market.couplings(coupling())
    market.volumes(volumes(COUPLING, net, "E18", day), volumes(COUPLING, 0, "E17", day))
    if delivered:
        market.volumes(delivered)
    market.deliver(read(flat(day), day=day))
    return market.run(day)


def sums(made: Outcome) -> dict[tuple[str, str], list[int]]:
    """Give the balance by line and direction."""
    lines: dict[tuple[str, str], list[int]] = {}
    for row in made.balance:
        lines.setdefault((row["line"], row["direction"]), []).append(row["volume_wh"])
    return lines


def of_group(made: Outcome, group: str, direction: str = "E17") -> list[int]:
    rows = [r for r in made.allocation if (r["group"], r["direction"]) == (group, direction)]
    return [
        sum(r["volume_wh"] for r in rows if r["position"] == position)
        for position in range(1, N + 1)
    ]


def closes(made: Outcome) -> bool:
    lines = sums(made)
    return all(
        sum(wh[t] * (1 if d == "E18" else -1) for (_, d), wh in lines.items()) == 0
        for t in range(len(next(iter(lines.values()))))
    )


# ---- groups -------------------------------------------------------------------------------------
def test_the_profiled_point_bears_what_no_other_used(market: Market) -> None:
    made = whole(market)
    assert of_group(made, "PRF") == [100_000 - FLAT] * N
    assert [row["residual_wh"] for row in made.residual] == [100_000 - FLAT] * N
    assert closes(made)


def test_telemetry_losses_and_lighting_are_of_their_parties(market: Market) -> None:
    rows = [
        point(TELEMETRY, group="TMT", brp=OTHER_BRP, supplier=OTHER_SUPPLIER),
        point(LOSS, group="NVL", brp=OTHER_BRP, supplier=OTHER_SUPPLIER),
        point(LIGHTING, group="DIM", dimensioned_profile="lamps", annual_offtake_normal_wh=10**7),
    ]
    market.fractions(lighting("lamps", 5_000))
    made = whole(market, *rows, delivered=[*volumes(TELEMETRY, 20_000), *volumes(LOSS, 3_000)])
    assert of_group(made, "TMT") == [20_000] * N
    assert of_group(made, "NVL") == [3_000] * N
    assert of_group(made, "DIM") == [500] * N
    assert of_group(made, "PRF") == [100_000 - FLAT - 20_000 - 3_000 - 500] * N
    parties = {r["group"]: r["brp"] for r in made.allocation}
    assert parties == {"SMA": BRP, "PRF": BRP, "DIM": BRP, "TMT": OTHER_BRP, "NVL": OTHER_BRP}
    assert closes(made)
    assert sums(made)["NVL", "E17"] == [3_000] * N


def test_each_kind_of_loss_is_a_line_of_its_own(market: Market) -> None:
    rows = [point(ean(30 + k), group="NVL", loss_type=t) for k, t in enumerate(("NVB", "TVB"))]
    made = whole(market, *rows, delivered=[*volumes(ean(30), 700), *volumes(ean(31), 20)])
    assert sums(made)["NVB", "E17"] == [700] * N
    assert sums(made)["TVB", "E17"] == [20] * N
    assert of_group(made, "NVL") == [720] * N
    assert closes(made)


def test_infeed_of_telemetry_comes_in(market: Market) -> None:
    rows = [point(TELEMETRY, group="TMT", consumption_type="AMI")]
    given = [*volumes(TELEMETRY, 0), *volumes(TELEMETRY, 50_000, "E18")]
    made = whole(market, *rows, delivered=given, net=0)
    assert of_group(made, "PRF") == [50_000 - FLAT] * N
    assert closes(made)


def test_a_coupling_between_two_areas_is_seen_by_both(market: Market) -> None:
    market.register(
        point(POINT),
        point(REFUSED, **PROFILED),
        point(OTHER, grid_area=OTHER_AREA, **PROFILED),
    )
    between = ean(910)
    market.couplings(coupling(), coupling(between, other_grid_area=OTHER_AREA))
    market.volumes(
        *(volumes(COUPLING, wh, d) for wh, d in ((9_000, "E18"), (0, "E17"))),
        *(volumes(between, wh, d) for wh, d in ((100, "E18"), (4_000, "E17"))),
    )
    market.deliver(read(flat()))
    made = market.run()
    of = {
        area: [
            r["volume_wh"]
            for r in made.allocation
            if r["grid_area"] == area and r["group"] == "PRF" and r["direction"] == "E17"
        ]
        for area in (AREA, OTHER_AREA)
    }
    assert of[AREA] == [9_000 + 100 - 4_000 - FLAT] * N
    assert of[OTHER_AREA] == [4_000 - 100] * N


def test_the_origin_and_method_of_telemetry_are_told(market: Market) -> None:
    given = volumes(TELEMETRY, 10)
    given[5] |= {"origin": "CLC", "method": "GMR", "validation_status": "VLD"}
    given[6] |= {"origin": "UMS"}
    made = whole(market, point(TELEMETRY, group="TMT"), delivered=given)
    rows = {
        (r["origin"], r["method"]): (r["points"], r["periods"], r["volume_wh"])
        for r in made.coverage
        if r["group"] == "TMT"
    }
    assert rows == {
        ("MSR", None): (1, 94, 940),
        ("CLC", "GMR"): (1, 1, 10),
        ("UMS", None): (1, 1, 10),
    }


# ---- the rules of the area ----------------------------------------------------------------------
@fires("missing_volumes")
@pytest.mark.parametrize(
    ("gone", "register"), [(TELEMETRY, "E17"), (LOSS, "E17"), (COUPLING, "E18")]
)
def test_a_missing_quarter_refuses_the_area(market: Market, gone: int, register: str) -> None:
    given = {
        TELEMETRY: volumes(TELEMETRY, 10),
        LOSS: volumes(LOSS, 10),
        COUPLING: volumes(COUPLING, 1_000, "E18"),
    }
    del given[gone][10:12]
    market.register(point(POINT), point(TELEMETRY, group="TMT"), point(LOSS, group="NVL"))
    market.couplings(coupling())
    market.volumes(*given.values(), volumes(COUPLING, 0, "E17"))
    market.deliver(read(flat()))
    [run] = market.allocate()
    assert run.state == "refused"
    assert run.reason is not None
    assert "1 points or couplings, 2 periods" in run.reason
    [found] = [row for row in market.findings(run) if row["rule"] == "missing_volumes"]
    assert (found["accounting_point"], found["register"]) == (gone, register)
    assert (found["first_period"], found["last_period"], found["observed"]) == (11, 12, 2)


@stands_still("missing_volumes", "area_not_closed", "energy_unassigned")
def test_an_area_with_all_its_volumes_is_whole(market: Market) -> None:
    made = whole(market, point(TELEMETRY, group="TMT"), delivered=volumes(TELEMETRY, 10))
    rules = {row["rule"] for row in made.findings}
    assert rules <= {"residual_factor_out_of_band"}


@fires("missing_profile")
def test_a_dimensioned_profile_that_was_not_loaded_refuses_the_area(market: Market) -> None:
    market.register(point(POINT), point(LIGHTING, group="DIM", dimensioned_profile="lamps"))
    market.couplings(coupling())
    market.fractions(lighting("lamps", 5_000, DAY + ONE_DAY))
    market.volumes(volumes(COUPLING, 1_000, "E18"), volumes(COUPLING, 0, "E17"))
    market.deliver(read(flat()))
    [run] = market.allocate()
    assert run.state == "refused"
    [found] = [row for row in market.findings(run) if row["rule"] == "missing_profile"]
    assert found["accounting_point"] == LIGHTING


@stands_still("missing_profile")
def test_lighting_without_a_profile_of_its_own_takes_that_of_its_category(market: Market) -> None:
    made = whole(
        market,
        point(LIGHTING, group="DIM", profile_category="E4A", annual_offtake_normal_wh=10**8),
    )
    assert sum(of_group(made, "DIM")) > 0
    [row] = [r for r in made.coverage if r["group"] == "DIM"]
    assert (row["status"], row["points"], row["periods"]) == ("STD", 1, N)


@fires("area_not_closed")
def test_an_area_without_couplings_is_allocated_as_assumed_and_told(market: Market) -> None:
    market.register(point(POINT), point(REFUSED, **PROFILED))
    market.deliver(read(flat()))
    made = market.run(with_open_areas=True)
    assert [row["rule"] for row in made.findings] == ["area_not_closed"]
    assert made.balance == made.residual == []
    assumed = of_group(made, "PRF")
    assert 0 < min(assumed) <= max(assumed) < 1_000


@fires("energy_unassigned")
def test_what_nobody_bears_is_a_line_of_the_balance(market: Market) -> None:
    market.register(point(POINT))
    market.couplings(coupling())
    market.volumes(
        volumes(COUPLING, [FLAT] * 3 + [FLAT + 7] + [FLAT] * 91 + [FLAT - 1], "E18"),
        volumes(COUPLING, 0, "E17"),
    )
    market.deliver(read(flat()))
    made = market.run()
    [found] = made.found("energy_unassigned")
    assert (found["first_period"], found["last_period"], found["observed"]) == (4, 96, 8)
    assert found["accounting_point"] is None
    assert sums(made)["RST", "E17"] == [0] * 3 + [7] + [0] * 91 + [-1]
    assert closes(made)


ONE_SHAPES = "min_points_for_shape: {values: {1900-01-01: 1}}\n"


def assumed(market: Market, net: int, *rows: dict[str, Any]) -> Outcome:
    """Allocate an area whose profiled offtake is assumed to be 1,000 Wh in each quarter.

    The smart meter makes the fraction: 100 Wh of 10 MWh a year; the refused point has 100 MWh.
    """
    market.parameters(ONE_SHAPES)
    market.register(
        point(POINT, annual_offtake_normal_wh=10**7),
        point(REFUSED, remote_reading="off", annual_offtake_normal_wh=10**8),
        *rows,
    )
    market.couplings(coupling())
    market.volumes(volumes(COUPLING, net, "E18"), volumes(COUPLING, 0, "E17"))
    market.deliver(read(flat()))
    return market.run()


@fires("residual_factor_out_of_band")
def test_a_factor_beyond_the_band_is_found_of_the_area(market: Market) -> None:
    made = assumed(market, 1_101 + FLAT)
    [found] = made.findings
    assert (found["rule"], found["accounting_point"]) == ("residual_factor_out_of_band", None)
    assert (found["first_period"], found["last_period"]) == (1, N)
    assert (found["observed"], found["limit"]) == (110_100, 110_000)
    assert {row["factor"] for row in made.residual} == {110_100}
    assert of_group(made, "PRF") == [1_101] * N


@stands_still("residual_factor_out_of_band")
@pytest.mark.parametrize("net", [1_100, 900])
def test_a_factor_at_the_end_of_the_band_is_not_found(market: Market, net: int) -> None:
    assert assumed(market, net + FLAT).findings == []


def test_a_sunny_quarter_makes_the_profiled_negative(market: Market) -> None:
    made = assumed(market, 0)
    assert {row["residual_wh"] for row in made.residual} == {-FLAT}
    assert {row["factor"] for row in made.residual} == {-10_000}
    assert of_group(made, "PRF") == [-FLAT] * N
    assert closes(made)


def test_the_fraction_of_the_day_is_told_with_its_status(market: Market) -> None:
    assumed(market, 1_000 + FLAT)
    rows = result(market.home, "fractions", [DAY]).to_pylist()
    told = {(r["profile_category"], r["direction"], r["fraction"], r["status"]) for r in rows}
    assert ("E1A", "E17", 1_000, "DYN") in told
    assert {r["consumption_type"] for r in rows} == {"AZI"}


CAP = LIMIT * 35_040


@fires("annual_volume_absurd")
def test_an_annual_volume_no_connection_carries_is_capped(market: Market) -> None:
    absurd = point(ean(21), remote_reading="off", annual_offtake_normal_wh=10**12)
    made = assumed(market, 10_000, absurd)
    [found] = made.found("annual_volume_absurd")
    assert (found["observed"], found["limit"], found["register"]) == (10**12, CAP, "E17")
    # 100 MWh and 181.332 MWh share the residual, not 100 MWh and 1 TWh.
    assert {row["assumed_offtake_wh"] for row in made.residual} == {1_000 + CAP // 10**5}


@stands_still("annual_volume_absurd")
@pytest.mark.parametrize(
    "cells",
    [
        {"annual_offtake_normal_wh": CAP},
        {"annual_offtake_normal_wh": CAP + 1, "market_segment": "GVB"},
    ],
)
def test_what_a_connection_can_just_carry_is_not_capped(
    market: Market, cells: dict[str, Any]
) -> None:
    made = assumed(market, 10_000, point(ean(21), remote_reading="off", **cells))
    assert made.found("annual_volume_absurd") == []


@fires("loss_point_twice")
def test_a_second_point_of_a_kind_of_loss_is_found_and_counted(market: Market) -> None:
    rows = [point(ean(30 + k), group="NVL", loss_type="TVB") for k in range(2)]
    made = whole(market, *rows, delivered=[*volumes(ean(30), 5), *volumes(ean(31), 6)])
    [found] = made.found("loss_point_twice")
    assert (found["accounting_point"], found["observed"], found["limit"]) == (ean(31), 2, 1)
    assert of_group(made, "NVL") == [11] * N


@stands_still("loss_point_twice")
def test_points_of_different_kinds_of_loss_are_none_too_many(market: Market) -> None:
    rows = [point(ean(30 + k), group="NVL", loss_type=t) for k, t in enumerate(("NVB", "TVB"))]
    made = whole(market, *rows, delivered=[*volumes(ean(30), 5), *volumes(ean(31), 6)])
    assert made.found("loss_point_twice") == []


# ---- unread for long ----------------------------------------------------------------------------
def unread_for(market: Market, days: int) -> Outcome:
    """Allocate a day on which a point was last read so many days before, its neighbour daily."""
    market.register(point(POINT), point(OTHER, annual_offtake_normal_wh=3_650_000))
    last = DAY - days * ONE_DAY
    market.deliver(read(flat(last), day=last), read(flat(last), OTHER, day=last))
    for passed in range(1, days + 1):
        market.deliver(read(running_on(passed), day=last + passed * ONE_DAY))
    return market.run()


def running_on(days: int) -> list[int | None]:
    """Give the readings of a register that ran on for so many days."""
    return flat(start=START + days * N * FLAT)


@fires("fell_back_to_profile")
def test_a_meter_unread_for_more_than_ten_days_falls_back_to_profile(market: Market) -> None:
    # The last reading is the midnight that opens the tenth day before.
    made = unread_for(market, 12)
    [found] = made.found("fell_back_to_profile")
    assert (found["accounting_point"], found["observed"], found["limit"]) == (OTHER, 11, 10)
    assert [row["accounting_point"] for row in made.found("unread_point")] == [OTHER]
    assert sum(of_group(made, "PRF")) > 0
    assert made.calculated() == [0] * N


@stands_still("fell_back_to_profile")
def test_a_meter_unread_for_ten_days_stays_a_smart_meter(market: Market) -> None:
    made = unread_for(market, 11)
    assert made.found("fell_back_to_profile") == []
    assert made.methods()["GMR"][:2] == (1, N)
    assert sum(of_group(made, "PRF")) == 0


def test_a_meter_that_is_read_again_is_a_smart_meter_again(market: Market) -> None:
    unread_for(market, 12)
    following = DAY + ONE_DAY
    readings = running_on(13)
    market.deliver(read(readings, day=following), read(readings, OTHER, day=following))
    made = market.run(following)
    assert made.found("fell_back_to_profile") == []
    assert made.measured() == [2 * FLAT] * N


def test_a_home_that_begins_distrusts_no_meter(market: Market) -> None:
    market.register(point(POINT), point(OTHER, annual_offtake_normal_wh=3_650_000))
    market.deliver(read(flat()))
    made = market.run()
    assert made.found("fell_back_to_profile") == []
    assert made.methods()["GMR"][:2] == (1, N)
