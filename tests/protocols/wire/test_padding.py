"""Padding: six sizes, nothing hidden in it, and one way to pad each length."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest

from protocols.quantities import Gap, Mark, Measure
from protocols.wire import envelope, padding, readings
from protocols.wire.readings import Column, DeviceState, Liveness
from protocols.wire.refusal_reasons import RefusalReason, WireError
from tests.protocols.wire.wire_samples import BATCH, KEY

ROOM = {size: size - envelope.OVERHEAD_BYTES for size in padding.SIZE_CLASSES}
"""The bytes of a payload in each size class."""


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


def body_of(body_bytes: int) -> dict[int, Any]:
    """Fields that take exactly this many bytes before the padding."""
    for content in range(body_bytes - 5, body_bytes - 2):
        fields = {1: bytes(content)}
        if len(cbor2.dumps(fields)) == body_bytes:
            return fields
    raise AssertionError(f"no field fills {body_bytes} bytes")


def test_the_sizes_are_the_documented_ones() -> None:
    assert padding.SIZE_CLASSES == (512, 1024, 2048, 4096, 8192, 16_384)
    assert list(ROOM.values()) == [426, 938, 1962, 4010, 8106, 16_298]


@pytest.mark.parametrize("size", padding.SIZE_CLASSES)
def test_a_message_is_in_the_smallest_class_that_holds_it(size: int) -> None:
    # Key, array head and an empty string are the least padding: 3 bytes.
    fitting = padding.encode_padded(body_of(ROOM[size] - 3))
    assert len(fitting) == ROOM[size]
    assert fitting.endswith(b"\x17\x81\x40")
    if size == padding.SIZE_CLASSES[-1]:
        with pytest.raises(WireError) as caught:
            padding.encode_padded(body_of(ROOM[size] - 2))
        assert caught.value.reason is RefusalReason.OVERSIZED
    else:
        larger = padding.SIZE_CLASSES[padding.SIZE_CLASSES.index(size) + 1]
        assert len(padding.encode_padded(body_of(ROOM[size] - 2))) == ROOM[larger]


@pytest.mark.parametrize(
    ("missing", "strings"),
    [
        (3, [b""]),
        (26, [bytes(23)]),
        (27, [b"", bytes(23)]),
        (28, [bytes(24)]),
        (259, [bytes(255)]),
        (260, [b"", bytes(255)]),
        (261, [bytes(256)]),
    ],
)
def test_the_padding_is_one_string_and_two_only_where_one_cannot_fill(missing: int, strings: list[bytes]) -> None:
    payload = padding.encode_padded(body_of(ROOM[512] - missing))
    assert len(payload) == ROOM[512]
    assert cbor2.loads(payload)[padding.PAD_KEY] == strings


@pytest.mark.parametrize("pad", [None, 0, b"", [5], ["text"], [b"\x00\x01"], {}])
def test_only_zero_bytes_are_padding(pad: Any) -> None:
    payload = padding.encode_padded(body_of(100))
    with pytest.raises(WireError) as caught:
        padding.require_padded(payload, pad)
    assert caught.value.reason is RefusalReason.GARBAGE
    assert "zero bytes" in caught.value.detail


def test_padding_split_in_another_way_is_refused() -> None:
    fields = body_of(100)
    split = [bytes(100), bytes(ROOM[512] - 100 - 2 - 102 - 2)]
    payload = cbor2.dumps({**fields, padding.PAD_KEY: split})
    assert len(payload) == ROOM[512]
    with pytest.raises(WireError, match="smallest size class"):
        padding.require_padded(payload, split)


def test_a_key_ends_every_payload_and_is_larger_than_any_other() -> None:
    fields = cbor2.loads(readings.encode_batch(BATCH))
    assert list(fields) == sorted(fields)
    assert list(fields)[-1] == padding.PAD_KEY == 23


def test_the_envelope_adds_what_the_sizes_count_on() -> None:
    payload = padding.encode_padded(body_of(100))
    assert len(envelope.seal(KEY, "cw1/c/10/a/up/batch", payload)) == 512
