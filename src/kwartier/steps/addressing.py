"""The tables of a published run → the documents of each receiver.

To a balance responsible party goes what is its own, per supplier; to the TSO what is of every
party, without suppliers. A complete new run goes to everybody, with explicit zeros for what an
earlier run of the day had; the factors go to every party of this run or an earlier one.
Source: SD030 v4.0; domain §7, §8; decisions §32.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kwartier import codes, documents, periods
from kwartier.arrays import Int64s
from kwartier.documents import Document, Series

# Formats in which a party receives (parties of a home).
DUTCH, RSM014, ENERGY_ACCOUNT = "dutch", "rsm014", "energy_account"
FORMATS = (DUTCH, RSM014, ENERGY_ACCOUNT)

_SUM_OF = {
    codes.TELEMETRY: documents.TELEMETRY_SUM,
    codes.SMART_METER: documents.SMART_METERS,
    codes.PROFILE: documents.PROFILED,
    codes.GRID_LOSS: documents.LOSS_SUM,
    codes.UNMETERED: documents.UNMETERED_SUM,
}
_EACH_OF = {
    codes.TELEMETRY: documents.TELEMETRY_POINT,
    codes.GRID_LOSS: documents.LOSS_POINT,
    codes.UNMETERED: documents.UNMETERED_POINT,
}
# Of losses and unmetered points the TSO is told the sum only.
_EACH_TO_TSO = (codes.TELEMETRY,)

# Makes an id of what it names: the same words, the same id.
Identify = Callable[..., str]


class Receiver(NamedTuple):
    """Who receives: GLN-13, role (DDK, or EZ for the TSO) and in which formats."""

    party: str
    role: str
    formats: tuple[str, ...] = (DUTCH,)


@dataclass(frozen=True)
class Released:
    """What a published run releases of an area and day, and by whom.

    Attributes
    ----------
    allocation : exact, for who is entitled to it; with what is withdrawn.
    protected : the same after disclosure control: its folded suppliers are `other`, without a GLN;
        None: it is held back.
    statutory : the formats that leave exact; all others leave protected, or not at all.
    created_at : after that of every earlier run of the day [s UTC].
    final : no run of the calendar comes after this one.
    """

    market_day: date
    grid_area: str
    run: str
    created_at: int
    sender: str
    sender_role: str
    allocation: pa.Table
    protected: pa.Table | None
    individual: pa.Table
    residual: pa.Table
    fractions: pa.Table
    statutory: Collection[str] = (DUTCH,)
    final: bool = False


class _Key(NamedTuple):
    """What names a series of an allocation."""

    brp: str
    supplier: str
    group: str
    category: str
    type: str
    direction: str
    origin: str


class _Row(NamedTuple):
    """A series of an allocation; `live`: points stand behind it, or it is withdrawn."""

    key: _Key
    live: bool
    volume: Int64s


def address(
    released: Released, receivers: Sequence[Receiver], identify: Identify
) -> Iterator[tuple[str, Document]]:
    """Make the documents of a run, with the format that each is to be written in.

    A balance responsible party without a part in the area, in this run and in those before, gets
    none.
    """
    exact = _rows(released.allocation)
    protected = None if released.protected is None else _rows(released.protected)
    concerned = {row.key.brp for row in exact}
    for receiver in receivers:
        if receiver.role != documents.SYSTEM_OPERATOR and receiver.party not in concerned:
            continue
        to = _To(released, receiver, identify)
        told = dict.fromkeys((f for f in receiver.formats if f in released.statutory), exact)
        if protected is not None:
            told |= {format_: protected for format_ in receiver.formats if format_ not in told}
        if DUTCH in told:
            made = [*_sums(to, told[DUTCH]), *_each(to), _factors(to)]
            yield from ((DUTCH, document) for document in made if document.series)
        if RSM014 in told:
            yield RSM014, _per_party(to, told[RSM014])
        if ENERGY_ACCOUNT in told:
            yield ENERGY_ACCOUNT, _account(to, told[ENERGY_ACCOUNT])


class _To(NamedTuple):
    """What is released, to whom."""

    released: Released
    receiver: Receiver
    identify: Identify

    @property
    def whole_area(self) -> bool:
        """Tell whether the receiver is told of every party: it is the TSO."""
        return self.receiver.role == documents.SYSTEM_OPERATOR

    def mine(self, rows: Sequence[_Row]) -> list[_Row]:
        """Keep what the receiver is entitled to; of all parties, then without suppliers."""
        if self.whole_area:
            return [row._replace(key=row.key._replace(supplier="")) for row in rows]
        return [row for row in rows if row.key.brp == self.receiver.party]

    def document(self, process: str, series: Sequence[Series]) -> Document:
        """Make the document of a process; its id and those of its series name what they are."""
        of = self.released
        name = self.identify(of.run, process, self.receiver.party)
        numbered = [
            replace(one, id=self.identify(name, str(i))) for i, one in enumerate(series, start=1)
        ]
        return Document(
            process,
            name,
            of.created_at,
            of.sender,
            of.sender_role,
            self.receiver.party,
            self.receiver.role,
            of.market_day,
            tuple(numbered),
            final=of.final,
        )


def _rows(allocation: pa.Table) -> list[_Row]:
    n = int(pc.max(allocation["position"]).as_py() or 1)
    volume, points, gone = (
        allocation[name].to_numpy().reshape(-1, n) for name in ("volume_wh", "points", "withdrawn")
    )
    names = ("brp", "supplier", "group", "profile_category", "consumption_type", "direction")
    heads = allocation.take(pa.array(np.arange(0, allocation.num_rows, n)))
    words = zip(*(heads[name].to_pylist() for name in (*names, "origin")), strict=True)
    return [
        _Row(
            _Key(*("" if word in (None, codes.OTHER_SUPPLIERS) else word for word in key)),
            bool((points[i] + gone[i]).any()),
            volume[i],
        )
        for i, key in enumerate(words)
    ]


def _added(to: _To, rows: Sequence[_Row], common: Callable[[_Key], _Key]) -> list[Series]:
    """Add up the rows that have a key in common, in the order of the keys."""
    sums: dict[_Key, Int64s] = {}
    for row in rows:
        key = common(row.key)
        sums[key] = sums[key] + row.volume if key in sums else row.volume
    return [
        Series(
            id="",
            run=to.released.run,
            grid_area=to.released.grid_area,
            brp=key.brp,
            supplier=key.supplier,
            group=key.group,
            profile_category=key.category,
            consumption_type=key.type,
            direction=key.direction,
            origin=key.origin,
            quantity=sums[key],
        )
        for key in sorted(sums)
    ]


def _of_any_origin(key: _Key) -> _Key:
    return key._replace(origin="")


def _of_party(key: _Key) -> _Key:
    return key._replace(category="", type="", origin="")


def _of_account(key: _Key) -> _Key:
    group = key.group if key.group == codes.GRID_LOSS else ""
    return _of_party(key)._replace(supplier="", group=group)


def _sums(to: _To, rows: Sequence[_Row]) -> Iterator[Document]:
    """Make the aggregated documents: a smart-meter series always in all four of its kind."""
    mine = to.mine(rows)
    for group, process in _SUM_OF.items():
        own = [row for row in mine if row.key.group == group]
        if group == codes.SMART_METER:
            yield to.document(process, _added(to, own, lambda key: key))
        else:
            live = [row for row in own if row.live]
            yield to.document(process, _added(to, live, _of_any_origin))


def _each(to: _To) -> Iterator[Document]:
    """Make the individual documents."""
    table = to.released.individual
    if not to.whole_area:
        table = table.filter(pc.equal(table["brp"], to.receiver.party))
    for group, process in _EACH_OF.items():
        if to.whole_area and group not in _EACH_TO_TSO:
            continue
        rows = table.filter(pc.equal(table["group"], group)).to_pylist()
        yield to.document(process, [_of_point(to, row) for row in rows])


def _of_point(to: _To, row: Mapping[str, Any]) -> Series:
    def words(name: str, absent: str) -> tuple[str, ...]:
        return tuple(word or absent for word in row[name])

    return Series(
        id="",
        run=to.released.run,
        grid_area=to.released.grid_area,
        brp=row["brp"],
        supplier="" if to.whole_area else row["supplier"],
        group=row["group"],
        direction=row["direction"],
        point=codes.ean(row["accounting_point"]),
        quantity=np.array([wh or 0 for wh in row["volume_wh"]], np.int64),
        # No volume came and none is due: said by its origin, beside a quantity that must be there.
        origins=words("origin", codes.NOT_METERED),
        statuses=words("validation_status", ""),
        methods=words("method", ""),
    )


def _factors(to: _To) -> Document:
    """Make N151: the residual factor of the area, and the fractions of every kind of point."""
    of = to.released
    common = Series(
        id="",
        run=of.run,
        grid_area=of.grid_area,
        group=codes.PROFILE,
        quantity=np.empty(0, np.int64),
        version=of.created_at,
    )
    factor = of.residual["factor"].to_numpy()
    series = [replace(common, quantity=factor, unit=documents.FACTOR)]
    n = periods.count(of.market_day)
    names = ("profile_category", "consumption_type", "direction", "status")
    for at in range(0, of.fractions.num_rows, n):
        part = of.fractions.slice(at, n)
        category, type_, direction, status = (part[name][0].as_py() for name in names)
        series.append(
            replace(
                common,
                quantity=part["fraction"].to_numpy(),
                unit=documents.FRACTION,
                profile_category=category,
                consumption_type=type_,
                direction=direction,
                status=status,
            )
        )
    return to.document(documents.FACTORS, series)


def _per_party(to: _To, rows: Sequence[_Row]) -> Document:
    """Make the international document of sums: per party, group and direction."""
    return to.document(documents.AGGREGATED_MEASURED, _added(to, _live(to, rows), _of_party))


def _account(to: _To, rows: Sequence[_Row]) -> Document:
    """Make the energy account: per party what it feeds in, takes off, and loses in the grid."""
    return to.document(documents.ENERGY_ACCOUNT, _added(to, _live(to, rows), _of_account))


def _live(to: _To, rows: Sequence[_Row]) -> list[_Row]:
    return [row for row in to.mine(rows) if row.live or row.key.group == codes.SMART_METER]
