"""Where documents are sent, and what stands on the outside of one."""

from __future__ import annotations

from dataclasses import dataclass

FOLDER, HTTPS, SOAP = "folder", "https", "soap"
TRANSPORTS = (FOLDER, HTTPS, SOAP)


class NotDelivered(Exception):
    """No positive answer came: the same may be sent again, under the same id."""


class Undeliverable(Exception):
    """It can never be delivered so: the address, a certificate or the answer is wrong."""


class CertificateError(Exception):
    """A key or certificate of our own cannot be used; the text says which, never what it holds."""


@dataclass(frozen=True)
class Address:
    """Where a party receives documents.

    Attributes
    ----------
    party : GLN-13 of the receiver.
    transport : folder, https or soap.
    place : a folder, or an https:// URL without user, password or query.
    certificate, key : PEM files of our own; authority : PEM file of who signed theirs. Empty where
        the transport needs none. Only paths are kept, never what stands in the files.
    """

    party: str
    transport: str
    place: str
    certificate: str = ""
    key: str = ""
    authority: str = ""


@dataclass(frozen=True)
class Envelope:
    """MessageAddressing: what stands on the outside of a document (SD030)."""

    technical_message_id: str
    correlation_id: str
    sender: str
    receiver: str
    carrier: str
    content_type: str
