"""The envelope opens for exactly the signed bytes under exactly their topic, and for nothing else."""

from __future__ import annotations

import tracemalloc

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.wire import envelope, topics
from protocols.wire.envelope import MAX_SEALED_BYTES
from protocols.wire.refusal_reasons import RefusalReason, WireError
from tests.protocols.wire.wire_samples import HUB_KEY, KEY

TOPIC = topics.uplink_topic("sunny-street", "a-4k2f9c1d", kind="batch")
PUBLIC = KEY.public_key()


def refusal_of(sealed: bytes, topic: str = TOPIC) -> RefusalReason:
    with pytest.raises(WireError) as caught:
        envelope.open_sealed(sealed, topic, PUBLIC)
    assert "\n" not in str(caught.value)
    return caught.value.reason


LONG = st.builds(
    lambda part, size: (part * size)[:size],
    st.binary(min_size=1, max_size=40),
    st.integers(65_000 // 4, MAX_SEALED_BYTES - 86),
)


@given(payload=st.binary(max_size=600) | LONG)
def test_what_was_sealed_opens(payload: bytes) -> None:
    sealed = envelope.seal(KEY, TOPIC, payload)
    assert envelope.open_sealed(sealed, TOPIC, PUBLIC) == payload
    assert envelope.kid_of(sealed) == envelope.key_id(PUBLIC)
    assert len(envelope.batch_hash(sealed)) == 32


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256])
def test_any_flipped_bit_anywhere_fails(size: int) -> None:
    sealed = envelope.seal(KEY, TOPIC, bytes(size))
    for position in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[position // 8] ^= 1 << position % 8
        assert refusal_of(bytes(flipped)) in (RefusalReason.GARBAGE, RefusalReason.BAD_SIGNATURE)


@settings(max_examples=50)
@given(cut=st.integers(0, 341), tail=st.binary(max_size=3))
def test_cut_or_lengthened_messages_fail(cut: int, tail: bytes) -> None:
    sealed = envelope.seal(KEY, TOPIC, bytes(256))
    if (changed := sealed[:cut] + tail) != sealed:
        assert refusal_of(changed) in (RefusalReason.GARBAGE, RefusalReason.BAD_SIGNATURE)
    assert refusal_of(sealed + b"\x00" + tail) is RefusalReason.GARBAGE


@pytest.mark.parametrize(
    "other",
    [
        topics.uplink_topic("sunny-street", "a-4k2f9c1e", kind="batch"),
        topics.uplink_topic("other-street", "a-4k2f9c1d", kind="batch"),
        topics.uplink_topic("sunny-street", "a-4k2f9c1d", kind="answer"),
        TOPIC + " ",
        "",
    ],
)
def test_a_message_moved_to_another_topic_fails(other: str) -> None:
    assert refusal_of(envelope.seal(KEY, TOPIC, b"x"), other) is RefusalReason.BAD_SIGNATURE


def test_another_key_fails_also_with_a_borrowed_key_id() -> None:
    sealed = envelope.seal(HUB_KEY, TOPIC, b"x")
    assert refusal_of(sealed) is RefusalReason.BAD_SIGNATURE
    own = envelope.seal(KEY, TOPIC, b"x")
    assert refusal_of(own[:17] + sealed[17:]) is RefusalReason.BAD_SIGNATURE


def test_a_key_id_that_is_given_counts_like_the_keys_own() -> None:
    sealed = envelope.seal(KEY, TOPIC, b"payload")
    assert envelope.open_sealed(sealed, TOPIC, PUBLIC, kid=envelope.key_id(PUBLIC)) == b"payload"
    with pytest.raises(WireError) as caught:
        envelope.open_sealed(sealed, TOPIC, PUBLIC, kid=envelope.key_id(HUB_KEY.public_key()))
    assert caught.value.reason is RefusalReason.BAD_SIGNATURE


def test_both_names_of_the_algorithm_open_and_others_do_not() -> None:
    for alg in (0x27, 0x32):
        protected = b"\xa2\x01" + bytes([alg]) + b"\x04\x48" + envelope.key_id(PUBLIC)
        to_sign = envelope.sig_structure(protected, envelope.external_aad(TOPIC), b"x")
        sealed = b"\xd2\x84\x4d" + protected + b"\xa0\x41x\x58\x40" + KEY.sign(to_sign)
        assert envelope.open_sealed(sealed, TOPIC, PUBLIC) == b"x"
    assert refusal_of(sealed[:5] + b"\x26" + sealed[6:]) is RefusalReason.GARBAGE


def test_the_name_of_the_algorithm_is_signed() -> None:
    sealed = envelope.seal(KEY, TOPIC, b"x")
    assert refusal_of(sealed[:5] + b"\x27" + sealed[6:]) is RefusalReason.BAD_SIGNATURE


def test_too_large_is_refused_both_ways_before_anything_is_done() -> None:
    with pytest.raises(WireError) as caught:
        envelope.seal(KEY, TOPIC, bytes(MAX_SEALED_BYTES - 85))
    assert caught.value.reason is RefusalReason.OVERSIZED
    huge = bytes(50_000_000)
    tracemalloc.start()
    assert refusal_of(huge) is RefusalReason.OVERSIZED
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@given(noise=st.binary(max_size=400))
def test_noise_is_refused_with_a_reason(noise: bytes) -> None:
    assert refusal_of(noise) is RefusalReason.GARBAGE


@given(noise=st.binary(max_size=200))
def test_noise_behind_a_true_beginning_is_refused(noise: bytes) -> None:
    sealed = envelope.seal(KEY, TOPIC, bytes(64))
    assert refusal_of(sealed[:17] + noise) in (RefusalReason.GARBAGE, RefusalReason.BAD_SIGNATURE)


def test_equal_input_gives_equal_bytes() -> None:
    assert envelope.seal(KEY, TOPIC, b"x") == envelope.seal(KEY, TOPIC, b"x")


def test_key_ids_differ() -> None:
    fresh = Ed25519PrivateKey.generate().public_key()
    assert envelope.key_id(fresh) != envelope.key_id(PUBLIC)
    assert len(envelope.key_id(fresh)) == 8
