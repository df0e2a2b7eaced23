"""Authorities, certificates and keys for tests, made anew each time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from kwartier.adapters.transport import Keys

# So wide that no clock matters; the expired ones ended before there was TLS 1.2.
VALID = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
EXPIRED = datetime(2000, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC)


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _name(common: str, serial: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if serial is not None:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    return x509.Name(parts)


def key_usage(*, signs: bool, certifies: bool) -> x509.KeyUsage:
    """Say what a key is for."""
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certifies,
        crl_sign=certifies,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass
class Issued:
    """A certificate with its key, and where they lie."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    path: Path
    key_path: Path


class Authority:
    """Who issues certificates."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._key, self._name = folder, _key(), _name(name)
        own = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(VALID[0])
            .not_valid_after(VALID[1])
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(signs=False, certifies=True), critical=True)
            .add_extension(own, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        common: str,
        *,
        serial: str | None = None,
        valid: tuple[datetime, datetime] = VALID,
        signs: bool = True,
        password: bytes | None = None,
        host: str = "localhost",
    ) -> Issued:
        """Issue a certificate, which also holds for a host."""
        key = _key()
        ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        hosts = x509.SubjectAlternativeName([x509.DNSName(host)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(common, serial))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(valid[0])
            .not_valid_after(valid[1])
            .add_extension(key_usage(signs=signs, certifies=False), critical=True)
            .add_extension(hosts, critical=False)
            .add_extension(ours, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        path, key_path = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        locked = (
            serialization.BestAvailableEncryption(password)
            if password
            else serialization.NoEncryption()
        )
        key_path.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
        )
        return Issued(certificate, key, path, key_path)

    def keys(self, issued: Issued) -> Keys:
        """Give where the keys of someone lie who trusts this authority."""
        return Keys(str(issued.path), str(issued.key_path), str(self.path))
