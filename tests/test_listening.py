"""PURPOSE: the server takes documents of who may send them, and bears what hostile ones do."""

from __future__ import annotations

import asyncio
import gzip
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from kwartier import codes
from kwartier.adapters import transport
from kwartier.adapters.transport import (
    Address,
    Envelope,
    Limits,
    NotDelivered,
    Refused,
    Undeliverable,
    certificates,
    soap,
)
from tests.pki import EXPIRED, Authority, Issued

AT = 1_780_000_000
OPERATOR = str(codes.with_check_digit(871687100000))
BRP = str(codes.with_check_digit(871688600000))
CARRIER = str(codes.with_check_digit(871690000000))
ENVELOPE = Envelope("7f0c-1", "", OPERATOR, BRP, "", "application/xml")
CONTENT = b"<document><a>1</a></document>"
ANSWER = b"<acknowledged/>"


@dataclass
class House:
    """Authorities, keys, and what a server took."""

    folder: Path
    authority: Authority
    server: Issued
    operator: Issued
    taken: list[tuple[str, bytes]] = field(default_factory=list)
    answers: Callable[[str, bytes], bytes] = lambda party, content: ANSWER

    def address(self, port: int, kind: str = "https", by: Issued | None = None) -> Address:
        """Give the address of the server for a sender."""
        keys = self.authority.keys(by or self.operator)
        return Address(BRP, kind, f"https://localhost:{port}/", *keys)

    def take(self, party: str, content: bytes) -> bytes:
        """Take a document."""
        self.taken.append((party, content))
        return self.answers(party, content)

    def client(self, by: Issued | None = None) -> ssl.SSLContext:
        """Give what TLS needs to come as a sender."""
        return certificates.client_context(self.authority.keys(by or self.operator))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("pki")
    authority = Authority(folder, "authority")
    server = authority.issue("server", "localhost", serial=BRP)
    return House(folder, authority, server, authority.issue("operator", OPERATOR))


@pytest.fixture
def house(built: House) -> House:
    return replace(built, taken=[])


def serve(
    house: House,
    act: Callable[[int], Awaitable[Any]],
    *,
    pins: dict[str, str] | None = None,
    at: int = AT,
    **limits: Any,
) -> Any:
    """Do something while the server listens."""

    async def run() -> Any:
        keys = house.authority.keys(house.server)
        held = Limits(**limits)
        async with transport.listen(
            "localhost", 0, keys, house.take, lambda: at, pins=pins or {}, limits=held
        ) as (_, port):
            return await act(port)

    return asyncio.run(run())


def sent(
    house: House,
    kind: str = "https",
    by: Issued | None = None,
    envelope: Envelope = ENVELOPE,
    content: bytes = CONTENT,
    **options: Any,
) -> bytes | None:
    """Send a document to the server."""

    async def act(port: int) -> bytes | None:
        return await transport.send(house.address(port, kind, by), envelope, content, 30, at=AT)

    made: bytes | None = serve(house, act, **options)
    return made


async def raw(house: House, port: int, request: bytes, by: Issued | None = None) -> bytes:
    """Send bytes to the server, and give all that comes back."""
    reader, writer = await asyncio.open_connection(
        "localhost", port, ssl=house.client(by), server_hostname="localhost"
    )
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()


def post(content: bytes = CONTENT, path: str = "/", method: str = "POST", **headers: str) -> bytes:
    """Write a request."""
    said = {"Host": "localhost", "Content-Type": "application/xml"}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    if "Transfer-Encoding" not in said:
        said.setdefault("Content-Length", str(len(content)))
    lines = [f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in said.items()), "", ""]
    return "\r\n".join(lines).encode() + content


def canonical(content: bytes) -> bytes:
    """Give a document as it is signed."""
    return etree.tostring(etree.fromstring(content), method="c14n", exclusive=True)


# -- what is taken


