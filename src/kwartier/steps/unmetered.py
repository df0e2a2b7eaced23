"""Unmetered points → their energy: annual volume × dimensioned profile.

Source: Netcode Bijlage 16; SD030 N142; domain §6; decisions §20.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from kwartier import codes, findings, shares
from kwartier.arrays import (
    OF_LOW,
    OF_NORMAL,
    OF_TOTAL,
    AreaPoints,
    Covered,
    Fractions,
    Int64s,
    Line,
    Own,
)
from kwartier.findings import Records

# The fractions of a dimensioned profile, or with an empty name those of a category; None where
# they were not loaded. Asked by name, category, consumption type and direction.
Asked = Fractions | None
Ask = Callable[[str, str, str, int], Asked]


class Reckoned(NamedTuple):
    """The series of unmetered points, how they are covered, and what is doubtful.

    `own` holds each point by itself; they sum to the series, to the Wh.
    """

    lines: list[Line]
    covered: list[Covered]
    own: list[Own]
    found: Records
    missing: Records


def reckon(points: AreaPoints, ask: Ask, periods: int) -> Reckoned:
    """Reckon the energy of the unmetered points of an area per party and direction.

    Parameters
    ----------
    periods : of the day.

    Returns
    -------
    reckoned : found: no_annual_volume; missing: missing_profile.
    """
    feeds_in = np.array([t == codes.WITH_INFEED for t in points.consumption_type], bool)
    mine = [i for i, group in enumerate(points.group) if group == codes.UNMETERED]
    cells: dict[tuple[str, ...], list[int]] = {}
    for i in mine:
        key = (points.brp[i], points.supplier[i], points.profile[i])
        # A profile of its own needs no kind.
        kind = (points.profile_category[i], points.consumption_type[i])
        cells.setdefault((*key, *(("", "") if points.profile[i] else kind)), []).append(i)
    sums: dict[tuple[str, str, int], tuple[Int64s, int]] = {}
    each: list[Own] = []
    missing: list[Records] = [np.empty(0, findings.RECORD)]
    for (brp, supplier, profile, category, type_), members in sorted(cells.items()):
        index = np.array(members, np.int64)
        for direction in range(2):
            volume, count = sums.setdefault(
                (brp, supplier, direction), (np.zeros(periods, np.int64), 0)
            )
            fed = index[feeds_in[index]] if direction else index
            sums[brp, supplier, direction] = (volume, count + len(fed))
            if not len(fed):
                continue
            asked = ask(profile, category, type_, direction)
            if asked is None:
                missing.append(
                    findings.records(
                        "missing_profile",
                        points.number[fed],
                        register=findings.OF_DIRECTION[direction],
                        first_period=1,
                        last_period=periods,
                        observed=periods,
                    )
                )
                continue
            # Infeed that the register does not give is none: lamps do not feed in.
            counted = fed[points.annual_known[fed, direction]] if direction else fed
            total, low = (
                int(part[counted, direction].sum()) for part in (points.annual, points.annual_low)
            )
            annual = np.full(periods, total, np.int64)
            annual[asked.basis == OF_LOW] = low
            annual[asked.basis == OF_NORMAL] = total - low
            of_cell = np.array(shares.of_annual(annual, asked.fraction), np.int64)
            volume += of_cell
            each += _each(points, counted, direction, of_cell, asked.basis)
    index = np.array(mine, np.int64)
    unknown = index[~points.annual_known[index, 0]]
    found = findings.records(
        "no_annual_volume",
        points.number[unknown],
        register=findings.OF_DIRECTION[0],
        first_period=1,
        last_period=periods,
        observed=points.annual[unknown, 0],
    )
    lines, covered = [], []
    for (brp, supplier, direction), (volume, count) in sums.items():
        key = (brp, supplier, codes.UNMETERED)
        behind = np.full(periods, count, np.int64)
        lines.append(Line(*key, "", "", direction, codes.CALCULATED, volume, behind))
        if count:
            covered.append(
                Covered(
                    *(*key, direction, codes.CALCULATED, "", codes.STANDARD),
                    *(count, count * periods, int(volume.sum())),
                )
            )
    return Reckoned(lines, covered, each, found, np.concatenate(missing))


def _each(
    points: AreaPoints, members: Int64s, direction: int, volume: Int64s, basis: Int64s
) -> Iterator[Own]:
    """Spread the energy of some points over each of them, by their annual volumes."""
    total, low = points.annual[members, direction], points.annual_low[members, direction]
    own = np.zeros((len(volume), len(members)), np.int64)
    for which, annual in ((OF_TOTAL, total), (OF_LOW, low), (OF_NORMAL, total - low)):
        own[basis == which] = shares.spread_each(volume[basis == which], annual)
    none = np.zeros(len(volume), np.int8)
    calculated = none + np.int8(codes.DELIVERED_ORIGINS.index(codes.CALCULATED) + 1)
    for i, point in enumerate(members.tolist()):
        yield Own(point, direction, own[:, i], calculated, none, none)
