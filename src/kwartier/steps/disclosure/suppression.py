"""Sums for everybody → which of them are left out, so that none of few can be got back.

First what is small itself is left out. Then attacks are looked for: sums and differences of what is
left that tell of few. Of each attack one sum at least must be left out, and of all ways to do so
the one is taken that leaves out the fewest holders, by integer programming; again, until there is
no attack. So it is the best way, and not only one. Source: domain §10; decisions §34.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import highspy

from kwartier import solving
from kwartier.arrays import Int64s
from kwartier.parameters import Parameters
from kwartier.steps.disclosure.holders import Holders, Kind, judge, together

PUBLISHED, COMPLEMENT = "published", "complement"  # beside few and dominant
_MOST = 64.0  # times that an attack may use one sum; more is no attack of sums of parties
_STEEP = 10_000
_Cut = frozenset[int]


class Unprotectable(Exception):
    """What was told earlier gives a sum of few away, whatever is left out now."""


class Behind(NamedTuple):
    """The smallest sums: who are behind each, and of which group and direction it is."""

    holders: Sequence[Holders]
    kind: Sequence[Kind]
    volume: Int64s  # (smallest sums, periods) [Wh]


def suppress(
    sums: Sequence[Collection[int]],
    told: Sequence[Collection[int]],
    behind: Behind,
    tight: Collection[int],
    parameters: Parameters,
) -> list[str]:
    """Choose which sums are left out, and why.

    Parameters
    ----------
    sums, told : the smallest sums in each: of those to be published, and of those that were told
        earlier.
    tight : which of the sums are also seen to in their range.

    Returns
    -------
    status : of each of the sums: published, few, dominant or complement.

    Raises
    ------
    Unprotectable : nothing that can be left out would protect.
    """
    guarded = {i for i, kind in enumerate(behind.kind) if kind[0] in parameters.disclosure_groups}
    small = [_small(set(sum_) & guarded, behind, parameters) for sum_ in sums]
    free = [i for i, why in enumerate(small) if not why]
    cost = [together(behind.holders[a] for a in sum_).least + 1 for sum_ in sums]
    cuts: list[_Cut] = []
    hidden: set[int] = set()
    while True:
        left = [i for i in free if i not in hidden]
        rows = [set(sums[i]) & guarded for i in left] + [set(sum_) & guarded for sum_ in told]
        found = _attacks(rows, guarded, behind, parameters)
        if not found:
            out = [i for i in sorted(tight) if small[i]]
            found = _ranges(rows, [set(sums[i]) & guarded for i in out], behind, parameters)
        if not found:
            break
        for attack in found:
            cut = frozenset(left[r] for r in attack if r < len(left))
            if not cut:
                raise Unprotectable
            cuts.append(cut)
        hidden = _fewest(cuts, cost)
    return [why or (COMPLEMENT if i in hidden else PUBLISHED) for i, why in enumerate(small)]


def _small(sum_: Iterable[int], behind: Behind, parameters: Parameters) -> str:
    parts = list(sum_)
    if not parts:
        return ""
    held = together(behind.holders[a] for a in parts)
    return judge(held, behind.kind[parts[0]], parameters)


def _fewest(cuts: Sequence[_Cut], cost: Sequence[int]) -> set[int]:
    """Choose of each cut one sum at least, so that all together cost the least."""
    used = sorted(set().union(*cuts))
    model = solving.begin()
    solving.choices(model, len(used))
    for i, one in enumerate(used):
        model.changeColCost(i, float(cost[one]))
    for cut in cuts:
        index = [used.index(one) for one in sorted(cut)]
        solving.bound(model, 1.0, model.getInfinity(), index, [1.0] * len(index))
    solving.solved(model)
    values = model.getSolution().col_value
    return {one for i, one in enumerate(used) if values[i] > 0.5}


def _attacks(
    rows: Sequence[set[int]], guarded: set[int], behind: Behind, parameters: Parameters
) -> list[list[int]]:
    """Find the rows that together give a sum of few, for each of those who can be attacked."""
    found: list[list[int]] = []
    seen: set[int] = set()
    holding: dict[int, list[int]] = {}
    for r, row in enumerate(rows):
        for a in row:
            holding.setdefault(a, []).append(r)
    for secret in sorted(guarded & set(holding)):
        if secret in seen:
            continue
        held = behind.holders[secret]
        few = held.least < parameters.disclosure_least_holders
        large = held.largest > parameters.disclosure_dominant_share * held.weight
        for wanted, by_few in ((few, True), (large or held.largest_shared > 0, False)):
            if wanted and (
                attack := _attack(secret, holding, len(rows), behind, parameters, by_few=by_few)
            ):
                found.append(attack[0])
                seen |= attack[1]
                break
    return found


def _attack(
    secret: int,
    holding: Mapping[int, Sequence[int]],
    rows: int,
    behind: Behind,
    parameters: Parameters,
    *,
    by_few: bool,
) -> tuple[list[int], set[int]] | None:
    """Find the fewest rows whose sums and differences hold a secret with too few others.

    Parameters
    ----------
    holding : the rows that each smallest sum is in.
    rows : how many there are.

    Returns
    -------
    rows, secrets : of the attack; None where there is none.
    """
    model = solving.begin()
    infinite = model.getInfinity()
    near = sorted(holding)
    place = {a: i for i, a in enumerate(near)}
    solving.choices(model, len(near))
    first = len(near)
    for _ in range(2 * rows):
        model.addVar(0.0, _MOST)
        model.changeColCost(model.getNumCol() - 1, 1.0)
    model.changeColBounds(place[secret], 1.0, 1.0)
    for a in near:
        mine = holding[a]
        index = [first + 2 * r + way for r in mine for way in (0, 1)] + [place[a]]
        solving.bound(model, 0.0, 0.0, index, [1.0, -1.0] * len(mine) + [-1.0])
    holders = behind.holders
    least = parameters.disclosure_least_holders
    if by_few:
        for other in [a for a in near if a == secret or holders[a].shared]:
            count = {a: holders[a].apart for a in near}
            count[other] += holders[other].shared
            index = [place[a] for a in near if count[a]]
            values = [float(min(count[a], least)) for a in near if count[a]]
            solving.bound(model, -infinite, least - 1.0, index, values)
    else:
        # More than the share of it: share × weight of all < what the largest has.
        share = parameters.disclosure_dominant_share
        own = holders[secret]
        scale = max(own.largest, own.largest_shared, 1)
        gain = {
            a: (own.largest if a == secret else 0)
            if own.largest > share * own.weight
            else holders[a].largest_shared
            for a in near
        }
        values = [
            min(float((share * holders[a].weight - gain[a]) / scale), float(_STEEP)) for a in near
        ]
        solving.bound(model, -infinite, -1e-6, [place[a] for a in near], values)
    if not solving.solved(model):
        return None
    solution = model.getSolution().col_value
    used = [
        r for r in range(rows) if abs(solution[first + 2 * r] - solution[first + 2 * r + 1]) > 1e-6
    ]
    return used, {a for a in near if solution[place[a]] > 0.5}


def _ranges(
    rows: Sequence[set[int]], hidden: Sequence[set[int]], behind: Behind, parameters: Parameters
) -> list[list[int]]:
    """Find the rows that bound a hidden sum more tightly than is allowed, in some period."""
    if not hidden:
        return []
    near = sorted(set().union(*rows, *hidden))
    place = {a: i for i, a in enumerate(near)}
    volume = behind.volume[near]
    model = solving.begin()
    infinite = model.getInfinity()
    for a in near:
        model.addVar(-infinite if behind.volume[a].min() < 0 else 0.0, infinite)
    for row in rows:
        solving.bound(model, 0.0, 0.0, [place[a] for a in sorted(row)], [1.0] * len(row))
    found = []
    for sum_ in hidden:
        inside = [place[a] for a in sorted(sum_)]
        for i in range(len(near)):
            model.changeColCost(i, 1.0 if i in inside else 0.0)
        for period in range(volume.shape[1]):
            for r, row in enumerate(rows):
                total = float(volume[[place[a] for a in row], period].sum())
                model.changeRowBounds(r, total, total)
            needed = float(parameters.disclosure_interval * abs(int(volume[inside, period].sum())))
            tight = _tight(model, needed)
            if tight:
                found.append(tight)
                break
    return found


def _tight(model: highspy.Highs, needed: float) -> list[int]:
    """Give the rows that hold a range below what is needed; none where it is wide enough."""
    ends, used = [], set()
    for sense in (highspy.ObjSense.kMinimize, highspy.ObjSense.kMaximize):
        model.changeObjectiveSense(sense)
        if not solving.solved(model):
            return []
        ends.append(model.getInfo().objective_function_value)
        used |= {r for r, dual in enumerate(model.getSolution().row_dual) if abs(dual) > 1e-9}
    return sorted(used) if ends[1] - ends[0] < needed else []
