"""What a checkpoint says of one home: how far its messages were checked, and what its rows were then; no I/O.

It holds no value of the home. Rows are named by keyed hashes, so that nobody tries values until a hash matches; the key
is made of the hub's salt key. Whoever knows the key still cannot find other rows with the same hash.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from hub.storage.audit_records import StoredHome, StoredPeople
from hub.storage.records import RunRow
from hub.verify.homes.chain import FollowedChain

KEY_LABEL: Final = b"commonwatt/1 checkpoint of a verification\x00"
SEALED_HEX: Final = 40
"""Enough of a hash that nobody finds other rows with the same one. Units: hex digits."""

Device = tuple[int, str]
"""(seat, name)."""


class AgentCheckpoint(msgspec.Struct, frozen=True, array_like=True):
    """How far an agent's chain was followed; hashes in hexadecimal."""

    epoch: int
    seq: int
    head: str
    position: int
    last_slot: int | None
    received_at: int
    accepted: int
    link: str

    @staticmethod
    def of(chain: FollowedChain) -> "AgentCheckpoint":
        """How far this chain was followed."""
        return AgentCheckpoint(
            *(chain.epoch, chain.seq, chain.head.hex(), chain.position, chain.last_slot, chain.received_at),
            *(chain.accepted, chain.link.hex()),
        )

    def chain(self) -> FollowedChain:
        """The chain to go on from here."""
        return FollowedChain(
            *(self.epoch, self.seq, bytes.fromhex(self.head), self.position, self.last_slot, self.received_at),
            *(self.accepted, bytes.fromhex(self.link)),
        )


class HomeCheckpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One home in which nothing was wrong. `devices` names each device, and its report, by their seals.

    `first` is what FirstEnergy knew: (is beyond doubt, measure, agent, position).
    """

    people: str
    agents: dict[str, AgentCheckpoint]
    readings: str
    totals: str
    consents: str
    devices: dict[str, str]
    first: list[tuple[bool, int, str, int]]


class CheckpointSeals:
    """Names rows by keyed hashes; `of_home` gives each home its own, so that equal rows of two homes do not show."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, KEY_LABEL, "sha256")

    def of_home(self, home: str) -> "CheckpointSeals":
        """The seals of one home's rows."""
        return CheckpointSeals(hmac.digest(self._key, home.encode(), "sha256"))

    def people(self, people: StoredPeople) -> str:
        """Of who may have sent what the home has; when it was erased, the checkpoint of the home is void."""
        return self._seal("people", repr((people.agents, people.sources, people.erasure)).encode())

    def readings(self, digest: bytes) -> str:
        """Of the digest of a home's readings."""
        return self._seal("readings", digest)

    def rows(self, kind: str, rows: Iterable[tuple[object, ...]]) -> str:
        """Of rows of a table, in order."""
        return self._seal(kind, b"\n".join(sorted(repr(row).encode() for row in rows)))

    def devices(self, devices: Mapping[Device, tuple[str, int, int]]) -> dict[str, str]:
        """Of each device, and of what it reported."""
        return {
            self._seal("device", repr(name).encode()): self._seal("report", repr(report).encode())
            for name, report in devices.items()
        }

    def run(self, run: RunRow) -> str:
        """Of a settlement run and its result."""
        return self._seal("run", f"{run.run_key} {run.result_hash}".encode())

    def _seal(self, kind: str, content: bytes) -> str:
        return hmac.digest(self._key, kind.encode() + b"\x00" + content, "sha256").hex()[:SEALED_HEX]


class ReadingDigest:
    """One hash over a home's readings in the order of measure, slot and span, taken in part by part."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._measure: int | None = None

    def add(self, measure: int, text: str) -> None:
        """Take in the next lines of this measure."""
        if not text:
            return
        if measure != self._measure:
            self._measure = measure
            self._hash.update(f"measure {measure}:".encode())
        self._hash.update(text.encode())

    def digest(self) -> bytes:
        """The hash of what was taken in."""
        return self._hash.digest()


def reading_line(place: tuple[int, int, int], row: tuple[int | None, int, int]) -> str:
    """One reading as the store's own texts have it."""
    energy_wh, mark, gap = row
    return f"{place[1]},{place[2]},{'' if energy_wh is None else energy_wh},{mark},{gap};"


def readings_digest(stored: StoredHome) -> bytes:
    """The hash over all readings of a home."""
    digest, lines = ReadingDigest(), dict[int, list[str]]()
    for place in sorted(stored.readings):
        lines.setdefault(place[0], []).append(reading_line(place, stored.readings[place]))
    for measure, texts in lines.items():
        digest.add(measure, "".join(texts))
    return digest.digest()


def total_rows(stored: StoredHome) -> Iterable[tuple[object, ...]]:
    """The long intervals, each with its place."""
    return ((place, energy_wh) for place, energy_wh in stored.long_intervals.items())


def consent_rows(stored: StoredHome) -> Iterable[tuple[object, ...]]:
    """The consents, each with its place."""
    return ((place, bytes(document), received_at) for place, (document, received_at) in stored.consents.items())
