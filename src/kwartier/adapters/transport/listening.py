"""The receiving side of HTTPS and SOAP: a server that hands documents on and gives the answer.

Who has no certificate of the authority gets no further than TLS. Limits hold before anything is
read: connections at a time, how long each may last, the size of headers and of the document. What
is refused is refused with a status and a few words:

    400  not a signed envelope that holds, or an empty document
    403  the certificate stands for no party, or not for the one that it speaks for
    404, 405  another place than /, another method than POST
    413  the document is too large
    415  not XML or JSON, or compressed
    503  busy; the same may be sent again

Source: RFC 9110; OWASP REST Security; decisions §38.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from cryptography import x509

from kwartier.adapters.transport import soap
from kwartier.adapters.transport.addresses import CertificateError
from kwartier.adapters.transport.certificates import (
    Keys,
    Pins,
    party_of,
    server_context,
)
from kwartier.adapters.transport.soap import NotSigned
from kwartier.codecs.xml import MOST_BYTES, Unreadable

_PLAIN = ("application/xml", "application/json", "text/xml")
_MEDIA_TYPES = (*_PLAIN, *soap.MEDIA_TYPES.values())
_PIECE = 1 << 16
# So long the rest of what was refused is read and thrown away, that its sender sees why.
_LINGERING_S = 1.0


class Refused(Exception):
    """A document that is not taken; the status and the text are what the sender is told."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """What a server bears.

    Attributes
    ----------
    connections : at a time.
    lasting_s : how long one connection may last, from TLS to the end of the answer.
    handshake_s : how long TLS may take.
    document : bytes of a document, its envelope included.
    header : bytes of a line of the header.
    """

    connections: int = 64
    lasting_s: float = 120.0
    handshake_s: float = 10.0
    document: int = MOST_BYTES
    header: int = 8190


# Takes the GLN-13 of who sends and the document, and gives the acknowledgement; it may block, is
# called once at a time, and raises Refused.
Take = Callable[[str, bytes], bytes]


@asynccontextmanager
async def listen(
    host: str,
    port: int,
    keys: Keys,
    take: Take,
    clock: Callable[[], int],
    *,
    pins: Pins,
    limits: Limits,
) -> AsyncIterator[tuple[str, int]]:
    """Listen for documents, and give the host and port on which.

    Parameters
    ----------
    port : 0 lets the system choose.
    keys : of the server; its authority vouches for the certificates of who sends.
    clock : gives the moment [s UTC]; signatures are held against it.
    pins : certificates that stand for a party whatever their subject says.

    Raises
    ------
    CertificateError : a certificate or key cannot be used.
    OSError : the port cannot be had.
    """
    context = server_context(keys)
    server = _Server(_Desk(keys, take, clock, pins, limits).answer, limits)
    loop = asyncio.get_running_loop()
    opened = await loop.create_server(
        server, host, port, ssl=context, ssl_handshake_timeout=limits.handshake_s
    )
    try:
        name = opened.sockets[0].getsockname()
        yield str(name[0]), int(name[1])
    finally:
        opened.close()
        await server.shutdown(limits.handshake_s)  # what is being stored is stored, and answered


class _Server(web.Server):
    """Bears only so many connections, each only so long."""

    def __init__(self, handler: Callable[[web.BaseRequest], Any], limits: Limits) -> None:
        super().__init__(
            handler,
            access_log=None,
            auto_decompress=False,
            max_line_size=limits.header,
            max_field_size=limits.header,
            lingering_time=_LINGERING_S,
        )
        self._limits = limits

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take a connection, if there are not too many."""
        if len(self.connections) >= self._limits.connections:
            transport.abort()
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(self._limits.lasting_s, transport.abort)
        super().connection_made(handler, transport)


class _Desk:
    """Answers requests."""

    def __init__(
        self, keys: Keys, take: Take, clock: Callable[[], int], pins: Pins, limits: Limits
    ) -> None:
        self._keys, self._take, self._clock = keys, take, clock
        self._pins, self._limits = pins, limits
        self._one = asyncio.Lock()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        try:
            self._look_at(request)
            party = self._party(request)
            content = await self._content(request)
            async with self._one:
                made, kind = await asyncio.to_thread(self._taken, party, content)
            response = web.Response(body=made, content_type=kind, charset="utf-8")
        except Refused as refusal:
            response = web.Response(status=refusal.status, text=str(refusal))
        response.force_close()  # one document a connection, so its limit is that of a document
        return response

    def _look_at(self, request: web.BaseRequest) -> None:
        if request.path != "/":
            raise Refused(404, "documents are sent to /")
        if request.method != "POST":
            raise Refused(405, "documents are sent by POST")
        encoded = request.headers.get("Content-Encoding", "identity").lower() != "identity"
        if encoded or request.content_type not in _MEDIA_TYPES:
            raise Refused(415, f"expected {', '.join(dict.fromkeys(_MEDIA_TYPES))}, not compressed")
        if (request.content_length or 0) > self._limits.document:
            raise Refused(413, "the document is too large")

    def _party(self, request: web.BaseRequest) -> str:
        tls = request.transport.get_extra_info("ssl_object") if request.transport else None
        shown = tls.getpeercert(binary_form=True) if isinstance(tls, ssl.SSLObject) else None
        try:
            party = party_of(x509.load_der_x509_certificate(shown), self._pins) if shown else None
        except ValueError:
            party = None
        if party is None:
            raise Refused(403, "the certificate stands for no party")
        return party

    async def _content(self, request: web.BaseRequest) -> bytes:
        content = bytearray()
        async for piece in request.content.iter_chunked(_PIECE):
            content += piece
            if len(content) > self._limits.document:
                raise Refused(413, "the document is too large")
        if not content:
            raise Refused(400, "the document is empty")
        return bytes(content)

    def _taken(self, party: str, content: bytes) -> tuple[bytes, str]:
        """Give the answer to a document, and its media type."""
        if not soap.is_envelope(content):
            answer = self._take(party, content)
            return answer, "application/json" if answer[:1] == b"{" else "application/xml"
        at = self._clock()
        try:
            given = soap.unwrap(content, self._keys, at)
        except (NotSigned, Unreadable) as error:
            raise Refused(400, str(error)) from None
        signer = None if given.certificate is None else party_of(given.certificate, self._pins)
        if signer != given.envelope.sender:
            raise Refused(403, "the signature is not by the sender")
        if party not in (given.envelope.sender, given.envelope.carrier):
            raise Refused(403, "the certificate is neither the sender's nor the carrier's")
        answer = self._take(signer, given.content)
        try:
            made = soap.wrap(soap.answering(given.envelope), answer, self._keys, at, given.version)
        except (CertificateError, Unreadable):
            raise Refused(503, "the answer cannot be signed now") from None
        return made, soap.MEDIA_TYPES[given.version]
