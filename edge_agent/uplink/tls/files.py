"""The agent's TLS key and certificate, in the data folder beside its reading key: made, kept, and used to connect.

Files only; who issues certificates and when they are renewed is a matter of `enrolment` and `renewal`.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from protocols.durable_files import make_private_folder, write_durably
from protocols.enrolment.certificates import (
    MAX_CERTIFICATE_CHARS,
    MAX_CHAIN_CHARS,
    Validity,
    check_chain,
    check_root,
    read_validity,
    spki_of,
)
from protocols.errors import IdentityError

KEY_FILE = "tls.key"
CERTIFICATE_FILE = "tls.crt"
ROOT_FILE = "root.crt"
MAX_KEY_BYTES = 4096


class TlsFiles:
    """The TLS side of one agent's identity. It trusts one authority only."""

    def __init__(self, folder: Path, *, agent: str, root: str, first: str) -> None:
        """`root` and `first` are the root and the certificate of the enrolment, used until newer ones are stored."""
        self._folder = folder
        self._agent = agent
        self._enrolled_root = root
        self._first = first

    @property
    def root(self) -> str:
        """The co-op's root certificate (PEM): the one of the enrolment, or one that came after it."""
        kept = _read_text(self._folder / ROOT_FILE, most=MAX_CERTIFICATE_CHARS)
        with suppress(ValueError):
            check_root(kept)
            if read_validity(kept).begins_at > read_validity(self._enrolled_root).begins_at:
                return kept
        return self._enrolled_root

    def store_root(self, root: str) -> None:
        """Trust this root from now on and no other; whoever calls has checked whose it is. Raises: OSError."""
        write_durably(self._folder / ROOT_FILE, root.encode("ascii"), replace=True)

    def validity(self) -> Validity | None:
        """When the certificate in use is valid; None if there is none that fits this agent's key."""
        found = self._usable()
        return None if found is None else found[1]

    def request(self) -> bytes:
        """A certificate request for the TLS key, which is made if it is gone. Raises: IdentityError."""
        return certificate_request(self._folder, agent=self._agent)

    def store(self, pem: str) -> Validity:
        """Keep a new certificate; the old one is used until this one is whole on disk.

        Raises: ValueError if it is not for this agent and its key; OSError.
        """
        public_key = tls_public_key(self._folder) or b""
        validity = check_chain(pem, root_pem=self.root, agent=self._agent, public_key=public_key)
        write_durably(self._folder / CERTIFICATE_FILE, pem.encode("ascii"), replace=True)
        return validity

    def context(self) -> ssl.SSLContext:
        """What the agent connects to its broker with. Raises: OSError, ValueError if there is no certificate."""
        found = self._usable()
        if found is None:
            raise ValueError("no certificate fits this agent's TLS key")
        if found[0] != self._kept():
            # After a power cut during enrolment, or when the file was lost or damaged.
            write_durably(self._folder / CERTIFICATE_FILE, found[0].encode("ascii"), replace=True)
        context = trusting(self.root)
        context.load_cert_chain(self._folder / CERTIFICATE_FILE, self._folder / KEY_FILE)
        return context

    def _usable(self) -> tuple[str, Validity] | None:
        public_key = tls_public_key(self._folder)
        if public_key is None:
            return None
        for pem in (self._kept(), self._first):
            with suppress(ValueError):
                return pem, check_chain(pem, root_pem=self.root, agent=self._agent, public_key=public_key)
        return None

    def _kept(self) -> str:
        return _read_text(self._folder / CERTIFICATE_FILE, most=MAX_CHAIN_CHARS)


def _read_text(path: Path, *, most: int) -> str:
    """At most one character more than this of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1).decode("ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def trusting(root: str) -> ssl.SSLContext:
    """TLS 1.3 to servers whose certificate and host name this one authority (PEM) vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=root)
    return context


def certificate_request(folder: Path, *, agent: str) -> bytes:
    """A certificate request (PKCS #10 in DER) for the TLS key in this folder, made if there is none.

    Raises: IdentityError.
    """
    key = _tls_key(folder)
    if key is None:
        key = ec.generate_private_key(ec.SECP256R1())
        path = folder / KEY_FILE
        try:
            make_private_folder(folder)
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_durably(path, pem, replace=True)
        except OSError as cause:
            raise IdentityError(f"{path}: cannot be written: {cause.strerror or cause}") from None
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, agent)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
    return request.public_bytes(Encoding.DER)


def tls_public_key(folder: Path) -> bytes | None:
    """The public TLS key (SubjectPublicKeyInfo in DER); None if there is no usable key."""
    key = _tls_key(folder)
    return None if key is None else spki_of(key.public_key())


def _tls_key(folder: Path) -> ec.EllipticCurvePrivateKey | None:
    """The key in the folder; None if it is gone or damaged: a new one is then made and certified at the renewal."""
    path = folder / KEY_FILE
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            key = load_pem_private_key(file.read(MAX_KEY_BYTES), password=None)
    except (OSError, ValueError, TypeError):
        return None
    if mode & 0o077 or not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        # Others could read it: it is replaced rather than trusted.
        return None
    return key
