"""What every payload's fields are checked for in the same way: its version and padding, whole numbers and names."""

from __future__ import annotations

from typing import Any

from protocols.wire import strict_cbor
from protocols.wire.padding import PAD_KEY, require_padded
from protocols.wire.refusal_reasons import garbage
from protocols.wire.topics import is_id

MAX_SECONDS = 2**40
"""The latest time in Unix seconds that a payload may hold."""


def read_fields(data: bytes, keys: tuple[int, ...], what: str, *, version: int) -> dict[int, Any]:
    """The decoded map with exactly these keys, the first of them the version and the last the padding.

    Raises: WireError(GARBAGE).
    """
    fields = strict_cbor.decode(data)
    if type(fields) is not dict or tuple(fields) != keys or fields[1] != version:
        raise garbage(f"not {what} of version {version}")
    require_padded(data, fields[PAD_KEY])
    return fields


def require_number(value: Any, what: str, *, most: int, least: int = 0) -> int:
    """The value, if it is a whole number in this range. Raises: WireError(GARBAGE)."""
    if type(value) is not int or not least <= value <= most:
        raise garbage(f"{what} is not a whole number from {least} to {most}")
    return value


def require_id(value: Any, whose: str) -> None:
    """Check that a value has the form of an id; `whose` is `the agent's`. Raises: WireError(GARBAGE)."""
    if type(value) is not str or not is_id(value):
        raise garbage(f"{whose} name is not 1 to 32 of a-z, 0-9 and -")
