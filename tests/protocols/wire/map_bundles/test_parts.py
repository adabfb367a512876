"""Parts of a bundle: any order gives the bundle, and parts of others never mix with it."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.envelope import MAX_SEALED_BYTES, OVERHEAD_BYTES
from protocols.wire.map_bundles.content import MAX_BUNDLE_BYTES
from protocols.wire.map_bundles.parts import (
    PART_BYTES,
    BundleAssembly,
    BundlePart,
    decode_part,
    encode_part,
    split_bundle,
)
from protocols.wire.padding import encode_padded
from protocols.wire.refusal_reasons import WireError

THREE = bytes(range(256)) * 160


@pytest.mark.parametrize("size", [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, MAX_BUNDLE_BYTES])
def test_each_part_comes_back_as_it_was_and_fits_into_a_message(size: int) -> None:
    parts = split_bundle(2**32 - 1, bytes(size))
    for part in parts:
        data = encode_part(part)
        assert decode_part(data) == part
        assert len(data) + OVERHEAD_BYTES <= MAX_SEALED_BYTES
    assert {part.parts for part in parts} == {len(parts)}
    assert b"".join(part.content for part in parts) == bytes(size)


@given(st.permutations(range(3)), st.lists(st.integers(0, 2), max_size=3))
def test_parts_in_any_order_and_some_twice_give_the_bundle_once(order: list[int], again: list[int]) -> None:
    assembly, parts = BundleAssembly(), split_bundle(5, THREE)
    for number in [*order[:2], *(each for each in again if each in order[:2])]:
        assert assembly.add(parts[number]) is None
        assert assembly.is_open
    assert assembly.add(parts[order[2]]) == THREE
    assert not assembly.is_open


def test_a_newer_bundle_takes_the_place_of_one_half_there_and_an_older_one_does_not() -> None:
    assembly, old, new = BundleAssembly(), split_bundle(5, THREE), split_bundle(6, THREE[1:])
    assembly.add(old[0])
    assembly.add(new[0])
    assert assembly.add(old[1]) is None
    assert assembly.add(old[2]) is None
    assert [assembly.add(part) for part in new[1:]] == [None, THREE[1:]]


def test_parts_that_give_another_bundle_than_they_name_are_refused() -> None:
    assembly, parts = BundleAssembly(), split_bundle(5, THREE)
    assembly.add(parts[0])
    assembly.add(parts[1])
    with pytest.raises(WireError, match="the bundle they name"):
        assembly.add(replace(parts[2], content=bytes(len(parts[2].content))))
    assert not assembly.is_open


PART = BundlePart(1, bytes(32), 5, 0, b"12345")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (replace(PART, serial=0), "the serial"),
        (replace(PART, digest=bytes(31)), "the digest"),
        (replace(PART, total_bytes=0), "the size"),
        (replace(PART, total_bytes=MAX_BUNDLE_BYTES + 1), "the size"),
        (replace(PART, number=1), "the number of the part"),
        (replace(PART, content=b"1234"), "does not have its 5 bytes"),
    ],
)
def test_a_part_that_breaks_a_rule_is_neither_written_nor_read(part: BundlePart, words: str) -> None:
    with pytest.raises(WireError, match=words):
        encode_part(part)
    fields = {1: 1, 2: part.serial, 3: part.digest, 4: part.total_bytes, 5: part.number, 6: part.content}
    with pytest.raises(WireError, match=words):
        decode_part(encode_padded(fields))


@given(st.integers(0, 425), st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_gives_another_part(at: int, flip: int) -> None:
    changed = bytearray(encode_part(PART))
    changed[at] ^= flip
    with suppress(WireError):
        assert decode_part(bytes(changed)) != PART
