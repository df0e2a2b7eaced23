"""The WS-Security signature of a SOAP envelope: made, and verified without trust.

RSA-SHA256 over body, MessageAddressing and timestamp, each made canonical by exclusive C14N, with
the certificate as BinarySecurityToken. Only what the signature covers is ever given to who asked:
the elements are taken from the canonical bytes that were hashed, not from the document. Source:
OASIS WS-Security 1.1.1 and its X.509 token profile; W3C XML Signature 1.1; McIntosh and Austel,
*XML Signature Element Wrapping Attacks*, 2005; decisions §38.
"""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from kwartier.adapters.transport.certificates import (
    Keys,
    authorities,
    own_certificate,
    own_key,
    vouched_for,
)

# It would log what it signs.
logging.getLogger("signxml").setLevel(logging.WARNING)

# How long an envelope holds, and how far the clock of another may be ahead of ours [s].
LIFE, AHEAD = 300, 60

_OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE = _OASIS + "wssecurity-secext-1.0.xsd"
WSU = _OASIS + "wssecurity-utility-1.0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
_TOKEN_TYPE = _OASIS + "x509-token-profile-1.0#X509v3"
_BASE64 = _OASIS + "soap-message-security-1.0#Base64Binary"
_EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
_INCLUSIVE_PREFIXES = f"{{{_EXCLUSIVE.value}}}InclusiveNamespaces"

BODY_ID, ADDRESSING_ID, TIMESTAMP_ID, TOKEN_ID = (
    f"kwartier-{part}" for part in ("body", "addressing", "timestamp", "token")
)
ID = f"{{{WSU}}}Id"
_ID_NAMES = ("Id", "ID", "id")


class NotSigned(Exception):
    """A signature that does not hold, or does not cover what it must; the text says which rule."""


@dataclass(frozen=True)
class Signed:
    """What a signature covers, and by whom it is."""

    body: etree._Element
    addressing: etree._Element
    certificate: x509.Certificate


def security(
    envelope: etree._Element, header: etree._Element, soap: str, keys: Keys, at: int
) -> None:
    """Sign an envelope: put Security into its header.

    Parameters
    ----------
    envelope : with BODY_ID and ADDRESSING_ID on what they name.
    at : moment of the timestamp [s UTC].

    Raises
    ------
    CertificateError : our key or certificate cannot be used.
    """
    key, certificate = own_key(keys), own_certificate(keys)
    element = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})
    element.set(f"{{{soap}}}mustUnderstand", "1")
    stamp = etree.SubElement(element, f"{{{WSU}}}Timestamp")
    stamp.set(ID, TIMESTAMP_ID)
    for name, moment in (("Created", at), ("Expires", at + LIFE)):
        etree.SubElement(stamp, f"{{{WSU}}}{name}").text = _written(moment)
    token = etree.SubElement(element, f"{{{WSSE}}}BinarySecurityToken")
    token.set(ID, TOKEN_ID)
    token.set("EncodingType", _BASE64)
    token.set("ValueType", _TOKEN_TYPE)
    token.text = b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")
    info = etree.Element(f"{{{DS}}}KeyInfo", nsmap={"ds": DS})
    named = etree.SubElement(info, f"{{{WSSE}}}SecurityTokenReference", nsmap={"wsse": WSSE})
    reference = etree.SubElement(named, f"{{{WSSE}}}Reference", URI=f"#{TOKEN_ID}")
    reference.set("ValueType", _TOKEN_TYPE)
    signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=_EXCLUSIVE,
    )
    covered = [f"#{name}" for name in (BODY_ID, ADDRESSING_ID, TIMESTAMP_ID)]
    element.append(signer.sign(envelope, key=key, reference_uri=covered, key_info=info))


def verify(
    envelope: etree._Element,
    soap: str,
    body: etree._Element,
    addressing: etree._Element,
    keys: Keys,
    at: int,
) -> Signed:
    """Verify the signature of an envelope and give what it covers.

    Parameters
    ----------
    soap : namespace of the envelope.
    body, addressing : the elements of the envelope that must be covered.
    at : now [s UTC].

    Raises
    ------
    NotSigned : it does not hold.
    CertificateError : our own authority cannot be read.
    """
    held = _only(envelope, f"{{{soap}}}Header/{{{WSSE}}}Security", "Security")
    stamp = _only(held, f"{{{WSU}}}Timestamp", "Timestamp")
    token = _only(held, f"{{{WSSE}}}BinarySecurityToken", "BinarySecurityToken")
    signature = _only(held, f"{{{DS}}}Signature", "Signature")
    certificate = _certificate(token)
    _named_by(signature, token)
    places = _places(envelope)
    names = [
        _covered(place, what, places)
        for place, what in ((body, "body"), (addressing, "MessageAddressing"), (stamp, "timestamp"))
    ]
    order = _references(signature, names, token.get(ID))
    if not vouched_for(certificate, authorities(keys), at):
        raise NotSigned("the certificate is not vouched for by the authority at this moment")
    verifier = XMLVerifier()
    try:
        results = verifier.verify(
            envelope,
            x509_cert=certificate,
            expect_config=SignatureConfiguration(
                location=f"./{{{soap}}}Header/{{{WSSE}}}Security/",
                expect_references=True,
                signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
                digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
                verification_time=datetime.fromtimestamp(at, UTC),
            ),
        )
    except (SignXMLException, etree.LxmlError, ValueError):
        raise NotSigned("the signature does not hold") from None
    covered = dict(zip(order, results if isinstance(results, list) else [results], strict=True))
    signed = [
        _as_signed(covered[name], meant)
        for name, meant in zip(names, (body, addressing, stamp), strict=True)
    ]
    _fresh(signed[2], at)
    return Signed(signed[0], signed[1], certificate)


