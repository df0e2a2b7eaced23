"""Bringing a document to a party, by whatever transport its address says."""

from __future__ import annotations

import asyncio

from kwartier.adapters.transport import folder, https, soap
from kwartier.adapters.transport.addresses import (
    FOLDER,
    HTTPS,
    SOAP,
    Address,
    CertificateError,
    Envelope,
    NotDelivered,
    Undeliverable,
)
from kwartier.adapters.transport.certificates import Keys
from kwartier.adapters.transport.soap import NotSigned
from kwartier.codecs.xml import Unreadable


async def send(
    address: Address, envelope: Envelope, content: bytes, limit_s: float, *, at: int
) -> bytes | None:
    """Bring a document to a party and give what it said of it.

    Parameters
    ----------
    limit_s : how long the whole of it may take.
    at : now [s UTC]; a signature says when it was made.

    Returns
    -------
    acknowledgement : as it came, not yet read; None where it was taken without one.

    Raises
    ------
    NotDelivered : no positive answer came; send it again, under the same id.
    Undeliverable : it can never be delivered so.
    """
    if address.transport == FOLDER:
        message, kind = envelope.technical_message_id, envelope.content_type
        return await asyncio.to_thread(folder.drop, address.place, message, kind, content)
    keys = Keys(address.certificate, address.key, address.authority)
    if address.transport == HTTPS:
        sent = await https.post(address.place, keys, envelope.content_type, content, limit_s)
        return https.acknowledged(sent)
    if address.transport == SOAP:
        return await _send_soap(address, keys, envelope, content, limit_s, at)
    raise Undeliverable("the address names no transport; expected folder, https or soap")


def collect(address: Address, message: str) -> bytes | None:
    """Give the acknowledgement that a party put beside a folder; None where there is none yet.

    Raises
    ------
    NotDelivered, Undeliverable : it cannot be read.
    """
    if address.transport != FOLDER:
        return None
    return folder.collect(address.place, message)


async def _send_soap(
    address: Address, keys: Keys, envelope: Envelope, content: bytes, limit_s: float, at: int
) -> bytes | None:
    try:
        whole = await asyncio.to_thread(soap.wrap, envelope, content, keys, at)
    except (CertificateError, Unreadable) as error:
        raise Undeliverable(str(error)) from None
    kind = f"{soap.MEDIA_TYPES[soap.SOAP_11]}; charset=utf-8"
    answer = await https.post(address.place, keys, kind, whole, limit_s, SOAPAction='""')
    if answer.status == 500 and soap.fault(answer.content) == "Client":
        raise Undeliverable("answered that the fault is ours (SOAP fault Client)")
    inside = https.acknowledged(answer)
    if inside is None or not soap.is_envelope(inside):
        return inside
    try:
        given = await asyncio.to_thread(soap.unwrap, inside, keys, at, unsigned_too=True)
    except (CertificateError, NotSigned, Unreadable) as error:
        raise Undeliverable(f"the answer cannot be taken: {error}") from None
    if given.envelope.correlation_id != envelope.technical_message_id:
        raise Undeliverable("the answer is to another message")
    return given.content


__all__ = ["NotDelivered", "Undeliverable", "collect", "send"]
