"""The keys and certificates of a cluster, made when it starts and gone with it.

Elliptic-curve keys (P-256), because a dozen of them take milliseconds.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

AUTHORITY = "ca"
LIFE = timedelta(days=365)
SKEW = timedelta(hours=1)  # of clocks of whoever looks from outside


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its private key, PEM texts."""

    certificate: str
    key: str

    def write(self, folder: Path, name: str) -> None:
        """Write NAME.crt and NAME.key, the key for the owner's eyes only."""
        (folder / f"{name}.crt").write_text(self.certificate)
        write_secret(folder / f"{name}.key", self.key)


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls) -> Self:
        """Make a new authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name("playground", ())
        builder = _builder(subject, subject, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `pair` gave, written as `AUTHORITY`."""
        certificate = x509.load_pem_x509_certificate((folder / f"{AUTHORITY}.crt").read_bytes())
        text = (folder / f"{AUTHORITY}.key").read_bytes()
        key = serialization.load_pem_private_key(text, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{folder}: the authority's key is of an unexpected kind")
        return cls(certificate, key)

    @property
    def pair(self) -> Pair:
        """The authority itself."""
        return Pair(certificate=_pem(self.certificate), key=private_pem(self.key))

    def server(self, name: str, hosts: Sequence[str]) -> Pair:
        """Issue a certificate for a server's IP addresses and DNS names."""
        return self._issue(_name(name, ()), (ExtendedKeyUsageOID.SERVER_AUTH,), hosts)

    def client(self, user: str, groups: Sequence[str], hosts: Sequence[str] = ()) -> Pair:
        """Issue a certificate that makes its bearer a Kubernetes user in these groups.

        With `hosts` it is good for a server at these IP addresses too.
        """
        usages = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)
        return self._issue(_name(user, groups), usages if hosts else usages[:1], hosts)

    def _issue(
        self, subject: x509.Name, usages: Sequence[ObjectIdentifier], hosts: Sequence[str]
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, self.certificate.subject, key).add_extension(
            x509.ExtendedKeyUsage(usages), critical=False
        )
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return Pair(certificate=_pem(certificate), key=private_pem(key))


def signing_key() -> ec.EllipticCurvePrivateKey:
    """Return a new key for ServiceAccount tokens."""
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Return a private key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Return the public half of a key as PEM."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def write_secret(path: Path, text: str) -> None:
    """Write a file for the owner's eyes only."""
    path.touch(mode=0o600)
    path.write_text(text)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _name(common: str, organizations: Sequence[str]) -> x509.Name:
    return x509.Name(
        [
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, text) for text in organizations),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFE)
    )
