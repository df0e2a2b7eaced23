"""ENTSO-E Balancing documents (451-6, versions 3.0 to 4.5) of imbalance prices ↔ prices of a day.

A document of type A85. Category A04 (excess) is the price of a surplus, A05 (insufficient) that of
a shortage; a price without a category is both. EUR per MWh.

Source: IEC 62325-451-6; ENTSO-E Transparency Platform, imbalance prices (17.1.G); decisions §39.
"""

from __future__ import annotations

import re
from decimal import Decimal

from lxml import etree
from lxml.builder import ElementMaker

from kwartier import periods, tables
from kwartier.codecs import quarter_hours as quarters
from kwartier.codecs.xml import Unreadable, parse
from kwartier.documents import ImbalancePrices

_SPACE = "urn:iec62325.351:tc57wg16:451-6:balancingdocument:"
_VERSION = re.compile(re.escape(_SPACE) + r"(3:[01]|4:[0-5])")
PRICES, EXCESS, INSUFFICIENT = "A85", "A04", "A05"
_REALISED, _DEVIATION = "A16", "A19"
_OPERATOR, _RESPONSIBLE = "A04", "A08"
_GS1, _EIC = "A10", "A01"
_MOST = 10 ** (tables.PRICE.precision - tables.PRICE.scale)


def write(prices: ImbalancePrices, area: str) -> bytes:
    """Write the prices of a day as a Balancing document of version 4.5.

    area : EIC of the control area.
    """
    space = f"{_SPACE}4:5"
    make = ElementMaker(namespace=space, nsmap={None: space})
    start, end = quarters.interval(prices.market_day)
    root = make.Balancing_MarketDocument(
        make.mRID(prices.id),
        make.revisionNumber(str(prices.version)),
        make.type(PRICES),
        make("process.processType", _REALISED),
        make("sender_MarketParticipant.mRID", prices.sender, codingScheme=_GS1),
        make("sender_MarketParticipant.marketRole.type", _OPERATOR),
        make("receiver_MarketParticipant.mRID", prices.receiver, codingScheme=_GS1),
        make("receiver_MarketParticipant.marketRole.type", _RESPONSIBLE),
        make.createdDateTime(quarters.stamp(prices.created_at)),
        make("area_Domain.mRID", area, codingScheme=_EIC),
        make("period.timeInterval", make.start(start), make.end(end)),
    )
    for number, (category, told) in enumerate(
        ((EXCESS, prices.long), (INSUFFICIENT, prices.short)), 1
    ):
        points = [
            make.Point(
                make.position(str(at)),
                make("imbalance_Price.amount", f"{price:f}"),
                make("imbalance_Price.category", category),
            )
            for at, price in enumerate(told, 1)
            if price is not None
        ]
        if points:
            root.append(
                make.TimeSeries(
                    make.mRID(str(number)),
                    make.businessType(_DEVIATION),
                    make("currency_Unit.name", "EUR"),
                    make("price_Measurement_Unit.name", "MWH"),
                    make.curveType(quarters.BLOCKS),
                    make.Period(
                        make.timeInterval(make.start(start), make.end(end)),
                        make.resolution(quarters.RESOLUTION),
                        *points,
                    ),
                )
            )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def read(content: bytes) -> ImbalancePrices:
    """Read the imbalance prices of a Balancing document.

    Raises
    ------
    Unreadable : not such a document, not of one day, not EUR per MWh, or a price told twice.
    """
    root = parse(content)
    name = etree.QName(root)
    if name.localname != "Balancing_MarketDocument" or not _VERSION.fullmatch(name.namespace or ""):
        raise Unreadable("expected a Balancing_MarketDocument of version 3.0 to 4.5")
    if quarters.text(root, "type") != PRICES:
        raise Unreadable(f"line {root.sourceline}: type: expected {PRICES}, imbalance prices")
    day = quarters.day_of(root, "period.timeInterval")
    n = periods.count(day)
    told: dict[str, list[Decimal | None]] = {EXCESS: [None] * n, INSUFFICIENT: [None] * n}
    for series in quarters.children(root, "TimeSeries"):
        unit = quarters.maybe(series, "price_Measurement_Unit.name") or quarters.maybe(
            series, "price_Measure_Unit.name"
        )
        if (quarters.text(series, "currency_Unit.name"), unit) != ("EUR", "MWH"):
            raise Unreadable(f"line {series.sourceline}: expected prices in EUR per MWH")
        for at, points in quarters.points(series, day):
            for point in points:
                _put(told, at, point)
    return ImbalancePrices(
        id=quarters.text(root, "mRID"),
        version=quarters.revision(root),
        created_at=quarters.moment(root, "createdDateTime"),
        sender=quarters.text(root, "sender_MarketParticipant.mRID"),
        receiver=quarters.text(root, "receiver_MarketParticipant.mRID"),
        market_day=day,
        long=tuple(told[EXCESS]),
        short=tuple(told[INSUFFICIENT]),
    )


def _put(told: dict[str, list[Decimal | None]], at: int, point: etree._Element) -> None:
    """Put the price of a point in its place; in both where it has no category."""
    price = quarters.number(point, "imbalance_Price.amount")
    if price != round(price, tables.PRICE.scale) or abs(price) >= _MOST:
        raise Unreadable(
            f"line {point.sourceline}: imbalance_Price.amount: expected at most 5 decimals"
        )
    category = quarters.maybe(point, "imbalance_Price.category")
    if category not in ("", EXCESS, INSUFFICIENT):
        raise Unreadable(f"line {point.sourceline}: imbalance_Price.category: expected A04 or A05")
    for one in [category] if category else [EXCESS, INSUFFICIENT]:
        if told[one][at] is not None:
            raise Unreadable(f"line {point.sourceline}: expected each price once")
        told[one][at] = price
