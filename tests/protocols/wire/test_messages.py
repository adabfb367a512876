"""Every kind of message reads back as it was written, has one of six sizes, and has no second spelling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.quantities import Gap, Mark, Measure
from protocols.wire import envelope, messages, padding, readings, receipts
from protocols.wire.readings import Batch, ClockTrust, Column, DeviceState, Liveness, LongInterval
from protocols.wire.refusal_reasons import RefusalReason, WireError
from tests.protocols.wire import wire_samples as samples

FORMS: list[tuple[str, Any, Callable[[Any], bytes], Callable[[bytes], Any]]] = [
    ("batch", samples.batches(), readings.encode_batch, readings.decode_batch),
    ("answer", samples.answers(), messages.encode_answer, messages.decode_answer),
    ("consent", samples.consent_notices(), messages.encode_consent_notice, messages.decode_consent_notice),
    ("prompt", samples.prompts(), messages.encode_prompt, messages.decode_prompt),
    ("receipt", samples.receipts(), receipts.encode_receipt, receipts.decode_receipt),
]
IDS = [form[0] for form in FORMS]

BATCH = Batch(
    *("a1", 1, 2, bytes([7]) * 32),
    boot=1,
    clock=ClockTrust.TRUSTED,
    consent_version=1,
    made_at=1_764_000_000,
    slot=1_960_003,
    columns=(
        Column(Measure.GRID_IMPORT, 1, 250, 0, Mark.MEASURED, Gap.NONE),
        Column(Measure.GRID_EXPORT, 1, 0, 0, Mark.MEASURED, Gap.NONE),
        Column(Measure.PV_PRODUCTION, 4, None, 0, Mark.MISSING, Gap.DEVICE_SILENT),
    ),
    long_intervals=(LongInterval(Measure.GRID_IMPORT, 1_960_000, 3, 900),),
    devices=(DeviceState("inverter", Liveness.ASLEEP, 30_000), DeviceState("meter", Liveness.OK, 2)),
)


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


@pytest.mark.parametrize("body_bytes", range(10, 1100))
def test_every_length_can_be_padded(body_bytes: int) -> None:
    payload = padding.encode_padded({1: bytes(body_bytes)})
    assert len(payload) + envelope.OVERHEAD_BYTES in padding.SIZE_CLASSES
    fields = cbor2.loads(payload)
    padding.require_padded(payload, fields[padding.PAD_KEY])
    assert sum(map(len, fields[padding.PAD_KEY])) + body_bytes < len(payload)


def test_padding_that_hides_something_or_wastes_space_is_refused() -> None:
    payload = readings.encode_batch(BATCH)
    for bad in (payload[:-1] + b"\x01", payload[:-1]):
        with pytest.raises(WireError):
            readings.decode_batch(bad)
    fields = cbor2.loads(payload)
    del fields[padding.PAD_KEY]
    body = cbor2.dumps(fields)
    wasteful = bytes([body[0] + 1]) + body[1:] + b"\x17\x81\x59" + (1024 - 86 - len(body) - 5).to_bytes(2)
    wasteful += bytes(1024 - 86 - len(wasteful))
    assert len(wasteful) == 1024 - 86
    with pytest.raises(WireError, match="smallest size class"):
        readings.decode_batch(wasteful)


def test_a_full_home_and_an_empty_one_send_the_same_size() -> None:
    everything = tuple(Column(measure, 1, 25_000, 0, Mark.MEASURED, Gap.NONE) for measure in Measure)
    devices = tuple(DeviceState(f"device-{n}", Liveness.SILENT, 86_400) for n in range(6))
    full = replace(BATCH, columns=everything, devices=devices)
    empty = replace(BATCH, columns=(), devices=(), long_intervals=())
    assert len(readings.encode_batch(full)) == len(readings.encode_batch(empty)) == 426


COLUMN = BATCH.columns[0]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(BATCH, columns=BATCH.columns[::-1]),
        replace(BATCH, columns=(COLUMN, COLUMN)),
        replace(BATCH, columns=(replace(COLUMN, energy=-1),)),
        replace(BATCH, columns=(replace(COLUMN, energy=True),)),
        replace(BATCH, columns=(replace(COLUMN, energy=1.0),)),
        replace(BATCH, columns=(replace(COLUMN, energy=None),)),
        replace(BATCH, columns=(replace(COLUMN, energy=10**9, scale=1),)),
        replace(BATCH, columns=(replace(COLUMN, scale=4),)),
        replace(BATCH, columns=(replace(COLUMN, scale=-1),)),
        replace(BATCH, columns=(replace(COLUMN, span=2),)),
        replace(BATCH, columns=(replace(COLUMN, span=96),)),
        replace(BATCH, columns=(replace(COLUMN, mark=Mark.PARTIAL),)),
        replace(BATCH, columns=(replace(COLUMN, mark=Mark.MISSING, gap=Gap.AGENT_OFF),)),
        replace(BATCH, columns=(replace(COLUMN, gap=Gap.AGENT_OFF),)),
        replace(BATCH, columns=(replace(COLUMN, energy=None, mark=Mark.MISSING),)),
        replace(BATCH, columns=(replace(COLUMN, energy=None, mark=Mark.MISSING, gap=Gap.NEVER_ARRIVED),)),
        replace(BATCH, seq=1),
        replace(BATCH, previous=bytes(32)),
        replace(BATCH, previous=bytes(31)),
        replace(BATCH, seq=0),
        replace(BATCH, epoch=0),
        replace(BATCH, agent="A"),
        replace(BATCH, slot=-1),
        replace(BATCH, slot=2**32),
        replace(BATCH, devices=(DeviceState("Inverter", Liveness.OK, 0),)),
        replace(BATCH, devices=BATCH.devices[::-1]),
        replace(BATCH, devices=(DeviceState("meter", Liveness.OK, -1),)),
        replace(BATCH, long_intervals=(LongInterval(Measure.GRID_IMPORT, 1_960_002, 3, 1),)),
        replace(BATCH, long_intervals=(LongInterval(Measure.GRID_IMPORT, 1_960_002, 0, 1),)),
    ],
)
def test_a_batch_that_contradicts_itself_is_neither_written_nor_read(wrong: Batch) -> None:
    with pytest.raises(WireError) as caught:
        readings.encode_batch(wrong)
    assert caught.value.reason is RefusalReason.GARBAGE
    fields = cbor2.loads(readings.encode_batch(BATCH))
    fields |= {2: wrong.agent, 3: wrong.epoch, 4: wrong.seq, 5: wrong.previous, 10: wrong.slot}
    fields[11] = [[int(c.measure), c.span, c.energy, c.scale, int(c.mark), int(c.gap)] for c in wrong.columns]
    fields[12] = [[int(i.measure), i.first_slot, i.slots, i.energy_wh] for i in wrong.long_intervals]
    fields[13] = [[d.name, list(Liveness).index(d.state), d.age_s] for d in wrong.devices]
    del fields[padding.PAD_KEY]
    with pytest.raises(WireError) as caught:
        readings.decode_batch(padding.encode_padded(fields))
    assert caught.value.reason is RefusalReason.GARBAGE


def test_energy_with_a_scale() -> None:
    assert replace(COLUMN, energy=12, scale=2).energy_wh == 1200
    assert BATCH.columns[2].energy_wh is None


def test_a_receipt_names_only_what_may_stand_in_it() -> None:
    good = receipts.Receipt("a1", 1, 5, bytes([1]) * 32, ((7, 8), (10, 10)), 0, ((3, RefusalReason.OUTSIDE_CONSENT),))
    assert receipts.decode_receipt(receipts.encode_receipt(good)) == good
    for wrong in (
        replace(good, head=bytes(32)),
        replace(good, through_seq=0),
        replace(good, gaps=((5, 6),)),
        replace(good, gaps=((8, 7),)),
        replace(good, gaps=((7, 8), (9, 9))),
        replace(good, refused=((6, RefusalReason.OUTSIDE_CONSENT),)),
        replace(good, refused=((3, RefusalReason.BAD_SIGNATURE),)),
        replace(good, refused=((3, RefusalReason.CLOCK_WINDOW), (3, RefusalReason.CLOCK_WINDOW))),
    ):
        with pytest.raises(WireError):
            receipts.encode_receipt(wrong)


def test_every_refusal_has_plain_words() -> None:
    for reason in RefusalReason:
        assert reason.plain_words.endswith(".")
    for vocabulary in (Measure, Mark, Gap):
        assert all(entry.label for entry in vocabulary)
