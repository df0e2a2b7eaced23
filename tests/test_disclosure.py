"""PURPOSE: no sum of few holders leaves by a protected document, and no energy is lost by it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from kwartier.pipeline import disclosed
from kwartier.steps.disclosure import (
    ALL,
    OTHER,
    Holders,
    NotConserved,
    Run,
    disclose,
    holders_of,
    judge,
    merging,
    thin_changes,
    together,
)
from tests.disclosing import (
    BRP,
    MARKET,
    OTHER_BRP,
    Sum,
    before,
    given,
    merged,
    named,
    reported,
    totals,
)

A, B, C, D = "8711111000010", "8711111000027", "8711111000034", "8711111000041"


def told(*sums: Sum, **how: Any) -> Any:
    run = given(*sums)
    made = disclosed(run, how.get("before"), how.get("parameters", MARKET))
    assert totals(made.allocation) == totals(run.allocation)
    assert not any(made.report["attackable"].to_pylist())
    return made


# ---- the three suppliers of the issue ------------------------------------------------------------
def test_hiding_only_the_small_one_would_give_it_back() -> None:
    made = told(Sum(A, 40), Sum(B, 25), Sum(C, 6))
    assert merged(made) == {B, C}
    assert named(made) == [A, OTHER]
    assert reported(made, "reason") == {A: None, B: "complement", C: "few"}
    assert reported(made, "released") == {A: "as_it_is", B: "merged", C: "merged"}


def test_a_remainder_under_the_least_takes_the_large_one_too() -> None:
    made = told(Sum(A, 40), Sum(B, 6), Sum(C, 3))
    assert merged(made) == {A, B, C}
    assert named(made) == [OTHER]


def test_two_small_ones_that_are_enough_together_leave_the_large_one() -> None:
    assert merged(told(Sum(A, 40), Sum(B, 6), Sum(C, 4))) == {B, C}


@pytest.mark.parametrize(("holders", "alone"), [(10, set()), (9, {A, B})])
def test_the_least_is_enough_and_one_fewer_is_not(holders: int, alone: set[str]) -> None:
    assert merged(told(Sum(A, holders), Sum(B, 40))) == alone


def test_the_least_is_a_parameter() -> None:
    parameters = replace(MARKET, disclosure_least_holders=5)
    assert merged(told(Sum(A, 40), Sum(B, 5), parameters=parameters)) == set()


def test_holders_count_and_not_meters() -> None:
    assert merged(told(Sum(A, 40), Sum(B, 9, points=500))) == {A, B}


def test_a_holder_of_two_sums_counts_once_in_both() -> None:
    held = together([Holders(3, 4), Holders(2, 4)])
    assert held.least == 9
    assert merged(told(Sum(A, 40), Sum(B, 7, shared=4), Sum(C, 6, shared=4))) == {A, B, C}


@pytest.mark.parametrize(("largest", "alone"), [(0.5, set()), (0.500001, {A, B})])
def test_half_of_a_sum_is_not_dominant_and_more_is(largest: float, alone: set[str]) -> None:
    made = told(Sum(A, 40), Sum(B, 20, largest=largest))
    assert merged(made) == alone
    assert reported(made, "reason")[B] == ("dominant" if alone else None)


def test_what_stays_dominant_in_the_whole_brp_goes_to_the_entitled_party_alone() -> None:
    made = told(Sum(A, 40, weight=10), Sum(B, 20, largest=0.9, weight=10**9))
    assert merged(made) == set()
    assert (BRP, B, "SMA", "E17") in made.alone
    assert (BRP, ALL, "SMA", "E17") in made.alone
    assert reported(made, "released") == {A: "as_it_is", B: "alone"}


def test_the_only_customer_of_a_brp_goes_to_the_entitled_party_alone() -> None:
    made = told(Sum(A, 1), Sum(A, 40, brp=OTHER_BRP))
    assert made.alone == {(BRP, A, "SMA", "E17"), (BRP, ALL, "SMA", "E17")}
    assert reported(made, "reason") == {A: "few"}
    assert named(made) == [A]


def test_one_partition_holds_for_every_group_and_direction() -> None:
    infeed = {"direction": "E18"}
    made = told(
        *(Sum(A, 400), Sum(B, 300), Sum(C, 200)), Sum(A, 90, **infeed), Sum(B, 80, **infeed),
        Sum(C, 2, **infeed), Sum(A, 50, group="PRF", category="E1A", type="AZI"),
    )  # fmt: skip
    assert merged(made) == {B, C}
    rows = made.allocation.to_pylist()
    assert {r["supplier"] for r in rows if r["direction"] == "E17"} == {A, OTHER}
    assert {(r["origin"], r["profile_category"]) for r in rows} == {(None, None)}


def test_energy_that_nobody_is_known_to_hold_counts_as_of_few() -> None:
    infeed = (Sum(A, 90, direction="E18"), Sum(B, 0, direction="E18", volume=3))
    made = told(Sum(A, 400), Sum(B, 300), *infeed)
    assert merged(made) == {A, B}


def test_zeros_of_nobody_are_told() -> None:
    made = told(Sum(A, 40), Sum(B, 30), Sum(B, 0, direction="E18", volume=0))
    assert merged(made) == set()
    assert made.alone == set()


def test_grid_loss_is_of_the_operator_and_may_be_told() -> None:
    made = told(Sum(A, 40), Sum(B, 1, group="NVL", brp=OTHER_BRP))
    assert made.alone == set()


# ---- several runs of a day -----------------------------------------------------------------------
def test_a_later_run_only_merges_more() -> None:
    first = (Sum(A, 40), Sum(B, 25), Sum(C, 6))
    run = given(*first)
    made = disclosed(run, None, MARKET)
    # C has grown; but what was merged once stays so.
    later = told(Sum(A, 40), Sum(B, 25), Sum(C, 60), before=before(run, made))
    assert merged(later) == {B, C}
    assert reported(later, "reason")[C] == "earlier"


def test_a_supplier_that_is_no_longer_told_by_name_is_withdrawn() -> None:
    run = given(Sum(A, 40), Sum(B, 25), Sum(C, 16))
    made = disclosed(run, None, MARKET)
    later = told(
        Sum(A, 40, volume=3), Sum(B, 25, volume=5), Sum(C, 6, volume=1), before=before(run, made)
    )
    assert merged(later) == {B, C}
    gone = [row for row in later.allocation.to_pylist() if row["withdrawn"]]
    assert {row["supplier"] for row in gone} == {B, C}
    assert {row["volume_wh"] for row in gone} == {0}
    again = given(Sum(A, 40, volume=4), Sum(B, 25, volume=5), Sum(C, 6, volume=2))
    third = disclose(again, before(given(Sum(A, 40)), later), MARKET)
    assert {r["supplier"] for r in third.allocation.to_pylist() if r["withdrawn"]} == {B, C}


def test_what_did_not_change_since_it_was_told_hides_nothing() -> None:
    run = given(Sum(A, 40), Sum(B, 25), Sum(C, 16), Sum(D, 30))
    made = disclosed(run, None, MARKET)
    assert merged(made) == set()
    # Only D and C changed: B and A are known from the first run, so D must hide C.
    later = told(
        *(Sum(A, 40), Sum(B, 25), Sum(C, 6, volume=1), Sum(D, 30, volume=7)),
        before=before(run, made),
    )
    assert merged(later) == {C, D}
    # Only C changed: every other is known, and nothing can hide it.
    alone = told(
        *(Sum(A, 40), Sum(B, 25), Sum(C, 6, volume=1), Sum(D, 30)), before=before(run, made)
    )
    assert reported(alone, "released")[C] == "alone"
    assert (BRP, ALL, "SMA", "E17") in alone.alone


def test_the_change_of_one_meter_is_listed() -> None:
    run = given(Sum(A, 40), Sum(B, 25))
    made = disclosed(run, None, MARKET)
    later = told(Sum(A, 40), Sum(B, 26), before=before(run, made))
    assert reported(later, "thin_change") == {A: False, B: True}


@pytest.mark.parametrize(("came", "thin"), [(9, True), (10, False)])
def test_a_change_of_the_least_is_not_thin_and_of_one_fewer_is(came: int, thin: bool) -> None:
    runs = given(Sum(A, 40)), given(Sum(A, 40 + came))
    assert bool(thin_changes(*runs, MARKET)) == thin


@pytest.mark.parametrize(("moved", "thin"), [(9, True), (10, False)])
def test_points_that_became_measured_changed(moved: int, thin: bool) -> None:
    was = given(Sum(A, 40, points=20), Sum(A, 40, points=20, origin="CLC"))
    now = given(
        Sum(A, 40, points=20 + moved, volume=7),
        Sum(A, 40, points=20 - moved, origin="CLC"),
    )
    assert bool(thin_changes(was, now, MARKET)) == thin


def test_many_meters_of_one_holder_are_one() -> None:
    was, now = (given(Sum(A, 40 + more, points=100 + 30 * more)) for more in (0, 1))
    assert thin_changes(was, now, MARKET)


def test_the_factor_changes_profiled_sums_by_what_others_changed() -> None:
    profiled = Sum(B, 50, group="PRF", category="E1A", type="AZI")
    for came, thin in ((9, True), (10, False)):
        was = given(Sum(A, 40), profiled)
        now = given(Sum(A, 40 + came), profiled.but(volume=7))
        assert ((BRP, B, "PRF", "E17") in thin_changes(was, now, MARKET)) == thin


def test_nothing_changed_is_no_change() -> None:
    assert thin_changes(given(Sum(A, 40)), given(Sum(A, 40)), MARKET) == set()


# ---- always --------------------------------------------------------------------------------------
_SUMS = st.lists(
    st.builds(
        Sum,
        supplier=st.sampled_from([A, B, C, D]),
        holders=st.integers(0, 30),
        brp=st.sampled_from([BRP, OTHER_BRP]),
        group=st.sampled_from(["SMA", "TMT", "NVL"]),
        direction=st.sampled_from(["E17", "E18"]),
        shared=st.just(0),
        largest=st.sampled_from([None, 0.4, 0.9]),
        volume=st.sampled_from([0, 5, 5000]),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda one: (one.supplier, one.brp, one.group, one.direction),
).map(lambda sums: tuple(sums))


@for_all(_SUMS, st.lists(_SUMS, max_size=2))
@settings(max_examples=60, deadline=None)
def test_no_run_of_a_day_gives_few_away(first: tuple[Sum, ...], later: list[Any]) -> None:
    earlier, blocks = None, frozenset[Any]()
    for sums in (first, *later):
        run = given(*sums)
        made = disclosed(run, earlier, MARKET)
        assert totals(made.allocation) == totals(run.allocation)
        assert not any(made.report["attackable"].to_pylist())
        there = {(one.brp, one.supplier) for one in sums}
        assert made.partition.merged >= blocks & there
        held = holders_of(run.privacy)
        for brp in (BRP, OTHER_BRP):
            assert len({s for of, s in made.partition.merged if of == brp}) != 1 or earlier
        for cell, of in held.items():
            if judge(of, cell[2:], MARKET) and cell[:2] not in made.partition.merged:
                assert cell in made.alone or earlier
        # A run tells its withdrawn series for ever, so none is gone from a later one.
        blocks = made.partition.merged & there
        earlier = before(run, made)


def test_the_share_of_the_market_is_exact() -> None:
    assert MARKET.disclosure_dominant_share == Fraction(1, 2)


def test_energy_that_merging_lost_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    run = given(Sum(A, 40), Sum(B, 6))
    monkeypatch.setattr(merging, "_plus", lambda one, other: one)
    with pytest.raises(NotConserved, match=r"^\d+ sums of a BRP changed"):
        disclose(run, None, MARKET)


def test_a_day_without_series_discloses_nothing() -> None:
    run = given(Sum(A, 40))
    empty = Run(run.allocation.slice(0, 0), run.privacy.slice(0, 0))
    made = disclosed(empty, None, MARKET)
    assert made.allocation.num_rows == made.report.num_rows == 0
