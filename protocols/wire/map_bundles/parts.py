"""How a bundle of maps comes down in messages: parts of one size, and the one bundle that is being put together.

Each part is sealed by the hub for its agent; the digest in each says to which bundle it belongs.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from protocols.wire.field_checks import read_fields, require_number
from protocols.wire.map_bundles.content import MAX_BUNDLE_BYTES, MAX_SERIAL
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import garbage

VERSION: Final = 1
PART_BYTES: Final = 16_000


@dataclass(frozen=True, slots=True)
class BundlePart:
    """Part `number` (from 0) of the bundle with this serial and SHA-256, which has `total_bytes` in all."""

    serial: int
    digest: bytes
    total_bytes: int
    number: int
    content: bytes

    @property
    def parts(self) -> int:
        """How many parts the bundle has."""
        return -(-self.total_bytes // PART_BYTES)


def split_bundle(serial: int, data: bytes) -> tuple[BundlePart, ...]:
    """The parts of an encoded bundle, in order."""
    digest = sha256(data).digest()
    return tuple(
        BundlePart(serial, digest, len(data), number, data[at : at + PART_BYTES])
        for number, at in enumerate(range(0, len(data), PART_BYTES))
    )


def encode_part(part: BundlePart) -> bytes:
    """The payload of a part, padded. Raises: WireError if it breaks a rule of this module."""
    _check(part)
    return encode_padded(
        {1: VERSION, 2: part.serial, 3: part.digest, 4: part.total_bytes, 5: part.number, 6: part.content}
    )


def decode_part(data: bytes) -> BundlePart:
    """The exact inverse of `encode_part`. Raises: WireError(GARBAGE)."""
    fields = read_fields(data, (1, 2, 3, 4, 5, 6, PAD_KEY), "a part of a bundle of maps", version=VERSION)
    part = BundlePart(fields[2], fields[3], fields[4], fields[5], fields[6])
    _check(part)
    return part


class BundleAssembly:
    """Puts together one bundle at a time, the newest of which a part has come: never more than one in memory."""

    def __init__(self) -> None:
        self._parts: dict[int, BundlePart] = {}

    @property
    def is_open(self) -> bool:
        """Whether some parts of a bundle have come and others are missing."""
        return bool(self._parts)

    def add(self, part: BundlePart) -> bytes | None:
        """The whole bundle, once its last missing part has come. Raises: WireError if its digest is another."""
        held = next(iter(self._parts.values()), None)
        if held is not None and (held.serial, held.digest, held.total_bytes) != _bundle_of(part):
            if part.serial < held.serial:
                return None
            self._parts = {}
        self._parts[part.number] = part
        if len(self._parts) < part.parts:
            return None
        data = b"".join(self._parts[number].content for number in range(part.parts))
        self._parts = {}
        if sha256(data).digest() != part.digest:
            raise garbage("the parts do not give the bundle they name")
        return data


def _bundle_of(part: BundlePart) -> tuple[int, bytes, int]:
    return part.serial, part.digest, part.total_bytes


def _check(part: BundlePart) -> None:
    require_number(part.serial, "the serial", least=1, most=MAX_SERIAL)
    if type(part.digest) is not bytes or len(part.digest) != 32:
        raise garbage("the digest is not 32 bytes")
    require_number(part.total_bytes, "the size of the bundle in bytes", least=1, most=MAX_BUNDLE_BYTES)
    require_number(part.number, "the number of the part", most=part.parts - 1)
    size = min(PART_BYTES, part.total_bytes - part.number * PART_BYTES)
    if type(part.content) is not bytes or len(part.content) != size:
        raise garbage(f"the part does not have its {size} bytes")
