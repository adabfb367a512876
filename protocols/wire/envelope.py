"""The signed envelope of every message: one exact form of COSE_Sign1 with Ed25519 that signs the topic too.

Source: RFC 9052 sections 4.2 and 4.4. The bytes signed are the bytes sent: nothing is re-encoded for the check.
"""

from __future__ import annotations

from hashlib import sha256

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocols.wire.refusal_reasons import RefusalReason, WireError, garbage

MAX_SEALED_BYTES = 16384
OVERHEAD_BYTES = 86
"""Sealed size minus payload size, for payloads of 256 to 65,535 bytes."""

LABEL = b"commonwatt/1"
KID_BYTES = 8

# The whole envelope before the payload is fixed except for the algorithm byte and the key id:
# tag 18, array of 4, byte string of 13: map of 2: 1 => alg, 4 => byte string of 8; then an empty map.
_HEAD = bytes.fromhex("d2844da201")
_ALG_ED25519 = 0x32  # -19, emitted: RFC 9864 names one algorithm exactly and deprecates -8
_ALG_EDDSA = 0x27  # -8, accepted: the only one that older COSE libraries can write
_KID_HEAD = b"\x04\x48"
_KID_AT = 8
_PAYLOAD_AT = 17
_SIGNATURE_HEAD = b"\x58\x40"


def seal(key: Ed25519PrivateKey, topic: str, payload: bytes) -> bytes:
    """The payload signed for one topic.

    Raises: WireError(OVERSIZED) if the result would exceed MAX_SEALED_BYTES.
    """
    protected = b"\xa2\x01" + bytes([_ALG_ED25519]) + _KID_HEAD + key_id(key.public_key())
    body = cbor2.dumps(payload)
    if len(body) + _PAYLOAD_AT + 66 > MAX_SEALED_BYTES:
        raise WireError(RefusalReason.OVERSIZED, f"a payload of {len(payload)} bytes does not fit into one message")
    signature = key.sign(sig_structure(protected, external_aad(topic), payload))
    return b"\xd2\x84\x4d" + protected + b"\xa0" + body + _SIGNATURE_HEAD + signature


def open_sealed(sealed: bytes, topic: str, key: Ed25519PublicKey, *, kid: bytes | None = None) -> bytes:
    """The payload, after checking that this key signed exactly these bytes for this topic.

    `kid` is the key's `key_id`, from whoever opens many messages under one key and keeps it.

    The algorithm number never chooses an algorithm: the key is an Ed25519 key and nothing else is tried.

    Raises: WireError(OVERSIZED, GARBAGE or BAD_SIGNATURE).
    """
    start, end = _bounds(sealed)
    if sealed[_KID_AT : _KID_AT + KID_BYTES] != (key_id(key) if kid is None else kid):
        raise WireError(RefusalReason.BAD_SIGNATURE, "signed by another key")
    payload = sealed[start:end]
    to_verify = sig_structure(sealed[3:16], external_aad(topic), payload)
    try:
        key.verify(sealed[end + 2 :], to_verify)
    except InvalidSignature:
        raise WireError(RefusalReason.BAD_SIGNATURE, "the signature is not valid") from None
    return payload


def payload_of(sealed: bytes) -> bytes:
    """The payload of a message sealed here before; its signature is not checked. Raises: WireError(GARBAGE)."""
    start, end = _payload_bounds(sealed)
    return sealed[start:end]


def kid_of(sealed: bytes) -> bytes:
    """The key id a message claims; nothing is verified yet.

    Raises: WireError(OVERSIZED or GARBAGE) if the envelope is not in the one accepted form.
    """
    _bounds(sealed)
    return sealed[_KID_AT : _KID_AT + KID_BYTES]


def key_id(public: Ed25519PublicKey) -> bytes:
    """The short name of a key: the first 8 bytes of the SHA-256 of its 32 bytes. A name, not a proof."""
    return sha256(public.public_bytes_raw()).digest()[:KID_BYTES]


def batch_hash(sealed: bytes) -> bytes:
    """The hash that links the chain: SHA-256 of the sealed bytes as sent. Units: 32 bytes."""
    return sha256(sealed).digest()


def external_aad(topic: str) -> bytes:
    """What is signed in addition to the message: the protocol's label, one zero byte, the topic in UTF-8."""
    return LABEL + b"\x00" + topic.encode("utf-8")


def sig_structure(protected: bytes, aad: bytes, payload: bytes) -> bytes:
    """The bytes a signature covers. Source: RFC 9052 section 4.4, Sig_structure with context Signature1."""
    return b"\x84\x6aSignature1" + cbor2.dumps(protected) + cbor2.dumps(aad) + cbor2.dumps(payload)


def _bounds(sealed: bytes) -> tuple[int, int]:
    """Where the payload of a message that is not too long begins and ends. Raises: WireError."""
    if len(sealed) > MAX_SEALED_BYTES:
        raise WireError(RefusalReason.OVERSIZED, f"{len(sealed)} bytes: at most {MAX_SEALED_BYTES} are allowed")
    return _payload_bounds(sealed)


def _payload_bounds(sealed: bytes) -> tuple[int, int]:
    # Fixed offsets accept exactly one encoding, which is stricter and faster than any parser.
    if len(sealed) <= _PAYLOAD_AT or sealed[:5] != _HEAD or sealed[6:8] != _KID_HEAD or sealed[16] != 0xA0:
        raise garbage("not the one accepted form of COSE_Sign1")
    if sealed[5] not in (_ALG_EDDSA, _ALG_ED25519):
        raise garbage("the algorithm is not Ed25519")
    start, length = _byte_string(sealed, _PAYLOAD_AT)
    end = start + length
    if len(sealed) != end + 66 or sealed[end : end + 2] != _SIGNATURE_HEAD:
        raise garbage("the payload is not followed by exactly one signature of 64 bytes")
    return start, end


def _byte_string(sealed: bytes, at: int) -> tuple[int, int]:
    first = sealed[at]
    if 0x40 <= first < 0x58:
        return at + 1, first - 0x40
    width = {0x58: 1, 0x59: 2}.get(first, 0)
    length = int.from_bytes(sealed[at + 1 : at + 1 + width])
    if width == 0 or length < (24 if width == 1 else 256):
        raise garbage("the payload is not a byte string in its shortest form")
    return at + 1 + width, length
