"""An archive: signed messages of all homes through a moment, which can be checked without the hub; the format alone.

It is a row of frames, each four bytes of length and CBOR: the head, a frame for each message, agent by agent and in
order, and the end with the hub's signature over all of it. No program takes an archive in again.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.storage.audit_records import StoredMessage
from hub.storage.records import Agent
from hub.verify.check_result import CheckResult
from hub.verify.homes.chain import FollowedChain, message_problem, opened, order_problem
from hub.verify.hub_keys import HubKeys
from protocols.hub_keys import HubSigner
from protocols.public_keys import is_name_of
from protocols.wire.chain import FIRST_PREVIOUS
from protocols.wire.topics import Topic, shard_of

FORM: Final = "commonwatt archive v1"
_TAG: Final = b"commonwatt archive v1\n"
_LENGTH_BYTES: Final = 4
MAX_FRAME_BYTES: Final = 64 << 20

End = tuple[int, int, bytes]
"""(epoch, seq, hash) of the last message of an agent that an archive, or an earlier one, holds."""
NOTHING: Final[End] = (0, 0, FIRST_PREVIOUS)


class ArchiveError(ValueError):
    """The bytes are no archive, or it is cut off; one line says where."""


class ArchiveWriter:
    """Gives `write` the frames. `ends` is how far earlier archives go, by agent."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        *,
        coop: str,
        identity: bytes,
        agents: Mapping[str, Agent],
        ends: Mapping[str, End],
    ) -> None:
        self._write, self._link, self.count = write, hashlib.sha256(), 0
        keys = {name: [agent.home_id, agent.public_key] for name, agent in sorted(agents.items())}
        known = {name: list(ends[name]) for name in sorted(ends)}
        self._put({"form": FORM, "coop": coop, "identity": identity, "agents": keys, "ends": known})

    def add(self, agent: str, row: StoredMessage) -> None:
        """An agent's next message."""
        self.count += 1
        self._put([agent, row.epoch, row.seq, row.kind, row.hash, row.received_at, row.refused, row.sealed])

    def finish(self, signer: HubSigner) -> None:
        """The end, signed: what is missing before it would be seen."""
        signature = signer.sign(_TAG + self._link.digest())
        self._put({"messages": self.count, "signature": signature, "certificate": signer.certificate})

    def _put(self, frame: object) -> None:
        content = cbor2.dumps(frame)
        self._link.update(hashlib.sha256(content).digest())
        self._write(len(content).to_bytes(_LENGTH_BYTES, "big") + content)


@dataclass
class ArchiveCheck(CheckResult):
    """What an archive holds, and every contradiction found in it. `ends` are its agents' last messages."""

    coop: str = ""
    identity: bytes = b""
    messages: int = 0
    erased: int = 0
    ends: dict[str, End] = field(default_factory=dict)


def check_archive(
    read: Callable[[int], bytes], *, pinned: bytes | None = None, ends: Mapping[str, End] | None = None
) -> ArchiveCheck:
    """Check signatures, numbers, hashes and the hub's own signature. `read` gives up to so many bytes.

    `pinned` is the public key that the co-op's identity must have; with `ends` the archive must go on from there.
    Raises: ArchiveError if it is none, or cut off.
    """
    check, link = ArchiveCheck(), hashlib.sha256()
    frames = _frames(read)
    head, content = next(frames, (None, b""))
    agents = _read_head(head, check)
    if pinned is not None and check.identity != pinned:
        check.note("it is signed for another identity key than the one given")
    if ends is not None and check.ends != dict(ends):
        check.note("it does not go on where the archive before it ends")
    walks = {name: _Walk(check, name, key, start=check.ends.get(name, NOTHING)) for name, key in agents.items()}
    link.update(hashlib.sha256(content).digest())
    for frame, content in frames:
        if isinstance(frame, dict):
            _check_end(frame, link.digest(), check)
            if next(frames, None) is not None:
                check.note("something follows its end")
            return check
        walk = (
            walks.get(frame[0]) if isinstance(frame, list) and len(frame) == 8 and isinstance(frame[0], str) else None
        )
        if walk is None:
            raise ArchiveError("it holds a message of no agent that it names")
        walk.take(frame)
        link.update(hashlib.sha256(content).digest())
    raise ArchiveError("it is cut off: its end is missing")


