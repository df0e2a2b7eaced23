"""Documents that are posted over HTTPS: both sides show a certificate.

What an answer means:

    2xx                       delivered; the content is the acknowledgement, if there is any
    408, 425, 429, 5xx        not delivered: the same may be sent again
    other 4xx, 3xx, 1xx       undeliverable: sent again it would get the same answer
    no answer                 not delivered
    a certificate is refused  undeliverable

Nothing is redirected, nothing goes by a proxy that the environment names, and no answer is taken
that is compressed or has no end. Source: RFC 9110 §15; decisions §38.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from kwartier.adapters.transport.addresses import CertificateError, NotDelivered, Undeliverable
from kwartier.adapters.transport.certificates import Keys, client_context

_AGAIN = (408, 425, 429)
_ANSWER_MOST = 1 << 20  # bytes; an acknowledgement has some hundreds
_PIECE = 1 << 16


@dataclass(frozen=True)
class Answer:
    """What came back: status, media type and content."""

    status: int
    content_type: str
    content: bytes


async def post(
    url: str, keys: Keys, content_type: str, content: bytes, limit_s: float, **headers: str
) -> Answer:
    """Post a document and give the answer, whatever its status.

    Raises
    ------
    NotDelivered : no answer came.
    Undeliverable : the address or a certificate is wrong, or the answer has no end.
    """
    check(url)
    try:
        context = client_context(keys)
    except CertificateError as error:
        raise Undeliverable(str(error)) from None
    said = {"Content-Type": content_type, "Accept-Encoding": "identity", **headers}
    limits = aiohttp.ClientTimeout(total=limit_s)
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=1, force_close=True),
                trust_env=False,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=limits,
            ) as session,
            session.post(url, data=content, headers=said, allow_redirects=False) as response,
        ):
            return Answer(response.status, response.content_type, await _content(response))
    except TimeoutError:
        raise NotDelivered(f"no answer within {limit_s:g} s") from None
    except aiohttp.ClientConnectorCertificateError:
        raise Undeliverable(
            "the server's certificate is not vouched for by the authority of its address, or is "
            "not of its host"
        ) from None
    except (aiohttp.ClientError, OSError) as error:
        if _refused_us(error):
            raise Undeliverable("the server does not accept our certificate") from None
        raise NotDelivered(f"no answer ({type(error).__name__})") from None


def acknowledged(answer: Answer) -> bytes | None:
    """Give the acknowledgement in an answer; None where it is empty.

    Raises
    ------
    NotDelivered, Undeliverable : the answer is not a positive one.
    """
    if 200 <= answer.status < 300:
        return answer.content or None
    if answer.status in _AGAIN or answer.status >= 500:
        raise NotDelivered(f"answered {answer.status}")
    raise Undeliverable(f"answered {answer.status}")


def check(url: str) -> None:
    """Refuse an address that is no plain https:// URL; none of it is shown.

    Raises
    ------
    Undeliverable : another scheme, a user, a password, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        named = parts.hostname and (parts.port or 443)
    except ValueError:
        named = None
    plain = named and parts.scheme == "https" and parts.username is None and parts.password is None
    if not plain or parts.query or parts.fragment:
        raise Undeliverable("expected an https:// URL without user, password, query or fragment")


async def _content(response: aiohttp.ClientResponse) -> bytes:
    pieces, size = [], 0
    async for piece in response.content.iter_chunked(_PIECE):
        size += len(piece)
        if size > _ANSWER_MOST:
            raise Undeliverable(f"the answer has more than {_ANSWER_MOST:,} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _refused_us(error: BaseException) -> bool:
    """Tell whether the other side ended TLS with an alert about our certificate."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            reason = str(seen.reason or "").upper()
            return "ALERT" in reason and any(w in reason for w in ("CERTIFICATE", "UNKNOWN_CA"))
        seen = seen.__cause__ or seen.__context__
    return False
