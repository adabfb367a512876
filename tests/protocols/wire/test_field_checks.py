"""Fields of payloads: one form of the map, whole numbers in their range, names of the one form."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.wire import strict_cbor
from protocols.wire.field_checks import read_fields, require_id, require_number
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import RefusalReason, WireError

KEYS = (1, 2, PAD_KEY)


def test_a_map_with_exactly_its_keys_is_read() -> None:
    fields = read_fields(encode_padded({1: 3, 2: "h01"}), KEYS, "a note", version=3)
    assert (fields[1], fields[2]) == (3, "h01")


@pytest.mark.parametrize(
    "data",
    [
        encode_padded({1: 4, 2: "h01"}),
        encode_padded({1: 3}),
        encode_padded({1: 3, 2: "h01", 3: 0}),
        strict_cbor.encode([3, "h01"]),
    ],
)
def test_any_other_map_is_named_as_no_such_payload(data: bytes) -> None:
    with pytest.raises(WireError, match="not a note of version 3") as caught:
        read_fields(data, KEYS, "a note", version=3)
    assert caught.value.reason is RefusalReason.GARBAGE


def test_a_map_must_be_padded() -> None:
    with pytest.raises(WireError, match="padded"):
        read_fields(strict_cbor.encode({1: 3, 2: "h01", PAD_KEY: [b""]}), KEYS, "a note", version=3)


@pytest.mark.parametrize("value", [2, 3, 9])
def test_a_whole_number_in_its_range_is_returned(value: int) -> None:
    assert require_number(value, "the count", least=2, most=9) == value


@pytest.mark.parametrize("value", [1, 10, -3, True, 2.0, "3", None, [3]])
def test_anything_else_is_refused_with_its_range(value: Any) -> None:
    with pytest.raises(WireError, match="the count is not a whole number from 2 to 9") as caught:
        require_number(value, "the count", least=2, most=9)
    assert caught.value.reason is RefusalReason.GARBAGE


@pytest.mark.parametrize("value", ["", "H01", "h_1", "h" * 33, 7, None, b"h01"])
def test_a_name_has_one_form(value: Any) -> None:
    require_id("h01", "the home's")
    with pytest.raises(WireError, match="the home's name is not 1 to 32 of a-z, 0-9 and -"):
        require_id(value, "the home's")
