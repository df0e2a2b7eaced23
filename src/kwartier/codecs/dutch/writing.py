"""A document → the bytes of its message, held against its schema before anyone gets them."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from kwartier import codes, documents, periods
from kwartier.codecs.dutch import messages, values
from kwartier.codecs.dutch.values import element
from kwartier.documents import Document, Series

# A part of a series that its message has no element for must be left empty.
_MAY_BE_EMPTY = (
    *("direction", "brp", "supplier", "point", "profile_category", "consumption_type", "origin"),
    *("status", "version", "origins", "statuses", "methods", "revision_request"),
)
_MOST = 10**10  # of kWh, or of a factor: ten digits before the point


def write(document: Document) -> bytes:
    """Write a document as the message of its process.

    Raises
    ------
    ValueError : no such process, a series that its message cannot say, or not what its schema asks.
    """
    message = messages.MESSAGES.get(document.process)
    if message is None:
        raise ValueError(
            f"process {document.process}: expected one of {', '.join(messages.MESSAGES)}"
        )
    version = message.versions[-1]
    start = periods.day_start(document.market_day)
    interval = _interval(start, start + periods.SECONDS * periods.count(document.market_day))
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        f'<{message.root} xmlns="{messages.namespace(message.process, version)}">',
        header(document, document.process),
    ]
    for number, series in enumerate(document.series, start=1):
        _check(message, document, series, number)
        parts.append(_series(message, series, interval))
    parts.append(f"</{message.root}>\n")
    return checked("".join(parts).encode(), message.process, version)


def header(document: Document | documents.Acknowledgement, process: str = "") -> str:
    """Write the header that all messages share."""
    destination = element("ContactTypeIdentifier", document.receiver_role)
    destination += element("ReceiverID", document.receiver)
    source = element("ContactTypeIdentifier", document.sender_role)
    source += element("SenderID", document.sender)
    return (
        "<EDSNBusinessDocumentHeader>"
        f"{element('CreationTimestamp', values.moment_text(document.created_at))}"
        f"{element('MessageID', document.id)}{element('ProcessTypeID', process)}"
        f"<Destination><Receiver>{destination}</Receiver></Destination>"
        f"<Source>{source}</Source>"
        "</EDSNBusinessDocumentHeader>"
    )


def checked(content: bytes, name: str, version: str) -> bytes:
    """Give back what was written, if its schema lets it pass.

    Raises
    ------
    ValueError : it does not; the text names the line and the element, not what stands there.
    """
    held = messages.schema(name, version)
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        raise ValueError(f"{name}: a text holds what XML cannot; look for control signs") from None
    if not held.validate(root):
        first = held.error_log[0]
        raise ValueError(
            f"{name}: cannot be written: {first.path} is not what the schema asks "
            f"({first.type_name})"
        )
    return content


def _check(message: messages.Message, document: Document, series: Series, number: int) -> None:
    place = f"{document.process}, series {number}"
    for name in _MAY_BE_EMPTY:
        if getattr(series, name) and name not in message.says:
            raise ValueError(f"{place}: the message has no place for {name}; leave it empty")
    if series.group != message.group:
        raise ValueError(f"{place}: expected group {message.group}, not {series.group}")
    expected = (documents.WH,)
    if message.shape == messages.FACTOR:
        expected = (documents.FRACTION if series.profile_category else documents.FACTOR,)
    if series.unit not in expected:
        raise ValueError(f"{place}: expected quantities in {expected[0]}, not {series.unit}")
    n = periods.count(document.market_day)
    lengths = {"quantity": len(series.quantity)}
    if message.shape == messages.INDIVIDUAL:
        lengths |= {name: len(getattr(series, name)) for name in ("origins", "statuses", "methods")}
    for name, length in lengths.items():
        if length != n:
            raise ValueError(f"{place}: {name}: expected {n} periods, not {length}")
    most = _MOST * 10 ** documents.DECIMALS[series.unit]
    if n and max(int(series.quantity.max()), -int(series.quantity.min())) >= most:
        raise ValueError(f"{place}: a quantity has more than ten digits before its decimals")


def _interval(start: int, end: int) -> str:
    return (
        "<DateAndOrTime>"
        f"{element('startDateTime', values.moment_text(start))}"
        f"{element('endDateTime', values.moment_text(end))}"
        "</DateAndOrTime>"
    )


def _series(message: messages.Message, series: Series, interval: str) -> str:
    factor = message.shape == messages.FACTOR
    head = [
        element("mRID", series.id),
        element("product", codes.ENERGY_PRODUCT),
        "" if factor else element("group_businessType", series.group),
        element("run_mRID", series.run),
        element("dateRCF_version", values.moment_text(series.version)) if factor else "",
        element("referenceRevisionRequest_mRID", series.revision_request),
        interval,
        f"<Domain>{element('mRID', series.grid_area)}</Domain>",
        _within("MarketEvaluationPoint", element("mRID", series.point)),
        _within("FlowDirection", element("direction", series.direction)),
        _participant(series.brp, documents.BALANCE_RESPONSIBLE),
        _participant(series.supplier, documents.SUPPLIER),
        "<Product>",
        element("identification", codes.ACTIVE_ENERGY),
        "" if factor else element("measureUnit", codes.KILOWATT_HOUR),
        "</Product>",
    ]
    detail = [
        element("resolution", codes.QUARTER_HOUR),
        element("profileCategory_objectAggregation", series.profile_category),
        element("determinedEnergyConsumption_objectAggregation", series.consumption_type),
        element("allocationResult_businessType", series.origin),
        element("profileStatus_quality", series.status),
        *_points(series),
    ]
    return (
        f"<{message.series}>{''.join(head)}"
        f"<Detail_Series>{''.join(detail)}</Detail_Series></{message.series}>"
    )


def _within(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>" if content else ""


def _participant(party: str, role: str) -> str:
    if not party:
        return ""
    market_role = f"<MarketRole>{element('type', role)}</MarketRole>"
    return f"<MarketParticipant>{element('mRID', party)}{market_role}</MarketParticipant>"


def _points(series: Series) -> list[str]:
    quantities = values.decimal_texts(series.quantity, documents.DECIMALS[series.unit])
    if not series.origins:
        return [
            f"<Point><position>{position}</position><quantity>{quantity}</quantity></Point>"
            for position, quantity in enumerate(quantities, start=1)
        ]
    ways = zip(
        _elements("origin", series.origins),
        _elements("validationStatus", series.statuses),
        _elements("repairMethod", series.methods),
        strict=True,
    )
    return [
        f"<Point><position>{position}</position><quantity>{quantity}</quantity>{''.join(way)}</Point>"
        for position, (quantity, way) in enumerate(zip(quantities, ways, strict=True), start=1)
    ]


def _elements(name: str, words: Sequence[str]) -> list[str]:
    return [element(name, word) for word in words]
