"""How a new agent enrols: the request that proves its key and its token, and the hub's signed answer.

Nothing is stored or sent here. Both sides are authenticated whatever the connection: by the token's key, which is never
sent, and the answer also by the hub's own key, whose hash is in the token. Nobody between can read the token or put
another key, certificate request or certificate in place of either one's.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.enrolment.answer import CONTENT_KEYS, MAX_ANSWER_BYTES, EnrolAnswer, content_fields, read_content
from protocols.enrolment.certificates import MAX_CSR_BYTES
from protocols.enrolment.json_fields import (
    read_any_bytes,
    read_bytes,
    read_id,
    read_object,
    to_base64,
    write_object,
)
from protocols.enrolment.token import EnrolToken
from protocols.public_keys import agent_name_of, is_signed, is_sound_key
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import require_id

VERSION = 3
MAX_REQUEST_BYTES = 4096
MAX_REPLY_BYTES = 2 * MAX_ANSWER_BYTES

_PROOF_LABEL = b"commonwatt/3 enrol proof\x00"
_REQUEST_LABEL = b"commonwatt/3 enrol request\x00"
_ANSWER_LABEL = b"commonwatt/3 enrol answer\x00"
_REQUEST_KEYS = {"version", "id", "coop", "public_key", "csr", "proof", "mac"}
_REPLY_KEYS = {"version", "document", "signature", "mac"}
_DOCUMENT_KEYS = CONTENT_KEYS | {"version", "agent_public_key", "request"}


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """An agent's request. `id` names the invitation; `proof` shows that the sender holds the private key.

    `csr` is a certificate request (PKCS #10 in DER) for the agent's TLS key, or empty if it wants no certificate.
    """

    id: bytes
    coop: str
    public_key: bytes
    csr: bytes
    proof: bytes
    mac: bytes

    def is_from_holder(self, token_key: bytes) -> bool:
        """Whether the sender knew the token with this key."""
        wanted = _mac(token_key, _REQUEST_LABEL, _claim(self.id, self.public_key, csr=self.csr, coop=self.coop))
        return hmac.compare_digest(self.mac, wanted)


def build_request(key: Ed25519PrivateKey, *, token: EnrolToken, coop: str, csr: bytes = b"") -> str:
    """The JSON text an agent posts to be enrolled with this key. The same arguments give the same bytes."""
    require_id(coop, "co-op")
    public_key = key.public_key().public_bytes_raw()
    claim = _claim(token.id, public_key, csr=csr, coop=coop)
    return write_object(
        {
            "version": VERSION,
            "id": to_base64(token.id),
            "coop": coop,
            "public_key": to_base64(public_key),
            "csr": to_base64(csr),
            "proof": to_base64(key.sign(_PROOF_LABEL + claim)),
            "mac": to_base64(_mac(token.key, _REQUEST_LABEL, claim)),
        }
    )


def parse_request(text: str | bytes) -> EnrolRequest:
    """A request whose proof of possession has been verified; whether the sender knew the token has not.

    Raises: ValueError with a one-line message; WireError(BAD_SIGNATURE) if the proof or the key is wrong.
    """
    fields = read_object(text, _REQUEST_KEYS, "enrolment request", version=VERSION, most=MAX_REQUEST_BYTES)
    request = EnrolRequest(
        id=read_bytes(fields, "id", size=32),
        coop=read_id(fields, "coop"),
        public_key=read_bytes(fields, "public_key", size=32),
        csr=read_any_bytes(fields, "csr", most=MAX_CSR_BYTES),
        proof=read_bytes(fields, "proof", size=64),
        mac=read_bytes(fields, "mac", size=32),
    )
    if not is_sound_key(request.public_key):
        raise WireError(RefusalReason.BAD_SIGNATURE, "the public key is not usable: make a new one")
    signed = _PROOF_LABEL + _claim(request.id, request.public_key, csr=request.csr, coop=request.coop)
    if not is_signed(request.public_key, request.proof, signed):
        raise WireError(RefusalReason.BAD_SIGNATURE, "the proof does not show that the sender holds the key")
    return request


def seal_answer(
    answer: EnrolAnswer, *, agent_public_key: bytes, request: bytes, token_key: bytes, hub_key: Ed25519PrivateKey
) -> str:
    """The JSON text of a hub's response to these request bytes. Raises: ValueError if no agent would accept it."""
    content = {"version": VERSION} | content_fields(answer)
    keys = {"agent_public_key": to_base64(agent_public_key), "request": to_base64(sha256(request).digest())}
    document = write_object(content | keys).encode("ascii")
    _read_document(document)
    return write_object(
        {
            "version": VERSION,
            "document": to_base64(document),
            "signature": to_base64(hub_key.sign(_ANSWER_LABEL + document)),
            "mac": to_base64(_mac(token_key, _ANSWER_LABEL, document)),
        }
    )


def open_answer(text: str | bytes, *, token: EnrolToken, request: bytes, agent_public_key: bytes) -> EnrolAnswer:
    """The answer to this request, from the hub that made this token and for this agent's key.

    Raises: ValueError with a one-line message; WireError(BAD_SIGNATURE) if it is not from that hub.
    """
    fields = read_object(text, _REPLY_KEYS, "enrolment answer", version=VERSION, most=MAX_REPLY_BYTES)
    document = read_any_bytes(fields, "document", most=MAX_ANSWER_BYTES)
    signature, mac = read_bytes(fields, "signature", size=64), read_bytes(fields, "mac", size=32)
    if not hmac.compare_digest(mac, _mac(token.key, _ANSWER_LABEL, document)):
        raise _foreign("it was not made by a hub that knows the token")
    answer, key, answered = _read_document(document)
    if not token.is_of_hub(answer.hub_public_key):
        raise _foreign("its hub key is not the one in the token")
    if not is_signed(answer.signing_key, signature, _ANSWER_LABEL + document):
        raise _foreign("the hub did not sign it")
    if key != agent_public_key or answer.agent != agent_name_of(agent_public_key):
        raise _foreign("it is for another agent's key")
    if answered != sha256(request).digest():
        raise _foreign("it answers another request")
    return answer


def _read_document(document: bytes) -> tuple[EnrolAnswer, bytes, bytes]:
    fields = read_object(document, _DOCUMENT_KEYS, "enrolment answer", version=VERSION, most=MAX_ANSWER_BYTES)
    key, request = read_bytes(fields, "agent_public_key", size=32), read_bytes(fields, "request", size=32)
    return read_content(fields), key, request


def _claim(token_id: bytes, public_key: bytes, *, csr: bytes, coop: str) -> bytes:
    return token_id + public_key + sha256(csr).digest() + coop.encode("ascii")


def _mac(key: bytes, label: bytes, content: bytes) -> bytes:
    return hmac.digest(key, label + content, "sha256")


def _foreign(detail: str) -> WireError:
    return WireError(RefusalReason.BAD_SIGNATURE, detail)
