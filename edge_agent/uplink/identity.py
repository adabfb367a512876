"""Who this agent is: its key, made on first use and never leaving the home, and the hub's answer at enrolment.

Files only; how an agent enrols is a matter of `enrolment`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from edge_agent.uplink.hub_keys import KnownHubKeys
from edge_agent.uplink.sealing import AgentSigner
from edge_agent.uplink.tls.files import TlsFiles
from protocols.consent.rules import ConsentSet
from protocols.consent.text import parse_consent
from protocols.durable_files import make_private_folder, write_durably
from protocols.enrolment.answer import EnrolAnswer, parse_answer
from protocols.errors import IdentityError

KEY_FILE = "identity.key"
ENROLMENT_FILE = "enrolment.json"
MAX_KEY_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Identity:
    """An enrolled agent. No text of this class contains the key. `tls` is None if its broker is on this computer."""

    signer: AgentSigner
    enrolment: EnrolAnswer
    tls: TlsFiles | None = None

    @property
    def consent(self) -> ConsentSet:
        """The consent that the hub has held for this home since enrolment."""
        return parse_consent(self.enrolment.consent)


def tls_of(folder: Path, enrolment: EnrolAnswer) -> TlsFiles | None:
    """The agent's TLS side; None if it reaches its broker without TLS."""
    if not enrolment.broker_tls:
        return None
    return TlsFiles(folder, agent=enrolment.agent, root=enrolment.root, first=enrolment.certificate)


def load_identity(folder: Path) -> Identity:
    """The identity in a data folder. Raises IdentityError if it was never enrolled or its files are damaged."""
    enrolment = load_enrolment(folder)
    key_path = folder / KEY_FILE
    if not key_path.exists():
        raise IdentityError(f"{key_path}: the key is gone: enrol again with a new token")
    signer = AgentSigner(enrolment.coop, enrolment.agent, load_key(key_path))
    return Identity(signer, enrolment, tls_of(folder, enrolment))


def load_enrolment(folder: Path) -> EnrolAnswer:
    """The hub's answer to this home's enrolment. Raises IdentityError."""
    path = folder / ENROLMENT_FILE
    try:
        return parse_answer(path.read_bytes())
    except FileNotFoundError:
        raise IdentityError(f"{path}: not enrolled yet: ask the co-op for a token, then run `enrol`") from None
    except OSError as cause:
        raise IdentityError(f"{path}: cannot be read: {cause.strerror}: run this as the user it belongs to") from None
    except ValueError as cause:
        raise IdentityError(f"{path}: cannot be used: {cause}: enrol again") from None


def hub_keys_of(folder: Path, enrolment: EnrolAnswer, *, now: Callable[[], float]) -> KnownHubKeys:
    """Whose receipts and prompts count. `now` is real time."""
    return KnownHubKeys(
        folder,
        coop=enrolment.coop,
        identity=enrolment.hub_public_key,
        first=enrolment.hub_certificate,
        now=now,
    )


def hub_key_words(enrolment: EnrolAnswer) -> str:
    """The hub's public key (its identity) as its pages show it: 64 hexadecimal digits."""
    return enrolment.hub_public_key.hex()


def own_key(folder: Path) -> Ed25519PrivateKey:
    """The key in this folder, created if there is none. Raises IdentityError."""
    path = folder / KEY_FILE
    try:
        if not path.exists():
            make_private_folder(folder)
            made = Ed25519PrivateKey.generate()
            write_durably(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), replace=True)
    except OSError as cause:
        raise IdentityError(f"{path}: cannot be written: {cause.strerror or cause}") from None
    return load_key(path)


def load_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a file that only its owner can read. Raises IdentityError."""
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            raw = file.read(MAX_KEY_BYTES)
    except OSError as cause:
        raise IdentityError(f"{path}: cannot be read: {cause.strerror or cause}") from None
    if mode & 0o077:
        raise IdentityError(
            f"{path}: others can read it: run `chmod 600 {path}`; if somebody may have read it, enrol again"
        )
    try:
        key = load_pem_private_key(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise IdentityError(f"{path}: expected an Ed25519 key in PEM: restore it, or enrol again with a new token")
    return key