class _Walk:
    """The messages of one agent as they are followed."""

    def __init__(self, check: ArchiveCheck, name: str, key: bytes, *, start: End) -> None:
        self._check, self._name, self._key = check, name, Ed25519PublicKey.from_public_bytes(key)
        self._chain = FollowedChain(epoch=start[0], seq=start[1], head=start[2])
        if not is_name_of(name, key):
            check.note(f"{name}: its name does not belong to its key")

    def take(self, frame: list[Any]) -> None:
        try:
            _, epoch, seq, kind, digest, received_at, refused, sealed = frame
            row = StoredMessage(
                self._chain.position + 1, int(epoch), int(seq), str(kind), bytes(digest), bytes(sealed),
                int(received_at), None, None, refused,
            )  # fmt: skip
        except (TypeError, ValueError):
            raise ArchiveError(f"{self._name}: a message whose fields are of another kind") from None
        topic = Topic(self._check.coop, shard_of(self._name), self._name, "up", row.kind)
        body = opened(row, topic, self._key) if row.sealed else None
        # Erased by rule: the number and the hash hold the chain together.
        is_erased = not row.sealed and row.refused is None
        problem = order_problem(self._chain, row) if is_erased else message_problem(self._chain, row, body)
        if problem:
            self._check.note(f"{self._name} message {row.epoch}/{row.seq}: {problem}")
        self._chain.follow(row, body)
        self._check.messages += 1
        self._check.erased += is_erased
        self._check.ends[self._name] = (row.epoch, row.seq, row.hash)


def _frames(read: Callable[[int], bytes]) -> Iterator[tuple[Any, bytes]]:
    while length := _exactly(read, _LENGTH_BYTES, may_end=True):
        size = int.from_bytes(length, "big")
        if size > MAX_FRAME_BYTES:
            raise ArchiveError("it is no archive: a part of it is longer than any")
        content = _exactly(read, size)
        try:
            yield cbor2.loads(content), content
        except (cbor2.CBORDecodeError, ValueError, RecursionError):
            raise ArchiveError("it is no archive: a part of it cannot be read") from None


def _exactly(read: Callable[[int], bytes], size: int, *, may_end: bool = False) -> bytes:
    found = b""
    while len(found) < size and (more := read(size - len(found))):
        found += more
    if len(found) < size and not (may_end and not found):
        raise ArchiveError("it is cut off in the middle")
    return found


def _read_head(head: Any, check: ArchiveCheck) -> dict[str, bytes]:
    try:
        if head["form"] != FORM:
            raise ArchiveError(f"it is of another form than {FORM}")
        check.coop, check.identity = str(head["coop"]), bytes(head["identity"])
        check.ends = {str(name): (int(end[0]), int(end[1]), bytes(end[2])) for name, end in head["ends"].items()}
        keys = {str(name): bytes(key) for name, (_, key) in head["agents"].items()}
        for key in (check.identity, *keys.values()):
            Ed25519PublicKey.from_public_bytes(key)
    except (TypeError, KeyError, IndexError, AttributeError, ValueError) as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError("it is no archive: its head cannot be read") from None
    return keys


def _check_end(end: dict[Any, Any], link: bytes, check: ArchiveCheck) -> None:
    keys = HubKeys(Ed25519PublicKey.from_public_bytes(check.identity))
    try:
        if end["certificate"] is not None:
            keys.add(end["certificate"], coop=check.coop)
        is_signed = keys.signer_of(_TAG + link, bytes(end["signature"])) is not None
        count = int(end["messages"])
    except (TypeError, KeyError, ValueError):
        raise ArchiveError("its end cannot be read") from None
    if not is_signed:
        check.note(f"{keys.unsigned} what it holds")
    if count != check.messages:
        check.note(f"it says that it holds {count} messages, and holds {check.messages}")
