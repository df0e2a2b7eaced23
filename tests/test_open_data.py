"""PURPOSE: what is published for everybody gives no few away, and no more is left out than must."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from kwartier.pipeline import Attackable, HeldBack, Opened, opened
from kwartier.steps import audit
from kwartier.steps.disclosure import suppression
from tests.disclosing import BRP, MARKET, OTHER_BRP, Sum, given, volumes_of

A, B, C, D = "8711111000010", "8711111000027", "8711111000034", "8711111000041"


def shown(table: pa.Table, position: int = 1) -> dict[tuple[Any, ...], tuple[str, int | None]]:
    """Give status and Wh of each sum in a period: by BRP, supplier and group."""
    return {
        (row["brp"], row["supplier"], row["group"]): (row["status"], row["volume_wh"])
        for row in table.to_pylist()
        if row["position"] == position and row["direction"] == "E17"
    }


def made(*sums: Sum, earlier: Sequence[Opened] = (), parameters: Any = MARKET) -> pa.Table:
    return opened(given(*sums), "run", earlier, parameters)


def by_supplier(table: pa.Table) -> dict[str, str]:
    return {key[1]: status for key, (status, _) in shown(table).items() if key[1]}


def test_three_suppliers_and_a_public_total() -> None:
    table = made(Sum(A, 40), Sum(B, 25), Sum(C, 6))
    assert by_supplier(table) == {A: "published", B: "complement", C: "few"}
    sums = shown(table)
    total = sum(int(volumes_of(one)[0]) for one in (Sum(A, 40), Sum(B, 25), Sum(C, 6)))
    assert sums[None, None, None] == ("published", total)
    assert sums[None, C, None] == ("few", None)


def test_two_small_ones_need_a_third() -> None:
    table = made(Sum(A, 40), Sum(B, 6), Sum(C, 3))
    assert by_supplier(table) == {A: "complement", B: "few", C: "few"}


@pytest.mark.parametrize(("holders", "status"), [(10, "published"), (9, "few")])
def test_the_least_is_published_and_one_fewer_is_not(holders: int, status: str) -> None:
    assert by_supplier(made(Sum(A, 40), Sum(B, 30), Sum(C, holders)))[C] == status


@pytest.mark.parametrize(("largest", "status"), [(0.5, "published"), (0.500001, "dominant")])
def test_a_dominant_holder_is_left_out(largest: float, status: str) -> None:
    table = made(Sum(A, 40), Sum(B, 30), Sum(C, 20, largest=largest))
    assert by_supplier(table)[C] == status


def test_a_difference_of_a_brp_and_its_supplier_is_seen() -> None:
    # No published sum is small, yet the BRP less its larger supplier leaves six.
    table = made(Sum(A, 40), Sum(B, 6), Sum(B, 50, brp=OTHER_BRP), Sum(C, 30, brp=OTHER_BRP))
    left_out = [key for key, (status, _) in shown(table).items() if status == "complement"]
    assert left_out


def test_nothing_left_out_is_ever_a_zero_and_zeros_of_nobody_are_told() -> None:
    table = made(Sum(A, 40), Sum(B, 30), Sum(C, 6), Sum(D, 0, volume=0))
    for row in table.to_pylist():
        assert (row["volume_wh"] is None) == (row["status"] != "published")


def test_grid_loss_may_be_told() -> None:
    table = made(Sum(A, 40), Sum(B, 1, group="NVL", brp=OTHER_BRP))
    assert shown(table)[None, None, "NVL"][0] == "published"
    assert set(by_supplier(table).values()) == {"published"}


def test_the_same_run_gives_the_same_bytes() -> None:
    sums = (Sum(A, 40), Sum(B, 25), Sum(C, 6), Sum(D, 25))
    assert made(*sums).equals(made(*reversed(sums)))


# ---- versions ------------------------------------------------------------------------------------
def version(*sums: Sum, earlier: Sequence[Opened] = ()) -> Opened:
    run = given(*sums)
    return Opened(run, opened(run, "earlier", earlier, MARKET))


def test_the_change_of_one_meter_is_held_back() -> None:
    first = version(Sum(A, 40), Sum(B, 25))
    with pytest.raises(HeldBack, match="fewer holders than the least"):
        made(Sum(A, 40), Sum(B, 26), earlier=[first])


def test_the_change_of_many_is_published() -> None:
    first = version(Sum(A, 40), Sum(B, 25))
    table = made(Sum(A, 40), Sum(B, 35), earlier=[first])
    assert by_supplier(table) == {A: "published", B: "published"}


def test_what_an_earlier_version_told_hides_nothing_in_a_later_one() -> None:
    first = version(Sum(A, 40), Sum(B, 25))
    # B lost nineteen, which are enough; but A did not change, so the total would give B.
    sums = shown(made(Sum(A, 40), Sum(B, 6), earlier=[first]))
    assert sums[None, B, None][0] == "few"
    assert sums[None, None, None][0] == "complement"


def test_what_an_earlier_version_gives_away_is_held_back() -> None:
    run = given(Sum(A, 40), Sum(B, 25), Sum(C, 6))
    loose = replace(MARKET, disclosure_least_holders=5)
    first = Opened(run, opened(run, "earlier", [], loose))
    with pytest.raises(HeldBack, match="an earlier version"):
        opened(run, "run", [first], MARKET)


def test_what_was_left_out_stays_so_while_it_would_be_given_back() -> None:
    first = version(Sum(A, 40), Sum(B, 25), Sum(C, 6))
    table = made(Sum(A, 60), Sum(B, 25), Sum(C, 6), earlier=[first])
    assert by_supplier(table)[B] == "complement"


# ---- the audit is asked --------------------------------------------------------------------------
def test_what_the_audit_can_compute_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(sums: Any, *rest: Any) -> list[str]:
        return ["published"] * len(sums)

    monkeypatch.setattr(suppression, "suppress", careless)
    with pytest.raises(Attackable, match="could be computed"):
        made(Sum(A, 40), Sum(B, 6))


def test_what_the_audit_can_bound_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "bounded", lambda told, hidden, *rest: set(range(len(hidden))))
    with pytest.raises(Attackable, match="could be bounded"):
        made(Sum(A, 40), Sum(B, 25), Sum(C, 6))


def test_a_range_that_is_too_narrow_takes_more_out() -> None:
    wide = replace(MARKET, disclosure_interval=Fraction(1))
    few = Sum(A, 6, volume=10_000)
    others = (Sum(B, 40, volume=1), Sum(C, 40, volume=90_000))
    loose, strict = (made(few, *others, parameters=p) for p in (MARKET, wide))
    out = [
        sum(1 for status, _ in shown(t).values() if status != "published") for t in (loose, strict)
    ]
    assert out[0] <= out[1]


# ---- always --------------------------------------------------------------------------------------
_SUMS = st.lists(
    st.builds(
        Sum,
        supplier=st.sampled_from([A, B, C, D]),
        holders=st.integers(0, 30),
        brp=st.sampled_from([BRP, OTHER_BRP]),
        group=st.sampled_from(["SMA", "PRF", "NVL"]),
        largest=st.sampled_from([None, 0.4, 0.9]),
        volume=st.sampled_from([0, 5, 5000]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda one: (one.supplier, one.brp, one.group),
)


@for_all(_SUMS)
@settings(max_examples=60, deadline=None)
def test_no_random_table_gives_few_away(sums: list[Sum]) -> None:
    table = made(*sums)  # which is audited, and raises
    for (brp, supplier, group), (status, wh) in shown(table).items():
        if status == "published":
            words = {"brp": brp, "supplier": supplier, "group": group}
            mine = [s for s in sums if all(not w or getattr(s, n) == w for n, w in words.items())]
            assert wh == sum(int(volumes_of(one)[0]) for one in mine)
        else:
            assert wh is None


@for_all(st.lists(st.integers(1, 30), min_size=2, max_size=5))
@settings(max_examples=40, deadline=None)
def test_no_cheaper_way_to_protect_exists(holders: list[int]) -> None:
    suppliers = [f"87111110000{i}0" for i in range(len(holders))]
    sums = [Sum(s, n, volume=5000) for s, n in zip(suppliers, holders, strict=True)]
    status = by_supplier(made(*sums))
    cost = sum(n + 1 for s, n in zip(suppliers, holders, strict=True) if status[s] == "complement")
    total_out = shown(made(*sums))[None, None, None][0] != "published"
    small = {i for i, n in enumerate(holders) if n < 10}
    secrets = [audit.Secret(n, weight=n, largest=1) for n in holders]
    rules = audit.Rules(10, MARKET.disclosure_dominant_share)
    every = set(range(len(holders)))
    ways = []
    for size in range(len(every - small) + 1):
        for extra in combinations(sorted(every - small), size):
            told = [every, *({i} for i in every - small - set(extra))]
            if not audit.computable(told, secrets, rules):
                ways.append(sum(holders[i] + 1 for i in extra))
    if not total_out:
        assert cost == min(ways)
