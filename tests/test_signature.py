"""PURPOSE: only what was signed, by whom it says, now and as it should be, leaves an envelope.

Each attack changes an envelope that holds; what an attacker could sign himself, he signs.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from hashlib import sha1, sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from kwartier import codes
from kwartier.adapters.transport import Envelope, Keys, signature, soap
from kwartier.codecs.xml import Unreadable
from tests.pki import EXPIRED, Authority, Issued

AT = 1_780_000_000
SENDER = str(codes.with_check_digit(871687100000))
ENVELOPE = Envelope("7f0c-1", "c", SENDER, SENDER, "", "application/xml")
CONTENT = b'<document xmlns="urn:d" xmlns:x="urn:x"><a x:b="1">2</a>t</document>'
S, DS, WSU, WSSE = (
    f"{{{name}}}" for name in (soap.SOAP_11, signature.DS, signature.WSU, signature.WSSE)
)
EVIL = etree.fromstring(b'<document xmlns="urn:d"><a>999999</a></document>')
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"), "authority")


@pytest.fixture(scope="module")
def sender(authority: Authority) -> Issued:
    return authority.issue("sender", SENDER)


@pytest.fixture(scope="module")
def keys(authority: Authority, sender: Issued) -> Keys:
    return authority.keys(sender)


def wrapped(keys: Keys, **changed: Any) -> etree._Element:
    made = {"envelope": ENVELOPE, "content": CONTENT, "at": AT, "version": soap.SOAP_11} | changed
    return etree.fromstring(soap.wrap(keys=keys, **made))


def unwrap(root: etree._Element, keys: Keys, at: int = AT) -> soap.Unwrapped:
    return soap.unwrap(etree.tostring(root), keys, at)


def one(root: etree._Element, tag: str) -> etree._Element:
    (found,) = root.iter(tag)
    return found


def signed_again(root: etree._Element, sender: Issued) -> etree._Element:
    """Sign SignedInfo as it stands now, as who has a key can."""
    digested(root)
    info = one(root, f"{DS}SignedInfo")
    value = sender.key.sign(canonical(info), padding.PKCS1v15(), hashes.SHA256())
    one(root, f"{DS}SignatureValue").text = b64encode(value).decode()
    return root


def digested(root: etree._Element, of: Callable[[bytes], Any] = sha256) -> None:
    """Make the digest of every reference that can be followed anew."""
    for reference in root.iter(f"{DS}Reference"):
        found = root.xpath("//*[@*[local-name()='Id']=$i]", i=str(reference.get("URI"))[1:])
        if found:
            digest = of(canonical(found[0])).digest()
            reference.find(f"{DS}DigestValue").text = b64encode(digest).decode()


def canonical(element: etree._Element) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


# -- what holds


@pytest.mark.parametrize("version", list(soap.MEDIA_TYPES))
def test_what_is_wrapped_is_unwrapped(keys: Keys, sender: Issued, version: str) -> None:
    got = unwrap(wrapped(keys, version=version), keys)
    assert got.envelope == ENVELOPE
    assert canonical(etree.fromstring(got.content)) == canonical(etree.fromstring(CONTENT))
    assert got.version == version
    assert got.certificate == sender.certificate


def test_what_another_signer_adds_is_taken_too(keys: Keys, sender: Issued) -> None:
    root = wrapped(keys)
    token = one(root, f"{WSSE}BinarySecurityToken").get(signature.ID)
    more = deepcopy(next(root.iter(f"{DS}Reference")))
    more.set("URI", f"#{token}")
    one(root, f"{DS}SignedInfo").append(more)
    for transform in root.iter(f"{DS}Transform"):
        etree.SubElement(transform, f"{{{EXCLUSIVE}}}InclusiveNamespaces", PrefixList="soap")
    for reference in root.iter(f"{DS}Reference"):
        (found,) = root.xpath("//*[@*[local-name()='Id']=$i]", i=reference.get("URI")[1:])
        whole = etree.tostring(found, method="c14n", exclusive=True, inclusive_ns_prefixes=["soap"])
        digest = b64encode(sha256(whole).digest()).decode()
        reference.find(f"{DS}DigestValue").text = digest
    info = canonical(one(root, f"{DS}SignedInfo"))
    value = sender.key.sign(info, padding.PKCS1v15(), hashes.SHA256())
    one(root, f"{DS}SignatureValue").text = b64encode(value).decode()
    etree.SubElement(root[0], "{urn:trace}Trace").text = "not signed, not read"
    assert unwrap(root, keys).envelope == ENVELOPE


@pytest.mark.parametrize("late", [-60, 0, 299])
def test_a_timestamp_holds_for_five_minutes(keys: Keys, late: int) -> None:
    assert unwrap(wrapped(keys), keys, AT + late).envelope == ENVELOPE


@pytest.mark.parametrize(("late", "why"), [(-61, "future"), (300, "expired")])
def test_before_and_after_it_does_not(keys: Keys, late: int, why: str) -> None:
    with pytest.raises(soap.NotSigned, match=why):
        unwrap(wrapped(keys), keys, AT + late)


def test_a_timestamp_that_says_it_holds_for_years_holds_no_longer(
    keys: Keys, sender: Issued
) -> None:
    root = wrapped(keys)
    one(root, f"{WSU}Expires").text = "2099-01-01T00:00:00Z"
    signed_again(root, sender)
    assert unwrap(root, keys, AT + 299).envelope == ENVELOPE
    with pytest.raises(soap.NotSigned, match="expired"):
        unwrap(root, keys, AT + 300)


# -- attacks


def moved_body(root: etree._Element) -> None:
    """Hide the signed body in the header, and put another in its place."""
    body = root[1]
    etree.SubElement(root[0], "{urn:wrapper}Wrapper").append(body)
    etree.SubElement(root, f"{S}Body").append(deepcopy(EVIL))


def moved_body_with_id(root: etree._Element) -> None:
    """Do so, and give the other one the same id."""
    moved_body(root)
    root[1].set(signature.ID, signature.BODY_ID)


def moved_body_with_another_id(root: etree._Element) -> None:
    """Do so, and give the other one an id of its own."""
    moved_body(root)
    root[1].set(signature.ID, "evil")


def second_body(root: etree._Element) -> None:
    """Put a second body after the first."""
    etree.SubElement(root, f"{S}Body").append(deepcopy(EVIL))


def first_body(root: etree._Element) -> None:
    """Put a second body before the first."""
    body = etree.Element(f"{S}Body")
    body.append(deepcopy(EVIL))
    root.insert(1, body)


def second_document(root: etree._Element) -> None:
    """Put another document into the signed body."""
    root[1].append(deepcopy(EVIL))


def same_id(root: etree._Element) -> None:
    """Let the id of the body name something else as well."""
    etree.SubElement(root[0], "{urn:wrapper}Wrapper").set(signature.ID, signature.BODY_ID)


def same_id_by_another_attribute(root: etree._Element) -> None:
    """Do so by an attribute that only some take for an id."""
    etree.SubElement(root[0], "{urn:wrapper}Wrapper").set("id", signature.BODY_ID)


def same_id_of_xml(root: etree._Element) -> None:
    """Do so by xml:id."""
    name = "{http://www.w3.org/XML/1998/namespace}id"
    etree.SubElement(root[0], "{urn:wrapper}Wrapper").set(name, signature.BODY_ID)


def second_addressing(root: etree._Element) -> None:
    """Say who sends twice."""
    root[0].insert(0, deepcopy(root[0][0]))


def moved_addressing(root: etree._Element) -> None:
    """Hide the signed addressing, and put another in its place."""
    signed = root[0][0]
    other = deepcopy(signed)
    other.attrib.pop(signature.ID)
    root[0].insert(0, other)
    etree.SubElement(root[0], "{urn:wrapper}Wrapper").append(signed)


def changed_addressing(root: etree._Element) -> None:
    """Change who sends."""
    one(root, f"{{{soap.ADDRESSING}}}senderId").text = "8716886000004"


def changed_body(root: etree._Element) -> None:
    """Change the document."""
    root[1][0][0].text = "3"


def changed_timestamp(root: etree._Element) -> None:
    """Let it hold longer."""
    one(root, f"{WSU}Expires").text = "2099-01-01T00:00:00Z"


def second_timestamp(root: etree._Element) -> None:
    """Add a timestamp that holds longer."""
    stamp = deepcopy(one(root, f"{WSU}Timestamp"))
    stamp.attrib.pop(signature.ID)
    root[0][1].insert(0, stamp)


def no_timestamp(root: etree._Element) -> None:
    """Leave it out."""
    stamp = one(root, f"{WSU}Timestamp")
    stamp.getparent().remove(stamp)


def second_signature(root: etree._Element) -> None:
    """Add a signature."""
    root[0][1].append(deepcopy(one(root, f"{DS}Signature")))


def second_security(root: etree._Element) -> None:
    """Add a Security."""
    root[0].append(deepcopy(root[0][1]))


def no_security(root: etree._Element) -> None:
    """Leave out what signs."""
    root[0].remove(root[0][1])


def no_signature(root: etree._Element) -> None:
    """Leave out the signature."""
    root[0][1].remove(one(root, f"{DS}Signature"))


def comment_in_addressing(root: etree._Element) -> None:
    """Cut a value in two by a comment, which no canonical form has."""
    sender = one(root, f"{{{soap.ADDRESSING}}}technicalMessageId")
    sender.text, whole = "7f0", sender.text
    comment = etree.Comment("x")
    comment.tail = whole[3:] + "2"
    sender.append(comment)


def instruction_in_body(root: etree._Element) -> None:
    """Put in an instruction, which the signature would cover, and no reader of ours sees."""
    root[1].insert(0, etree.ProcessingInstruction("php", "evil"))


TOUCHED = [
    moved_body,
    moved_body_with_id,
    moved_body_with_another_id,
    second_body,
    first_body,
    second_document,
    same_id,
    same_id_by_another_attribute,
    same_id_of_xml,
    second_addressing,
    moved_addressing,
    changed_addressing,
    changed_body,
    changed_timestamp,
    second_timestamp,
    no_timestamp,
    second_signature,
    second_security,
    no_security,
    no_signature,
    comment_in_addressing,
]


@pytest.mark.parametrize("attack", TOUCHED, ids=lambda attack: attack.__name__)
def test_an_envelope_that_was_touched_is_refused(
    keys: Keys, attack: Callable[[etree._Element], None]
) -> None:
    root = wrapped(keys)
    attack(root)
    with pytest.raises((soap.NotSigned, Unreadable)):
        unwrap(root, keys)


def test_what_no_reader_sees_comes_not_out(keys: Keys) -> None:
    root = wrapped(keys)
    instruction_in_body(root)
    assert b"evil" not in unwrap(root, keys).content


def _algorithm(tag: str, name: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        for element in root.iter(f"{DS}{tag}"):
            element.set("Algorithm", name)

    return change


def _not_covered(name: str) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        for reference in list(root.iter(f"{DS}Reference")):
            if reference.get("URI") == f"#{name}":
                reference.getparent().remove(reference)

    return change


def _twice(root: etree._Element) -> None:
    info = one(root, f"{DS}SignedInfo")
    info.append(deepcopy(info[2]))


def _more(root: etree._Element) -> None:
    info = one(root, f"{DS}SignedInfo")
    etree.SubElement(root[0], "{urn:more}More").set(signature.ID, "more")
    info.append(deepcopy(info[2]))
    info[-1].set("URI", "#more")


def _whole_document(root: etree._Element) -> None:
    next(root.iter(f"{DS}Reference")).set("URI", "")


def _from_outside(root: etree._Element) -> None:
    next(root.iter(f"{DS}Reference")).set("URI", "file:///etc/passwd")


def _xpath(root: etree._Element) -> None:
    for transforms in root.iter(f"{DS}Transforms"):
        first = etree.Element(
            f"{DS}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"
        )
        etree.SubElement(first, f"{DS}XPath").text = "false()"
        transforms.insert(0, first)


def _no_transform(root: etree._Element) -> None:
    for transforms in list(root.iter(f"{DS}Transforms")):
        transforms.remove(transforms[0])


def _key_of_its_own(root: etree._Element) -> None:
    etree.SubElement(one(root, f"{DS}KeyInfo"), f"{DS}KeyValue")


def _object(root: etree._Element) -> None:
    etree.SubElement(one(root, f"{DS}Signature"), f"{DS}Object").append(deepcopy(EVIL))


def _another_token(root: etree._Element) -> None:
    one(root, f"{WSSE}Reference").set("URI", "#another")


def _no_zone(root: etree._Element) -> None:
    one(root, f"{WSU}Created").text = "2026-05-28T20:26:40"


_XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SIGNED = {
    "rsa-sha1": (_algorithm("SignatureMethod", _XMLDSIG + "rsa-sha1"), "RSA-SHA256"),
    "hmac-sha256": (_algorithm("SignatureMethod", _MORE + "hmac-sha256"), "RSA-SHA256"),
    "no algorithm": (_algorithm("SignatureMethod", ""), "RSA-SHA256"),
    "sha1": (_algorithm("DigestMethod", _XMLDSIG + "sha1"), "SHA-256"),
    "inclusive": (
        _algorithm("CanonicalizationMethod", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        "no other transform",
    ),
    "with comments": (_algorithm("Transform", EXCLUSIVE + "WithComments"), "no other transform"),
    "enveloped": (_algorithm("Transform", _XMLDSIG + "enveloped-signature"), "no other transform"),
    "xslt": (
        _algorithm("Transform", "http://www.w3.org/TR/1999/REC-xslt-19991116"),
        "no other transform",
    ),
    "xpath": (_xpath, "one transform"),
    "no transform": (_no_transform, "one transform"),
    "body not covered": (_not_covered(signature.BODY_ID), "does not cover"),
    "addressing not covered": (_not_covered(signature.ADDRESSING_ID), "does not cover"),
    "timestamp not covered": (_not_covered(signature.TIMESTAMP_ID), "does not cover"),
    "covered twice": (_twice, "signed twice"),
    "covers more": (_more, "should not"),
    "whole document": (_whole_document, "by their id"),
    "from outside": (_from_outside, "by their id"),
    "key of its own": (_key_of_its_own, "reference to the token"),
    "object": (_object, "nothing else"),
    "another token": (_another_token, "reference to the token"),
    "no time zone": (_no_zone, "time zone"),
}


@pytest.mark.parametrize("attack", SIGNED)
def test_what_is_signed_otherwise_than_it_should_is_refused(
    keys: Keys, sender: Issued, attack: str
) -> None:
    change, why = SIGNED[attack]
    root = wrapped(keys)
    change(root)
    with pytest.raises(soap.NotSigned, match=why):
        unwrap(signed_again(root, sender), keys)


def test_a_certificate_is_no_secret_to_sign_with(keys: Keys, sender: Issued) -> None:
    """The old attack on verifiers that take the public key for that of an HMAC."""
    root = wrapped(keys)
    _algorithm("SignatureMethod", _MORE + "hmac-sha256")(root)
    public = sender.certificate.public_bytes(serialization.Encoding.PEM)
    made = hmac.HMAC(public, hashes.SHA256())
    made.update(canonical(one(root, f"{DS}SignedInfo")))
    one(root, f"{DS}SignatureValue").text = b64encode(made.finalize()).decode()
    with pytest.raises(soap.NotSigned, match="RSA-SHA256"):
        unwrap(root, keys)


def test_a_signature_by_sha1_is_refused_though_it_holds(keys: Keys, sender: Issued) -> None:
    root = wrapped(keys)
    _algorithm("SignatureMethod", _XMLDSIG + "rsa-sha1")(root)
    _algorithm("DigestMethod", _XMLDSIG + "sha1")(root)
    digested(root, sha1)
    info = canonical(one(root, f"{DS}SignedInfo"))
    value = sender.key.sign(info, padding.PKCS1v15(), hashes.SHA1())
    one(root, f"{DS}SignatureValue").text = b64encode(value).decode()
    with pytest.raises(soap.NotSigned, match="RSA-SHA256"):
        unwrap(root, keys)


def test_another_certificate_does_not_fit_the_signature(authority: Authority, keys: Keys) -> None:
    root = wrapped(keys)
    other = authority.issue("other", "8716886000004")
    der = other.certificate.public_bytes(serialization.Encoding.DER)
    one(root, f"{WSSE}BinarySecurityToken").text = b64encode(der).decode()
    with pytest.raises(soap.NotSigned, match="does not hold"):
        unwrap(root, keys)


def test_who_signs_himself_is_told_apart(authority: Authority, keys: Keys) -> None:
    other = authority.issue("other-party", "8716886000004")
    got = unwrap(wrapped(authority.keys(other)), keys)
    assert got.envelope.sender == SENDER
    assert got.certificate == other.certificate  # who asked, holds this against the sender


@pytest.mark.parametrize("wrong", ["stranger", "expired", "for another use", "the authority"])
def test_a_certificate_that_nobody_vouches_for_is_refused(
    authority: Authority, keys: Keys, tmp_path: Any, wrong: str
) -> None:
    by = Authority(tmp_path, "authority") if wrong == "stranger" else authority
    more: dict[str, Any] = {
        "expired": {"valid": EXPIRED},
        "for another use": {"signs": False},
    }.get(wrong, {})
    issued = by.issue("wrong", SENDER, **more)
    root = wrapped(keys)
    held = by.certificate if wrong == "the authority" else issued.certificate
    der = held.public_bytes(serialization.Encoding.DER)
    one(root, f"{WSSE}BinarySecurityToken").text = b64encode(der).decode()
    with pytest.raises(soap.NotSigned, match="vouched for"):
        unwrap(signed_again(root, issued), keys)


@pytest.mark.parametrize("token", ["", "AAAA", "é", "=" * 9])
def test_a_token_that_is_no_certificate_is_refused(keys: Keys, token: str) -> None:
    root = wrapped(keys)
    one(root, f"{WSSE}BinarySecurityToken").text = token
    with pytest.raises(soap.NotSigned, match="no certificate"):
        unwrap(root, keys)


# -- envelopes that are none


def _documents(root: etree._Element) -> None:
    root[1].append(deepcopy(EVIL))


def _must_understand(root: etree._Element) -> None:
    etree.SubElement(root[0], "{urn:more}More").set(f"{S}mustUnderstand", "1")


def _no_addressing(root: etree._Element) -> None:
    root[0].remove(root[0][0])


def _part(name: str, text: str | None) -> Callable[[etree._Element], None]:
    def change(root: etree._Element) -> None:
        part = one(root, f"{{{soap.ADDRESSING}}}{name}")
        if text is None:
            part.getparent().remove(part)
        else:
            part.text = text

    return change


def _part_twice(root: etree._Element) -> None:
    root[0][0].append(deepcopy(root[0][0][0]))


def _part_unknown(root: etree._Element) -> None:
    etree.SubElement(root[0][0], "{urn:more}More")


NONE = {
    "two documents": (_documents, "one document"),
    "to be understood": (_must_understand, "must be understood"),
    "no addressing": (_no_addressing, "one MessageAddressing"),
    "no sender": (_part("senderId", None), "senderId"),
    "empty sender": (_part("senderId", " "), "senderId"),
    "long id": (_part("technicalMessageId", "x" * 257), "technicalMessageId"),
    "sender twice": (_part_twice, "twice"),
    "unknown part": (_part_unknown, "should not have"),
}


@pytest.mark.parametrize("what", NONE)
def test_an_envelope_that_is_none_is_refused_though_it_is_signed(
    keys: Keys, sender: Issued, what: str
) -> None:
    change, why = NONE[what]
    root = wrapped(keys)
    change(root)
    with pytest.raises(Unreadable, match=why):
        unwrap(signed_again(root, sender), keys)


def test_an_id_of_256_characters_is_taken(keys: Keys) -> None:
    longest = replace(ENVELOPE, technical_message_id="x" * 256)
    assert unwrap(wrapped(keys, envelope=longest), keys).envelope == longest


@pytest.mark.parametrize("text", [b"", b"<a/>", b"{}", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"])
def test_what_is_no_envelope_is_refused(keys: Keys, text: bytes) -> None:
    with pytest.raises(Unreadable):
        soap.unwrap(text, keys, AT)
