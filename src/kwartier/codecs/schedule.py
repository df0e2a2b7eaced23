"""ENTSO-E Schedule documents (451-2, versions 5.1 and 5.2) ↔ programmes of balance responsibles.

A trade is a series of business type A02, from the party that sells (out) to the one that buys (in);
the net position is one of type B09, out of the party where it brings in, into it where it takes.
Energy is told in MWh a period, which fits a Wh exactly; power in MW is read as well. A document is
of one party (its subject, or the sender where it names none) and one market day, in quarter-hours.

Source: IEC 62325-451-2; domain §9; decisions §39.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from lxml import etree
from lxml.builder import ElementMaker

from kwartier import codes, periods
from kwartier.codecs import quarter_hours as quarters
from kwartier.codecs.xml import Unreadable, parse
from kwartier.documents import Programme

_SPACE = "urn:iec62325.351:tc57wg16:451-2:scheduledocument:5:"
VERSIONS = (1, 2)
TRADE, NET = "A02", "B09"
_DOCUMENT, _DAY_AHEAD, _SUMMARY, _BY_PARTY = "A01", "A01", "A02", "A03"
_RESPONSIBLE, _OPERATOR = "A08", "A04"
_GS1, _EIC = "A10", "A01"
_ENERGY = "8716867000030"
_MOST_WH = 10**13
# What one of each unit is in a quarter-hour [Wh].
_WH = {"MWH": 1_000_000, "KWH": 1_000, "MAW": 250_000, "KWT": 250}


def write(programme: Programme, area: str, version: int = 2) -> bytes:
    """Write a programme as a Schedule document.

    Parameters
    ----------
    area : EIC of the scheduling area.
    version : 1 or 2, of 5.1 and 5.2.
    """
    space = f"{_SPACE}{version}"
    make = ElementMaker(namespace=space, nsmap={None: space})
    start, end = quarters.interval(programme.market_day)
    root = make.Schedule_MarketDocument(
        make.mRID(programme.id),
        make.revisionNumber(str(programme.version)),
        make.type(_DOCUMENT),
        make("process.processType", _DAY_AHEAD),
        make("process.classificationType", _SUMMARY),
        make("sender_MarketParticipant.mRID", programme.brp, codingScheme=_GS1),
        make("sender_MarketParticipant.marketRole.type", _RESPONSIBLE),
        make("receiver_MarketParticipant.mRID", programme.receiver, codingScheme=_GS1),
        make("receiver_MarketParticipant.marketRole.type", _OPERATOR),
        make.createdDateTime(quarters.stamp(programme.created_at)),
        make("schedule_Time_Period.timeInterval", make.start(start), make.end(end)),
        make("domain.mRID", area, codingScheme=_EIC),
    )
    told = [(TRADE, party, volumes) for party, volumes in sorted(programme.trades.items())]
    if programme.net is not None:
        told.append((NET, "", programme.net))
    for kind, party, volumes in told:
        for buys, part in _sides(volumes):
            into, out = (programme.brp, party) if buys else (party, programme.brp)
            root.append(
                make.TimeSeries(
                    make.mRID(str(len(root) - 11)),
                    make.version(str(programme.version)),
                    make.businessType(kind),
                    make.product(_ENERGY),
                    make.objectAggregation(_BY_PARTY),
                    make("in_Domain.mRID", area, codingScheme=_EIC),
                    make("out_Domain.mRID", area, codingScheme=_EIC),
                    *([make("in_MarketParticipant.mRID", into, codingScheme=_GS1)] if into else []),
                    *([make("out_MarketParticipant.mRID", out, codingScheme=_GS1)] if out else []),
                    make("measurement_Unit.name", "MWH"),
                    make.curveType(quarters.BLOCKS),
                    make.Period(
                        make.timeInterval(make.start(start), make.end(end)),
                        make.resolution(quarters.RESOLUTION),
                        *(
                            make.Point(make.position(str(at)), make.quantity(_mwh(volume)))
                            for at, volume in enumerate(part, 1)
                        ),
                    ),
                )
            )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _sides(volumes: Sequence[int]) -> list[tuple[bool, list[int]]]:
    """Give what is sold and what is bought, each 0 or more, less a side on which nothing is."""
    sold, bought = [max(v, 0) for v in volumes], [max(-v, 0) for v in volumes]
    sides = [(False, sold)] if any(sold) or not any(bought) else []
    return [*sides, (True, bought)] if any(bought) else sides


def _mwh(volume: int) -> str:
    return f"{volume // 1_000_000}.{volume % 1_000_000:06d}"


def read(content: bytes) -> Programme:
    """Read a Schedule document.

    Raises
    ------
    Unreadable : not such a document, not of one day, or a series that no programme has.
    """
    root = parse(content)
    space = etree.QName(root)
    known = [f"{_SPACE}{version}" for version in VERSIONS]
    if space.localname != "Schedule_MarketDocument" or space.namespace not in known:
        raise Unreadable("expected a Schedule_MarketDocument of version 5.1 or 5.2")
    day = quarters.day_of(root, "schedule_Time_Period.timeInterval")
    sender = quarters.text(root, "sender_MarketParticipant.mRID")
    brp = _party(root, quarters.maybe(root, "subject_MarketParticipant.mRID") or sender)
    n = periods.count(day)
    told: dict[str, list[int]] = {}
    for series in quarters.children(root, "TimeSeries"):
        party, sign = _side(series, brp)
        sums = told.setdefault(party, [0] * n)
        for at, volume in enumerate(_volumes(series, n, root)):
            sums[at] += sign * volume
    if not told:
        raise Unreadable("expected at least one TimeSeries")
    net = told.pop("", None)
    return Programme(
        id=quarters.text(root, "mRID"),
        version=quarters.revision(root),
        created_at=quarters.moment(root, "createdDateTime"),
        brp=brp,
        receiver=quarters.text(root, "receiver_MarketParticipant.mRID"),
        market_day=day,
        net=None if net is None else tuple(net),
        trades={party: tuple(volumes) for party, volumes in told.items()},
    )


def _side(series: etree._Element, brp: str) -> tuple[str, int]:
    """Tell the other party of a series, "" of a net position, and its sign for the party."""
    kind = quarters.text(series, "businessType")
    into, out = (quarters.maybe(series, f"{way}_MarketParticipant.mRID") for way in ("in", "out"))
    if (into == brp) == (out == brp):
        raise Unreadable(f"line {series.sourceline}: expected the party on one side of its series")
    sign, other = (-1, out) if into == brp else (1, into)
    if kind not in (TRADE, NET) or (kind == TRADE) != bool(other):
        raise Unreadable(
            f"line {series.sourceline}: expected a trade (A02) of two parties or a net position "
            "(B09) of one"
        )
    return _party(series, other) if other else "", sign


def _party(element: etree._Element, gln: str) -> str:
    if not re.fullmatch("[0-9]{13}", gln) or not codes.check_digits_hold(
        np.array([int(gln)], np.int64), codes.GLN_DIGITS
    ):
        raise Unreadable(f"line {element.sourceline}: expected a party by its GLN of 13 digits")
    return gln


def _volumes(series: etree._Element, n: int, root: etree._Element) -> list[int]:
    unit = quarters.text(series, "measurement_Unit.name")
    if unit not in _WH:
        raise Unreadable(
            f"line {series.sourceline}: measurement_Unit.name: expected one of {' '.join(_WH)}"
        )
    day = quarters.day_of(root, "schedule_Time_Period.timeInterval")
    found: dict[int, int] = {}
    for at, points in quarters.points(series, day):
        if len(points) > 1 or at in found:
            raise Unreadable(f"line {points[-1].sourceline}: expected each position once")
        volume = quarters.number(points[0], "quantity") * _WH[unit]
        if volume != int(volume) or abs(volume) > _MOST_WH:
            raise Unreadable(f"line {points[0].sourceline}: quantity: expected whole Wh")
        found[at] = int(volume)
    if len(found) < n:
        raise Unreadable(f"line {series.sourceline}: expected {n} positions, found {len(found)}")
    return [found[at] for at in range(n)]
