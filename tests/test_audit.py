"""PURPOSE: the audit finds every sum of few that was told by mistake, and accuses no safe one."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain, combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwartier.steps import audit
from kwartier.steps.audit import Rules, Secret, bad, bounded, computable

RULES = Rules(10, Fraction(1, 2))
WIDE = Fraction(1, 5)


def held(*holders: int) -> list[Secret]:
    """Give secrets of so many holders, all alike."""
    return [Secret(n, weight=n * 100, largest=100) for n in holders]


def test_hiding_only_the_small_one_gives_it_back() -> None:
    told = [{0, 1, 2}, {0}, {1}]
    assert computable(told, held(40, 25, 6), RULES) == {2: {2}}
    assert computable(told[:2], held(40, 25, 6), RULES) == {}


def test_a_remainder_of_two_small_ones_is_found() -> None:
    assert computable([{0, 1, 2}, {0}], held(40, 6, 3), RULES) == {1: {1, 2}, 2: {1, 2}}


@pytest.mark.parametrize(("holders", "found"), [(3, {1, 2}), (4, set())])
def test_a_remainder_of_the_least_is_enough(holders: int, found: set[int]) -> None:
    assert set(computable([{0, 1, 2}, {0}], held(40, 6, holders), RULES)) == found


def test_two_documents_are_subtracted() -> None:
    by_one, by_other = [{0, 1}, {2, 3}], [{0, 1, 2}]
    assert set(computable([*by_one, *by_other], held(40, 30, 3, 50), RULES)) == {2}
    assert computable(by_one, held(40, 30, 3, 50), RULES) == {}


def test_an_earlier_version_with_a_finer_partition_is_subtracted() -> None:
    earlier, later = [{0}, {1}], [{0, 1, 2}]
    assert set(computable([*earlier, *later], held(40, 25, 6), RULES)) == {2}


def test_what_a_party_knows_itself_is_subtracted() -> None:
    assert computable([{0, 1}], held(40, 6), RULES) == {}
    own = [{0}]
    assert set(computable([{0, 1}, *own], held(40, 6), RULES)) == {1}


@pytest.mark.parametrize(("largest", "found"), [(500, set()), (501, {1})])
def test_a_dominant_holder_is_found_and_half_is_not(largest: int, found: set[int]) -> None:
    secrets = [*held(40), Secret(20, weight=1000, largest=largest)]
    assert set(computable([{0}, {0, 1}], secrets, RULES)) == found
    # With others enough around it nobody is dominant.
    assert computable([{0, 1}], secrets, RULES) == {}


def test_a_holder_of_several_sums_is_one_holder() -> None:
    secrets = [Secret(3, 6, 900, 10), Secret(2, 6, 900, 10), *held(40)]
    assert bad(secrets[:2], Rules(12, Fraction(1, 2)))
    assert not bad(secrets[:2], Rules(11, Fraction(1, 2)))
    assert set(computable([{0, 1, 2}, {2}], secrets, Rules(12, Fraction(1, 2)))) == {0, 1}


def test_one_who_is_large_in_several_sums_together_is_found() -> None:
    one = Secret(20, 1, 1000, 400, 400)
    assert computable([{0}], [one], RULES) == {}
    # 300 of 1,000 in both is 600 of 2,000; 300 of 1,000 and of 190 is 600 of 1,190.
    pair = [Secret(20, 1, 1000, 300, 300), Secret(20, 1, 190, 300, 300)]
    assert set(computable([{0, 1}], pair, RULES)) >= {0}


def test_what_anybody_may_know_hides_nothing() -> None:
    secrets = [*held(6), Secret(1, guarded=False)]
    assert set(computable([{0, 1}], secrets, RULES)) == {0}
    assert computable([{1}], secrets, RULES) == {}


def test_nothing_told_is_nothing_known() -> None:
    assert computable([], held(1), RULES) == {}
    assert computable([set()], held(1), RULES) == {}
    assert bounded([], [{0}], held(1), np.array([[5]]), WIDE) == set()


# ---- every planted leak --------------------------------------------------------------------------
_TABLE = st.integers(2, 7).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(1, 25), min_size=n, max_size=n),
        st.lists(st.sets(st.integers(0, n - 1), min_size=1), max_size=5),
    )
)


def _leaks(told: list[set[int]], secrets: list[Secret]) -> set[int]:
    """Find what the audit should, by trying every sum of secrets: slow and plain."""
    matrix = np.zeros((len(told), len(secrets)))
    for r, sum_ in enumerate(told):
        matrix[r, list(sum_)] = 1
    rank = np.linalg.matrix_rank(matrix) if len(told) else 0
    every = range(len(secrets))
    found: set[int] = set()
    for some in chain.from_iterable(combinations(every, n) for n in range(1, len(secrets) + 1)):
        row = np.zeros((1, len(secrets)))
        row[0, list(some)] = 1
        within = len(told) and np.linalg.matrix_rank(np.vstack([matrix, row])) == rank
        if within and sum(secrets[i].apart for i in some) < RULES.least:
            found |= set(some)
    return found


@given(_TABLE)
@settings(max_examples=150, deadline=None)
def test_every_leak_of_a_random_table_is_found(table: tuple[list[int], list[set[int]]]) -> None:
    # The many are so many that none is dominant.
    secrets = [Secret(n, weight=100, largest=1) for n in table[0]]
    found = computable(table[1], secrets, RULES)
    assert set(found) == _leaks(table[1], secrets)
    for attack in found.values():
        assert sum(secrets[i].apart for i in attack) < RULES.least


@given(_TABLE, st.data())
@settings(max_examples=60, deadline=None)
def test_a_planted_leak_is_found(
    table: tuple[list[int], list[set[int]]], data: st.DataObject
) -> None:
    holders, told = table
    secret = data.draw(st.integers(0, len(holders) - 1))
    around = data.draw(st.sets(st.integers(0, len(holders) - 1))) - {secret}
    holders[secret] = 3
    secrets = [Secret(n, weight=100, largest=1) for n in holders]
    planted = [around | {secret}, around] if around else [{secret}]
    assert secret in computable([*told, *planted], secrets, RULES)


# ---- ranges --------------------------------------------------------------------------------------
def test_a_range_follows_from_energy_that_is_never_below_zero() -> None:
    # The total is 103 and the small one at most 3 of it: between 0 and 103 nobody knows which.
    volume = np.array([[100], [3]])
    assert bounded([{0, 1}], [{1}], held(40, 6), volume, WIDE) == set()
    # Both are in a sum that is hardly more than the other: 100 of 101, within 1.
    volume = np.array([[100], [1], [50]])
    told = [{0, 1}, {1, 2}]
    assert bounded(told, [{0}], held(6, 3, 40), volume, WIDE) == set()
    volume = np.array([[100], [1], [3]])
    assert bounded(told, [{0}], held(6, 3, 40), volume, WIDE) == {0}


@pytest.mark.parametrize(("other", "narrow"), [(19, {0}), (20, set())])
def test_a_range_of_a_fifth_is_enough(other: int, narrow: set[int]) -> None:
    # The hidden one is between 100 and 100 - other + ...: the others can only give so much.
    volume = np.array([[100], [0], [other]])
    told = [{0, 1}, {1, 2}]
    assert bounded(told, [{0}], held(6, 3, 40), volume, WIDE) == narrow


def test_zeros_tell_that_all_is_zero_and_that_is_no_energy() -> None:
    assert bounded([{0, 1}], [{1}], held(40, 6), np.array([[0], [0]]), WIDE) == set()


def test_energy_that_may_be_below_zero_has_no_bound() -> None:
    volume = np.array([[100, 100], [1, 1], [3, -3]])
    assert bounded([{0, 1}, {1, 2}], [{0}], held(6, 3, 40), volume, WIDE) == set()


def test_what_is_in_nothing_that_was_told_has_no_bound() -> None:
    assert bounded([{0}], [{1}], held(40, 6), np.array([[5], [5]]), WIDE) == set()


def test_one_tight_period_of_a_day_is_found() -> None:
    volume = np.tile(np.array([[100], [50], [50]]), 96)
    volume[1:, 40] = 1, 2
    assert bounded([{0, 1}, {1, 2}], [{0}], held(6, 3, 40), volume, WIDE) == {0}


def test_the_audit_shares_no_room_with_what_hides() -> None:
    assert audit.__file__ is not None
    text = Path(audit.__file__).read_text("utf-8")
    assert "disclosure" not in text.split('"""')[2]
