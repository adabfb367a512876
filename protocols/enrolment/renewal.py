"""How an enrolled agent gets its next certificate: a request signed by its reading key, and the hub's answer.

Nothing is stored or sent here. The exchange runs over TLS that is pinned to the co-op's root, and needs no certificate
of the agent, so that one that has expired can be renewed.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.enrolment.certificates import MAX_CHAIN_CHARS, MAX_CSR_BYTES
from protocols.enrolment.json_fields import (
    read_any_bytes,
    read_bytes,
    read_id,
    read_object,
    read_text,
    read_whole,
    to_base64,
    write_object,
)
from protocols.public_keys import is_signed

VERSION = 3
MAX_REQUEST_BYTES = 2048
MAX_ANSWER_BYTES = 2 * MAX_CHAIN_CHARS
MAX_CLOCK_OFF_S = 600
"""A request made further than this from the hub's time is refused: a captured one is of no use later."""

_LABEL = b"commonwatt/3 renew request\x00"
_REQUEST_KEYS = {"version", "agent", "csr", "at", "signature"}
_ANSWER_KEYS = {"version", "certificate"}
_LATEST_S = 2**40


@dataclass(frozen=True, slots=True)
class RenewRequest:
    """An agent's request for its next certificate, made at `at` (Unix seconds). `csr` is PKCS #10 in DER."""

    agent: str
    csr: bytes
    at: int
    signature: bytes

    def is_signed_by(self, public_key: bytes, *, coop: str) -> bool:
        """Whether the agent with this reading key made it, for this co-op."""
        return is_signed(public_key, self.signature, _signed(self.agent, csr=self.csr, at=self.at, coop=coop))


def build_renewal(key: Ed25519PrivateKey, *, agent: str, coop: str, csr: bytes, at: int) -> str:
    """The JSON text an agent posts to get its next certificate."""
    return write_object(
        {
            "version": VERSION,
            "agent": agent,
            "csr": to_base64(csr),
            "at": at,
            "signature": to_base64(key.sign(_signed(agent, csr=csr, at=at, coop=coop))),
        }
    )


def parse_renewal(text: str | bytes) -> RenewRequest:
    """A request whose signature has not been checked. Raises: ValueError with a one-line message."""
    fields = read_object(text, _REQUEST_KEYS, "renewal request", version=VERSION, most=MAX_REQUEST_BYTES)
    return RenewRequest(
        agent=read_id(fields, "agent"),
        csr=read_any_bytes(fields, "csr", most=MAX_CSR_BYTES),
        at=read_whole(fields, "at", most=_LATEST_S),
        signature=read_bytes(fields, "signature", size=64),
    )


def build_renewed(certificate_pem: str) -> str:
    """The JSON text of a hub's answer."""
    return write_object({"version": VERSION, "certificate": certificate_pem})


def parse_renewed(text: str | bytes) -> str:
    """The certificate with those that issued it (PEM), not yet checked. Raises: ValueError with a one-line message."""
    fields = read_object(text, _ANSWER_KEYS, "renewal answer", version=VERSION, most=MAX_ANSWER_BYTES)
    return read_text(fields, "certificate", most=MAX_CHAIN_CHARS)


def _signed(agent: str, *, csr: bytes, at: int, coop: str) -> bytes:
    # A zero byte cannot be part of a name, so that no two pairs of names give the same bytes.
    names = coop.encode("ascii") + b"\x00" + agent.encode("ascii")
    return _LABEL + at.to_bytes(8) + sha256(csr).digest() + names
