"""Payloads by kind: every kind an agent sends reads back as its own message, and no other kind is read."""

from __future__ import annotations

import cbor2
import pytest
from hypothesis import given, settings

from protocols.wire.messages import ConsentNotice, PromptAnswer, encode_answer, encode_consent_notice
from protocols.wire.padding import encode_padded
from protocols.wire.payloads import decode_payload, encode_payload, head_of_payload
from protocols.wire.readings import Batch, encode_batch
from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.topics import CHAINED_KINDS, DOWN_KINDS
from tests.protocols.wire import wire_samples as samples

LINK = ("a1", 1, 2, bytes([7]) * 32)
CONSENT = ConsentNotice(*LINK, consent=b"consent")


@settings(max_examples=30)
@given(batch=samples.batches(), answer=samples.answers(), notice=samples.consent_notices())
def test_each_kind_reads_back_as_its_own_message(batch: Batch, answer: PromptAnswer, notice: ConsentNotice) -> None:
    for kind, message in (("batch", batch), ("answer", answer), ("consent", notice)):
        assert decode_payload(kind, encode_payload(message)) == message
    assert encode_payload(batch) == encode_batch(batch)
    assert encode_payload(answer) == encode_answer(answer)
    assert encode_payload(notice) == encode_consent_notice(notice)


@pytest.mark.parametrize("kind", CHAINED_KINDS)
def test_a_payload_under_another_kind_is_garbage(kind: str) -> None:
    payloads = {"batch": encode_payload(samples.BATCH), "consent": encode_payload(CONSENT)}
    for other, payload in payloads.items():
        if other == kind:
            assert decode_payload(kind, payload).header.agent == "a1"
        else:
            with pytest.raises(WireError) as caught:
                decode_payload(kind, payload)
            assert caught.value.reason is RefusalReason.GARBAGE


@pytest.mark.parametrize("kind", [*DOWN_KINDS, "", "Batch"])
def test_a_kind_that_no_agent_sends_is_not_read(kind: str) -> None:
    with pytest.raises(KeyError):
        decode_payload(kind, encode_payload(CONSENT))


def test_a_head_is_read_from_what_cannot_be_read_further() -> None:
    whole = cbor2.loads(encode_payload(CONSENT))
    later = encode_padded({**{key: whole[key] for key in (1, 2, 3, 4, 5)}, 1: 2, 9: "a field of a later version"})
    with pytest.raises(WireError):
        decode_payload("consent", later)
    assert head_of_payload(later) == head_of_payload(encode_payload(CONSENT)) == CONSENT.header


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"junk",
        cbor2.dumps([1, 2]),
        cbor2.dumps({1: 1, 2: "a1", 3: 1, 4: 2}),
        cbor2.dumps({1: "1", 2: "a1", 3: 1, 4: 2, 5: bytes([7]) * 32}),
        cbor2.dumps({1: 1, 2: "a1", 3: 1, 4: 2, 5: bytes(32)}),
    ],
)
def test_what_has_no_head_is_garbage(payload: bytes) -> None:
    with pytest.raises(WireError) as caught:
        head_of_payload(payload)
    assert caught.value.reason is RefusalReason.GARBAGE
