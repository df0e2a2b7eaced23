"""What was told → what can be computed from it, or bounded too tightly: an attack on our own work.

It shares nothing with the rooms that hide but the solver. Whoever reads all that was told knows
sums of secrets, and every sum and difference of those: the row space of what was told, found by
exact elimination. A secret is attackable where a sum in that space holds it and too few others;
where the space does not give it, its range follows by linear programming. Source: domain §10;
decisions §34.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import highspy
import numpy as np
import numpy.typing as npt

from kwartier import solving
from kwartier.arrays import Bools, Int64s

_STEEP = 10_000  # so many times the limit a secret may weigh before it is left out at once
_SLACK = 1e-6


class Secret(NamedTuple):
    """The smallest sum that somebody could want to know, and who are behind it.

    `apart` hold points of it only, `shared` of other secrets too; `weight` is how large it is in a
    year and `largest` what the largest holder has of it, in one unit for all secrets, and
    `largest_shared` the same of those who are in others too. Whether `guarded`; else anybody may
    know it.
    """

    apart: int
    shared: int = 0
    weight: int = 0
    largest: int = 0
    largest_shared: int = 0
    guarded: bool = True


class Rules(NamedTuple):
    """What protects: at least so many holders, none of whom has more than a share of the sum."""

    least: int
    share: Fraction


Told = Sequence[Collection[int]]  # of each sum that was told, the secrets in it
_Row = dict[int, Fraction]


def bad(secrets: Iterable[Secret], rules: Rules) -> bool:
    """Tell whether a sum of secrets tells too much of few."""
    guarded = [one for one in secrets if one.guarded]
    if not guarded:
        return False
    holders = sum(one.apart for one in guarded) + max(one.shared for one in guarded)
    of_shared = sum(one.largest_shared for one in guarded)
    largest = max(of_shared, max(one.largest for one in guarded))
    return holders < rules.least or largest > rules.share * sum(one.weight for one in guarded)


def computable(told: Told, secrets: Sequence[Secret], rules: Rules) -> dict[int, frozenset[int]]:
    """Find the secrets that can be computed from what was told, by themselves or with too few.

    Returns
    -------
    attacks : by secret, the secrets of a sum that gives it away.
    """
    found: dict[int, frozenset[int]] = {}
    for rows in _apart(_all_told(told, secrets)):
        for space in _parts(_reduced(rows)):
            for secret in sorted({column for row in space.values() for column in row}):
                if secret not in found and secrets[secret].guarded:
                    attack = _attack(secret, space, secrets, rules)
                    found |= {one: attack for one in sorted(attack) if one not in found}
    return found


def _parts(space: Mapping[int, _Row]) -> list[dict[int, _Row]]:
    """Divide a space where its rows have no secret together.

    A sum over several parts tells too much only where what it has of one part does: each further
    part adds holders, and weight of which the largest have no more than their share.
    """
    lots = _apart([set(row) for row in space.values()])
    lot_of = {column: i for i, lot in enumerate(lots) for row in lot for column in row}
    parts: list[dict[int, _Row]] = [{} for _ in lots]
    for pivot, row in space.items():
        parts[lot_of[pivot]][pivot] = row
    return parts


def _all_told(told: Told, secrets: Sequence[Secret]) -> list[set[int]]:
    anybody = [{i} for i, one in enumerate(secrets) if not one.guarded]
    return [*(set(sum_) for sum_ in told), *anybody]


def _apart(rows: Sequence[set[int]]) -> list[list[set[int]]]:
    """Divide sums into lots that have no secret together."""
    root: dict[int, int] = {}

    def of(one: int) -> int:
        while root.setdefault(one, one) != one:
            root[one] = root[root[one]]
            one = root[one]
        return one

    for row in rows:
        first = min(row, default=None)
        for one in row:
            root[of(one)] = of(first if first is not None else one)
    lots: dict[int, list[set[int]]] = {}
    for row in rows:
        if row:
            lots.setdefault(of(min(row)), []).append(row)
    return [lots[key] for key in sorted(lots)]


def _reduced(rows: Sequence[set[int]]) -> dict[int, _Row]:
    """Eliminate, exactly: by pivot, the rows that span the same, each pivot in its own row only."""
    space: dict[int, _Row] = {}
    for sum_ in sorted(rows, key=lambda row: (len(row), sorted(row))):
        row = dict.fromkeys(sorted(sum_), Fraction(1))
        for pivot in sorted(set(row) & set(space)):
            _subtract(row, space[pivot], row[pivot])
        if not row:
            continue
        pivot = min(row)
        scale = row[pivot]
        row = {column: value / scale for column, value in row.items()}
        for other in space.values():
            if pivot in other:
                _subtract(other, row, other[pivot])
        space[pivot] = row
    return space


def _subtract(row: _Row, other: _Row, times: Fraction) -> None:
    for column, value in other.items():
        left = row.get(column, Fraction(0)) - times * value
        if left:
            row[column] = left
        else:
            row.pop(column, None)


def _attack(
    secret: int, space: Mapping[int, _Row], secrets: Sequence[Secret], rules: Rules
) -> frozenset[int]:
    """Find a sum in the space that holds a secret, and too few with it; empty: there is none."""
    if len(space) == 1:  # it is the only sum, where it is one of secrets
        ((_, row),) = space.items()
        whole = all(value == 1 for value in row.values())
        return frozenset(row) if whole and bad([secrets[c] for c in row], rules) else frozenset()
    one = secrets[secret]
    if one.apart + one.shared < rules.least:
        found = _search(secret, space, secrets, rules, "few")
        if found:
            return found
    if one.largest > rules.share * one.weight:
        found = _search(secret, space, secrets, rules, "largest")
        if found:
            return found
    if one.largest_shared:
        return _search(secret, space, secrets, rules, "shared")
    return frozenset()


def _search(
    secret: int, space: Mapping[int, _Row], secrets: Sequence[Secret], rules: Rules, way: str
) -> frozenset[int]:
    """Search by integer programming: which rows of the space add up to a sum of few secrets.

    Every sum in the space is the sum of the rows of the pivots that it holds, and a sum of secrets
    holds a pivot or does not.
    """
    pivots = sorted(space)
    others = sorted({column for row in space.values() for column in row} - set(pivots))
    place = {column: i for i, column in enumerate([*pivots, *others])}
    model = solving.begin()
    solving.choices(model, len(place))
    model.changeColBounds(place[secret], 1.0, 1.0)
    for column in others:
        through = [(pivot, space[pivot][column]) for pivot in pivots if column in space[pivot]]
        index = [place[pivot] for pivot, _ in through] + [place[column]]
        solving.bound(model, 0.0, 0.0, index, [float(value) for _, value in through] + [-1.0])
    infinite = model.getInfinity()
    # What anybody may know counts for nothing.
    guarded = [column for column in place if secrets[column].guarded]
    if way == "few":
        for column in place:
            if secrets[column].guarded and secrets[column].apart >= rules.least:
                model.changeColBounds(place[column], 0.0, 0.0)
        apart = {column: secrets[column].apart for column in guarded}
        for column in {secret, *(c for c in guarded if secrets[c].shared)}:
            weights = dict(apart)
            weights[column] += secrets[column].shared
            held = [c for c in guarded if weights[c] and secrets[c].apart < rules.least]
            values = [float(weights[c]) for c in held]
            solving.bound(model, -infinite, rules.least - 1.0, [place[c] for c in held], values)
    else:
        limit = secrets[secret].largest / rules.share if rules.share else Fraction(0)
        if way == "largest":
            own = {c: Fraction(secrets[c].weight) / limit for c in guarded}
            most = 1.0
        else:
            scale = max(secrets[c].weight for c in guarded) or 1
            own = {
                c: (rules.share * secrets[c].weight - secrets[c].largest_shared) / scale
                for c in guarded
            }
            most = 0.0
        for column in [c for c in guarded if way == "largest" and own[c] > _STEEP]:
            model.changeColBounds(place[column], 0.0, 0.0)
            del own[column]
        values = [float(value) for value in own.values()]
        solving.bound(model, -infinite, most, [place[c] for c in own], values)
    if not solving.solved(model):
        return frozenset()
    solution = model.getSolution().col_value
    found = frozenset(c for c in place if solution[place[c]] > 0.5)
    return (
        found
        if _spanned(found, space) and bad([secrets[c] for c in found], rules)
        else (frozenset())
    )


def _spanned(sum_: frozenset[int], space: Mapping[int, _Row]) -> bool:
    """Tell, exactly, whether a sum of secrets is in the space."""
    row = dict.fromkeys(sum_, Fraction(1))
    for pivot in sorted(sum_ & set(space)):
        _subtract(row, space[pivot], Fraction(1))
    return not row


def bounded(
    told: Told,
    hidden: Sequence[Collection[int]],
    secrets: Sequence[Secret],
    volume: Int64s,
    interval: Fraction,
) -> set[int]:
    """Find the hidden sums whose range, from all that was told, is too narrow in some period.

    Parameters
    ----------
    hidden : the secrets of each hidden sum; none may be computable.
    volume : (secrets, periods) [Wh]. What is never below 0 is taken to be known so.
    interval : how wide a range must be, as a part of the sum.

    Returns
    -------
    narrow : which of the hidden sums.
    """
    narrow: set[int] = set()
    for rows in _apart(_all_told(told, secrets)):
        columns = sorted(set().union(*rows))
        here = [i for i, sum_ in enumerate(hidden) if set(sum_) & set(columns)]
        if here:
            narrow |= _narrow(rows, columns, {i: set(hidden[i]) for i in here}, volume, interval)
    return narrow


def _narrow(
    rows: Sequence[set[int]],
    columns: Sequence[int],
    hidden: Mapping[int, set[int]],
    volume: Int64s,
    interval: Fraction,
) -> set[int]:
    space = _reduced(rows)
    free = volume[columns].min(axis=1) < 0
    values = volume[columns]
    model = None
    narrow = set()
    for name, sum_ in hidden.items():
        if sum_ - set(columns):
            continue  # some of it is in nothing that was told: it has no bound
        inside = np.array([column in sum_ for column in columns])
        needed = float(interval) * np.abs(values[inside].sum(axis=0))
        widths = _widths(space, columns, inside, values, free)
        for period in np.nonzero(widths < needed - _SLACK)[0].tolist():
            if model is None:
                model = _ranges(rows, columns, free)
            if _range(model, rows, columns, inside, values[:, period]) < needed[period] - 0.5:
                narrow.add(name)
                break
    return narrow


def _widths(
    space: Mapping[int, _Row],
    columns: Sequence[int],
    inside: Bools,
    values: Int64s,
    free: Bools,
) -> npt.NDArray[np.float64]:
    """Give how far a sum can be moved, at least, by one step that changes nothing that was told."""
    place = {column: i for i, column in enumerate(columns)}
    widest = np.zeros(values.shape[1])
    for column in columns:
        if column in space:
            continue
        step = np.zeros(len(columns))
        step[place[column]] = 1.0
        for pivot, row in space.items():
            if column in row:
                step[place[pivot]] = -float(row[column])
        moved = step[inside].sum()
        if not moved:
            continue
        step /= moved
        width = np.zeros(values.shape[1])
        for way in (step, -step):
            falling = (way < 0) & ~free
            if not falling.any():
                width = np.full(values.shape[1], np.inf)
                break
            width = width + (values[falling] / -way[falling, None]).min(axis=0)
        widest = np.maximum(widest, width)
    return widest


def _ranges(
    rows: Sequence[set[int]],
    columns: Sequence[int],
    free: Bools,
) -> highspy.Highs:
    model = solving.begin()
    infinite = model.getInfinity()
    place = {column: i for i, column in enumerate(columns)}
    for i in range(len(columns)):
        model.addVar(-infinite if free[i] else 0.0, infinite)
    for row in rows:
        solving.bound(model, 0.0, 0.0, [place[column] for column in sorted(row)], [1.0] * len(row))
    return model


def _range(
    model: highspy.Highs,
    rows: Sequence[set[int]],
    columns: Sequence[int],
    inside: Bools,
    values: Int64s,
) -> float:
    """Give how wide the range of a sum is in a period."""
    place = {column: i for i, column in enumerate(columns)}
    for i, row in enumerate(rows):
        total = float(values[[place[column] for column in row]].sum())
        model.changeRowBounds(i, total, total)
    for i, counts in enumerate(inside.tolist()):
        model.changeColCost(i, 1.0 if counts else 0.0)
    ends = []
    for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
        model.changeObjectiveSense(sense)
        if not solving.solved(model):  # no bound on that side
            return float("inf")
        ends.append(model.getInfo().objective_function_value)
    return float(ends[1] - ends[0])