@pytest.mark.parametrize("kind", ["https", "soap"])
def test_a_document_is_taken_from_its_sender_and_answered(house: House, kind: str) -> None:
    answer = sent(house, kind)
    assert answer is not None
    assert canonical(answer) == canonical(ANSWER)
    assert house.taken == [(OPERATOR, CONTENT)]


def test_soap_1_2_is_answered_in_soap_1_2_and_the_answer_is_signed(house: House) -> None:
    keys = house.authority.keys(house.operator)
    whole = soap.wrap(ENVELOPE, CONTENT, keys, AT, soap.SOAP_12)
    request = post(whole, Content_Type="application/soap+xml")

    got = serve(house, lambda port: raw(house, port, request))
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"application/soap+xml" in head
    answer = soap.unwrap(body, keys, AT)
    assert answer.version == soap.SOAP_12
    assert answer.certificate == house.server.certificate
    assert answer.envelope.correlation_id == ENVELOPE.technical_message_id
    assert (answer.envelope.sender, answer.envelope.receiver) == (BRP, OPERATOR)


def test_a_carrier_brings_what_its_sender_signed(house: House) -> None:
    carrier = house.authority.issue("carrier", CARRIER)
    envelope = replace(ENVELOPE, carrier=CARRIER)
    whole = soap.wrap(envelope, CONTENT, house.authority.keys(house.operator), AT)
    request = post(whole, Content_Type="text/xml; charset=utf-8")
    assert b" 200 " in serve(house, lambda port: raw(house, port, request, carrier))
    assert [party for party, _ in house.taken] == [OPERATOR]


def test_a_document_comes_in_pieces(house: House) -> None:
    piece = f"{len(CONTENT):x}\r\n".encode() + CONTENT + b"\r\n0\r\n\r\n"
    request = post(piece, **{"Transfer-Encoding": "chunked"})
    assert b" 200 " in serve(house, lambda port: raw(house, port, request))
    assert house.taken == [(OPERATOR, CONTENT)]


def test_documents_are_taken_one_at_a_time(house: House) -> None:
    busy: list[str] = []

    def one(party: str, content: bytes) -> bytes:
        assert busy == []
        busy.append(party)
        busy.clear()
        return ANSWER

    house.answers = one

    async def act(port: int) -> list[bytes | None]:
        address = house.address(port)
        return list(
            await asyncio.gather(
                *(transport.send(address, ENVELOPE, CONTENT, 30, at=AT) for _ in range(20))
            )
        )

    assert serve(house, act) == [ANSWER] * 20
    assert len(house.taken) == 20


# -- who is not let in


@pytest.mark.parametrize("who", ["strange", "expired", "nobody"])
def test_who_has_no_certificate_of_the_authority_gets_no_further_than_tls(
    house: House, tmp_path: Path, who: str
) -> None:
    context = house.client()
    if who == "nobody":
        context = ssl.create_default_context(cafile=house.authority.path)
    else:
        by = Authority(tmp_path, "authority") if who == "strange" else house.authority
        mine = by.issue("mine", OPERATOR, **({"valid": EXPIRED} if who == "expired" else {}))
        context = ssl.create_default_context(cafile=house.authority.path)
        context.load_cert_chain(mine.path, mine.key_path)

    async def act(port: int) -> bytes:
        try:
            reader, writer = await asyncio.open_connection(
                "localhost", port, ssl=context, server_hostname="localhost"
            )
            writer.write(post())
            return await reader.read()
        except (ssl.SSLError, ConnectionError):
            return b""

    assert serve(house, act) == b""
    assert house.taken == []


