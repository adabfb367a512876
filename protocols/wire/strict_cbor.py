"""CBOR with one meaning: a small part of RFC 8949 in which every value has exactly one encoding.

Accepted: integers of up to 64 bits, byte strings, UTF-8 text, arrays, maps with ascending unsigned keys,
null. Everything else (tags, floats, booleans, indefinite lengths, long forms, duplicate or unsorted keys) is
refused, so a reader never needs to re-encode in order to compare. Not a general CBOR library.
"""

from __future__ import annotations

from typing import Any

import cbor2

from protocols.wire.refusal_reasons import garbage

MAX_DEPTH = 4
_ONE_BYTE, _TWO_BYTES = 0x18, 0x19
"""What stands before a number from 24 to 255, and from 256 to 65,535."""

Plain = int | bytes | str | None | list[Any] | dict[int, Any]


def encode(value: Plain) -> bytes:
    """The only encoding of a value. The caller must pass only accepted types, with map keys in ascending order."""
    return cbor2.dumps(value)


def decode(data: bytes) -> Any:
    """The value that these bytes encode.

    Memory stays within a small multiple of `len(data)`: a declared length is compared with the bytes
    actually present before anything is allocated. The caller must limit `len(data)`.

    Raises: WireError(GARBAGE) for anything but the one accepted encoding of one value.
    """
    try:
        value, end = _item(data, 0, MAX_DEPTH)
    except IndexError:
        raise garbage("the bytes end too early") from None
    if end != len(data):
        raise garbage("bytes follow the value")
    return value


def item_at(data: bytes, at: int) -> tuple[Any, int]:
    """One value in the middle of these bytes, and where it ends. Raises: WireError(GARBAGE), as `decode` does."""
    try:
        return _item(data, at, MAX_DEPTH - 1)
    except IndexError:
        raise garbage("the bytes end too early") from None


def require_rows(value: Any, width: int | None = None) -> list[list[Any]]:
    """A decoded array of arrays, each of `width` items if given. Raises: WireError(GARBAGE) for anything else."""
    if type(value) is not list:
        raise garbage("a list is missing")
    for row in value:
        if type(row) is not list or (width is not None and len(row) != width):
            raise garbage("a row of a list has the wrong number of fields")
    return value


def _item(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    first = data[at]
    major, number = first >> 5, first & 31
    at += 1
    if major == 7:
        if first != 0xF6:
            raise garbage("a float, a boolean or another simple value")
        return None, at
    if number >= 24:
        number, at = _argument(data, at, number)
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major == 6:
        raise garbage("a tag")
    if number > len(data) - at:
        raise garbage("a length beyond the end")
    if major == 2:
        return data[at : at + number], at + number
    if major == 3:
        return _text(data[at : at + number]), at + number
    if depth == 0:
        raise garbage("nested too deep")
    container = _array if major == 4 else _map
    return container(data, at, number, depth=depth - 1)


def _argument(data: bytes, at: int, info: int) -> tuple[int, int]:
    if info > 27:
        raise garbage("an indefinite or reserved length")
    width = 1 << (info - 24)
    if at + width > len(data):
        raise garbage("the bytes end too early")
    number = int.from_bytes(data[at : at + width])
    if number < (24 if width == 1 else 1 << (4 * width)):
        raise garbage("a number in a longer form than needed")
    return number, at + width


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise garbage("text that is not UTF-8") from None


def _array(data: bytes, at: int, count: int, *, depth: int) -> tuple[list[Any], int]:
    # Small numbers and short arrays are most of a batch: the way around `_item` takes a third less time.
    items: list[Any] = []
    for _ in range(count):
        first = data[at]
        if first < 24:
            items.append(first)
            at += 1
        elif first == _ONE_BYTE and data[at + 1] > 23:
            items.append(data[at + 1])
            at += 2
        elif first == _TWO_BYTES and data[at + 1]:
            items.append(data[at + 1] << 8 | data[at + 2])
            at += 3
        elif first >> 5 == 4 and first & 31 < 24 and depth:
            row, at = _array(data, at + 1, first & 31, depth=depth - 1)
            items.append(row)
        else:
            value, at = _item(data, at, depth)
            items.append(value)
    return items, at


def _map(data: bytes, at: int, count: int, *, depth: int) -> tuple[dict[int, Any], int]:
    pairs: dict[int, Any] = {}
    last = -1
    for _ in range(count):
        key = data[at]
        if key < 24:
            at += 1
        elif key >> 5:
            raise garbage("a map key that is not an unsigned integer")
        else:
            key, at = _item(data, at, 0)
        if key <= last:
            raise garbage("map keys that are repeated or not ascending")
        last, first = key, data[at]
        if first < 24:
            pairs[key] = first
            at += 1
        else:
            pairs[key], at = _item(data, at, depth)
    return pairs, at
