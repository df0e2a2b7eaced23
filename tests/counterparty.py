"""Another party's HTTPS server, as a process of its own, with the standard library alone.

Run as `python -m tests.counterparty CERTIFICATE KEY AUTHORITY LOG`: it prints its port, writes a
line of JSON for each request, and answers as the path asks. It verifies the client's certificate,
and the signature of an envelope by its own means.
"""

from __future__ import annotations

import json
import ssl
import sys
from base64 import b64decode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

DS = "{http://www.w3.org/2000/09/xmldsig#}"
TOKEN = "BinarySecurityToken"
FAULT = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/><s:Body><s:Fault>'
    "<faultcode>s:{}</faultcode></s:Fault></s:Body></s:Envelope>"
)


def signed(content: bytes) -> list[str]:
    """Name what the signature of an envelope covers, if it holds."""
    root = etree.fromstring(content)
    (token,) = (e for e in root.iter() if etree.QName(e).localname == TOKEN)
    certificate = x509.load_der_x509_certificate(b64decode(token.text))
    (info,) = root.iter(f"{DS}SignedInfo")
    value = b64decode(next(root.iter(f"{DS}SignatureValue")).text)
    key: Any = certificate.public_key()
    try:
        key.verify(value, canonical(info), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return ["invalid signature"]
    covered = []
    for reference in info.iter(f"{DS}Reference"):
        (element,) = root.xpath("//*[@*[local-name()='Id']=$id]", id=reference.get("URI")[1:])
        digest = sha256(canonical(element)).digest()
        if digest != b64decode(reference.findtext(f"{DS}DigestValue")):
            return ["invalid digest"]
        covered.append(etree.QName(element).localname)
    return sorted(covered)


def canonical(element: etree._Element) -> bytes:
    """Write an element as exclusive canonical XML."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


class Answers(BaseHTTPRequestHandler):
    """Answers as the path asks."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a document."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        peer = self.connection.getpeercert()  # type: ignore[attr-defined]
        subject = [value for part in peer["subject"] for _, value in part]
        covers = signed(content) if b"SignedInfo" in content else []
        told = {"path": self.path, "subject": subject, "covers": covers}
        told |= {"size": len(content), "type": self.headers["Content-Type"]}
        with LOG.open("a", encoding="utf-8") as log:
            log.write(json.dumps(told) + "\n")
        act, _, what = self.path[1:].partition("/")
        getattr(self, f"act_{act}")(what)

    def act_ok(self, what: str) -> None:
        """Acknowledge."""
        self._say(200, b"<acknowledged/>")

    def act_empty(self, what: str) -> None:
        """Take it without a word."""
        self._say(202, b"")

    def act_status(self, what: str) -> None:
        """Answer with a status."""
        self._say(int(what), b"<nothing/>")

    def act_fault(self, what: str) -> None:
        """Answer with a SOAP fault."""
        self._say(500, FAULT.format(what).encode())

    def act_redirect(self, what: str) -> None:
        """Send it elsewhere."""
        self._say(307, b"", Location="/ok")

    def act_endless(self, what: str) -> None:
        """Answer without end, in pieces."""
        self._say(200, None, **{"Transfer-Encoding": "chunked"})
        try:
            while True:
                self.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        except OSError:
            self.close_connection = True

    def act_late(self, what: str) -> None:
        """Answer only when the other side has gone."""
        self.rfile.read(1)
        self.close_connection = True

    def act_drop(self, what: str) -> None:
        """Go without an answer."""
        self.connection.close()
        self.close_connection = True

    def act_twice(self, what: str) -> None:
        """Answer twice to the one document."""
        self._say(200, b"<acknowledged/>")
        self._say(200, b"<again/>")

    def _say(self, status: int, content: bytes | None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if content is not None:
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *arguments: Any) -> None:
        """Log nothing else."""


class Quiet(ThreadingHTTPServer):
    """Says nothing of who has no certificate."""

    daemon_threads = True

    def handle_error(self, *arguments: Any) -> None:
        """Go on."""

    def get_request(self) -> Any:
        """Leave the handshake to the thread of the connection."""
        raw, address = self.socket.accept()
        return CONTEXT.wrap_socket(raw, server_side=True, do_handshake_on_connect=False), address


if __name__ == "__main__":
    certificate, key, authority, log = sys.argv[1:]
    LOG = Path(log)
    CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CONTEXT.load_cert_chain(certificate, key)
    CONTEXT.load_verify_locations(authority)
    CONTEXT.verify_mode = ssl.CERT_REQUIRED
    server = Quiet(("127.0.0.1", 0), Answers)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
