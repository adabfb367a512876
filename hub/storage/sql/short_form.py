"""How a signed message lies in the store: without what the rows around it say anyway.

The padding that hides sizes on the wire, the agent's name, the hash of the message before and the fixed parts of the
envelope are left out, and put back on reading, byte for byte. A message for which that is not exact is stored whole, as
earlier releases stored every one.
"""

from functools import lru_cache
from typing import Final

import cbor2

from protocols.wire.envelope import KID_BYTES, OVERHEAD_BYTES
from protocols.wire.padding import SIZE_CLASSES, padded, unpadded

# A whole message begins with COSE's tag; a short one with the number of its size class. 0 stands before other bytes.
_WHOLE: Final = 0xD2
_ESCAPE: Final = b"\x00"
_FORMS: Final = dict(enumerate(SIZE_CLASSES, start=1))
_NUMBERS: Final = {size: number for number, size in _FORMS.items()}

_HEAD: Final = b"\xd2\x84\x4d\xa2\x01"
_ALGORITHM_AT: Final = 5
_KID_AT: Final = 8
_PAYLOAD_AT: Final = 20  # tag, array, protected header, empty map, and three bytes of a length from 256 on
_SIGNATURE_HEAD: Final = b"\x58\x40"
_SIGNATURE_BYTES: Final = 64
_BEFORE_NAME: Final = 4  # the map's head, key 1 and the version, key 2
_TOP: Final = 1 + 1 + KID_BYTES
_PREVIOUS_HEAD: Final = b"\x05\x58\x20"


def shortened(sealed: bytes, agent: str, previous: bytes) -> bytes:
    """What is stored of a message that this agent sealed behind the one with this hash; `whole` gives it again."""
    if not sealed:
        return sealed
    short = _cut(sealed, _name_bytes(agent), _PREVIOUS_HEAD + previous)
    if short is not None and whole(short, agent, previous) == sealed:
        return short
    return sealed if sealed[0] == _WHOLE else _ESCAPE + sealed


def whole(stored: bytes, agent: str, previous: bytes) -> bytes:
    """The sealed message as it came. What was altered in the store comes back altered: its hash no longer fits."""
    if not stored or stored[0] == _WHOLE:
        return stored
    if stored[:1] == _ESCAPE:
        return stored[1:]
    size = _FORMS.get(stored[0])
    if size is None or len(stored) < _TOP + _BEFORE_NAME + _SIGNATURE_BYTES:
        return stored
    algorithm, kid = stored[1:2], stored[2:_TOP]
    body = stored[_TOP:-_SIGNATURE_BYTES]
    front, rest = body[:_BEFORE_NAME], body[_BEFORE_NAME:]
    numbers = _numbers_bytes(rest)
    payload_bytes = size - OVERHEAD_BYTES
    try:
        payload = padded(
            front + _name_bytes(agent) + rest[:numbers] + _PREVIOUS_HEAD + previous + rest[numbers:], payload_bytes
        )
    except ValueError:
        return stored
    top = _HEAD + algorithm + b"\x04\x48" + kid + b"\xa0\x59" + payload_bytes.to_bytes(2)
    return top + payload + _SIGNATURE_HEAD + stored[-_SIGNATURE_BYTES:]


def sealed_bytes(first_byte: bytes, stored_bytes: int) -> int:
    """How long a message was that is stored with this first byte and length."""
    number = first_byte[0] if first_byte else _WHOLE
    return _FORMS.get(number, stored_bytes - (number == _ESCAPE[0]))


def _cut(sealed: bytes, name: bytes, previous: bytes) -> bytes | None:
    number = _NUMBERS.get(len(sealed))
    if number is None:
        return None
    body = unpadded(sealed[_PAYLOAD_AT : -_SIGNATURE_BYTES - len(_SIGNATURE_HEAD)])
    if body is None or body[_BEFORE_NAME : _BEFORE_NAME + len(name)] != name:
        return None
    rest = body[_BEFORE_NAME + len(name) :]
    numbers = _numbers_bytes(rest)
    if rest[numbers : numbers + len(previous)] != previous:
        return None
    return b"".join(
        (
            bytes([number]),
            sealed[_ALGORITHM_AT : _ALGORITHM_AT + 1],
            sealed[_KID_AT : _KID_AT + KID_BYTES],
            body[:_BEFORE_NAME],
            rest[:numbers],
            rest[numbers + len(previous) :],
            sealed[-_SIGNATURE_BYTES:],
        )
    )


@lru_cache(maxsize=4096)
def _name_bytes(agent: str) -> bytes:
    return cbor2.dumps(agent)


def _numbers_bytes(rest: bytes) -> int:
    """How many bytes epoch and number take, each behind its key."""
    at = 0
    for _ in range(2):
        first = rest[at + 1] if at + 1 < len(rest) else 0
        at += 2 + (1 << (first - 24) if 24 <= first <= 27 else 0)
    return at
