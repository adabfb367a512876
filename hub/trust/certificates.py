"""Builds the co-op's X.509 certificates: root, working certificate, agents' and servers'. It decides no one's right.

Profile: RFC 5280, keys ECDSA P-256, signatures with SHA-256. Each begins a day early, for clocks that are behind.
"""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY_S: Final = 86_400
EARLIER_S: Final = DAY_S
ROOT_S: Final = 20 * 365 * DAY_S
WORKING_S: Final = 3 * 365 * DAY_S
CLIENT: Final = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER: Final = ExtendedKeyUsageOID.SERVER_AUTH
Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    """A new private key of the kind that all the co-op's certificates use."""
    return ec.generate_private_key(ec.SECP256R1())


def make_root(coop: str, key: Key, *, now_s: int) -> x509.Certificate:
    """The co-op's root certificate: it signs working certificates and nothing else."""
    name = _name(f"{coop} root")
    public = key.public_key()
    return _authority(name, public, issuer=name, issuer_public=public, path_length=1, span_s=(now_s, ROOT_S)).sign(
        key, hashes.SHA256()
    )


def make_working(
    root: x509.Certificate, root_key: Key, *, coop: str, public: ec.EllipticCurvePublicKey, now_s: int
) -> x509.Certificate:
    """The certificate under which the hub issues for agents and servers; it never outlives the root."""
    day = datetime.fromtimestamp(now_s, UTC).date().isoformat()
    until_s = min(WORKING_S, ends_at(root) - now_s)
    return _authority(
        _name(f"{coop} hub {day}"),
        public,
        issuer=root.subject,
        issuer_public=root_key.public_key(),
        path_length=0,
        span_s=(now_s, until_s),
    ).sign(root_key, hashes.SHA256())


def make_leaf(
    issuer: tuple[x509.Certificate, Key],
    public: ec.EllipticCurvePublicKey,
    *,
    name: str,
    usage: x509.ObjectIdentifier,
    now_s: int,
    lasts_s: int,
    hosts: Sequence[str] = (),
) -> x509.Certificate:
    """A certificate that can sign none: for an agent (CLIENT) or, under these host names, a server (SERVER)."""
    certificate, key = issuer
    until_s = min(now_s + lasts_s, ends_at(certificate))
    builder = _begun(_name(name), public, issuer=certificate.subject, now_s=now_s, until_s=until_s)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(is_authority=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
    )
    if hosts:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(each) for each in hosts]), critical=False
        )
    return builder.sign(key, hashes.SHA256())


def pem_of(certificate: x509.Certificate) -> bytes:
    """The certificate as PEM text."""
    return certificate.public_bytes(Encoding.PEM)


def key_pem(key: Key) -> bytes:
    """The private key as PEM text, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def begins_at(certificate: x509.Certificate) -> int:
    """The second (Unix time) from which the certificate is valid."""
    return int(certificate.not_valid_before_utc.timestamp())


def ends_at(certificate: x509.Certificate) -> int:
    """The second (Unix time) up to which the certificate is valid."""
    return int(certificate.not_valid_after_utc.timestamp())


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 over the certificate, as programs show it: pairs of hex digits."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _authority(
    name: x509.Name,
    public: ec.EllipticCurvePublicKey,
    *,
    issuer: x509.Name,
    issuer_public: ec.EllipticCurvePublicKey,
    path_length: int,
    span_s: tuple[int, int],
) -> x509.CertificateBuilder:
    now_s, lasts_s = span_s
    builder = _begun(name, public, issuer=issuer, now_s=now_s, until_s=now_s + lasts_s)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(_key_usage(is_authority=True), critical=True)
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)


def _begun(
    name: x509.Name, public: ec.EllipticCurvePublicKey, *, issuer: x509.Name, now_s: int, until_s: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(now_s - EARLIER_S, UTC))
        .not_valid_after(datetime.fromtimestamp(until_s, UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
