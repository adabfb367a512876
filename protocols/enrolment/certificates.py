"""What an agent checks in the certificates it is given: the co-op's root, and its own with the one that issued it.

Nothing is stored or asked here. The TLS library checks chains at each connection; this refuses what could never work.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

MAX_CERTIFICATE_CHARS = 4096
MAX_CHAIN_CHARS = 8192
MAX_CHAIN = 3
MAX_CSR_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Validity:
    """When a certificate is valid. Units: Unix seconds."""

    begins_at: int
    ends_at: int

    @property
    def renew_at(self) -> int:
        """When two thirds of it have passed."""
        return self.begins_at + (self.ends_at - self.begins_at) * 2 // 3


def check_root(pem: str) -> None:
    """Raises: ValueError with a one-line message unless this is exactly one root certificate of an authority."""
    found = _certificates(pem, what="root", most=MAX_CERTIFICATE_CHARS)
    if len(found) != 1:
        raise ValueError(f"root: expected one certificate, found {len(found)}")
    (root,) = found
    _require_issued_by(root, root, "root: not signed by its own key")
    if not _is_authority(root):
        raise ValueError("root: not the certificate of an authority")


def check_chain(pem: str, *, root_pem: str, agent: str, public_key: bytes) -> Validity:
    """When this agent's certificate is valid; the certificates that issued it follow it, up to below the root.

    `public_key` is the agent's TLS key as `spki_of` gives it. Raises: ValueError with a one-line message.
    """
    chain = _certificates(pem, what="certificate", most=MAX_CHAIN_CHARS)
    if not 1 <= len(chain) <= MAX_CHAIN:
        raise ValueError(f"certificate: expected 1 to {MAX_CHAIN} certificates, found {len(chain)}")
    check_root(root_pem)
    above = [*chain[1:], *_certificates(root_pem, what="root", most=MAX_CERTIFICATE_CHARS)]
    for each, issuer in zip(chain, above, strict=True):
        _require_issued_by(each, issuer, "certificate: not issued by the co-op's authority")
        if not _is_authority(issuer):
            raise ValueError("certificate: not issued by the co-op's authority")
    names = [str(each.value) for each in chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [agent]:
        raise ValueError("certificate: for another agent")
    if spki_of(chain[0].public_key()) != public_key:
        raise ValueError("certificate: for another key")
    return _validity(chain[0])


def read_validity(pem: str) -> Validity:
    """When the first of these certificates is valid. Raises: ValueError with a one-line message."""
    chain = _certificates(pem, what="certificate", most=MAX_CHAIN_CHARS)
    if not chain:
        raise ValueError("certificate: not in PEM form")
    return _validity(chain[0])


def spki_of(key: object) -> bytes:
    """A P-256 public key as SubjectPublicKeyInfo (DER). Raises: ValueError for any other key."""
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("certificate: expected an ECDSA P-256 key")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _certificates(pem: str, *, what: str, most: int) -> list[x509.Certificate]:
    if len(pem) > most:
        raise ValueError(f"{what}: larger than {most} characters")
    try:
        return x509.load_pem_x509_certificates(pem.encode("ascii"))
    except ValueError:
        raise ValueError(f"{what}: not in PEM form") from None


def _require_issued_by(each: x509.Certificate, issuer: x509.Certificate, otherwise: str) -> None:
    try:
        each.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        raise ValueError(otherwise) from None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def _validity(certificate: x509.Certificate) -> Validity:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Validity(int(begins.timestamp()), int(ends.timestamp()))
