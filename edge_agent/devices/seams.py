"""Whether an answer was put together of parts of two: one that broke off, and the beginning of the next.

Over TCP nothing checks an answer as a whole; its header only counts bytes. Where one is cut off, the next frame on the
connection fills it up to its length, and its last registers are that frame's header. Pure.
"""

from __future__ import annotations

import re

RECENT_NUMBERS = 16
OWN_HEADER_BYTES = 7
LENGTHS = range(3, 255)
"""What a header may count: the unit, the function and at least one byte."""

_READS = frozenset({3, 4})
_REFUSED = 0x80
_BEHIND_NUMBER = re.compile(rb"\0\0\0(?=[\x03-\xfe].[\x03\x04\x83\x84])", re.DOTALL)
"""The protocol and the length of a header, before a unit and a function: the last three zeros before the count."""


def is_patched(heard: bytes, number: int, frame_bytes: int) -> bool:
    """Whether the frame of this number in all that was heard holds another's header, or ends within another.

    `number` is the transaction, `frame_bytes` the frame's whole length.
    """
    begin = heard.find(number.to_bytes(2) + b"\0\0" + (frame_bytes - 6).to_bytes(2))
    end = begin + frame_bytes
    if begin < 0 or len(heard) < end:
        return False
    if not _may_begin(heard[end:]):
        return True
    return _holds_answer(heard[begin + OWN_HEADER_BYTES :], frame_bytes - OWN_HEADER_BYTES, number)


def _holds_answer(data: bytes, end: int, number: int) -> bool:
    """Whether a recent answer, or as much of it as was heard, begins before this place."""
    for found in _BEHIND_NUMBER.finditer(data, 2):
        at = found.start() - 2
        if at >= end:
            return False
        if number - RECENT_NUMBERS <= int.from_bytes(data[at : at + 2]) <= number and _is_answer(data[at:]):
            return True
    return False


def _is_answer(data: bytes) -> bool:
    """Whether this is the answer to a read, with a header that fits what it counts itself."""
    if len(data) <= OWN_HEADER_BYTES + 1 or (length := int.from_bytes(data[4:6])) not in LENGTHS:
        return False
    function, counted = data[OWN_HEADER_BYTES : OWN_HEADER_BYTES + 2]
    return (function in _READS and counted == length - 3) or (function - _REFUSED in _READS and length == 3)


def _may_begin(data: bytes) -> bool:
    """Whether an answer may begin like this, as far as it is there."""
    if data[2:4] != b"\0\0"[: len(data[2:4])]:
        return False
    return len(data) < 6 or int.from_bytes(data[4:6]) in LENGTHS
