"""The co-op's certificate authority at work: it issues certificates to agents and to the hub's own servers.

Pure but for the randomness of keys; where its files are is a matter of `authority_files`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from hub.folder.setting_values import is_host
from hub.trust.certificates import CLIENT, DAY_S, SERVER, Key, ends_at, key_pem, make_leaf, new_key, pem_of
from protocols.errors import InputError
from protocols.wire.topics import is_id

AGENT_S: Final = 30 * DAY_S
SERVER_S: Final = 90 * DAY_S
MAX_REQUEST_BYTES: Final = 2048
MAX_NAMES: Final = 20
_MAX_COMMON_NAME: Final = 64


class AuthorityError(InputError):
    """A certificate cannot be issued, or the authority's files cannot be used; one line says why."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A server's certificate with its chain, its private key, and the second (Unix time) up to which it is valid."""

    chain_pem: bytes
    key_pem: bytes = field(repr=False)
    not_after_s: int


class Authority:
    """The root certificate, and the working certificate with its key. The root's key is not here."""

    def __init__(self, root: x509.Certificate, working: x509.Certificate, key: Key) -> None:
        self.root = root
        self.working = working
        self._key = key

    @property
    def root_pem(self) -> bytes:
        """The co-op's root certificate, which agents pin."""
        return pem_of(self.root)

    @property
    def chain_pem(self) -> bytes:
        """The working certificate, which goes with every certificate it has issued."""
        return pem_of(self.working)

    def issue_agent(self, csr_der: bytes, *, agent: str, now_s: int) -> bytes:
        """An agent's certificate with its chain (PEM), for the key in this request; its subject is ignored.

        Valid for 30 days, for connecting to the broker. Raises: AuthorityError with a sentence.
        """
        if not is_id(agent):
            raise AuthorityError("agent: expected an agent's id")
        public = _requested_key(csr_der)
        self._require_time(now_s)
        leaf = make_leaf(
            *((self.working, self._key), public),
            name=agent,
            usage=CLIENT,
            now_s=now_s,
            lasts_s=AGENT_S,
            # A second time as a name of the kind that RabbitMQ compares the client id with.
            hosts=(agent,),
        )
        return pem_of(leaf) + self.chain_pem

    def issue_server(self, names: Sequence[str], *, now_s: int, lasts_s: int = SERVER_S) -> ServerCertificate:
        """A certificate and a new key for a server that is reached under these host names and addresses.

        Raises: AuthorityError with a sentence.
        """
        if not 0 < len(names) <= MAX_NAMES or not all(is_host(name) for name in names):
            raise AuthorityError(f"expected 1 to {MAX_NAMES} host names or addresses for the hub's certificate")
        self._require_time(now_s)
        key, first = new_key(), names[0]
        leaf = make_leaf(
            (self.working, self._key),
            key.public_key(),
            name=first if len(first) <= _MAX_COMMON_NAME else "hub",
            usage=SERVER,
            now_s=now_s,
            lasts_s=lasts_s,
            hosts=names,
        )
        return ServerCertificate(pem_of(leaf) + self.chain_pem, key_pem(key), ends_at(leaf))

    def _require_time(self, now_s: int) -> None:
        if now_s >= ends_at(self.working):
            raise AuthorityError(
                "the co-op's working certificate has ended: make a new one with commonwatt-hub authority renew"
            )


def _requested_key(csr_der: bytes) -> ec.EllipticCurvePublicKey:
    if len(csr_der) > MAX_REQUEST_BYTES:
        raise AuthorityError(f"certificate request: larger than {MAX_REQUEST_BYTES} bytes")
    try:
        request = x509.load_der_x509_csr(csr_der)
        public = request.public_key()
        is_signed = request.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, x509.InvalidVersion):
        raise AuthorityError("certificate request: expected a PKCS #10 request in DER form") from None
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise AuthorityError("certificate request: expected an ECDSA P-256 key")
    if not is_signed:
        raise AuthorityError("certificate request: not signed by its own key")
    return public
