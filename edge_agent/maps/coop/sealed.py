"""The form in which the co-op's bundle of maps is kept: the hub's sealed messages as they came, opened at each reading.

Whoever changes the file on disk changes what the hub has signed, so that it opens no more. Bytes in, bundle out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocols.hub_keys import open_certificate
from protocols.wire import strict_cbor
from protocols.wire.envelope import open_sealed
from protocols.wire.field_checks import require_id
from protocols.wire.map_bundles.content import MAX_BUNDLE_BYTES, MapBundle, decode_bundle
from protocols.wire.map_bundles.parts import PART_BYTES, BundleAssembly, decode_part
from protocols.wire.refusal_reasons import RefusalReason, WireError, garbage
from protocols.wire.topics import downlink_topic

VERSION: Final = 2
PLAIN_VERSION: Final = 1
"""What agents kept before: the bundle alone, whose signatures were checked when it came and not again."""

MAX_PARTS: Final = -(-MAX_BUNDLE_BYTES // PART_BYTES)
MAX_CERTIFICATES: Final = 4
MAX_FILE_BYTES: Final = 2 * MAX_BUNDLE_BYTES
_KEYS: Final = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class SealedBundle:
    """A bundle as it came: the agent it was for, the certificates of the hub keys held then, and its parts in order."""

    agent: str
    certificates: tuple[str, ...]
    parts: tuple[bytes, ...]


def encode_kept(kept: SealedBundle) -> bytes:
    """The content of the file."""
    return strict_cbor.encode({1: VERSION, 2: kept.agent, 3: [*kept.certificates], 4: [*kept.parts]})


def open_kept(content: bytes, *, coop: str, identity: bytes) -> MapBundle:
    """The bundle, after checking that a hub key of the co-op signed every part. `identity` is the pinned public key.

    When a key was in use does not matter here: it was checked when the parts came. Raises: WireError.
    """
    kept = _decode(content)
    keys = [identity]
    try:
        keys += [open_certificate(each, coop=coop, identity=identity).public_key for each in kept.certificates]
    except ValueError as error:
        raise WireError(RefusalReason.BAD_SIGNATURE, str(error)) from None
    topic, assembly = downlink_topic(coop, kept.agent, kind="maps"), BundleAssembly()
    data = None
    for sealed in kept.parts:
        part = decode_part(_opened(sealed, topic, keys))
        data = assembly.add(part)
    if data is None:
        raise garbage("parts of the bundle are missing")
    bundle = decode_bundle(data)
    if bundle.coop != coop or bundle.serial != part.serial:
        raise WireError(RefusalReason.WRONG_COOP, "a bundle of another co-op, or with another serial than its parts")
    return bundle


def plain_bundle(content: bytes) -> MapBundle | None:
    """The bundle in a file as agents kept it before, whose signatures cannot be checked; None in any other form."""
    try:
        return decode_bundle(content)
    except WireError:
        return None  # the newer form, or damaged: whoever opens it says so


def _decode(content: bytes) -> SealedBundle:
    fields = strict_cbor.decode(content)
    if type(fields) is not dict or tuple(fields) != _KEYS or fields[1] != VERSION:
        raise garbage(f"not a kept bundle of maps of version {VERSION}")
    require_id(fields[2], "the agent's")
    certificates = _list(fields[3], str, most=MAX_CERTIFICATES)
    parts = _list(fields[4], bytes, most=MAX_PARTS)
    if not parts:
        raise garbage("no part of a bundle is kept")
    return SealedBundle(fields[2], certificates, parts)


def _list(found: Any, kind: type, *, most: int) -> tuple[Any, ...]:
    if type(found) is not list or len(found) > most or any(type(each) is not kind for each in found):
        raise garbage(f"not a list of at most {most} of its kind")
    return tuple(found)


def _opened(sealed: bytes, topic: str, keys: list[bytes]) -> bytes:
    trouble = WireError(RefusalReason.BAD_SIGNATURE, "not signed by a hub key of the co-op")
    for key in keys:
        try:
            return open_sealed(sealed, topic, Ed25519PublicKey.from_public_bytes(key))
        except WireError as error:
            trouble = error if error.reason is not RefusalReason.BAD_SIGNATURE else trouble
    raise trouble
