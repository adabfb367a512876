"""A bundle of device maps: which co-op released them, its rising serial, and each map's text with its digest.

Encodes and decodes only: that a text is a good map is for `maps.proof`, and who signed it is for the envelope.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from protocols.wire import strict_cbor
from protocols.wire.field_checks import MAX_SECONDS, require_id, require_number
from protocols.wire.refusal_reasons import RefusalReason, WireError, garbage

VERSION: Final = 1
MAX_BUNDLE_BYTES: Final = 262_144
MAX_MAPS: Final = 64
MAX_MAP_BYTES: Final = 32_768
MAX_SERIAL: Final = 2**32 - 1

_MAP_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_MAX_ID_CHARS: Final = 80
_KEYS: Final = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class ReleasedMap:
    """One map: its id and the text of its TOML file, byte for byte as the board released it."""

    id: str
    text: str

    @property
    def digest(self) -> bytes:
        """SHA-256 of the text in UTF-8."""
        return map_digest(self.text)


@dataclass(frozen=True, slots=True)
class MapBundle:
    """All maps that a co-op's board has released, in order of their ids; none if it has withdrawn them all.

    `released_at` is in Unix seconds.
    """

    coop: str
    serial: int
    released_at: int
    maps: tuple[ReleasedMap, ...]


def map_digest(text: str) -> bytes:
    """By what a map is known to be the same: SHA-256 of its text in UTF-8."""
    return sha256(text.encode("utf-8")).digest()


def is_map_id(text: str) -> bool:
    """Whether this can be a map's id: no path, no dot, nothing but a-z, 0-9 and single hyphens."""
    return len(text) <= _MAX_ID_CHARS and _MAP_ID.fullmatch(text) is not None


def encode_bundle(bundle: MapBundle) -> bytes:
    """The bundle's only encoding. Raises: WireError if it breaks a rule of this module."""
    _check(bundle)
    data = strict_cbor.encode(
        {
            1: VERSION,
            2: bundle.coop,
            3: bundle.serial,
            4: bundle.released_at,
            5: [[each.id, each.digest, each.text] for each in bundle.maps],
        }
    )
    _check_size(data)
    return data


def decode_bundle(data: bytes) -> MapBundle:
    """The exact inverse of `encode_bundle`. Raises: WireError(OVERSIZED or GARBAGE)."""
    _check_size(data)
    fields = strict_cbor.decode(data)
    if type(fields) is not dict or tuple(fields) != _KEYS or fields[1] != VERSION:
        raise garbage(f"not a bundle of maps of version {VERSION}")
    bundle = MapBundle(
        coop=fields[2],
        serial=fields[3],
        released_at=fields[4],
        maps=tuple(_map(row) for row in strict_cbor.require_rows(fields[5], 3)),
    )
    _check(bundle)
    return bundle


def _map(row: list[Any]) -> ReleasedMap:
    name, digest, text = row
    _check_map(name, text)
    if digest != map_digest(text):
        raise garbage("the digest of a map is not that of its text")
    return ReleasedMap(name, text)


def _check_size(data: bytes) -> None:
    if len(data) > MAX_BUNDLE_BYTES:
        raise WireError(RefusalReason.OVERSIZED, f"a bundle of {len(data)} bytes, at most {MAX_BUNDLE_BYTES}")


def _check(bundle: MapBundle) -> None:
    require_id(bundle.coop, "the co-op's")
    require_number(bundle.serial, "the serial", least=1, most=MAX_SERIAL)
    require_number(bundle.released_at, "the time of the release in Unix seconds", most=MAX_SECONDS)
    if len(bundle.maps) > MAX_MAPS:
        raise garbage(f"more than {MAX_MAPS} maps")
    for each in bundle.maps:
        _check_map(each.id, each.text)
    names = [each.id for each in bundle.maps]
    if names != sorted(set(names)):
        raise garbage("the maps are not in ascending order of their ids, each once")


def _check_map(name: Any, text: Any) -> None:
    if type(name) is not str or not is_map_id(name):
        raise garbage("the id of a map does not have the form of one")
    if type(text) is not str or not 1 <= len(text.encode("utf-8")) <= MAX_MAP_BYTES:
        raise garbage(f"the text of a map is not 1 to {MAX_MAP_BYTES} bytes")
