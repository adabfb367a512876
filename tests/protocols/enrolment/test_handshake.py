"""Enrolment: typing slips are told from unknown tokens, proofs bind token, key and co-op, and forms read back."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.consent.reduction import consent_toml, default_consent
from protocols.enrolment import handshake as enrolment
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import shard_of
from tests.protocols.wire.wire_samples import HUB_KEY, KEY

SECRETS = st.binary(min_size=16, max_size=16)
SECRET = bytes(range(16))
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
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


@given(secret=SECRETS)
def test_a_token_is_read_back_however_it_is_typed(secret: bytes) -> None:
    token = enrolment.token_text(secret)
    assert len(token) == 34
    for typed in (token, token.lower(), token.replace("-", " "), f" {token}\n", token.replace("0", "O")):
        assert enrolment.parse_token(typed) == secret
    assert enrolment.parse_token(token.replace("1", "l").replace("0", "o")) == secret


@given(secret=SECRETS, at=st.integers(0, 27), letter=st.sampled_from(LETTERS))
def test_every_single_wrong_letter_is_noticed(secret: bytes, at: int, letter: str) -> None:
    letters = enrolment.token_text(secret).replace("-", "")
    wrong = letters[:at] + letter + letters[at + 1 :]
    if wrong != letters:
        with pytest.raises(ValueError, match="mistyped"):
            enrolment.parse_token(wrong)


@given(secret=SECRETS, pair=st.lists(st.integers(0, 25), min_size=2, max_size=2, unique=True))
def test_every_swap_of_two_letters_is_noticed(secret: bytes, pair: list[int]) -> None:
    letters = list(enrolment.token_text(secret).replace("-", ""))
    one, two = pair
    if letters[one] != letters[two]:
        letters[one], letters[two] = letters[two], letters[one]
        with pytest.raises(ValueError, match="mistyped"):
            enrolment.parse_token("".join(letters))


@pytest.mark.parametrize("text", ["", "ABCD", "U" * 28, "0" * 27, "0" * 29, "x" * 10_000, "ä" * 28])
def test_what_is_no_token_is_said_in_one_line_without_the_token(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        enrolment.parse_token(text)
    assert "\n" not in str(caught.value)
    assert not text or text[:5] not in str(caught.value)


def test_a_token_is_sixteen_bytes() -> None:
    with pytest.raises(ValueError, match="16"):
        enrolment.token_text(b"short")
    assert enrolment.token_hash(SECRET) != enrolment.token_hash(bytes(16))


def test_a_request_proves_the_key() -> None:
    request = enrolment.parse_request(enrolment.build_request(KEY, token=SECRET, coop="sunny-street"))
    assert request.token == SECRET
    assert request.coop == "sunny-street"
    assert request.public_key == KEY.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("coop", "other-street"),
        ("token", enrolment.token_text(bytes(16))),
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
