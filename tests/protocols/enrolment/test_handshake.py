"""Enrolment: proofs bind token, key and co-op; requests and answers read back, with every limit on both sides."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from protocols.consent.rules import default_consent
from protocols.consent.text import MAX_TEXT_CHARS, consent_toml
from protocols.enrolment import handshake as enrolment
from protocols.enrolment.token import token_hash, token_text
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import shard_of
from tests.protocols.wire.wire_samples import HUB_KEY, KEY

SECRET = bytes(range(16))
ANSWER = enrolment.EnrolAnswer(
    coop="sunny-street",
    home="h01",
    agent="a-4k2f9c1d",
    shard=shard_of("a-4k2f9c1d"),
    hub_public_key=HUB_KEY.public_key().public_bytes_raw(),
    broker_host="127.0.0.1",
    broker_port=1883,
    tz="Europe/Berlin",
    consent=consent_toml(default_consent("h01")),
)


def test_a_request_proves_the_key() -> None:
    request = enrolment.parse_request(enrolment.build_request(KEY, token=SECRET, coop="sunny-street"))
    assert request.token == SECRET
    assert request.coop == "sunny-street"
    assert request.public_key == KEY.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("coop", "other-street"),
        ("token", token_text(bytes(16))),
        ("public_key", base64.urlsafe_b64encode(HUB_KEY.public_key().public_bytes_raw()).decode().rstrip("=")),
        ("proof", "A" * 86),
    ],
)
def test_a_proof_fits_one_token_one_key_and_one_co_op(key: str, value: str) -> None:
    fields = json.loads(enrolment.build_request(KEY, token=SECRET, coop="sunny-street"))
    with pytest.raises(WireError) as caught:
        enrolment.parse_request(json.dumps(fields | {key: value}))
    assert caught.value.reason is RefusalReason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": True},
        {"coop": "UPPER"},
        {"coop": None},
        {"token": 5},
        {"public_key": "AAAA"},
        {"public_key": "=" * 43},
        {"public_key": "A" * 42 + "B"},
        {"proof": "A" * 87},
        {"more": 1},
    ],
)
def test_a_malformed_request_gets_one_line(change: dict[str, object]) -> None:
    fields = json.loads(enrolment.build_request(KEY, token=SECRET, coop="sunny-street"))
    with pytest.raises(ValueError) as caught:
        enrolment.parse_request(json.dumps(fields | change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 3000, "x" * 5000, '{"a": 1, "a": 2}', b"\xff\xfe"])
def test_what_is_no_request_gets_one_line(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="enrolment request"):
        enrolment.parse_request(text)


def test_an_answer_reads_back() -> None:
    assert enrolment.parse_answer(enrolment.build_answer(ANSWER)) == ANSWER


@pytest.mark.parametrize(
    "wrong",
    [
        replace(ANSWER, shard=(ANSWER.shard + 1) % 64),
        replace(ANSWER, hub_public_key=b"short"),
        replace(ANSWER, broker_port=0),
        replace(ANSWER, broker_port=70_000),
        replace(ANSWER, broker_host=""),
        replace(ANSWER, tz="Mars/Olympus"),
        replace(ANSWER, home="h02"),
        replace(ANSWER, consent="home = 1"),
        replace(ANSWER, agent="a/b"),
    ],
)
def test_an_answer_no_agent_would_take_is_not_built(wrong: enrolment.EnrolAnswer) -> None:
    with pytest.raises(ValueError):
        enrolment.build_answer(wrong)


def test_the_fingerprint_is_six_digits_of_both_keys() -> None:
    first = enrolment.fingerprint(KEY.public_key().public_bytes_raw(), ANSWER.hub_public_key)
    assert len(first.replace(" ", "")) == 6
    assert first != enrolment.fingerprint(ANSWER.hub_public_key, KEY.public_key().public_bytes_raw())


def test_the_largest_request_is_read_and_one_byte_more_is_not() -> None:
    text = enrolment.build_request(KEY, token=SECRET, coop="sunny-street")
    assert enrolment.parse_request(text.ljust(enrolment.MAX_REQUEST_BYTES)).token == SECRET
    assert enrolment.parse_request(text.ljust(enrolment.MAX_REQUEST_BYTES).encode()).token == SECRET
    with pytest.raises(ValueError, match="enrolment request: larger than 4096 bytes"):
        enrolment.parse_request(text.ljust(enrolment.MAX_REQUEST_BYTES + 1))


def test_the_largest_answer_is_read_and_one_byte_more_is_not() -> None:
    text = enrolment.build_answer(ANSWER)
    assert enrolment.parse_answer(text.ljust(enrolment.MAX_ANSWER_BYTES)) == ANSWER
    with pytest.raises(ValueError, match=f"enrolment answer: larger than {enrolment.MAX_ANSWER_BYTES} bytes"):
        enrolment.parse_answer(text.ljust(enrolment.MAX_ANSWER_BYTES + 1))


@pytest.mark.parametrize(
    "edge",
    [
        replace(ANSWER, broker_host="h" * 253),
        replace(ANSWER, broker_port=65535),
        replace(ANSWER, broker_port=1),
        replace(ANSWER, consent=ANSWER.consent.ljust(MAX_TEXT_CHARS)),
    ],
)
def test_the_limits_of_an_answer_are_allowed(edge: enrolment.EnrolAnswer) -> None:
    assert enrolment.parse_answer(enrolment.build_answer(edge)) == edge


@pytest.mark.parametrize(
    ("beyond", "named"),
    [
        (replace(ANSWER, broker_host="h" * 254), "broker_host: expected a text of at most 253 characters"),
        (replace(ANSWER, broker_port=65536), "broker_port: expected a whole number from 0 to 65535"),
        (replace(ANSWER, broker_port=0), "broker_host, broker_port: expected a host and a port from 1 to 65535"),
        (replace(ANSWER, consent=ANSWER.consent.ljust(MAX_TEXT_CHARS + 1)), "consent: expected a text of at most"),
        (replace(ANSWER, tz="x" * 65), "tz: expected a text of at most 64 characters"),
        (replace(ANSWER, tz="Mars/Olympus"), "tz: expected a time zone like Europe/Berlin"),
        (replace(ANSWER, shard=64), "shard: expected a whole number from 0 to 63"),
        (replace(ANSWER, shard=(ANSWER.shard + 1) % 64), "shard: does not match the agent"),
        (replace(ANSWER, home="h02"), "consent: home: does not match the home of the answer"),
    ],
)
def test_what_is_wrong_in_an_answer_is_named(beyond: enrolment.EnrolAnswer, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        enrolment.build_answer(beyond)


def test_the_proof_is_over_label_token_hash_key_and_co_op() -> None:
    public_key = KEY.public_key().public_bytes_raw()
    signed = enrolment.proof_bytes(SECRET, public_key, coop="sunny-street")
    assert signed == b"commonwatt/1 enrol\x00" + token_hash(SECRET) + public_key + b"sunny-street"


def test_a_repeated_key_is_refused() -> None:
    text = enrolment.build_request(KEY, token=SECRET, coop="sunny-street")
    doubled = text.replace("{", '{"coop": "sunny-street", ', 1)
    with pytest.raises(ValueError, match="enrolment request: not JSON: a key appears twice"):
        enrolment.parse_request(doubled)
