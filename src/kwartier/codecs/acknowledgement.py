"""ENTSO-E Acknowledgement 8.1: what a receiver says of a document.

Accepted (000) is A01. The market's other codes are no codes of ENTSO-E: each is written as a
refusal, A02 of the document or A20 of a series, with the code before its text.
Source: IEC 62325-451-1, Acknowledgement_MarketDocument 8.1; domain §8; decisions §36.
"""

from __future__ import annotations

import re

from kwartier.codecs import xml
from kwartier.codecs.cim import cells, header, xml_form
from kwartier.codecs.cim.layout import CODE, NOTE, PART, PARTS, Field, Unwritable, Values, optional
from kwartier.codecs.xml import Unreadable
from kwartier.documents import (
    ACCEPTED,
    Acknowledgement,
    Reason,
)

NAME = "Acknowledgement_MarketDocument"
NAMESPACE = "urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:8:1"

_LONGEST_ID = 60

_REASON = (Field("code", CODE), optional("text", NOTE))
_INTERVAL = (Field("timeInterval", PART, of=cells.INTERVAL), Field("Reason", PARTS, of=_REASON))
_SERIES = (
    Field("mRID", longest=_LONGEST_ID),
    optional("version"),
    optional("InError_Period", PARTS, of=_INTERVAL),
    optional("Reason", PARTS, of=_REASON),
)
_RECEIVED = "received_MarketDocument"
_DOCUMENT = (
    Field("mRID", longest=_LONGEST_ID),
    Field("createdDateTime"),
    *header.PARTIES[:-1],
    optional(header.PARTIES[-1].name, CODE),
    optional(f"{_RECEIVED}.mRID", longest=_LONGEST_ID),
    optional(f"{_RECEIVED}.revisionNumber"),
    optional(f"{_RECEIVED}.type", CODE),
    optional(f"{_RECEIVED}.process.processType", CODE),
    optional(f"{_RECEIVED}.title"),
    optional(f"{_RECEIVED}.createdDateTime"),
    optional("Rejected_TimeSeries", PARTS, of=_SERIES),
    Field("Reason", PARTS, of=_REASON),
    optional("InError_Period", PARTS, of=_INTERVAL),
)

_ALL_ACCEPTED, _REFUSED, _SERIES_WRONG, _SERIES_REFUSED = "A01", "A02", "A03", "A20"
_MARKET_CODE = re.compile(r"[0-9]{3}")
_ENTSOE_CODE = re.compile(r"[A-Z][0-9]{2}|999")
# A refusal is none the less one where its text begins with 000.
_WITH_MARKET_CODE = re.compile(r"((?!000)[0-9]{3})(?: (.*))?")


def write(acknowledgement: Acknowledgement) -> bytes:
    """Write an acknowledgement; a text longer than 512 characters is cut.

    Raises
    ------
    Unwritable : no reason, accepted and refused at once, or a code of neither the market nor
        ENTSO-E.
    """
    reasons = acknowledgement.reasons
    if not reasons:
        raise Unwritable("reasons: expected at least one")
    if len(reasons) > 1 and any(reason.code == ACCEPTED for reason in reasons):
        raise Unwritable(f"reasons: {ACCEPTED} stands alone")
    of_series: dict[str, list[Values]] = {}
    of_document = []
    for reason in reasons:
        if reason.series:
            of_series.setdefault(reason.series, []).append(_written(reason, _SERIES_REFUSED))
        else:
            of_document.append(_written(reason, _REFUSED))
    values = {
        **header.write(acknowledgement, header.ROLES),
        f"{_RECEIVED}.mRID": acknowledgement.of or None,
        "Rejected_TimeSeries": [
            {"mRID": series, "Reason": reasons} for series, reasons in of_series.items()
        ],
        # A document is refused as a whole, also where only a series is wrong.
        "Reason": of_document or [{"code": _REFUSED}],
    }
    return xml_form.write(NAME, NAMESPACE, _DOCUMENT, values)


def _written(reason: Reason, refused: str) -> Values:
    if reason.code == ACCEPTED:
        return {"code": _ALL_ACCEPTED, "text": reason.text or None}
    if _MARKET_CODE.fullmatch(reason.code):
        return {"code": refused, "text": f"{reason.code} {reason.text}"}
    if not _ENTSOE_CODE.fullmatch(reason.code):
        raise Unwritable("reasons, code: expected a code of the market or of ENTSO-E")
    return {"code": reason.code, "text": reason.text or None}


def read(content: bytes) -> Acknowledgement:
    """Read an acknowledgement: first the reasons of the document, then those of its series.

    Raises
    ------
    Unreadable : it is none.
    """
    values = xml_form.read(xml.parse(content), NAME, NAMESPACE, _DOCUMENT)
    reasons = _reasons(values, "")
    of_series = []
    for series in values.get("Rejected_TimeSeries", []):
        of_series += _reasons(series, series["mRID"]) or [
            Reason(_SERIES_REFUSED, "", series["mRID"])
        ]
    if of_series:
        # Refused because of its series: their reasons say it all.
        summary = (Reason(_REFUSED), Reason(_SERIES_WRONG))
        reasons = [reason for reason in reasons if reason not in summary]
    return Acknowledgement(
        of=values.get(f"{_RECEIVED}.mRID", ""),
        reasons=(*reasons, *of_series),
        **header.read(values, header.OF_CODE),
    )


def _reasons(values: Values, series: str) -> list[Reason]:
    """Read the reasons of a document or series, and of the times in it that are wrong."""
    parts = [*values.get("Reason", [])]
    for times in values.get("InError_Period", []):
        parts += times["Reason"]
    found = []
    for part in parts:
        code, text = part["code"], part.get("text", "")
        if code == _ALL_ACCEPTED:
            code = ACCEPTED
        elif code in (_REFUSED, _SERIES_REFUSED) and (market := _WITH_MARKET_CODE.fullmatch(text)):
            code, text = market[1], market[2] or ""
        elif not _ENTSOE_CODE.fullmatch(code):
            raise Unreadable("Reason, code: expected a code of ENTSO-E")
        found.append(Reason(code, text, series))
    return found
