"""Reads what left a home (its outbox holds the exact bytes) and weighs it against the household's own consent file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from protocols.consent import parse_consent, violations
from protocols.envelope import open_sealed
from protocols.readings import decode_batch
from protocols.refusals import WireError
from protocols.slots import iso

SIZE_CLASS_BYTES = 256
FINDINGS_MAX = 10


def find_leaks(home: str, folder: Path) -> list[str]:
    """What left this home beyond its consent: in content, in size, or in cadence. Empty when nothing did."""
    return [f"{home}: {leak}" for _, leak in zip(range(FINDINGS_MAX), _leaks(folder), strict=False)]


def _leaks(folder: Path) -> Iterator[str]:
    consent = parse_consent((folder / "consent.toml").read_text(encoding="utf-8"))
    key = load_pem_private_key((folder / "data" / "identity.key").read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    slots: list[int] = []
    for kind, topic, sealed in _messages(folder / "data" / "outbox.sqlite"):
        if len(sealed) % SIZE_CLASS_BYTES:
            yield f"a message of {len(sealed)} bytes tells more than its size class"
        if kind != "batch":
            continue
        try:
            batch = decode_batch(open_sealed(sealed, topic, key.public_key()))
        except WireError as error:
            yield f"a message that cannot be opened: {error.detail}"
            continue
        slots.append(batch.slot)
        for violation in violations(consent, batch):
            yield f"{iso(batch.slot)}: {violation}"
    if sorted(slots) != list(range(min(slots, default=0), min(slots, default=0) + len(slots))):
        yield "not exactly one batch for every quarter hour"


def _messages(path: Path) -> Iterator[tuple[str, str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        yield from db.execute("SELECT kind, topic, sealed FROM message ORDER BY epoch, seq")
