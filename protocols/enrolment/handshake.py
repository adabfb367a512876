"""How a new agent enrols: the request that proves it holds its key, and the hub's response.

Nothing is stored or sent here. The one-time token in the request is defined in `token`. A hub stores only
the hash of a token.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocols.consent.text import MAX_TEXT_CHARS, parse_consent
from protocols.enrolment.token import parse_token, token_hash, token_text
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import is_id, require_id, shard_of

VERSION = 1
MAX_REQUEST_BYTES = 4096
MAX_ANSWER_BYTES = 4 * MAX_TEXT_CHARS

_REQUEST_KEYS = {"version", "token", "coop", "public_key", "proof"}
_ANSWER_KEYS = {
    "version",
    "coop",
    "home",
    "agent",
    "shard",
    "hub_public_key",
    "broker_host",
    "broker_port",
    "tz",
    "consent",
}


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """An agent's request. `token` is secret; `proof` shows that the sender holds the private key."""

    token: bytes
    coop: str
    public_key: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class EnrolAnswer:
    """Everything an agent needs to start working for its home. `consent` is TOML text as in `consent.text`."""

    coop: str
    home: str
    agent: str
    shard: int
    hub_public_key: bytes
    broker_host: str
    broker_port: int
    tz: str
    consent: str


def build_request(key: Ed25519PrivateKey, *, token: bytes, coop: str) -> str:
    """The JSON text an agent posts to be enrolled with this key."""
    require_id(coop, "co-op")
    public_key = key.public_key().public_bytes_raw()
    return _json(
        {
            "version": VERSION,
            "token": token_text(token),
            "coop": coop,
            "public_key": _to_base64(public_key),
            "proof": _to_base64(key.sign(proof_bytes(token, public_key, coop=coop))),
        }
    )


def parse_request(text: str | bytes) -> EnrolRequest:
    """A request whose proof of possession has been verified.

    Raises: ValueError with a one-line message; WireError(BAD_SIGNATURE) if the proof is wrong.
    """
    fields = _object(text, _REQUEST_KEYS, "enrolment request", most=MAX_REQUEST_BYTES)
    coop = _id(fields, "coop")
    request = EnrolRequest(
        token=parse_token(_text(fields, "token", most=200)),
        coop=coop,
        public_key=_from_base64(fields, "public_key", size=32),
        proof=_from_base64(fields, "proof", size=64),
    )
    try:
        key = Ed25519PublicKey.from_public_bytes(request.public_key)
        key.verify(request.proof, proof_bytes(request.token, request.public_key, coop=coop))
    except (InvalidSignature, ValueError):
        raise WireError(RefusalReason.BAD_SIGNATURE, "the proof does not show that the sender holds the key") from None
    return request


def proof_bytes(token: bytes, public_key: bytes, *, coop: str) -> bytes:
    """The bytes that the proof of possession signs: label, token hash, public key, co-op."""
    return b"commonwatt/1 enrol\x00" + token_hash(token) + public_key + coop.encode("ascii")


def build_answer(answer: EnrolAnswer) -> str:
    """The JSON text of a hub's response. Raises: ValueError for one that no agent would accept."""
    text = _json(
        {
            "version": VERSION,
            "coop": answer.coop,
            "home": answer.home,
            "agent": answer.agent,
            "shard": answer.shard,
            "hub_public_key": _to_base64(answer.hub_public_key),
            "broker_host": answer.broker_host,
            "broker_port": answer.broker_port,
            "tz": answer.tz,
            "consent": answer.consent,
        }
    )
    parse_answer(text)
    return text


def parse_answer(text: str | bytes) -> EnrolAnswer:
    """The inverse of `build_answer`. Raises: ValueError with a one-line message that names the key."""
    fields = _object(text, _ANSWER_KEYS, "enrolment answer", most=MAX_ANSWER_BYTES)
    answer = EnrolAnswer(
        coop=_id(fields, "coop"),
        home=_id(fields, "home"),
        agent=_id(fields, "agent"),
        shard=_whole(fields, "shard", most=63),
        hub_public_key=_from_base64(fields, "hub_public_key", size=32),
        broker_host=_text(fields, "broker_host", most=253),
        broker_port=_whole(fields, "broker_port", most=65535),
        tz=_text(fields, "tz", most=64),
        consent=_text(fields, "consent", most=MAX_TEXT_CHARS),
    )
    if answer.shard != shard_of(answer.agent):
        raise ValueError("shard: does not match the agent")
    if not answer.broker_port or not answer.broker_host:
        raise ValueError("broker_host, broker_port: expected a host and a port from 1 to 65535")
    _require_zone(answer.tz)
    if parse_consent(answer.consent).home != answer.home:
        raise ValueError("consent: home: does not match the home of the answer")
    return answer


def fingerprint(agent_public_key: bytes, hub_public_key: bytes) -> str:
    """Six digits that both sides show, so that people can check that agent and hub hold each other's keys."""
    seen = sha256(b"commonwatt/1 fingerprint\x00" + agent_public_key + hub_public_key).digest()
    digits = f"{int.from_bytes(seen[:8]) % 1_000_000:06d}"
    return f"{digits[:3]} {digits[3:]}"


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=True, indent=None)


def _object(text: str | bytes, keys: set[str], what: str, *, most: int) -> dict[str, Any]:
    if len(text) > most:
        raise ValueError(f"{what}: larger than {most} bytes")
    try:
        fields = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what}: not JSON: {str(error)[:80]}") from None
    if not isinstance(fields, dict) or set(fields) != keys:
        raise ValueError(f"{what}: expected an object with exactly {', '.join(sorted(keys))}")
    if type(fields["version"]) is not int or fields["version"] != VERSION:
        raise ValueError(f"version: expected {VERSION}")
    return fields


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key appears twice")
    return fields


def _text(fields: dict[str, Any], key: str, *, most: int) -> str:
    value = fields[key]
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(f"{key}: expected a text of at most {most} characters")
    return value


def _id(fields: dict[str, Any], key: str) -> str:
    value = fields[key]
    if not isinstance(value, str) or not is_id(value):
        raise ValueError(f"{key}: expected 1 to 32 of a-z, 0-9 and -")
    return value


def _whole(fields: dict[str, Any], key: str, *, most: int) -> int:
    value = fields[key]
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{key}: expected a whole number from 0 to {most}")
    return value


def _require_zone(tz: str) -> None:
    try:
        ZoneInfo(tz)
    except (KeyError, ValueError, OSError):
        raise ValueError("tz: expected a time zone like Europe/Berlin") from None


def _to_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _from_base64(fields: dict[str, Any], key: str, *, size: int) -> bytes:
    text = _text(fields, key, most=200)
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raw = b""
    # Only the canonical form is accepted: base64 decoders tolerate stray characters and trailing bits.
    if len(raw) != size or _to_base64(raw) != text:
        raise ValueError(f"{key}: expected {size} bytes in base64url without padding")
    return raw
