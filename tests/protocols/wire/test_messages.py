"""Every kind of message reads back as it was written, has one of six sizes, and has no second spelling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire import envelope, messages, padding, readings, receipts, revocations
from protocols.wire.field_checks import MAX_SECONDS
from protocols.wire.refusal_reasons import RefusalReason, WireError
from tests.protocols.wire import wire_samples as samples

FORMS: list[tuple[str, Any, Callable[[Any], bytes], Callable[[bytes], Any]]] = [
    ("batch", samples.batches(), readings.encode_batch, readings.decode_batch),
    ("answer", samples.answers(), messages.encode_answer, messages.decode_answer),
    ("consent", samples.consent_notices(), messages.encode_consent_notice, messages.decode_consent_notice),
    ("prompt", samples.prompts(), messages.encode_prompt, messages.decode_prompt),
    ("receipt", samples.receipts(), receipts.encode_receipt, receipts.decode_receipt),
    ("revoked", samples.revocations(), revocations.encode_revocation, revocations.decode_revocation),
]
IDS = [form[0] for form in FORMS]


@pytest.mark.parametrize(("kind", "drawn", "encode", "decode"), FORMS, ids=IDS)
def test_reads_back_as_written_and_has_one_of_six_sizes(kind: str, drawn: Any, encode: Any, decode: Any) -> None:
    @given(message=drawn)
    def holds(message: Any) -> None:
        payload = encode(message)
        assert decode(payload) == message
        assert len(payload) + envelope.OVERHEAD_BYTES in padding.SIZE_CLASSES

    holds()


@pytest.mark.parametrize(("kind", "drawn", "encode", "decode"), FORMS, ids=IDS)
def test_no_second_spelling(kind: str, drawn: Any, encode: Any, decode: Any) -> None:
    """Whatever single byte is changed: it is refused, or it means something else and is written just like that."""
    refused: set[RefusalReason] = set()

    @given(message=drawn, where=st.integers(0, 10**6), change=st.integers(1, 255))
    def holds(message: Any, where: int, change: int) -> None:
        payload = bytearray(encode(message))
        payload[where % len(payload)] ^= change
        try:
            other = decode(bytes(payload))
        except WireError as error:
            refused.add(error.reason)
            return
        assert other != message
        assert encode(other) == bytes(payload)

    holds()
    assert refused <= {RefusalReason.GARBAGE, RefusalReason.OVERSIZED}


@pytest.mark.parametrize(("kind", "drawn", "encode", "decode"), FORMS, ids=IDS)
def test_any_field_of_another_type_is_refused(kind: str, drawn: Any, encode: Any, decode: Any) -> None:
    refused: set[RefusalReason] = set()
    odd = [True, False, 1.0, -1, 2**63, None, "x" * 40, "Ä", b"", [], [[]], [None], [["a", "b"]], {}, [1, 2, 3, 4]]

    @given(message=drawn, key=st.integers(1, 13), value=st.sampled_from(odd))
    def holds(message: Any, key: int, value: Any) -> None:
        fields = cbor2.loads(encode(message))
        fields.pop(padding.PAD_KEY)
        if key not in fields or (fields[key] == value and type(fields[key]) is type(value)):
            return
        fields[key] = value
        payload = padding.encode_padded(fields)
        try:
            assert encode(decode(payload)) == payload
        except WireError as error:
            refused.add(error.reason)

    holds()
    assert refused == {RefusalReason.GARBAGE}


@pytest.mark.parametrize(("kind", "drawn", "encode", "decode"), FORMS, ids=IDS)
def test_unknown_and_missing_keys_are_refused(kind: str, drawn: Any, encode: Any, decode: Any) -> None:
    @given(message=drawn, key=st.integers(1, 22))
    def holds(message: Any, key: int) -> None:
        fields = cbor2.loads(encode(message))
        fields.pop(padding.PAD_KEY)
        if key in fields:
            del fields[key]
        else:
            fields = dict(sorted((fields | {key: 0}).items()))
        with pytest.raises(WireError) as caught:
            decode(padding.encode_padded(fields))
        assert caught.value.reason is RefusalReason.GARBAGE

    holds()


@given(noise=st.binary(max_size=500))
def test_noise_is_garbage_to_every_reader(noise: bytes) -> None:
    for _, _, _, decode in FORMS:
        with pytest.raises(WireError) as caught:
            decode(noise)
        assert caught.value.reason is RefusalReason.GARBAGE


PROMPT = messages.PromptNotice(
    prompt_id="p-17",
    appliance="dishwasher_2",
    usual_first_slot=100,
    usual_last_slot=107,
    proposed_first_slot=60,
    proposed_last_slot=60,
    energy_wh=1200,
    reasons=(("relief_wh", -10),),
    answer_by=86_400,
)
ANSWER = messages.PromptAnswer(
    *("a1", 1, 2, bytes([7]) * 32), prompt_id="p-17", choice=messages.AnswerChoice.NO, at=1_764_000_000
)
NOTICE = messages.ConsentNotice("a1", 1, 2, bytes([7]) * 32, b"consent")


def refusal_of(encode: Callable[[Any], bytes], message: Any) -> str:
    with pytest.raises(WireError) as caught:
        encode(message)
    assert caught.value.reason is RefusalReason.GARBAGE
    return caught.value.detail


def test_the_fields_of_each_message_are_the_documented_ones() -> None:
    head = {1: 1, 2: "a1", 3: 1, 4: 2, 5: bytes([7]) * 32}
    assert without_padding(messages.encode_answer(ANSWER)) == {**head, 6: "p-17", 7: 1, 8: 1_764_000_000}
    assert without_padding(messages.encode_consent_notice(NOTICE)) == {**head, 6: b"consent"}
    assert without_padding(messages.encode_prompt(PROMPT)) == {
        1: 1,
        2: "p-17",
        3: "dishwasher_2",
        4: 100,
        5: 107,
        6: 60,
        7: 60,
        8: 1200,
        9: [["relief_wh", -10]],
        10: 86_400,
    }


def without_padding(payload: bytes) -> dict[int, Any]:
    fields: dict[int, Any] = cbor2.loads(payload)
    del fields[padding.PAD_KEY]
    return fields


def test_each_choice_has_its_documented_number() -> None:
    numbers = {
        choice: without_padding(messages.encode_answer(replace(ANSWER, choice=choice)))[7]
        for choice in messages.AnswerChoice
    }
    assert numbers == {
        messages.AnswerChoice.YES: 0,
        messages.AnswerChoice.NO: 1,
        messages.AnswerChoice.NEVER_APPLIANCE: 2,
    }


@pytest.mark.parametrize(
    "edge",
    [
        replace(PROMPT, usual_first_slot=0, proposed_last_slot=2**32 - 1, energy_wh=10**6, answer_by=2**40),
        replace(PROMPT, energy_wh=0, answer_by=0, usual_last_slot=100),
        replace(PROMPT, reasons=(("a", -(10**9)), ("b", 10**9)) * 4),
        replace(PROMPT, reasons=(), appliance="a" * 32, prompt_id="0" * 32),
    ],
)
def test_the_limits_of_a_prompt_are_allowed(edge: messages.PromptNotice) -> None:
    assert messages.decode_prompt(messages.encode_prompt(edge)) == edge


@pytest.mark.parametrize(
    ("beyond", "named"),
    [
        (replace(PROMPT, proposed_last_slot=2**32), "slot"),
        (replace(PROMPT, usual_first_slot=-1), "slot"),
        (replace(PROMPT, usual_last_slot=99), "a run ends before it begins"),
        (replace(PROMPT, proposed_first_slot=61), "a run ends before it begins"),
        (replace(PROMPT, energy_wh=10**6 + 1), "the energy in Wh is not a whole number from 0 to 1000000"),
        (replace(PROMPT, energy_wh=-1), "energy"),
        (replace(PROMPT, answer_by=2**40 + 1), "time to answer by"),
        (replace(PROMPT, reasons=(("a", 1),) * 9), "more than 8 reasons"),
        (replace(PROMPT, reasons=(("a", 10**9 + 1),)), "number of a reason"),
        (replace(PROMPT, reasons=(("a", -(10**9) - 1),)), "number of a reason"),
        (replace(PROMPT, reasons=(("1a", 1),)), "the reason does not have the form of a name"),
        (replace(PROMPT, appliance="Dishwasher"), "the appliance does not have the form of a name"),
        (replace(PROMPT, appliance="a" * 33), "appliance"),
        (replace(PROMPT, prompt_id="p_17"), "the prompt id does not have the form of a name"),
    ],
)
def test_a_prompt_beyond_a_limit_is_not_written(beyond: messages.PromptNotice, named: str) -> None:
    assert named in refusal_of(messages.encode_prompt, beyond)


def test_the_limits_of_answers_and_consent_notices() -> None:
    latest = replace(ANSWER, at=MAX_SECONDS)
    assert messages.decode_answer(messages.encode_answer(latest)) == latest
    assert "the time of the answer in Unix seconds is not" in refusal_of(
        messages.encode_answer, replace(ANSWER, at=MAX_SECONDS + 1)
    )
    assert "an unknown choice" in refusal_of(messages.encode_answer, replace(ANSWER, choice="yes"))
    whole = replace(NOTICE, consent=bytes(messages.MAX_CONSENT_BYTES))
    assert messages.decode_consent_notice(messages.encode_consent_notice(whole)) == whole
    for wrong in (b"", bytes(messages.MAX_CONSENT_BYTES + 1), "text"):
        assert "1 to 8192 bytes" in refusal_of(messages.encode_consent_notice, replace(NOTICE, consent=wrong))


def test_a_message_of_another_version_or_kind_is_refused() -> None:
    fields = without_padding(messages.encode_answer(ANSWER))
    with pytest.raises(WireError, match="not an answer of version 1"):
        messages.decode_answer(padding.encode_padded(fields | {1: 2}))
    with pytest.raises(WireError, match="not a consent notice of version 1"):
        messages.decode_consent_notice(messages.encode_answer(ANSWER))
    with pytest.raises(WireError, match="not a prompt of version 1"):
        messages.decode_prompt(messages.encode_answer(ANSWER))
    with pytest.raises(WireError, match="choice is not a whole number from 0 to 2"):
        messages.decode_answer(padding.encode_padded(fields | {7: 3}))
