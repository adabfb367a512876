"""What leaves the home, kept on disk until the hub has signed for it and a week beyond: one numbered chain.

The writer's side; opening is `outbox_file`, looking from outside is `outbox_view`. Knows no network and no device.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiosqlite

from protocols.envelope import batch_hash
from protocols.messages import Choice
from protocols.receipts import Receipt

PROMPTS_KEPT = 500
_INSERT = "INSERT INTO message (epoch, seq, kind, topic, sealed, hash, made_at) VALUES (?,?,?,?,?,?,?)"

Statement = tuple[str, tuple[Any, ...]]


class OutboxError(Exception):
    """The outbox cannot be used; one line that says what to do."""


class OutboxFull(OutboxError):
    """Everything the outbox may hold is still waiting for a receipt."""


@dataclass(frozen=True, slots=True)
class Link:
    """The place a new message takes in the chain."""

    epoch: int
    seq: int
    previous: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message as it goes out."""

    kind: str
    topic: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message the hub has not signed for."""

    seq: int
    topic: str
    sealed: bytes


Sealing = Callable[[Link], Sealed]


class Outbox:
    """Every change is one transaction with synchronous=FULL: after the `await` it survives a power cut.

    `boot` counts the starts of the agent; `dropped` the receipted messages that had to go before their time.
    """

    def __init__(self, connection: aiosqlite.Connection, *, link: Link, boot: int, max_bytes: int) -> None:
        self._db = connection
        self._max_bytes = max_bytes
        self._held_bytes: int | None = None
        self._turn = asyncio.Lock()
        self._next = link
        self.boot = boot
        self.dropped = 0

    @property
    def next_link(self) -> Link:
        """Where the next message will stand."""
        return self._next

    async def append(self, sealings: Sequence[Sealing], *, now_s: float, checkpoint: bytes | None = None) -> None:
        """Number, seal and keep messages, and with them the meter's checkpoint, all or nothing.

        Raises: OutboxFull, and then nothing was kept.
        """
        also = [] if checkpoint is None else [("UPDATE state SET checkpoint = ?", (checkpoint,))]
        await self._keep(sealings, now_s=now_s, also=also)

    async def append_consent(self, version: int, consent: bytes, *, notice: Sealing | None, now_s: float) -> None:
        """Take a consent into force, with the message that tells the hub of it if it does not know."""
        also = [("UPDATE state SET consent_version = ?, consent = ?", (version, consent))]
        await self._keep([notice] if notice else [], now_s=now_s, also=also)

    async def append_answer(self, prompt_id: str, sealing: Sealing, *, now_s: float) -> None:
        """Put an answer a person gave into the chain and take it off the list of given answers."""
        also = [("DELETE FROM given_answer WHERE prompt_id = ?", (prompt_id,))]
        await self._keep([sealing], now_s=now_s, also=also)

    async def checkpoint(self) -> bytes | None:
        """The meter's checkpoint as of the last batch kept."""
        row = await self._one("SELECT checkpoint FROM state")
        return row[0] if row else None

    async def consent(self) -> tuple[int, bytes] | None:
        """The consent in force at the end of the chain."""
        row = await self._one("SELECT consent_version, consent FROM state WHERE consent IS NOT NULL")
        return (row[0], row[1]) if row else None

    async def waiting(self, *, after: int, limit: int) -> list[Waiting]:
        """The next messages of this epoch without a receipt, in order."""
        rows = await self._all(
            "SELECT seq, topic, sealed FROM message"
            " WHERE epoch = ? AND seq > ? AND receipted_at IS NULL ORDER BY seq LIMIT ?",
            (self._next.epoch, after, limit),
        )
        return [Waiting(*row) for row in rows]

    async def message(self, seq: int) -> Waiting | None:
        """Any message of this epoch that is still kept, receipted or not."""
        row = await self._one(
            "SELECT seq, topic, sealed FROM message WHERE epoch = ? AND seq = ?", (self._next.epoch, seq)
        )
        return Waiting(*row) if row else None

    async def hash_of(self, seq: int) -> bytes | None:
        """The hash of a message of this epoch, None when it is no longer kept."""
        row = await self._one("SELECT hash FROM message WHERE epoch = ? AND seq = ?", (self._next.epoch, seq))
        return row[0] if row else None

    async def note_published(self, seqs: Iterable[int], *, now_s: float) -> None:
        """Remember when messages first left. Told to people; nothing rests on it."""
        async with self._transaction():
            await self._db.executemany(*self._published(seqs, now_s))

    async def note_receipt(self, receipt: Receipt, *, published: Iterable[int], now_s: float) -> int:
        """Mark everything a verified receipt speaks for; returns how many messages were waiting for it."""
        at = int(now_s)
        async with self._transaction():
            await self._db.executemany(*self._published(published, now_s))
            cursor = await self._db.execute(
                "UPDATE message SET receipted_at = ? WHERE epoch = ? AND seq <= ? AND receipted_at IS NULL",
                (at, receipt.epoch, receipt.through_seq),
            )
            await self._db.executemany(
                "UPDATE message SET refused = ? WHERE epoch = ? AND seq = ?",
                [(reason.value, receipt.epoch, seq) for seq, reason in receipt.refused],
            )
            return cursor.rowcount

    async def forget(self, *, before_s: float) -> int:
        """Delete what the hub signed for before this time; returns how many messages went."""
        async with self._transaction():
            cursor = await self._db.execute("DELETE FROM message WHERE receipted_at < ?", (int(before_s),))
            self._held_bytes = None
            return cursor.rowcount

    async def keep_prompt(self, prompt_id: str, payload: bytes, *, now_s: float) -> bool:
        """Keep a prompt of the hub for the household to see; False when it is known."""
        async with self._transaction():
            cursor = await self._db.execute(
                "INSERT INTO prompt (id, payload, received_at) VALUES (?,?,?) ON CONFLICT DO NOTHING",
                (prompt_id, payload, int(now_s)),
            )
            await self._db.execute(
                "DELETE FROM prompt WHERE id NOT IN (SELECT id FROM prompt ORDER BY received_at DESC LIMIT ?)",
                (PROMPTS_KEPT,),
            )
            return cursor.rowcount > 0

    async def given_answers(self) -> list[tuple[str, Choice, int]]:
        """Answers a person left that are not yet in the chain: prompt, choice, when."""
        rows = await self._all("SELECT prompt_id, choice, at FROM given_answer ORDER BY at, prompt_id")
        return [(prompt, Choice(choice), at) for prompt, choice, at in rows]

    async def close(self) -> None:
        """Close the file."""
        await self._db.close()

    async def _keep(self, sealings: Sequence[Sealing], *, now_s: float, also: Sequence[Statement]) -> None:
        async with self._transaction():
            first = link = self._next
            rows = []
            for sealing in sealings:
                made = sealing(link)
                digest = batch_hash(made.sealed)
                rows.append((link.epoch, link.seq, made.kind, made.topic, made.sealed, digest, int(now_s)))
                link = Link(link.epoch, link.seq + 1, digest)
            await self._make_room(sum(len(row[4]) for row in rows))
            await self._db.executemany(_INSERT, rows)
            moved = await self._db.execute(
                "UPDATE state SET last_seq = ?, last_hash = ? WHERE epoch = ? AND last_seq = ?",
                (link.seq - 1, link.previous, link.epoch, first.seq - 1),
            )
            if moved.rowcount != 1:
                raise OutboxError("the outbox was changed by another program: restart the agent")
            for sql, parameters in also:
                await self._db.execute(sql, parameters)
        # If power fails before the commit, neither numbers nor checkpoint have moved: the slot is measured again
        # from its base. After it, the slot is kept and its energy cannot be counted a second time.
        self._next = link

    async def _make_room(self, needed: int) -> None:
        """Inside a transaction: drop the oldest receipted messages until the new ones fit. Raises OutboxFull."""
        if self._held_bytes is None:
            row = await self._one("SELECT coalesce(sum(length(sealed)), 0) FROM message")
            self._held_bytes = int(row[0]) if row else 0
        over = self._held_bytes + needed - self._max_bytes
        self._held_bytes += needed
        if over <= 0:
            return
        oldest = await self._all(
            "SELECT epoch, seq, length(sealed) FROM message WHERE receipted_at IS NOT NULL ORDER BY epoch, seq"
        )
        dropped = []
        for epoch, seq, size in oldest:
            if over <= 0:
                break
            dropped.append((epoch, seq))
            over -= size
        self._held_bytes = None
        if over > 0:
            raise OutboxFull(
                f"the outbox holds {self._max_bytes >> 20} MB that still wait for the hub's receipt: "
                "new slots are not kept until the hub answers or outbox.max_mb is raised"
            )
        await self._db.executemany("DELETE FROM message WHERE epoch = ? AND seq = ?", dropped)
        await self._db.execute("UPDATE state SET dropped = dropped + ?", (len(dropped),))
        self.dropped += len(dropped)

    def _published(self, seqs: Iterable[int], now_s: float) -> tuple[str, list[tuple[int, int, int]]]:
        return (
            "UPDATE message SET published_at = ? WHERE epoch = ? AND seq = ? AND published_at IS NULL",
            [(int(now_s), self._next.epoch, seq) for seq in seqs],
        )

    async def _one(self, sql: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Row | None:
        rows = await self._all(sql, parameters)
        return rows[0] if rows else None

    async def _all(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        try:
            return list(await self._db.execute_fetchall(sql, parameters))
        except sqlite3.Error as cause:
            raise OutboxError(f"the outbox cannot be read: {cause}") from None

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        async with self._turn:
            try:
                await self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    await self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        await self._db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as cause:
                self._held_bytes = None
                raise OutboxError(f"the outbox cannot be written: {cause}: is the disk full?") from None
