"""Hostile CBOR: everything but the one encoding of one value is refused with a reason and within bounded memory."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.wire import strict_cbor
from protocols.wire.refusal_reasons import RefusalReason, WireError

LEAVES = st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=300) | st.text(max_size=80) | st.none()
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=30)
        | st.dictionaries(st.integers(0, 2**64 - 1), inner, max_size=30).map(lambda d: dict(sorted(d.items())))
    ),
    max_leaves=12,
)

HOSTILE = {
    "empty": "",
    "two values": "0000",
    "cut number": "19ff",
    "cut text": "6261",
    "length beyond the end": "5bffffffffffffffff",
    "array longer than the message": "9b7fffffffffffffff",
    "map longer than the message": "bb7fffffffffffffff00",
    "array of 4 thousand million": "9affffffff",
    "indefinite array": "9f00ff",
    "indefinite map": "bf0000ff",
    "indefinite bytes": "5f4100ff",
    "indefinite text": "7f6161ff",
    "a break alone": "ff",
    "half float": "f90000",
    "float": "fa47c35000",
    "double": "fb3ff0000000000000",
    "NaN": "f97e00",
    "infinity": "f97c00",
    "minus zero": "f98000",
    "false": "f4",
    "true": "f5",
    "undefined": "f7",
    "simple value 16": "f0",
    "simple value 255": "f8ff",
    "positive bignum": "c249010000000000000000",
    "negative bignum": "c349010000000000000000",
    "small bignum": "c24101",
    "date": "c001",
    "shared value": "d81c80",
    "reference to it": "d81d00",
    "cycle": "d81c81d81d00",
    "regular expression": "d8236461282828",
    "set": "d901028101",
    "self-described": "d9d9f700",
    "decimal with a huge exponent": "c4821b7fffffffffffffff01",
    "long form of 0": "1800",
    "long form of 23": "1817",
    "long form of 255": "1900ff",
    "long form of 65535": "1a0000ffff",
    "long form of 2**32-1": "1b00000000ffffffff",
    "long form of -1": "3800",
    "long length": "580100",
    "reserved 28": "1c",
    "reserved 30 array": "9e00",
    "doubled key": "a200000001",
    "keys out of order": "a201000000",
    "text key": "a1616100",
    "negative key": "a12000",
    "array as key": "a18000",
    "key null": "a1f600",
    "map with odd items": "a100",
    "not UTF-8": "62c328",
    "surrogate": "63eda080",
    "overlong UTF-8": "62c080",
    "five deep": "8181818180",
    "deep map": "a100a100a100a100a100a0",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused_with_a_reason(name: str) -> None:
    with pytest.raises(WireError) as caught:
        strict_cbor.decode(bytes.fromhex(HOSTILE[name]))
    assert caught.value.reason is RefusalReason.GARBAGE
    assert caught.value.detail


def test_depth_of_sixteen_thousand_is_refused_at_once() -> None:
    for opening in (b"\x81", b"\xa1\x00", b"\xc6", b"\x9f"):
        with pytest.raises(WireError):
            strict_cbor.decode(opening * 8192)


def test_declared_lengths_cost_no_memory_and_no_time() -> None:
    bombs = [bytes.fromhex(text) for text in HOSTILE.values()] + [b"\x9a\x00\x00\x3f\x00" * 3000]
    tracemalloc.start()
    began = time.process_time()
    for bomb in bombs:
        with pytest.raises(WireError):
            strict_cbor.decode(bomb)
    assert time.process_time() - began < 2.0
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def _depth(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 0


@given(value=VALUES)
def test_every_value_has_one_encoding_and_it_reads_back(value: Any) -> None:
    data = cbor2.dumps(value)
    if _depth(value) > strict_cbor.MAX_DEPTH or _has_big(value):
        with pytest.raises(WireError):
            strict_cbor.decode(data)
    else:
        assert strict_cbor.decode(data) == value
        assert strict_cbor.encode(value) == data


def _has_big(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_has_big, value))
    if isinstance(value, dict):
        return any(map(_has_big, value.values()))
    return isinstance(value, int) and not -(2**64) <= value < 2**64


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The encoding of a small value, whole or with one byte changed, removed or added."""
    data = cbor2.dumps(draw(SMALL_VALUES))
    at = draw(st.integers(0, len(data) - 1))
    byte = bytes([draw(st.integers(0, 255))])
    return draw(st.sampled_from([data, data[:at] + byte + data[at + 1 :], data[:at] + data[at + 1 :], data + byte]))


SMALL_VALUES = st.recursive(
    st.integers(-1000, 100_000) | st.binary(max_size=30) | st.text(max_size=5) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(0, 30), inner, max_size=4).map(lambda d: dict(sorted(d.items())))
    ),
    max_leaves=6,
)


def test_whatever_is_read_would_be_written_the_same() -> None:
    read: set[type] = set()

    @settings(max_examples=200)
    @given(data=damaged() | st.binary(max_size=20))
    @example(data=b"\xf6")
    @example(data=b"\x05")
    @example(data=b"\x41a")
    @example(data=b"\x61a")
    @example(data=b"\x80")
    @example(data=b"\xa0")
    @example(data=b"\xff")
    def holds(data: bytes) -> None:
        try:
            value = strict_cbor.decode(data)
        except WireError as error:
            read.add(type(error))
            return
        read.add(type(value))
        assert strict_cbor.encode(value) == data
        assert cbor2.loads(data) == value

    holds()
    assert read == {WireError, int, bytes, str, type(None), list, dict}
