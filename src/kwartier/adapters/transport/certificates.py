"""Keys and certificates: where they are read from, and which party a certificate stands for.

Keys and certificates are PEM, in a file or in an environment variable, which is named `env:NAME`.
Only where they are is kept or told, never what they hold. Source: RFC 5280; decisions §38.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID

from kwartier import codes
from kwartier.adapters.transport.addresses import CertificateError

_IN_ENVIRONMENT = "env:"
_PASSWORD = "KWARTIER_KEY_PASSWORD"
_LEAST_RSA_BITS = 2048

# SHA-256 of a certificate, in hexadecimals without colons → GLN-13 of the party it stands for.
Pins = Mapping[str, str]


class Keys(NamedTuple):
    """Where our certificate, its key and the authority that signed theirs are: path or env:NAME."""

    certificate: str
    key: str
    authority: str


def client_context(keys: Keys) -> ssl.SSLContext:
    """Make what TLS needs to reach a party: our certificate, and the authority that vouches for it.

    Raises
    ------
    CertificateError : one of them is missing or cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies the server and its host name
    return _settled(context, keys)


def server_context(keys: Keys) -> ssl.SSLContext:
    """Make what TLS needs to be reached, only by who has a certificate of the authority.

    Raises
    ------
    CertificateError : one of them is missing or cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    # A session that is taken up again would show no certificate.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    return _settled(context, keys)


def _settled(context: ssl.SSLContext, keys: Keys) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authorities(keys)
    try:
        context.load_verify_locations(cadata=_pem(keys.authority).decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError):
        raise _unusable("authority", keys.authority) from None
    for place in (keys.certificate, keys.key):
        _pem(place)
    try:
        with _as_file(keys.certificate) as certificate, _as_file(keys.key) as key:
            # Without a password given here, one would be asked for on the terminal.
            context.load_cert_chain(certificate, key, lambda: os.environ.get(_PASSWORD, ""))
    except (ssl.SSLError, OSError, ValueError):
        raise CertificateError(
            f"{keys.certificate} and {keys.key} cannot be used; expected a certificate and its own "
            f"key, both PEM, and the password of the key in {_PASSWORD} where it has one"
        ) from None
    return context


def own_certificate(keys: Keys) -> x509.Certificate:
    """Read our certificate.

    Raises
    ------
    CertificateError : it is missing, or no certificate.
    """
    try:
        return x509.load_pem_x509_certificate(_pem(keys.certificate))
    except ValueError:
        raise _unusable("certificate", keys.certificate) from None


def own_key(keys: Keys) -> rsa.RSAPrivateKey:
    """Read our key, to sign with.

    Raises
    ------
    CertificateError : it is missing, no RSA key, or its password is not in the environment.
    """
    password = os.environ.get(_PASSWORD)
    pem = _pem(keys.key)
    secret = password.encode() if password and b"ENCRYPTED" in pem else None
    try:
        key = serialization.load_pem_private_key(pem, secret)
    except (ValueError, TypeError):
        raise _unusable("key", keys.key) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CertificateError(f"{keys.key} is no RSA key; what is signed, is signed by RSA")
    return key


def authorities(keys: Keys) -> list[x509.Certificate]:
    """Read the certificates of the authority.

    Raises
    ------
    CertificateError : it is missing, or holds no certificate.
    """
    try:
        return x509.load_pem_x509_certificates(_pem(keys.authority))
    except ValueError:
        raise _unusable("authority", keys.authority) from None


def vouched_for(certificate: x509.Certificate, authority: list[x509.Certificate], at: int) -> bool:
    """Tell whether an authority vouches for a certificate to sign with, at a moment [s UTC]."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.digital_signature:
            return False
    except x509.ExtensionNotFound:
        pass
    except ValueError:
        return False
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _LEAST_RSA_BITS:
        return False
    # Names of hosts are for TLS: who signs is a party, and needs none.
    builder = (
        verification.PolicyBuilder()
        .store(verification.Store(authority))
        .time(datetime.fromtimestamp(at, UTC))
        .extension_policies(
            ee_policy=verification.ExtensionPolicy.permit_all(),
            ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(),
        )
    )
    try:
        builder.build_client_verifier().verify(certificate, [])
    except (verification.VerificationError, ValueError):
        return False
    return True


def fingerprint(certificate: x509.Certificate) -> str:
    """Give the SHA-256 of a certificate."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def party_of(certificate: x509.Certificate, pins: Pins) -> str | None:
    """Give the GLN-13 of the party that a certificate stands for; None where it tells of none.

    A pinned certificate stands for the party that it is pinned to, and for a party with pinned
    certificates no other stands. Else it is the serialNumber of the subject, or where that is no
    GLN, its common name. Whether an authority vouches for it, is asked elsewhere.
    """
    pinned = pins.get(fingerprint(certificate))
    if pinned is not None:
        return pinned
    for attribute in (NameOID.SERIAL_NUMBER, NameOID.COMMON_NAME):
        named = [str(name.value) for name in certificate.subject.get_attributes_for_oid(attribute)]
        if len(named) > 1:
            return None
        if named and is_gln(named[0]):
            return named[0] if named[0] not in pins.values() else None
    return None


def is_gln(text: str) -> bool:
    """Tell whether a text is a GLN-13 with its check digit."""
    if len(text) != codes.GLN_DIGITS or not (text.isascii() and text.isdigit()):
        return False
    return codes.with_check_digit(int(text) // 10) == int(text)


def _pem(place: str) -> bytes:
    if not place:
        raise CertificateError(
            "a certificate, its key and an authority are needed; expected a PEM file of each"
        )
    if place.startswith(_IN_ENVIRONMENT):
        held = os.environ.get(place.removeprefix(_IN_ENVIRONMENT))
        if held is None:
            raise CertificateError(f"{place}: there is no such environment variable; set it")
        return held.encode()
    try:
        return Path(place).read_bytes()
    except OSError as error:
        raise CertificateError(f"{place} cannot be read: {error.strerror}") from None


@contextmanager
def _as_file(place: str) -> Iterator[str]:
    """Give a file of PEM; the library of TLS reads nothing else."""
    if not place.startswith(_IN_ENVIRONMENT):
        yield place
        return
    with tempfile.NamedTemporaryFile() as file:  # for nobody else to read
        file.write(_pem(place))
        file.flush()
        yield file.name


def _unusable(what: str, place: str) -> CertificateError:
    return CertificateError(f"{place} is no {what} that can be used; expected PEM")
