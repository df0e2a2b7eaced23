"""A published run → its energy for everybody: what would tell of few is left out, and audited.

Source: domain §10; decisions §34.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import tables
from kwartier.arrays import Int64s
from kwartier.parameters import Parameters
from kwartier.steps import audit, disclosure
from kwartier.steps.disclosure import Cell, Holders, Run, suppression

# What is published: of BRP, supplier and group, each said or all of them; and the direction.
_Sum = tuple[str, str, str, str]


class Attackable(Exception):
    """What was to be published would give few away: an error of this program."""


class HeldBack(Exception):
    """A new version that must not follow the one before it; the text says why."""


class Opened(NamedTuple):
    """A version that was published before: its run, and tables.OPEN_DATA."""

    run: Run
    table: pa.Table


def opened(now: Run, run: str, earlier: Sequence[Opened], parameters: Parameters) -> pa.Table:
    """Make the open data of a run.

    Parameters
    ----------
    run : its id.
    earlier : the versions of the day and area that were published, in order.

    Returns
    -------
    tables.OPEN_DATA

    Raises
    ------
    HeldBack : against the version before it, it would tell of few.
    Attackable : the audit found a sum of few; nothing may be published.
    """
    if earlier and disclosure.thin_changes(earlier[-1].run, now, parameters):
        raise HeldBack("fewer holders than the least may have caused what changed")
    secrets = _Secrets()
    told: list[set[int]] = []
    for version in earlier:
        named = secrets.add(version.run)
        sums = _sums(named)
        told += [sums[key] for key in _published(version.table) if key in sums]
    named = secrets.add(now)
    sums = _sums(named)
    order = sorted(sums)
    behind = suppression.Behind(secrets.holders, secrets.kinds, np.array(secrets.volumes, np.int64))
    wanted = [sums[key] for key in order]
    tight: set[int] = set()
    while True:
        try:
            status = suppression.suppress(wanted, told, behind, tight, parameters)
        except suppression.Unprotectable:
            raise HeldBack("an earlier version gives few away with it") from None
        narrow = _audit(wanted, status, told, secrets, behind.volume, parameters)
        if not narrow:
            break
        if narrow <= tight:
            raise Attackable(f"{len(narrow)} sums of few could be bounded")
        tight |= narrow
    return _table(now, run, order, wanted, status, behind.volume)


class _Secrets:
    """The smallest sums of some runs; what did not change between two of them is one secret."""

    def __init__(self) -> None:
        self.holders: list[Holders] = []
        self.kinds: list[tuple[str, str]] = []
        self.volumes: list[Int64s] = []
        self._last: dict[Cell, int] = {}

    def add(self, run: Run) -> dict[Cell, int]:
        """Give the secrets of a run by what they are of."""
        told = disclosure.told_of(run.allocation)
        named: dict[Cell, int] = {}
        for cell, held in disclosure.live_of(told, disclosure.holders_of(run.privacy)).items():
            at = self._last.get(cell)
            same = at is not None and self.holders[at] == held
            if at is None or not same or (self.volumes[at] != told[cell].volume).any():
                at = len(self.holders)
                self.holders.append(held)
                self.kinds.append((cell[2], cell[3]))
                self.volumes.append(told[cell].volume)
            named[cell] = at
        self._last = named
        return named


def _sums(named: Mapping[Cell, int]) -> dict[_Sum, set[int]]:
    """List the sums that are published: of all, by group, by BRP and by supplier."""
    sums: dict[_Sum, set[int]] = {}
    for (brp, supplier, group, direction), at in named.items():
        for words in (("", "", ""), ("", "", group), (brp, "", ""), ("", supplier, "")):
            sums.setdefault((*words, direction), set()).add(at)
    return sums


def _published(table: pa.Table) -> list[_Sum]:
    first = table.filter(pc.equal(table["position"], 1))
    return [
        (row["brp"] or "", row["supplier"] or "", row["group"] or "", row["direction"])
        for row in first.to_pylist()
        if row["status"] == suppression.PUBLISHED
    ]


def _audit(
    wanted: Sequence[set[int]],
    status: Sequence[str],
    told: Sequence[set[int]],
    secrets: _Secrets,
    volume: Int64s,
    parameters: Parameters,
) -> set[int]:
    """Attack what would be published, with all that was; give the hidden sums of narrow range."""
    groups = parameters.disclosure_groups
    held = [
        audit.Secret(*one, guarded=kind[0] in groups)
        for one, kind in zip(secrets.holders, secrets.kinds, strict=True)
    ]
    rules = audit.Rules(parameters.disclosure_least_holders, parameters.disclosure_dominant_share)
    known = [*told]
    known += [sum_ for sum_, is_ in zip(wanted, status, strict=True) if is_ == "published"]
    found = audit.computable(known, held, rules)
    if found:
        raise Attackable(f"{len(found)} sums of few could be computed")
    out = [i for i, is_ in enumerate(status) if is_ in (disclosure.FEW, disclosure.DOMINANT)]
    hidden = [{a for a in wanted[i] if held[a].guarded} for i in out]
    narrow = audit.bounded(known, hidden, held, volume, parameters.disclosure_interval)
    return {out[i] for i in narrow}


def _table(
    now: Run,
    run: str,
    order: Sequence[_Sum],
    wanted: Sequence[set[int]],
    status: Sequence[str],
    volume: Int64s,
) -> pa.Table:
    if not order:
        return tables.OPEN_DATA.empty()
    n = volume.shape[1]
    rows = pa.array(np.repeat(np.arange(len(order)), n))

    def repeated(words: Sequence[str | None]) -> pa.Array:
        return pa.array(words, pa.string()).take(rows)

    told = np.repeat([is_ == suppression.PUBLISHED for is_ in status], n)
    values = np.concatenate([volume[sorted(sum_)].sum(axis=0) for sum_ in wanted])
    columns = {
        **tables.period_columns(now.allocation["market_day"][0].as_py(), len(order)),
        "grid_area": repeated([now.allocation["grid_area"][0].as_py()] * len(order)),
        "brp": repeated([key[0] or None for key in order]),
        "supplier": repeated([key[1] or None for key in order]),
        "group": repeated([key[2] or None for key in order]),
        "direction": repeated([key[3] for key in order]),
        "volume_wh": pa.array(values, mask=~told),
        "status": repeated(list(status)),
        "run": repeated([run] * len(order)),
    }
    return pa.table(columns, schema=tables.OPEN_DATA.schema)
