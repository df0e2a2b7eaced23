"""An acknowledgement ↔ bytes. A reason has a code and a text; the series stands in the text."""

from __future__ import annotations

import re
from functools import partial

from kwartier import documents
from kwartier.codecs.dutch import messages, values, writing
from kwartier.codecs.dutch.reading import text
from kwartier.codecs.dutch.values import element
from kwartier.documents import Acknowledgement, Reason

_OF_SERIES = re.compile(r"series ([A-Za-z0-9_.\-]{1,60})(?:: (.*))?", re.DOTALL)


def write_acknowledgement(acknowledgement: Acknowledgement) -> bytes:
    """Write what a receiver says of a document.

    Raises
    ------
    ValueError : reason 999 without a text, or not what its schema asks.
    """
    version = messages.ACKNOWLEDGEMENT_VERSIONS[-1]
    received = element("mRID", acknowledgement.of)
    root = messages.ACKNOWLEDGEMENT_ROOT
    content = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<{root} xmlns="{messages.namespace(messages.ACKNOWLEDGEMENT, version)}">'
        f"{writing.header(acknowledgement)}"
        f"{element('mRID', acknowledgement.id)}"
        f"{element('createdDateTime', values.moment_text(acknowledgement.created_at))}"
        f"{f'<Received_MarketDocument>{received}</Received_MarketDocument>' if received else ''}"
        f"{''.join(map(_reason, acknowledgement.reasons))}"
        f"</{root}>\n"
    )
    return writing.checked(content.encode(), messages.ACKNOWLEDGEMENT, version)


def _reason(reason: Reason) -> str:
    if reason.code == documents.OTHER and not reason.text:
        raise ValueError(f"reason {documents.OTHER}: expected a text that says what is wrong")
    said = reason.text
    if reason.series:
        said = f"series {reason.series}" + (f": {reason.text}" if reason.text else "")
    return f"<Reason>{element('code', reason.code)}{element('text', said)}</Reason>"


def read_acknowledgement(content: bytes) -> Acknowledgement:
    """Read what a receiver says of a document.

    Raises
    ------
    Unreadable : not XML that may be read, no acknowledgement, or not what its schema asks.
    """
    root, namespace, _ = messages.root(content, messages.ACKNOWLEDGEMENT)
    of = partial(text, root, namespace)
    header = partial(text, root.find(f"{namespace}EDSNBusinessDocumentHeader"), namespace)
    reasons = []
    for found in root.iterchildren(f"{namespace}Reason"):
        said, series = text(found, namespace, "text"), ""
        if about := _OF_SERIES.fullmatch(said):
            series, said = about[1], about[2] or ""
        reasons.append(Reason(text(found, namespace, "code"), said, series))
    return Acknowledgement(
        id=of("mRID"),
        created_at=values.moment(of("createdDateTime")),
        sender=header("Source/SenderID"),
        sender_role=header("Source/ContactTypeIdentifier"),
        receiver=header("Destination/Receiver/ReceiverID"),
        receiver_role=header("Destination/Receiver/ContactTypeIdentifier"),
        of=of("Received_MarketDocument/mRID"),
        reasons=tuple(reasons),
    )
