"""How documents go to other parties and come from them: folder, HTTPS, SOAP over HTTPS."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kwartier.adapters.transport.addresses import (
    Address,
    CertificateError,
    Envelope,
    NotDelivered,
    Undeliverable,
)

if TYPE_CHECKING:
    from kwartier.adapters.transport.certificates import Keys, Pins, fingerprint, is_gln
    from kwartier.adapters.transport.folder import answer, lying
    from kwartier.adapters.transport.listening import Limits, Refused, listen
    from kwartier.adapters.transport.sending import collect, send

# Loaded when first asked for: HTTP and signatures take long to load.
_WHERE = {
    "Keys": "certificates",
    "Limits": "listening",
    "Pins": "certificates",
    "Refused": "listening",
    "answer": "folder",
    "collect": "sending",
    "fingerprint": "certificates",
    "is_gln": "certificates",
    "listen": "listening",
    "lying": "folder",
    "send": "sending",
}
__all__ = [
    "Address",
    "CertificateError",
    "Envelope",
    "Keys",
    "Limits",
    "NotDelivered",
    "Pins",
    "Refused",
    "Undeliverable",
    "answer",
    "collect",
    "fingerprint",
    "is_gln",
    "listen",
    "lying",
    "send",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'kwartier.adapters.transport' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
