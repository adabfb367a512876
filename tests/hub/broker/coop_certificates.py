"""A co-op's root, working authority and certificates, made for tests with plain X.509 and none of our own code."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from hub.broker.mosquitto_files import HomesListener

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
Issuer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


class CoopCertificates:
    """An authority in memory; `identity` writes a certificate with its chain, and its key, into the folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.root = _certificate("root", None, path_length=1)
        self.working = _certificate("working", self.root, path_length=0)
        self.root_file = folder / "root.pem"
        self.root_file.write_bytes(_pem(self.root[0]))

    def identity(
        self, name: str, *, usage: ObjectIdentifier = CLIENT, days: tuple[float, float] = (-1, 30), file: str = ""
    ) -> tuple[Path, Path]:
        """The files of a certificate of this name, valid between these days from now, and of its key."""
        made, key = _certificate(name, self.working, usage=usage, days=days)
        place = self.folder / (file or name)
        place.with_suffix(".pem").write_bytes(_pem(made) + _pem(self.working[0]))
        place.with_suffix(".key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return place.with_suffix(".pem"), place.with_suffix(".key")

    def listener(self, port: int) -> HomesListener:
        """The listener for homes with a server's certificate for this computer."""
        certificate, key = self.identity("hub", usage=SERVER, file="server")
        return HomesListener(port, self.root_file, certificate, key)


def _certificate(
    name: str,
    issuer: Issuer | None,
    *,
    path_length: int | None = None,
    usage: ObjectIdentifier | None = None,
    days: tuple[float, float] = (-1, 30),
) -> Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer[0].subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(path_length is not None, path_length), critical=True)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if usage == SERVER:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    if usage is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key if issuer is None else issuer[1], hashes.SHA256()), key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
