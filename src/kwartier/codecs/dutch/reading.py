"""The bytes of a message → its document, and how it was written."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial

import numpy as np
from lxml import etree

from kwartier import documents, periods
from kwartier.codecs.dutch import messages, values
from kwartier.codecs.xml import Unreadable
from kwartier.documents import Document, Form, Series


def read(content: bytes) -> Document:
    """Read the message of a process.

    What a receiver has a code for is handed on and not judged here: wrong decimals, positions,
    intervals, products and identifiers stand in the document, or in the form of its series.

    Raises
    ------
    Unreadable : not XML that may be read, no message of the profile, or not what its schema asks.
    """
    root, namespace, name = messages.root(content, None)
    message = messages.MESSAGES[name]
    found = root.iterchildren(namespace + message.series)
    series = tuple(_series(message, element, namespace) for element in found)
    header = partial(text, root.find(f"{namespace}EDSNBusinessDocumentHeader"), namespace)
    form = series[0].form
    assert form is not None
    return Document(
        process=header("ProcessTypeID"),
        id=header("MessageID"),
        created_at=values.moment(header("CreationTimestamp")),
        sender=header("Source/SenderID"),
        sender_role=header("Source/ContactTypeIdentifier"),
        receiver=header("Destination/Receiver/ReceiverID"),
        receiver_role=header("Destination/Receiver/ContactTypeIdentifier"),
        market_day=_local_day(form.start),
        series=series,
        written_as=name,
    )


def text(element: etree._Element | None, namespace: str, path: str) -> str:
    """Give the text of an element by its path; of one that is not there, none."""
    if element is None:
        return ""
    return element.findtext("/".join(namespace + step for step in path.split("/"))) or ""


def _local_day(start: int) -> date:
    return datetime.fromtimestamp(start, periods.CLOCK).date()


def _series(message: messages.Message, element: etree._Element, namespace: str) -> Series:
    of = partial(text, element, namespace)
    detail = element.find(f"{namespace}Detail_Series")
    category = of("Detail_Series/profileCategory_objectAggregation")
    factor = message.shape == messages.FACTOR
    unit = documents.WH
    if factor:
        # A fraction says of which category, though it may say it wrong; a residual factor does not.
        kind = element.find(
            f"{namespace}Detail_Series/{namespace}profileCategory_objectAggregation"
        )
        unit = documents.FACTOR if kind is None else documents.FRACTION
    points = _column(detail, namespace + "position")
    quantity, decimals = values.wholes(
        _column(detail, namespace + "quantity"), documents.DECIMALS[unit]
    )
    parties = _parties(element, namespace)
    ways: dict[str, tuple[str, ...]] = {}
    if message.shape == messages.INDIVIDUAL:
        ways = _ways(detail, namespace)
    return Series(
        id=of("mRID"),
        run=of("run_mRID"),
        grid_area=of("Domain/mRID"),
        group=message.group,
        quantity=quantity,
        unit=unit,
        direction=of("FlowDirection/direction"),
        brp=parties.get(documents.BALANCE_RESPONSIBLE, ""),
        supplier=parties.get(documents.SUPPLIER, ""),
        point=of("MarketEvaluationPoint/mRID"),
        profile_category=category,
        consumption_type=of("Detail_Series/determinedEnergyConsumption_objectAggregation"),
        origin=of("Detail_Series/allocationResult_businessType"),
        status=of("Detail_Series/profileStatus_quality"),
        version=values.moment(of("dateRCF_version")) if factor else 0,
        **ways,
        revision_request=of("referenceRevisionRequest_mRID"),
        form=Form(
            start=values.moment(of("DateAndOrTime/startDateTime")),
            end=values.moment(of("DateAndOrTime/endDateTime")),
            resolution=of("Detail_Series/resolution"),
            product_type=of("product"),
            product=of("Product/identification"),
            unit=of("Product/measureUnit"),
            positions=np.array([int(position) for position in points], np.int64),
            decimals=decimals,
        ),
    )


def _column(detail: etree._Element | None, tag: str) -> list[str]:
    return [] if detail is None else [found.text or "" for found in detail.iterdescendants(tag)]


def _ways(detail: etree._Element | None, namespace: str) -> dict[str, tuple[str, ...]]:
    """Give how each volume of an individual series was made."""
    points = [] if detail is None else list(detail.iterchildren(f"{namespace}Point"))
    columns = {"origins": "origin", "statuses": "validationStatus", "methods": "repairMethod"}
    return {
        name: tuple(text(point, namespace, element) for point in points)
        for name, element in columns.items()
    }


def _parties(element: etree._Element, namespace: str) -> dict[str, str]:
    parties: dict[str, str] = {}
    for participant in element.iterchildren(f"{namespace}MarketParticipant"):
        role = text(participant, namespace, "MarketRole/type")
        if role in parties:
            raise Unreadable(
                f"line {participant.sourceline}: two market participants of one role in a series"
            )
        parties[role] = text(participant, namespace, "mRID")
    return parties
