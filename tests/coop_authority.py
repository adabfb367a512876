"""A co-op's authority made for tests with plain X.509 and none of our own code: any name, any time, any key."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY_S = 86400
LIFE_S = 30 * DAY_S
BEGINS_S = 1_700_000_000
ENDS_S = 4_000_000_000


@dataclass(frozen=True)
class Signer:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class TestAuthority:
    """Root and working certificate in memory. It issues as the hub's authority does, for `lasts_s` from `now_s`."""

    __test__ = False

    def __init__(self, name: str = "sonne", *, lasts_s: int = LIFE_S) -> None:
        self.lasts_s = lasts_s
        self.root = _signer(f"{name} root", None, path_length=1)
        self.working = _signer(f"{name} working", self.root, path_length=0)
        self.root_pem = _pem(self.root.certificate)
        self.issued = 0

    def issue_agent(self, csr_der: bytes, *, agent: str, now_s: int) -> bytes:
        """An agent's certificate with its chain; ValueError for what is no request."""
        request = x509.load_der_x509_csr(csr_der)
        public = request.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey) or not request.is_signature_valid:
            raise ValueError("csr: not good")
        self.issued += 1
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        span = (now_s, now_s + self.lasts_s)
        made = _certificate(agent, public, self.working, path_length=None, span=span, usage=usage)
        return _pem(made) + _pem(self.working.certificate)

    def server_context(
        self,
        folder: Path,
        *names: str,
        span: tuple[int, int] = (BEGINS_S, ENDS_S),
        asks: bool = False,
        newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ) -> ssl.SSLContext:
        """A server's side of TLS under these names; `asks` for agents' certificates."""
        certificate, key = self.server_files(folder, *names, span=span)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = newest
        context.maximum_version = newest
        context.load_cert_chain(certificate, key)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self.root_pem.decode())
        return context

    def server_files(self, folder: Path, *names: str, span: tuple[int, int] = (BEGINS_S, ENDS_S)) -> tuple[Path, Path]:
        """The files of a server's certificate with its chain, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        made = _certificate(
            names[0], key.public_key(), self.working, path_length=None, span=span, usage=usage, names=names
        )
        folder.mkdir(parents=True, exist_ok=True)
        certificate_file, key_file = folder / "server.pem", folder / "server.key"
        certificate_file.write_bytes(_pem(made) + _pem(self.working.certificate))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate_file, key_file


def _signer(name: str, issuer: Signer | None, *, path_length: int) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    return Signer(_certificate(name, key.public_key(), issuer, path_length=path_length, own=key), key)


def _certificate(
    name: str,
    public: ec.EllipticCurvePublicKey,
    issuer: Signer | None,
    *,
    path_length: int | None,
    span: tuple[int, int] = (BEGINS_S, ENDS_S),
    usage: x509.ObjectIdentifier | None = None,
    names: tuple[str, ...] = (),
    own: ec.EllipticCurvePrivateKey | None = None,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(span[0], UTC))
        .not_valid_after(datetime.fromtimestamp(span[1], UTC))
        .add_extension(x509.BasicConstraints(path_length is not None, path_length), critical=True)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False)
    signs = own if issuer is None else issuer.key
    assert signs is not None
    return builder.sign(signs, hashes.SHA256())


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