def test_tls_1_1_is_not_spoken(house: House) -> None:
    context = certificates.server_context(house.authority.keys(house.server))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    client = house.client()
    assert client.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (client.verify_mode, client.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_certificate_that_stands_for_nobody_is_refused(house: House) -> None:
    nobody = house.authority.issue("nobody", "nobody.example")
    with pytest.raises(Undeliverable, match="403"):
        sent(house, by=nobody)
    pins = {certificates.fingerprint(nobody.certificate): OPERATOR}
    assert sent(house, by=nobody, pins=pins) == ANSWER
    assert [party for party, _ in house.taken] == [OPERATOR]


def test_who_signs_for_another_is_refused(house: House) -> None:
    other = house.authority.issue("other", CARRIER)
    with pytest.raises(Undeliverable, match="403"):
        sent(house, "soap", by=other)
    assert house.taken == []


def test_who_brings_what_another_signed_and_is_no_carrier_is_refused(house: House) -> None:
    other = house.authority.issue("bringer", CARRIER)
    whole = soap.wrap(ENVELOPE, CONTENT, house.authority.keys(house.operator), AT)
    request = post(whole, Content_Type="text/xml")
    assert b" 403 " in serve(house, lambda port: raw(house, port, request, other))
    assert house.taken == []


@pytest.mark.parametrize("late", [-61, 300])
def test_an_envelope_of_another_time_is_refused(house: House, late: int) -> None:
    with pytest.raises(Undeliverable, match="400"):
        sent(house, "soap", at=AT + late)
    assert house.taken == []


def test_an_envelope_without_signature_is_refused(house: House) -> None:
    whole = soap.wrap(ENVELOPE, CONTENT, house.authority.keys(house.operator), AT)
    start, end = whole.index(b"<wsse:Security"), whole.index(b"</wsse:Security>")
    bare = whole[:start] + whole[end + len(b"</wsse:Security>") :]
    got = serve(house, lambda port: raw(house, port, post(bare, Content_Type="text/xml")))
    assert b" 400 " in got
    assert house.taken == []


# -- what is refused


REFUSED = {
    "another place": (404, post(path="/other")),
    "a query": (200, post(path="/?a=1")),
    "another method": (405, post(b"", method="GET")),
    "another type": (415, post(Content_Type="application/pdf")),
    "compressed": (415, post(gzip.compress(CONTENT), Content_Encoding="gzip")),
    "empty": (400, post(b"")),
    "said to be large": (413, post(Content_Length="1001")),
    "a long header": (400, post(X_Long="x" * 9000)),
    "many headers": (400, post(**{f"X_{n}": "x" for n in range(200)})),
    "no length": (400, post(Content_Length="-1")),
    "two lengths": (400, post(Content_Length="1\r\nContent-Length: 2")),
    "length and pieces": (
        400,
        post(b"0\r\n\r\n", **{"Transfer-Encoding": "chunked", "Content-Length": "5"}),
    ),
    "no HTTP": (400, b"\x16\x03\x01 nonsense\r\n\r\n"),
    "no envelope": (400, post(f'<a xmlns="{soap.SOAP_11}"/>'.encode())),
    "entities": (
        400,
        post(f'<!DOCTYPE a [<!ENTITY b "c">]><a xmlns="{soap.SOAP_11}">&b;</a>'.encode()),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_taken_is_refused_in_few_words(house: House, what: str) -> None:
    status, request = REFUSED[what]
    got = serve(house, lambda port: raw(house, port, request), document=1000)
    assert got.split(b" ", 2)[1] == str(status).encode()
    assert len(house.taken) == (status == 200)
    for secret in (b"Traceback", b"/src/", str(house.folder).encode(), b"lxml"):
        assert secret not in got


@pytest.mark.parametrize(("size", "taken"), [(1000, True), (1001, False)])
@pytest.mark.parametrize("pieces", [True, False])
def test_a_document_may_be_so_large_and_no_larger(
    house: House, size: int, taken: bool, pieces: bool
) -> None:
    content = CONTENT + b" " * (size - len(CONTENT))
    request = post(content)
    if pieces:
        parts = [content[:500], content[500:]]
        cut = b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in parts) + b"0\r\n\r\n"
        request = post(cut, **{"Transfer-Encoding": "chunked"})
    got = serve(house, lambda port: raw(house, port, request), document=1000)
    assert got.split(b" ", 2)[1] == (b"200" if taken else b"413")
    assert len(house.taken) == taken


def test_one_without_end_is_refused_while_it_comes(house: House) -> None:
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

    async def act(port: int) -> bytes:
        reader, writer = await asyncio.open_connection(
            "localhost", port, ssl=house.client(), server_hostname="localhost"
        )
        writer.write(post(b"", **{"Transfer-Encoding": "chunked"}))

        async def on_and_on() -> None:
            with suppress(ConnectionError):
                while True:
                    writer.write(piece)
                    await writer.drain()

        sending = asyncio.create_task(on_and_on())
        try:
            return await reader.readline()
        finally:
            sending.cancel()
            writer.transport.abort()

    assert b" 413 " in serve(house, act, document=100_000)
    assert house.taken == []


def test_what_is_refused_further_on_is_told_with_its_status(house: House) -> None:
    def refuse(party: str, content: bytes) -> bytes:
        raise Refused(503, "busy")

    house.answers = refuse
    for kind in ("https", "soap"):
        with pytest.raises(NotDelivered, match="503"):
            sent(house, kind)


def test_what_goes_wrong_within_is_not_told(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def fail(party: str, content: bytes) -> bytes:
        raise RuntimeError("of the inside")

    house.answers = fail
    got = serve(house, lambda port: raw(house, port, post()))
    assert b" 500 " in got
    assert b"of the inside" not in got
    assert b"Traceback" not in got
    assert "of the inside" in caplog.text  # who operates it, is told


# -- who takes its time


@pytest.mark.parametrize("slow", [b"", b"POST / HTTP/1.1\r\nHost: ", post(Content_Length="900")])
def test_who_is_slow_is_let_go(house: House, slow: bytes) -> None:
    got = serve(house, lambda port: _until_let_go(house, port, slow), lasting_s=0.3)
    assert got == b""
    assert house.taken == []


async def _until_let_go(house: House, port: int, slow: bytes) -> bytes:
    try:
        return await raw(house, port, slow)
    except ConnectionError:
        return b""


def test_only_so_many_connections_are_borne(house: House) -> None:
    async def act(port: int) -> None:
        held = [
            await asyncio.open_connection(
                "localhost", port, ssl=house.client(), server_hostname="localhost"
            )
            for _ in range(3)
        ]
        for reader, writer in held:  # each is one the server knows of
            writer.write(b"POST ")
            await writer.drain()
            assert not reader.at_eof()
        with pytest.raises(NotDelivered):
            await transport.send(house.address(port), ENVELOPE, CONTENT, 30, at=AT)
        held[0][1].close()
        await held[0][1].wait_closed()
        while True:  # until the server sees that one has gone
            try:
                answer = await transport.send(house.address(port), ENVELOPE, CONTENT, 30, at=AT)
                break
            except NotDelivered:
                await asyncio.sleep(0.01)
        assert answer == ANSWER
        for _, writer in held[1:]:
            writer.close()

    serve(house, act, connections=3)


def test_who_does_not_speak_tls_is_let_go(house: House) -> None:
    async def act(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("localhost", port)
        writer.write(post())
        try:
            return await reader.read()
        finally:
            writer.close()

    got = serve(house, act, handshake_s=0.3)
    assert b"HTTP" not in got
    assert house.taken == []


# -- what is told to nobody


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


@pytest.mark.parametrize("kind", ["https", "soap"])
def test_no_log_has_a_document_or_a_key(
    house: House, kind: str, everything_logged: pytest.LogCaptureFixture
) -> None:
    secret = b"<document><a>871687999999999999</a></document>"
    sent(house, kind, content=secret)
    assert "871687999999999999" not in everything_logged.text
    assert "PRIVATE" not in everything_logged.text
    assert house.operator.key_path.read_text().splitlines()[2] not in everything_logged.text


def test_the_port_that_another_has_cannot_be_had(house: House) -> None:
    async def act(port: int) -> None:
        keys = house.authority.keys(house.server)
        with pytest.raises(OSError, match="address already in use"):
            async with transport.listen(
                "localhost", port, keys, house.take, lambda: AT, pins={}, limits=Limits()
            ):
                pass

    serve(house, act)
