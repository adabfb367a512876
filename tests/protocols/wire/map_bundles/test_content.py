"""A bundle of maps: exact both ways, and whatever no hub writes refused before anything in it is believed."""

from contextlib import suppress
from dataclasses import replace

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.wire.map_bundles.content import (
    MAX_BUNDLE_BYTES,
    MAX_MAP_BYTES,
    MAX_MAPS,
    MapBundle,
    ReleasedMap,
    decode_bundle,
    encode_bundle,
    is_map_id,
    map_digest,
)
from protocols.wire.refusal_reasons import RefusalReason, WireError
from tests.protocols.wire.wire_samples import IDS, NUMBERS, SECONDS

BUNDLE = MapBundle(
    "sunny-street", 3, 1_795_212_000, (ReleasedMap("acme-1", "id = 1\n"), ReleasedMap("acme-2", "ä = 2\n"))
)
DATA = encode_bundle(BUNDLE)

MAP_IDS = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,6}){0,3}", fullmatch=True)


@st.composite
def bundles(draw: st.DrawFn) -> MapBundle:
    texts = draw(st.dictionaries(MAP_IDS, st.text(st.characters(codec="utf-8"), min_size=1, max_size=300), max_size=6))
    maps = tuple(ReleasedMap(name, texts[name]) for name in sorted(texts))
    return MapBundle(draw(IDS), draw(NUMBERS), draw(SECONDS), maps)


@given(bundles())
def test_a_bundle_comes_back_as_it_was(bundle: MapBundle) -> None:
    assert decode_bundle(encode_bundle(bundle)) == bundle


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_flipped_byte_never_gives_the_same_bundle_and_never_a_map_with_another_digest(at: int, flip: int) -> None:
    changed = bytearray(DATA)
    changed[at] ^= flip
    try:
        found = decode_bundle(bytes(changed))
    except WireError:
        return
    assert found != BUNDLE
    assert [each.text for each in found.maps] == [each.text for each in BUNDLE.maps]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_bundle_or_one_wire_error(data: bytes) -> None:
    with suppress(WireError):
        assert encode_bundle(decode_bundle(data)) == data


@pytest.mark.parametrize(
    "name", ["../acme", "a/b", "acme.toml", ".", "", "Acme", "acme--1", "-acme", "acme-", "acme\n", "a\\b", "a" * 81]
)
def test_an_id_that_is_more_than_a_name_is_refused(name: str) -> None:
    assert not is_map_id(name)
    text = "id = 1\n"
    row = {1: 1, 2: "sunny-street", 3: 1, 4: 0, 5: [[name, map_digest(text), text]]}
    with pytest.raises(WireError, match="the id of a map"):
        decode_bundle(cbor2.dumps(row))


ROW = ["acme-1", map_digest("id = 1\n"), "id = 1\n"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({1: 2, 2: "a", 3: 1, 4: 0, 5: []}, "version 1"),
        ({1: 1, 2: "a", 3: 1, 4: 0}, "version 1"),
        ({1: 1, 2: "A b", 3: 1, 4: 0, 5: []}, "the co-op's name"),
        ({1: 1, 2: "a", 3: 0, 4: 0, 5: []}, "the serial"),
        ({1: 1, 2: "a", 3: 2**32, 4: 0, 5: []}, "the serial"),
        ({1: 1, 2: "a", 3: 1, 4: -1, 5: []}, "the time of the release"),
        ({1: 1, 2: "a", 3: 1, 4: 0, 5: [ROW[:2]]}, "wrong number of fields"),
        ({1: 1, 2: "a", 3: 1, 4: 0, 5: [[*ROW[:2], "id = 2\n"]]}, "digest"),
        ({1: 1, 2: "a", 3: 1, 4: 0, 5: [[*ROW[:2], b"id = 1\n"]]}, "the text of a map"),
        ({1: 1, 2: "a", 3: 1, 4: 0, 5: [[*ROW[:2], ""]]}, "the text of a map"),
        ({1: 1, 2: "a", 3: 1, 4: 0, 5: [ROW, ROW]}, "ascending order"),
        ({1: 1, 2: "a", 3: 1, 4: 0, 5: [["b", *ROW[1:]], ["a", *ROW[1:]]]}, "ascending order"),
        ({1: 1, 2: "a", 3: 1, 4: 0, 5: 7}, "a list is missing"),
    ],
)
def test_what_no_hub_writes_is_refused(fields: dict[int, object], words: str) -> None:
    with pytest.raises(WireError, match=words):
        decode_bundle(cbor2.dumps(fields))


def test_a_bundle_has_limits_of_maps_and_bytes() -> None:
    large = "x" * MAX_MAP_BYTES
    with pytest.raises(WireError, match="the text of a map"):
        encode_bundle(replace(BUNDLE, maps=(ReleasedMap("a", large + "x"),)))
    with pytest.raises(WireError, match=f"more than {MAX_MAPS} maps"):
        encode_bundle(replace(BUNDLE, maps=tuple(ReleasedMap(f"m{n:02}", "x") for n in range(MAX_MAPS + 1))))
    with pytest.raises(WireError) as refused:
        encode_bundle(replace(BUNDLE, maps=tuple(ReleasedMap(f"m{n}", large) for n in range(8))))
    assert refused.value.reason is RefusalReason.OVERSIZED
    with pytest.raises(WireError) as refused:
        decode_bundle(bytes(MAX_BUNDLE_BYTES + 1))
    assert refused.value.reason is RefusalReason.OVERSIZED, "before anything is parsed"


def test_a_bundle_may_be_empty() -> None:
    assert decode_bundle(encode_bundle(replace(BUNDLE, maps=()))).maps == ()
