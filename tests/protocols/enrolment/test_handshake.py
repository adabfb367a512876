"""Enrolment: request and answer are bound to token, keys and co-op; whoever sits between can change nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.enrolment import handshake as enrolment
from protocols.enrolment.answer import EnrolAnswer
from protocols.enrolment.token import EnrolToken, hub_hash_of
from protocols.public_keys import agent_name_of
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import shard_of
from tests.protocols.enrolment.test_answer import ANSWER as FILED
from tests.protocols.wire.wire_samples import HUB_KEY, KEY

COOP = "sunny-street"
PUBLIC = KEY.public_key().public_bytes_raw()
TOKEN = EnrolToken(bytes(range(16)), hub_hash_of(HUB_KEY.public_key().public_bytes_raw()))
OTHER_TOKEN = EnrolToken(bytes(16), TOKEN.hub_hash)
ANSWER = replace(FILED, agent=agent_name_of(PUBLIC), shard=shard_of(agent_name_of(PUBLIC)))
REQUEST = enrolment.build_request(KEY, token=TOKEN, coop=COOP).encode()


def reply(answer: EnrolAnswer = ANSWER, **changes: Any) -> str:
    kept: dict[str, Any] = {
        "agent_public_key": PUBLIC,
        "request": REQUEST,
        "token_key": TOKEN.key,
        "hub_key": HUB_KEY,
    }
    return enrolment.seal_answer(answer, **(kept | changes))


def opened(text: str | bytes) -> EnrolAnswer:
    return enrolment.open_answer(text, token=TOKEN, request=REQUEST, agent_public_key=PUBLIC)


def in_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_a_request_proves_the_key_and_the_token_and_holds_neither_secret() -> None:
    request = enrolment.parse_request(REQUEST)
    assert (request.id, request.coop, request.public_key) == (TOKEN.id, COOP, PUBLIC)
    assert request.is_from_holder(TOKEN.key)
    assert not request.is_from_holder(OTHER_TOKEN.key)
    for secret in (TOKEN.secret, TOKEN.key, KEY.private_bytes_raw()):
        assert in_base64(secret).encode() not in REQUEST
    assert enrolment.build_request(KEY, token=TOKEN, coop=COOP).encode() == REQUEST, "a repetition is the same bytes"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("coop", "other-street"),
        ("id", in_base64(OTHER_TOKEN.id)),
        ("public_key", in_base64(HUB_KEY.public_key().public_bytes_raw())),
        ("csr", in_base64(b"another request")),
        ("proof", "A" * 86),
    ],
)
def test_a_proof_fits_one_token_one_key_and_one_co_op(key: str, value: str) -> None:
    with pytest.raises(WireError) as caught:
        enrolment.parse_request(json.dumps(json.loads(REQUEST) | {key: value}))
    assert caught.value.reason is RefusalReason.BAD_SIGNATURE


def test_a_key_under_which_anybody_signs_is_refused() -> None:
    identity = (1).to_bytes(32, "little")
    fields = json.loads(REQUEST) | {"public_key": in_base64(identity), "proof": in_base64(identity + bytes(32))}
    with pytest.raises(WireError, match="public key is not usable"):
        enrolment.parse_request(json.dumps(fields))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": 2}, "version: 2, expected 3: agent and hub must be of releases that fit together"),
        ({"version": 10**30}, "version: ?, expected 3"),
        ({"version": True}, "enrolment request: expected an object with exactly"),
        ({"coop": "UPPER"}, "coop: expected 1 to 32"),
        ({"coop": None}, "coop: expected 1 to 32"),
        ({"id": 5}, "id: expected a text"),
        ({"csr": "A" * 1367}, "csr: expected at most 1024 bytes"),
        ({"csr": None}, "csr: expected a text"),
        ({"public_key": "AAAA"}, "public_key: expected 32 bytes"),
        ({"public_key": "=" * 43}, "public_key: expected 32 bytes"),
        ({"public_key": "A" * 42 + "B"}, "public_key: expected 32 bytes"),
        ({"proof": "A" * 87}, "proof: expected 64 bytes"),
        ({"mac": "A" * 42}, "mac: expected 32 bytes"),
        ({"more": 1}, "enrolment request: expected an object with exactly"),
    ],
)
def test_a_malformed_request_gets_one_line(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError) as caught:
        enrolment.parse_request(json.dumps(json.loads(REQUEST) | change))
    assert str(caught.value).startswith(named)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 3000, "x" * 5000, '{"a": 1, "a": 2}', b"\xff\xfe"])
def test_what_is_no_request_gets_one_line(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="enrolment request"):
        enrolment.parse_request(text)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_only_plain_utf_8_is_read(encoding: str) -> None:
    with pytest.raises(ValueError, match="enrolment request: not JSON"):
        enrolment.parse_request(REQUEST.decode().encode(encoding))


def test_the_largest_request_is_read_and_one_byte_more_is_not() -> None:
    assert enrolment.parse_request(REQUEST.ljust(enrolment.MAX_REQUEST_BYTES)).id == TOKEN.id
    with pytest.raises(ValueError, match="enrolment request: larger than 4096 bytes"):
        enrolment.parse_request(REQUEST.ljust(enrolment.MAX_REQUEST_BYTES + 1))


def test_an_answer_reads_back_and_holds_no_secret() -> None:
    text = reply()
    assert opened(text) == opened(text.encode()) == ANSWER
    for secret in (TOKEN.secret, TOKEN.key):
        assert in_base64(secret) not in text


def forged(change: Callable[[dict[str, Any]], None]) -> str:
    fields = json.loads(reply())
    change(fields)
    return json.dumps(fields)


STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
STRANGER_ANSWER = replace(ANSWER, hub_public_key=STRANGER.public_key().public_bytes_raw())
CASES = {
    "a hub that does not know the token": (reply(token_key=OTHER_TOKEN.key), "a hub that knows the token"),
    "a hub key that is not the token's": (reply(STRANGER_ANSWER, hub_key=STRANGER), "not the one in the token"),
    "signed by another key than it names": (reply(hub_key=STRANGER), "the hub did not sign it"),
    "for another agent": (
        reply(replace(ANSWER, agent="a-1", shard=shard_of("a-1"))),
        "for another agent's key",
    ),
    "for another agent's key": (reply(agent_public_key=bytes(32)), "for another agent's key"),
    "to another request": (reply(request=REQUEST + b" "), "it answers another request"),
    "one bit of the signature": (
        forged(lambda fields: fields.update(signature="A" * 86)),
        "the hub did not sign it",
    ),
    "one bit of the content": (
        forged(lambda fields: fields.update(document=fields["document"][:-4] + "AAAA")),
        "a hub that knows the token",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_from_anybody_else_is_refused(case: str) -> None:
    text, words = CASES[case]
    with pytest.raises(WireError, match=words) as caught:
        opened(text)
    assert caught.value.reason is RefusalReason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 1}', json.dumps({"version": 3, "document": "A", "signature": "", "mac": ""})],
)
def test_what_is_no_answer_gets_one_line(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        opened(text)
    assert "\n" not in str(caught.value)


def test_an_answer_no_agent_would_take_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="hub_public_key: not a usable Ed25519 key"):
        reply(replace(ANSWER, hub_public_key=bytes(32)))


def test_the_signed_bytes_carry_their_own_labels() -> None:
    """The same content under the label of another step, or of the wire, verifies nowhere."""
    fields = json.loads(reply())
    document = base64.urlsafe_b64decode(fields["document"] + "=" * (-len(fields["document"]) % 4))
    for label in (b"commonwatt/3 enrol request\x00", b"commonwatt/1\x00", b""):
        signature = in_base64(HUB_KEY.sign(label + document))
        with pytest.raises(WireError, match="the hub did not sign it"):
            opened(json.dumps(fields | {"signature": signature}))


def test_a_repeated_key_is_refused() -> None:
    doubled = REQUEST.decode().replace("{", '{"coop": "sunny-street", ', 1)
    with pytest.raises(ValueError, match="enrolment request: not JSON: a key appears twice"):
        enrolment.parse_request(doubled)
