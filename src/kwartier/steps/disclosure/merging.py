"""Sums that are allocated → sums that may leave by a protected document; what was done, and why.

Energy is never changed or left out: a sum of few holders, or with a dominant one, is merged with
other suppliers of its BRP as `other`, the same suppliers in every document and in every later run
of the day, so that no two of them can be subtracted. Source: domain §10; decisions §33.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, tables
from kwartier.parameters import Parameters
from kwartier.steps.disclosure.changes import thin_changes
from kwartier.steps.disclosure.holders import (
    DOMINANT,
    FEW,
    Cell,
    Holders,
    Kind,
    Party,
    holders_of,
    judge,
    together,
)
from kwartier.steps.disclosure.sums import Run, Told, told_of

OTHER = codes.OTHER_SUPPLIERS
ALL = ""  # in place of a supplier: all of the BRP
AS_IT_IS, MERGED, ALONE = "as_it_is", "merged", "alone"
COMPLEMENT, EARLIER = "complement", "earlier"  # beside few and dominant


class NotConserved(Exception):
    """Energy was lost or made by merging: an error of this program."""


class Partition(NamedTuple):
    """Which suppliers of a BRP are told together as `other`, of an area and day.

    `named` were told by their own name, in this run or an earlier one of the day.
    """

    merged: frozenset[Party] = frozenset()
    named: frozenset[Party] = frozenset()


class Before(NamedTuple):
    """The run of a day that was published before, how it was merged, and what it told alone."""

    run: Run
    partition: Partition
    alone: frozenset[Cell]

    @classmethod
    def of(cls, allocation: pa.Table, privacy: pa.Table, report: pa.Table) -> Before:
        """Read it from its tables: tables.ALLOCATION, PRIVACY and DISCLOSURE."""
        merged, named, alone = set(), set(), set()
        for row in report.to_pylist():
            party = (row["brp"], row["supplier"] or ALL)
            if row["merged"]:
                merged.add(party)
            if row["named"]:
                named.add(party)
            if row["released"] == ALONE:
                supplier = OTHER if row["merged"] else party[1]
                alone.add((row["brp"], supplier, row["group"], row["direction"]))
        partition = Partition(frozenset(merged), frozenset(named))
        return cls(Run(allocation, privacy), partition, frozenset(alone))


class Disclosed(NamedTuple):
    """What may leave by protected documents.

    `allocation` is tables.ALLOCATION with `other` among its suppliers; profile category,
    consumption type and origin are folded, and empty. `alone` names its sums that only the entitled
    party may be told, with supplier `""` the total of a BRP. `report` is tables.DISCLOSURE; nothing
    is attackable in it before it is audited.
    """

    allocation: pa.Table
    alone: frozenset[Cell]
    partition: Partition
    report: pa.Table

    @property
    def attackable(self) -> bool:
        """Tell whether the audit found a sum of few: then no protected document may leave."""
        return bool(pc.any(self.report["attackable"]).as_py())


def disclose(now: Run, before: Before | None, parameters: Parameters) -> Disclosed:
    """Merge what may not be told by itself, of a grid area and day.

    Parameters
    ----------
    before : the run that was published before, None where there was none; this one only ever
        merges more.

    Raises
    ------
    NotConserved : an error of this program.
    """
    told, held = told_of(now.allocation), holders_of(now.privacy)
    # What nobody has a part in is nobody's: zeros that are told because a series is always told.
    live = live_of(told, held)
    earlier = Partition() if before is None else before.partition
    known = frozenset[Cell]() if before is None else _known(told, live, before)
    hidden = {cell: of for cell, of in live.items() if cell not in known}
    reasons: dict[Party, str] = {}
    for brp in sorted({cell[0] for cell in told}):
        suppliers = sorted({cell[1] for cell in told if cell[0] == brp})
        mine = {(c[1], (c[2], c[3])): of for c, of in hidden.items() if c[0] == brp}
        merged = {s for s in suppliers if (brp, s) in earlier.merged}
        for supplier, why in _merge(suppliers, mine, merged, parameters).items():
            reasons[brp, supplier] = why
    folded = _fold(told, frozenset(reasons), earlier)
    alone = _alone(hidden, frozenset(reasons), parameters)
    thin = set() if before is None else thin_changes(before.run, now, parameters)
    allocation = _allocation(now.allocation, folded)
    _prove(now.allocation, allocation)
    named = {party for cell in told if (party := cell[:2]) not in reasons}
    partition = Partition(frozenset(reasons), frozenset(named | earlier.named))
    report = _report(now.allocation, told, live, reasons, partition, alone, thin, parameters)
    return Disclosed(allocation, alone, partition, report)


def live_of(told: Mapping[Cell, Told], held: Mapping[Cell, Holders]) -> dict[Cell, Holders]:
    """Give who are behind each sum, but those that are zeros of nobody."""
    return {
        cell: held.get(cell, Holders())
        for cell in sorted(told)
        if cell in held or told[cell].volume.any()
    }


def _known(
    told: Mapping[Cell, Told], live: Mapping[Cell, Holders], before: Before
) -> frozenset[Cell]:
    """List the sums that who kept the run before knows already: told then, and not changed."""
    was = told_of(before.run.allocation)
    live_then = live_of(was, holders_of(before.run.privacy))
    blocks: dict[Cell, list[Cell]] = {}
    for cell in live_then:
        blocks.setdefault(_block(cell, before.partition.merged), []).append(cell)
    known: set[Cell] = set()
    for block, cells in blocks.items():
        same = all(
            live.get(cell) == live_then[cell] and (told[cell].volume == was[cell].volume).all()
            for cell in cells
        )
        if same and block not in before.alone:
            known.update(cells)
    return frozenset(known)


def _merge(
    suppliers: Sequence[str],
    live: Mapping[tuple[str, Kind], Holders],
    merged: set[str],
    parameters: Parameters,
) -> dict[str, str]:
    """Choose which suppliers of a BRP are told together, and say why each is.

    Parameters
    ----------
    live : who are behind each sum of a supplier, but those that are known already: what is known
        hides nothing.
    merged : who must be.
    """
    kinds = sorted({kind for _, kind in live})

    def of(some: Iterable[str], kind: Kind) -> list[Holders]:
        return [live[s, kind] for s in sorted(some) if (s, kind) in live]

    def open_of(some: Iterable[str]) -> list[Kind]:
        chosen = list(some)
        return [
            kind
            for kind in steering
            if (parts := of(chosen, kind)) and judge(together(parts), kind, parameters)
        ]

    # What is small in the whole BRP no merging of suppliers can mend: it steers nothing.
    steering = [k for k in kinds if not judge(together(of(suppliers, k)), k, parameters)]
    why = dict.fromkeys(sorted(merged), EARLIER)
    for supplier in suppliers:
        found = [judge(live[supplier, kind], kind, parameters) for kind in open_of([supplier])]
        if found and supplier not in why:
            why[supplier] = FEW if FEW in found else DOMINANT
    size = {s: sum(live[s, kind].least for kind in kinds if (s, kind) in live) for s in suppliers}
    while why and (len(why) == 1 or open_of(why)):
        left = sorted((s for s in suppliers if s not in why), key=lambda s: (size[s], s))
        # One alone is given back by subtracting all others from the total of the BRP.
        mends = [s for s in left if size[s] and not open_of([*why, s])]
        helps = [s for s in left for kind in open_of(why) if (s, kind) in live]
        if not left:
            break
        why[(mends or helps or left)[0]] = COMPLEMENT
    return why


def _block(cell: Cell, merged: frozenset[Party]) -> Cell:
    return (cell[0], OTHER, *cell[2:]) if cell[:2] in merged else cell


def _fold(
    told: Mapping[Cell, Told], merged: frozenset[Party], earlier: Partition
) -> dict[Cell, Told]:
    """Add up what is told together; who was told by name before is told a zero."""
    folded: dict[Cell, Told] = {}
    for cell, one in told.items():
        block = _block(cell, merged)
        held = folded.get(block)
        folded[block] = one if held is None else _plus(held, one)
        if block != cell and cell[:2] in earlier.named:
            zeros = np.zeros(len(one.volume), np.int64)
            folded[cell] = Told(zeros, zeros, True, {})
    return folded


def _plus(one: Told, other: Told) -> Told:
    return Told(
        one.volume + other.volume,
        one.points + other.points,
        one.withdrawn and other.withdrawn,
        {},
    )


def _alone(
    live: Mapping[Cell, Holders], merged: frozenset[Party], parameters: Parameters
) -> frozenset[Cell]:
    """List the sums that stay small after merging, totals of a BRP among them."""
    blocks: dict[Cell, list[Holders]] = {}
    for cell, held in live.items():
        for block in (_block(cell, merged), (cell[0], ALL, *cell[2:])):
            blocks.setdefault(block, []).append(held)
    return frozenset(
        block
        for block, parts in blocks.items()
        if judge(together(parts), (block[2], block[3]), parameters)
    )


def _allocation(allocation: pa.Table, folded: Mapping[Cell, Told]) -> pa.Table:
    """Make tables.ALLOCATION of the sums that are told, by BRP, supplier, group and direction."""
    order = sorted(folded, key=lambda cell: (*cell[:2], codes.GROUPS.index(cell[2]), cell[3]))
    if not order:
        return tables.ALLOCATION.empty()
    n = len(folded[order[0]].volume)
    area = allocation["grid_area"][0].as_py()
    rows = pa.array(np.repeat(np.arange(len(order)), n))

    def repeated(words: Sequence[str]) -> pa.Array:
        return pa.array(words, pa.string()).take(rows)

    none = pa.nulls(len(order) * n, pa.string())
    columns = {
        **tables.period_columns(allocation["market_day"][0].as_py(), len(order)),
        "grid_area": repeated([area] * len(order)),
        "brp": repeated([cell[0] for cell in order]),
        "supplier": repeated([cell[1] for cell in order]),
        "group": repeated([cell[2] for cell in order]),
        "profile_category": none,
        "consumption_type": none,
        "direction": repeated([cell[3] for cell in order]),
        "origin": none,
        "volume_wh": pa.array(np.concatenate([folded[cell].volume for cell in order])),
        "points": pa.array(np.concatenate([folded[cell].points for cell in order])),
        "withdrawn": pa.array(np.repeat([folded[cell].withdrawn for cell in order], n)),
    }
    return pa.table(columns, schema=tables.ALLOCATION.schema)


def _prove(before: pa.Table, after: pa.Table) -> None:
    """Check that merging changed no energy of any BRP, group, direction and period."""
    keys = ["brp", "group", "direction", "position"]
    ways = [
        pa.table({**{key: table[key] for key in keys}, "wh": volume})
        for table, volume in ((before, before["volume_wh"]), (after, pc.negate(after["volume_wh"])))
    ]
    apart = pa.concat_tables(ways).group_by(keys).aggregate([("wh", "sum")])
    wrong = pc.sum(pc.not_equal(apart["wh_sum"], 0)).as_py()
    if wrong:
        raise NotConserved(f"{wrong:,} sums of a BRP changed by merging suppliers")


def _report(
    allocation: pa.Table,
    told: Mapping[Cell, Told],
    live: Mapping[Cell, Holders],
    reasons: Mapping[Party, str],
    partition: Partition,
    alone: frozenset[Cell],
    thin: set[Cell],
    parameters: Parameters,
) -> pa.Table:
    totals: dict[Cell, list[Holders]] = {(cell[0], ALL, *cell[2:]): [] for cell in told}
    for cell, own in live.items():
        totals[cell[0], ALL, *cell[2:]].append(own)
    behind: dict[Cell, Holders | None] = {cell: live.get(cell) for cell in told}
    behind |= {cell: together(parts) if parts else None for cell, parts in totals.items()}
    rows = []
    for cell in sorted(behind):
        held = behind[cell]
        why = "" if held is None else judge(held, (cell[2], cell[3]), parameters)
        is_merged = cell[:2] in partition.merged
        released = MERGED if is_merged else AS_IT_IS
        rows.append(
            {
                "market_day": allocation["market_day"][0].as_py(),
                "grid_area": allocation["grid_area"][0].as_py(),
                "brp": cell[0],
                "supplier": cell[1] or None,
                "group": cell[2],
                "direction": cell[3],
                "holders": 0 if held is None else held.least,
                "released": ALONE if _block(cell, partition.merged) in alone else released,
                "merged": is_merged,
                "named": cell[:2] in partition.named,
                "reason": why or reasons.get(cell[:2]),
                "thin_change": cell in thin,
                "attackable": False,
            }
        )
    return pa.Table.from_pylist(rows, schema=tables.DISCLOSURE.schema)
