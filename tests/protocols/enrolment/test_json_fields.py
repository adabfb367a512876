"""JSON of enrolment has one spelling: each key once, UTF-8 alone, bytes only in canonical base64url."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.enrolment.json_fields import read_any_bytes, read_bytes, read_object, to_base64, write_object


@given(raw=st.binary(max_size=80))
def test_bytes_read_back_and_have_one_spelling(raw: bytes) -> None:
    text = to_base64(raw)
    assert read_any_bytes({"k": text}, "k", most=80) == read_bytes({"k": text}, "k", size=len(raw)) == raw
    for other in (text + "=", text + "A", " " + text, text + "\n"):
        with pytest.raises(ValueError, match="k: expected"):
            read_bytes({"k": other}, "k", size=len(raw))


def test_more_bytes_than_allowed_are_refused() -> None:
    with pytest.raises(ValueError, match="k: expected"):
        read_any_bytes({"k": to_base64(bytes(9))}, "k", most=8)


def test_an_object_has_exactly_its_keys() -> None:
    text = write_object({"version": 3, "a": "\u00e4"})
    assert text.isascii()
    assert read_object(text.encode(), {"version", "a"}, "thing", version=3, most=99) == {"version": 3, "a": "\u00e4"}
    for wrong, named in (
        ('{"version": 3}', "thing: expected an object with exactly a, version"),
        ('{"version": 3, "a": 1, "b": 1}', "thing: expected an object with exactly a, version"),
        ('{"a": 1}', "thing: expected an object with exactly a, version"),
        ('{"version": 4, "c": 1}', "version: 4, expected 3"),
        ('{"version": 3, "a": 1, "a": 1}', "thing: not JSON: a key appears twice"),
        (text + " " * 99, "thing: larger than 99 bytes"),
    ):
        with pytest.raises(ValueError, match=named):
            read_object(wrong, {"version", "a"}, "thing", version=3, most=99)