def _as_signed(result: VerifyResult, meant: etree._Element) -> etree._Element:
    element = result.signed_xml
    if element is None or element.tag != meant.tag:
        raise NotSigned("the signature covers something else than it names")
    return element


def _only(parent: etree._Element, path: str, what: str) -> etree._Element:
    found = parent.findall(path)
    if len(found) != 1:
        raise NotSigned(f"expected one {what}, there are {len(found)}")
    return found[0]


def _certificate(token: etree._Element) -> x509.Certificate:
    if token.get("ValueType") != _TOKEN_TYPE or token.get("EncodingType") not in (None, _BASE64):
        raise NotSigned("expected an X.509 certificate as token")
    try:
        return x509.load_der_x509_certificate(b64decode("".join((token.text or "").split())))
    except (ValueError, Base64Error):
        raise NotSigned("the token holds no certificate") from None


def _named_by(signature: etree._Element, token: etree._Element) -> None:
    """See that the signature says it is by the token, and carries no key or object of its own."""
    parts = [child.tag for child in signature]
    if parts != [f"{{{DS}}}{name}" for name in ("SignedInfo", "SignatureValue", "KeyInfo")]:
        raise NotSigned("expected SignedInfo, SignatureValue and KeyInfo, and nothing else")
    said = [element.get("URI") for element in signature[2].iter(f"{{{WSSE}}}Reference")]
    one = len(signature[2]) == 1 and signature[2][0].tag == f"{{{WSSE}}}SecurityTokenReference"
    if not one or token.get(ID) is None or said != [f"#{token.get(ID)}"]:
        raise NotSigned("expected the key to be named by a reference to the token")


def _places(envelope: etree._Element) -> dict[str, int]:
    """Count the elements that each id names, by any attribute that may be taken for an id."""
    count: dict[str, int] = {}
    for element in envelope.iter(etree.Element):
        for name, value in element.attrib.items():
            if etree.QName(name).localname in _ID_NAMES:
                count[str(value)] = count.get(str(value), 0) + 1
    return count


def _covered(element: etree._Element, what: str, places: dict[str, int]) -> str:
    name = element.get(ID)
    if name is None:
        raise NotSigned(f"the {what} has no wsu:Id, so no signature covers it")
    if places[name] != 1:
        raise NotSigned(f"the id of the {what} names {places[name]} elements")
    return name


def _references(signature: etree._Element, names: list[str], token: str | None) -> list[str]:
    """Give the ids that are signed, in order; every algorithm must be the one that is allowed."""
    info = signature[0]
    kinds = [child.tag for child in info]
    first = [f"{{{DS}}}CanonicalizationMethod", f"{{{DS}}}SignatureMethod"]
    if kinds[:2] != first or set(kinds[2:]) != {f"{{{DS}}}Reference"}:
        raise NotSigned("SignedInfo is not what it should be")
    _exclusive(info[0])
    if info[1].get("Algorithm") != SignatureMethod.RSA_SHA256.value or len(info[1]):
        raise NotSigned("expected a signature by RSA-SHA256")
    covered = []
    for reference in info[2:]:
        parts = [child.tag for child in reference]
        if parts != [f"{{{DS}}}{name}" for name in ("Transforms", "DigestMethod", "DigestValue")]:
            raise NotSigned("a reference is not what it should be")
        transforms = reference[0]
        if len(transforms) != 1 or transforms[0].tag != f"{{{DS}}}Transform":
            raise NotSigned("expected one transform: exclusive canonical XML")
        _exclusive(transforms[0])
        if reference[1].get("Algorithm") != DigestAlgorithm.SHA256.value:
            raise NotSigned("expected a digest by SHA-256")
        uri = reference.get("URI") or ""
        if not uri.startswith("#"):
            raise NotSigned("expected references to elements by their id")
        covered.append(uri[1:])
    if len(set(covered)) != len(covered):
        raise NotSigned("an element is signed twice")
    if not set(names) <= set(covered):
        raise NotSigned("the signature does not cover body, MessageAddressing and timestamp")
    if not set(covered) <= {*names, token}:
        raise NotSigned("the signature covers what it should not")
    return covered


def _exclusive(method: etree._Element) -> None:
    within = [child.tag for child in method]
    if method.get("Algorithm") != _EXCLUSIVE.value or within not in ([], [_INCLUSIVE_PREFIXES]):
        raise NotSigned("expected exclusive canonical XML, and no other transform")


def _fresh(stamp: etree._Element, at: int) -> None:
    moments = [_read(stamp.findall(f"{{{WSU}}}{name}")) for name in ("Created", "Expires")]
    created, expires = moments
    if created > at + AHEAD:
        raise NotSigned("the timestamp lies in the future; look at the clocks of both sides")
    if at >= expires or at >= created + LIFE:
        raise NotSigned("the timestamp has expired; look at the clocks of both sides")


def _written(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(found: list[etree._Element]) -> float:
    if len(found) == 1:
        try:
            moment = datetime.fromisoformat((found[0].text or "").strip())
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment.timestamp()
    raise NotSigned("expected one Created and one Expires, with their time zone")
