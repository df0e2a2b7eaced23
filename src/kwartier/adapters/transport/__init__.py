"""How documents go to other parties and come from them: folder, HTTPS, SOAP over HTTPS."""

from kwartier.adapters.transport.addresses import Address, Envelope, NotDelivered, Undeliverable

__all__ = ["Address", "Envelope", "NotDelivered", "Undeliverable"]
