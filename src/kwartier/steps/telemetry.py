"""Delivered quarter volumes → the energy of telemetry points, grid losses and couplings.

Each period that should be there and is not makes a finding, and the area cannot be closed: nothing
is estimated for a party that measures and delivers itself.
Source: SD030 N101, N102, N131, N132; domain §6; decisions §19, §22.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from kwartier import codes, findings
from kwartier.arrays import (
    NOT_READ,
    AreaPoints,
    Couplings,
    Covered,
    Delivered,
    Int64s,
    Line,
    Own,
    place_in,
    runs_of,
)
from kwartier.findings import Records

_ALWAYS = (codes.MEASURED, codes.CALCULATED)


class Given(NamedTuple):
    """What was delivered of an area: its series, how they are covered, its losses by kind [Wh].

    `own` holds each point behind the series by itself, `missing` a finding missing_volumes for each
    run of periods that is not there.
    """

    lines: list[Line]
    covered: list[Covered]
    losses: Mapping[str, Int64s]
    own: list[Own]
    missing: Records


class Exchange(NamedTuple):
    """What an area exchanges: (periods) [Wh] into it and out of it."""

    into: Int64s
    out: Int64s
    missing: Records


def _volumes(
    delivered: Delivered, number: Int64s, direction: int, periods: int
) -> tuple[Int64s, Int64s]:
    """Give the volumes (points, periods) [Wh] of points, and the row of each, -1 for none."""
    row = place_in(delivered.number * 2 + delivered.direction, number * 2 + direction)
    volume = np.full((len(number), periods), NOT_READ)
    volume[row >= 0] = delivered.volume[row[row >= 0]]
    return volume, row


def _missing(number: Int64s, direction: int, volume: Int64s) -> Records:
    row, first, last = runs_of(volume == NOT_READ)
    return findings.records(
        "missing_volumes",
        number[row],
        register=findings.OF_DIRECTION[direction],
        first_period=first + 1,
        last_period=last + 1,
        observed=last - first + 1,
    )


def give(points: AreaPoints, delivered: Delivered, periods: int) -> Given:
    """Sum the delivered volumes of telemetry and grid loss points per party, direction and origin.

    Offtake must be there; infeed too where the consumption type says so. Infeed that came of a
    telemetry point without is counted all the same.

    Parameters
    ----------
    periods : of the day.
    """
    group = np.array(points.group, object)
    with_infeed = np.array([t == codes.WITH_INFEED for t in points.consumption_type], bool)
    lines: list[Line] = []
    covered: list[Covered] = []
    each: list[Own] = []
    missing = [np.empty(0, findings.RECORD)]
    losses = {kind: np.zeros(periods, np.int64) for kind in codes.LOSS_TYPES}
    for of in codes.BY_VOLUMES:
        mine = np.nonzero(group == of)[0]
        pairs = [(points.brp[i], points.supplier[i]) for i in mine.tolist()]
        parties = sorted(set(pairs))
        party = np.array([parties.index(pair) for pair in pairs], np.int64)
        for direction in range(2 if of == codes.TELEMETRY else 1):
            volume, row = _volumes(delivered, points.number[mine], direction, periods)
            due = np.ones(len(mine), bool) if direction == 0 else with_infeed[mine]
            missing.append(_missing(points.number[mine[due]], direction, volume[due]))
            used = (volume != NOT_READ).any(axis=1)
            known = np.where(volume == NOT_READ, 0, volume)
            if of == codes.GRID_LOSS:
                for i, index in enumerate(mine.tolist()):
                    losses[points.loss_type[index]] += known[i]
            origin, method, validation = (np.zeros(volume.shape, np.int8) for _ in range(3))
            origin[used], method[used] = delivered.origin[row[used]], delivered.method[row[used]]
            validation[used] = delivered.validation[row[used]]
            for said in (origin, method, validation):
                said[volume == NOT_READ] = 0
            each += [
                Own(int(mine[i]), direction, volume[i], origin[i], validation[i], method[i])
                for i in np.nonzero(used)[0].tolist()
            ]
            for p, (brp, supplier) in enumerate(parties):
                own = party == p
                for place, name in enumerate(codes.DELIVERED_ORIGINS, start=1):
                    with_origin = origin[own] == place
                    if name not in _ALWAYS and not with_origin.any():
                        continue
                    here = np.where(with_origin, known[own], 0)
                    key = (brp, supplier, of)
                    lines.append(
                        Line(
                            *(*key, "", "", direction, name),
                            here.sum(axis=0),
                            with_origin.sum(axis=0).astype(np.int64),
                        )
                    )
                    for m in np.unique(method[own][with_origin]).tolist():
                        part = with_origin & (method[own] == m)
                        covered.append(
                            Covered(
                                *key,
                                direction,
                                name,
                                codes.METHODS[m - 1] if m else "",
                                "",
                                int(part.any(axis=1).sum()),
                                int(part.sum()),
                                int(known[own][part].sum()),
                            )
                        )
    return Given(lines, covered, losses, each, np.concatenate(missing))


def exchange(couplings: Couplings, delivered: Delivered, periods: int) -> Exchange:
    """Sum what comes into an area and goes out of it over its couplings; both must be there."""
    sums = np.zeros((2, periods), np.int64)
    missing = [np.empty(0, findings.RECORD)]
    for direction in range(2):
        volume = _volumes(delivered, couplings.number, direction, periods)[0]
        missing.append(_missing(couplings.number, direction, volume))
        known = np.where(volume == NOT_READ, 0, volume)
        for mirrored in (False, True):
            seen_as = 1 - direction if mirrored else direction
            sums[seen_as] += known[couplings.mirrored == mirrored].sum(axis=0)
    return Exchange(sums[1], sums[0], np.concatenate(missing))
