"""A document in a SOAP envelope, 1.1 or 1.2, with MessageAddressing, signed.

Source: W3C SOAP 1.1 and SOAP 1.2; SD030 (MessageAddressing); domain §8; decisions §38.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import NAMESPACE_OID, uuid5

from cryptography import x509
from lxml import etree

from kwartier.adapters.transport import signature
from kwartier.adapters.transport.addresses import Envelope
from kwartier.adapters.transport.certificates import Keys
from kwartier.adapters.transport.signature import NotSigned
from kwartier.codecs.xml import Unreadable, parse

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
# Media type that each version is sent as.
MEDIA_TYPES = {SOAP_11: "text/xml", SOAP_12: "application/soap+xml"}
ADDRESSING = "urn:kwartier:nl:messageaddressing:1"
# In the order of SD030.
_PARTS = {
    "technicalMessageId": "technical_message_id",
    "correlationId": "correlation_id",
    "senderId": "sender",
    "receiverId": "receiver",
    "carrierId": "carrier",
    "contentType": "content_type",
}
_MAY_BE_EMPTY = ("correlationId", "carrierId")
_LONGEST = 256
_BEGINNING = 4096


@dataclass(frozen=True)
class Unwrapped:
    """What was in an envelope, and who signed it; `certificate` is none where nobody did."""

    envelope: Envelope
    content: bytes
    version: str
    certificate: x509.Certificate | None


def is_envelope(content: bytes) -> bool:
    """Tell whether bytes are meant to be a SOAP envelope; no plain document names SOAP so early."""
    start = content[:_BEGINNING]
    return SOAP_11.encode() in start or SOAP_12.encode() in start


def wrap(envelope: Envelope, content: bytes, keys: Keys, at: int, version: str = SOAP_11) -> bytes:
    """Put a document in a signed envelope.

    Parameters
    ----------
    version : namespace of SOAP 1.1 or 1.2.
    at : moment of the signature [s UTC].

    Raises
    ------
    Unreadable : the document is no XML, so it cannot be in an envelope.
    CertificateError : our key or certificate cannot be used.
    """
    names = {"soap": version, "wsu": signature.WSU}
    root = etree.Element(f"{{{version}}}Envelope", nsmap=names)
    header = etree.SubElement(root, f"{{{version}}}Header")
    addressing = etree.SubElement(
        header, f"{{{ADDRESSING}}}MessageAddressing", nsmap={"ma": ADDRESSING}
    )
    addressing.set(signature.ID, signature.ADDRESSING_ID)
    for name, field in _PARTS.items():
        etree.SubElement(addressing, f"{{{ADDRESSING}}}{name}").text = getattr(envelope, field)
    body = etree.SubElement(root, f"{{{version}}}Body")
    body.set(signature.ID, signature.BODY_ID)
    body.append(parse(content))
    signature.security(root, header, version, keys, at)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def unwrap(content: bytes, keys: Keys, at: int, *, unsigned_too: bool = False) -> Unwrapped:
    """Take a document out of an envelope: only what its signature covers.

    Parameters
    ----------
    at : now [s UTC].
    unsigned_too : take an envelope without Security as well; for answers, of which TLS has shown
        who gave them.

    Raises
    ------
    Unreadable : no XML, or no envelope.
    NotSigned : the signature does not hold, or does not cover what it must.
    CertificateError : our own authority cannot be read.
    """
    root = parse(content)
    version = etree.QName(root).namespace or ""
    if version not in MEDIA_TYPES or root.tag != f"{{{version}}}Envelope":
        raise Unreadable("expected a SOAP envelope, 1.1 or 1.2")
    if [child.tag for child in root] != [f"{{{version}}}Header", f"{{{version}}}Body"]:
        raise Unreadable("expected one Header and one Body in the envelope, and nothing else")
    header, body = root
    _understood(header, version)
    found = header.findall(f"{{{ADDRESSING}}}MessageAddressing")
    if len(found) != 1:
        raise Unreadable(f"expected one MessageAddressing in the header, there are {len(found)}")
    addressing, certificate = found[0], None
    if not unsigned_too or header.find(f"{{{signature.WSSE}}}Security") is not None:
        signed = signature.verify(root, version, body, addressing, keys, at)
        body, addressing, certificate = signed.body, signed.addressing, signed.certificate
    if len(body) != 1:
        raise Unreadable(f"expected one document in the body, there are {len(body)}")
    # Canonical: without the namespaces of the envelope.
    body[0].tail = None
    document = etree.tostring(body[0], method="c14n", exclusive=True)
    return Unwrapped(_addressed(addressing), document, version, certificate)


def fault(content: bytes) -> str | None:
    """Give the code of a SOAP fault: Client or Server; none where the content is no fault."""
    try:
        root = parse(content)
    except Unreadable:
        return None
    for version, path in (
        (SOAP_11, "{0}Body/{0}Fault/faultcode"),
        (SOAP_12, "{0}Body/{0}Fault/{0}Code/{0}Value"),
    ):
        code = root.findtext(path.format(f"{{{version}}}"))
        if code is not None:
            ours = code.strip().rpartition(":")[2]
            return {"Sender": "Client", "Receiver": "Server"}.get(ours, ours)
    return None


def answering(envelope: Envelope) -> Envelope:
    """Make the envelope of an answer; of the same message it is the same."""
    answered = envelope.technical_message_id
    return Envelope(
        technical_message_id=str(uuid5(NAMESPACE_OID, f"answer to {answered}")),
        correlation_id=answered,
        sender=envelope.receiver,
        receiver=envelope.sender,
        carrier=envelope.carrier,
        content_type=envelope.content_type,
    )


def _understood(header: etree._Element, version: str) -> None:
    for block in header:
        known = block.tag in (
            f"{{{signature.WSSE}}}Security",
            f"{{{ADDRESSING}}}MessageAddressing",
        )
        if not known and block.get(f"{{{version}}}mustUnderstand") in ("1", "true"):
            raise Unreadable("a block of the header must be understood, and is not")


def _addressed(addressing: etree._Element) -> Envelope:
    said: dict[str, str] = {}
    for part in addressing:
        tag = etree.QName(part)
        if tag.namespace != ADDRESSING or tag.localname not in _PARTS or len(part):
            raise Unreadable("MessageAddressing has a part that it should not have")
        if tag.localname in said:
            raise Unreadable(f"MessageAddressing has {tag.localname} twice")
        said[tag.localname] = (part.text or "").strip()
    for name in _PARTS:
        if len(said.get(name, "")) > _LONGEST or not (said.get(name) or name in _MAY_BE_EMPTY):
            raise Unreadable(f"MessageAddressing: expected {name}, up to {_LONGEST} characters")
    return Envelope(**{field: said.get(name, "") for name, field in _PARTS.items()})


__all__ = ["NotSigned", "Unwrapped", "answering", "fault", "is_envelope", "unwrap", "wrap"]
