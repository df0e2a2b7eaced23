"""The residual and its factor: the numbers of the rule, and that an area closes to the Wh."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwartier import codes, parameters, shares
from kwartier.arrays import FRACTION_SCALE, Line
from kwartier.steps import allocation, balance, residual

DAY = date(2026, 1, 14)
HELD = parameters.load(DAY)
NOBODY = parameters.load(DAY, {"residual_assigned_to": {"values": {date(1900, 1, 1): "nobody"}}})


def weights(*cells: list[int]) -> shares.Products:
    """Make weights of whole Wh."""
    return np.array([[wh * FRACTION_SCALE for wh in cell] for cell in cells], object)


def line(group: str, direction: int, wh: int) -> Line:
    volume = np.array([wh], np.int64)
    return Line("brp", "supplier", group, "", "", direction, "MSR", volume, volume)


def test_the_example_of_the_rule() -> None:
    lines = [line("TMT", 0, 400_000), line("SMA", 0, 250_000), line("SMA", 1, 60_000)]
    lines.append(line("PRF", 1, 20_000))
    losses = {"NVL": np.array([40_000])}
    sums = balance.add_up(lines, losses, np.array([1_000_000]), np.array([0]))
    assert balance.missing_offtake(sums).tolist() == [390_000]
    closed = residual.close(np.array([390_000]), weights([350_000]), HELD)
    assert closed.factor.tolist() == [111_429]
    assert closed.offtake.tolist() == [[390_000]]
    assert closed.unassigned.tolist() == [0]


def test_without_profiled_points_the_factor_is_one_and_the_rest_is_shown() -> None:
    closed = residual.close(np.array([7, -3, 0]), np.zeros((0, 3), object), HELD)
    assert closed.factor.tolist() == [100_000] * 3
    assert closed.unassigned.tolist() == [7, -3, 0]
    [found] = closed.found
    assert (found["first_period"], found["last_period"], found["observed"]) == (1, 2, 10)


def test_a_period_whose_fractions_are_all_zero_leaves_its_residual_to_nobody() -> None:
    closed = residual.close(np.array([5, 5]), weights([0, 10], [0, 10]), HELD)
    assert closed.offtake.tolist() == [[0, 3], [0, 2]]
    assert closed.unassigned.tolist() == [5, 0]
    assert closed.factor.tolist() == [100_000, 25_000]


def test_a_negative_residual_makes_profiled_offtake_negative() -> None:
    closed = residual.close(np.array([-10]), weights([30], [30], [40]), HELD)
    assert closed.offtake[:, 0].tolist() == [-3, -3, -4]
    assert closed.factor.tolist() == [-10_000]


def test_what_rounding_leaves_goes_to_the_largest_remainders_then_to_the_lower_cell() -> None:
    closed = residual.close(np.array([10]), weights([1], [1], [1]), HELD)
    assert closed.offtake[:, 0].tolist() == [4, 3, 3]
    closed = residual.close(np.array([-10]), weights([1], [1], [1]), HELD)
    assert closed.offtake[:, 0].tolist() == [-4, -3, -3]
    closed = residual.close(np.array([10]), weights([1], [2], [1]), HELD)
    assert closed.offtake[:, 0].tolist() == [3, 5, 2]


def test_the_switch_leaves_the_profiled_as_assumed_and_the_rest_to_nobody() -> None:
    closed = residual.close(np.array([1_000]), weights([300], [100]), NOBODY)
    assert closed.offtake[:, 0].tolist() == [300, 100]
    assert closed.unassigned.tolist() == [600]
    assert closed.factor.tolist() == [100_000]
    assert [int(row["observed"]) for row in closed.found] == [600]


def alarms(r: int, v: int) -> list[tuple[int, int]]:
    found = residual.close(np.array([r]), weights([v]), HELD).found
    return [(int(row["observed"]), int(row["limit"])) for row in found]


def test_a_factor_on_the_edge_of_the_band_gives_no_alarm() -> None:
    assert alarms(1_100, 1_000) == []
    assert alarms(900, 1_000) == []


def test_a_factor_beyond_the_band_gives_an_alarm_with_its_nearer_end() -> None:
    # The exact factor counts, also where rounding would hide it.
    assert alarms(1_100_001, 1_000_000) == [(110_000, 110_000)]
    assert alarms(899_999, 1_000_000) == [(90_000, 90_000)]
    assert alarms(2_000, 1_000) == [(200_000, 110_000)]


def test_neighbouring_periods_beyond_the_same_end_make_one_alarm() -> None:
    closed = residual.close(
        np.array([200, 300, 100, 10, 200]), weights([100, 100, 100, 100, 100]), HELD
    )
    spans = [tuple(int(row[n]) for n in ("first_period", "last_period")) for row in closed.found]
    assert sorted(spans) == [(1, 2), (4, 4), (5, 5)]


@pytest.mark.parametrize(
    ("r", "v", "factor"),
    [(1, 3, 33_333), (2, 3, 66_667), (5, 10**6, 1), (-5, 10**6, 0), (-15, 10**6, -1)],
)
def test_the_factor_is_rounded_half_up(r: int, v: int, factor: int) -> None:
    assert residual.close(np.array([r]), weights([v]), HELD).factor.tolist() == [factor]


@given(
    st.integers(-(10**12), 10**12),
    st.lists(st.integers(0, 10**21), min_size=1, max_size=30).filter(any),
)
def test_a_spread_is_exact_and_no_part_is_a_wh_off(total: int, weights: list[int]) -> None:
    parts = shares.spread(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1


def test_energy_that_is_lost_stops_the_run() -> None:
    none = np.zeros(1, np.int64)
    sums = balance.add_up([], {}, np.array([1]), none)
    with pytest.raises(balance.NotConserved, match="period 1 is not closed"):
        balance.prove(sums, tables_of([]))


def test_a_series_that_is_not_in_the_balance_stops_the_run() -> None:
    lines = [line("SMA", 0, 5)]
    sums = balance.add_up(lines, {}, np.array([5]), np.array([0]))
    with pytest.raises(balance.NotConserved, match="group SMA, E17"):
        balance.prove(sums, tables_of([]))


def tables_of(lines: list[Line]) -> pa.Table:
    return allocation.allocate(DAY, "area", lines).slice(0, 0)


def test_every_group_has_its_line_in_the_balance() -> None:
    of_lines = {line for line, _ in balance.LINES}
    assert of_lines >= {*codes.GROUPS, *codes.LOSS_TYPES, codes.COUPLING, codes.UNASSIGNED}
