"""What leaves the home, kept on disk until received by the hub and a week beyond: one numbered chain.

The writer's side; `opening` opens it, `view` shows it from outside. Knows no network and no device.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import aiosqlite

from edge_agent.outbox.messages import (
    ChainLink,
    OutboxError,
    ReceiptState,
    Reseal,
    SealedMessage,
    SealMessage,
    WaitingMessage,
)
from edge_agent.outbox.schema import place_id
from edge_agent.outbox.sent_readings import ENDING, KEEP, KEPT_SLOTS, THIN, readings_of
from edge_agent.outbox.transactions import OutboxFile
from edge_agent.outbox.uncancellable import uncancellable
from protocols.wire.chain import FIRST_PREVIOUS, MAX_NUMBER
from protocols.wire.envelope import batch_hash
from protocols.wire.messages import AnswerChoice
from protocols.wire.receipts import Receipt
from protocols.wire.refusal_reasons import RefusalReason

PROMPTS_KEPT = 500
TIMES_SAVED_EVERY_S = 3600
"""How far the written time of the newest receipt may lag behind: after a power cut, a receipt of that hour that is
shown again may make the agent send messages again, which the hub then knows."""

_PACKED = zlib.compress(b"")[:1]
SEALED_AT_ONCE = 96
_INSERT = "INSERT INTO message (id, kind, topic, sealed, hash, made_at) VALUES (?,?,?,?,?,?)"

SqlStatement = tuple[str, tuple[Any, ...]]


class Outbox(OutboxFile):
    """Every change is one transaction with synchronous=FULL: after the `await` it survives a power cut.

    A change once begun is finished even if the caller is cancelled: memory and file never disagree.
    `boot` counts the agent's starts, `dropped` the receipted messages that were deleted early.
    """

    def __init__(self, connection: aiosqlite.Connection, *, link: ChainLink, boot: int, max_bytes: int) -> None:
        super().__init__(connection)
        self._max_bytes = max_bytes
        self._held_bytes: int | None = None
        self._next = link
        self._open_from = 1
        """No message of this epoch below it waits for a receipt."""
        self._times_saved_s = -TIMES_SAVED_EVERY_S
        self.boot = boot
        self.dropped = 0
        self._has_no_answers = False

    @property
    def next_link(self) -> ChainLink:
        """The position of the next message."""
        return self._next

    @uncancellable
    async def append(self, sealings: Sequence[SealMessage], *, now_s: float, checkpoint: bytes | None = None) -> None:
        """Number, seal and store messages together with the meter's checkpoint, all or nothing.

        Raises: OutboxError; then nothing was stored.
        """
        packed = None if checkpoint is None else zlib.compress(checkpoint)
        also = [] if packed is None else [("UPDATE state SET checkpoint = ?", (packed,))]
        await self._keep(sealings, now_s=now_s, also=also)

    @uncancellable
    async def append_consent(self, version: int, consent: bytes, *, notice: SealMessage | None, now_s: float) -> None:
        """Put a consent into force, with the message that informs the hub if it does not know it yet."""
        also = [("UPDATE state SET consent_version = ?, consent = ?", (version, consent))]
        await self._keep([notice] if notice else [], now_s=now_s, also=also)

    @uncancellable
    async def append_answer(
        self, prompt_id: str, sealing: SealMessage, *, choice: AnswerChoice, at: int, now_s: float
    ) -> None:
        """Put a person's answer into the chain, and remove it from the list unless it has changed meanwhile."""
        given = (prompt_id, choice.value, at)
        also = [
            ("DELETE FROM given_answer WHERE prompt_id = ? AND choice = ? AND at = ?", given),
            ("INSERT OR REPLACE INTO answered SELECT ?, ?, ?, epoch, last_seq FROM state", given),
        ]
        await self._keep([sealing], now_s=now_s, also=also)

    async def checkpoint(self) -> bytes | None:
        """The meter's checkpoint after the last stored batch."""
        row = await self._one("SELECT checkpoint FROM state")
        kept = None if row is None or row[0] is None else bytes(row[0])
        # Version 1 kept it as it is.
        return zlib.decompress(kept) if kept is not None and kept[:1] == _PACKED else kept

    async def consent(self) -> tuple[int, bytes] | None:
        """The consent in force at the end of the chain."""
        row = await self._one("SELECT consent_version, consent FROM state WHERE consent IS NOT NULL")
        return (row[0], row[1]) if row else None

    async def waiting(self, *, after: int, limit: int) -> list[WaitingMessage]:
        """The next messages of this epoch that have no receipt, in order."""
        rows = await self._all(
            "SELECT seq, topic, sealed FROM message"
            " WHERE id BETWEEN ? AND ? AND receipted_at IS NULL ORDER BY id LIMIT ?",
            (*self._ids(max(after + 1, self._open_from)), limit),
        )
        return [WaitingMessage(*row) for row in rows]

    async def message(self, seq: int) -> WaitingMessage | None:
        """Any message of this epoch that is still stored, receipted or not."""
        row = await self._one("SELECT seq, topic, sealed FROM message WHERE id = ?", (place_id(self._next.epoch, seq),))
        return WaitingMessage(*row) if row else None

    async def hash_of(self, seq: int) -> bytes | None:
        """The hash of a message of this epoch, None if it is no longer stored."""
        row = await self._one("SELECT hash FROM message WHERE id = ?", (place_id(self._next.epoch, seq),))
        return row[0] if row else None

    @uncancellable
    async def note_published(self, seqs: Iterable[int], *, now_s: float) -> None:
        """Record when messages were first sent. Shown to people; nothing depends on it."""
        async with self._transaction():
            await self._db.executemany(*self._published(seqs, now_s))

    async def receipted(self) -> ReceiptState:
        """How far the hub's receipts go, as last written to disk."""
        times = await self._one("SELECT signed_at, taken_back_at FROM newest_receipt")
        first_waiting = await self._one(
            "SELECT seq FROM message WHERE id BETWEEN ? AND ? AND receipted_at IS NULL ORDER BY id LIMIT 1",
            self._ids(self._open_from),
        )
        through = (first_waiting[0] if first_waiting else self._next.seq) - 1
        return ReceiptState(through, *(times or (0, 0)))

    async def can_send_again(self, after: int) -> bool:
        """Whether every message of this epoch above a number is stored, and no earlier epoch is needed first.

        Above 0 nothing earlier is needed: the first message of an epoch closes the one before.
        """
        row = await self._one(
            "SELECT count(*) FILTER (WHERE epoch = ? AND seq > ?), count(*) FILTER (WHERE epoch < ?) FROM message",
            (self._next.epoch, after, self._next.epoch),
        )
        kept, earlier = row or (0, 0)
        return kept == self._next.seq - 1 - after and (after > 0 or earlier == 0)

    @uncancellable
    async def reopen_messages(self, state: ReceiptState, *, now_s: float) -> int:
        """Only the numbers up to `state.through` are receipted; returns how many above it lost their receipt."""
        self._open_from = 1
        async with self._transaction():
            await self._note_times(state)
            await self._db.execute(
                "UPDATE message SET receipted_at = ? WHERE id BETWEEN ? AND ? AND receipted_at IS NULL",
                (int(now_s), *self._ids(1, state.through)),
            )
            cursor = await self._db.execute(
                "UPDATE message SET receipted_at = NULL, refused = NULL"
                " WHERE id BETWEEN ? AND ? AND receipted_at IS NOT NULL",
                self._ids(state.through + 1),
            )
            return cursor.rowcount

    @uncancellable
    async def begin_epoch(self, reseal: Reseal, *, later_than: int, everything: bool, now_s: float) -> tuple[int, int]:
        """Start another chain, later than any known, and move into it what is waiting, or everything stored.

        Returns how many messages were sealed again, and how many stay behind because they cannot be opened.
        """
        async with self._transaction():
            epoch = max(int(now_s), self._next.epoch + 1, later_than + 1)
            if epoch > MAX_NUMBER:
                raise OutboxError(f"no epoch can follow {later_than}: ask the co-op's board what happened")
            link, left, after = ChainLink(epoch, 1, FIRST_PREVIOUS), 0, (0, 0)
            while rows := await self._before(epoch, after=after, everything=everything):
                after = (rows[-1][0], rows[-1][1])
                link, moved = await self._move(rows, link, reseal=reseal, now_s=now_s)
                left += len(rows) - moved
            await self._db.execute(
                "UPDATE state SET epoch = ?, last_seq = ?, last_hash = ?",
                (epoch, link.seq - 1, link.previous if link.seq > 1 else None),
            )
        # If power fails before the commit, the old chain is unchanged and the hub's next receipt starts this again.
        self._next, self._held_bytes, self._open_from = link, None, 1
        return link.seq - 1, left

    @uncancellable
    async def put_aside(self, digest: bytes, *, reason: RefusalReason, now_s: float) -> int | None:
        """Note that the hub never takes the message with this hash; its number, None if none such is waiting.

        It counts as answered, so that the next epoch leaves it behind.
        """
        async with self._transaction():
            rows = await self._rows_in_transaction(
                "SELECT seq FROM message WHERE epoch = ? AND hash = ? AND receipted_at IS NULL",
                (self._next.epoch, digest),
            )
            await self._db.execute(
                "UPDATE message SET receipted_at = ?, refused = ?"
                " WHERE epoch = ? AND hash = ? AND receipted_at IS NULL",
                (int(now_s), reason.value, self._next.epoch, digest),
            )
        return int(rows[0][0]) if rows else None

    @uncancellable
    async def note_receipt(
        self, receipt: Receipt, *, published: Iterable[int], now_s: float, state: ReceiptState | None = None
    ) -> int:
        """Mark everything that a verified receipt covers; returns how many messages were waiting for it."""
        at = int(now_s)
        first = self._open_from if receipt.epoch == self._next.epoch else 1
        async with self._transaction():
            await self._db.executemany(*self._published(published, now_s))
            cursor = await self._db.execute(
                "UPDATE message SET receipted_at = ? WHERE id BETWEEN ? AND ? AND receipted_at IS NULL",
                (at, place_id(receipt.epoch, first), place_id(receipt.epoch, receipt.through_seq)),
            )
            await self._db.executemany(
                "UPDATE message SET refused = ? WHERE id = ?",
                [(reason.value, place_id(receipt.epoch, seq)) for seq, reason in receipt.refused],
            )
            if (
                state is not None
                and not self._times_saved_s <= state.signed_at < self._times_saved_s + TIMES_SAVED_EVERY_S
            ):
                await self._note_times(state)
        if receipt.epoch == self._next.epoch:
            self._open_from = max(first, receipt.through_seq + 1)
        return cursor.rowcount

    @uncancellable
    async def forget(self, *, before_s: float) -> int:
        """Delete what the hub receipted before this time, except consents and readings; returns how many messages."""
        async with self._transaction():
            # A clock that was ahead once must not keep them until its time comes.
            late = "UPDATE message SET receipted_at = ?1 WHERE receipted_at > ?1 + 31536000"
            await self._db.execute(late, (int(before_s) + 7 * 86400,))
            ending = await self._rows_in_transaction(ENDING, (int(before_s),))
            await self._db.executemany(KEEP, readings_of(row[0] for row in ending))
            await self._db.execute(THIN, (KEPT_SLOTS,))
            # Sealing old batches again needs the consents they were made under, in order.
            cursor = await self._db.execute(
                "DELETE FROM message WHERE receipted_at < ? AND kind <> 'consent'", (int(before_s),)
            )
            self._held_bytes = None
            return cursor.rowcount

    @uncancellable
    async def keep_prompt(self, prompt_id: str, payload: bytes, *, now_s: float) -> bool:
        """Store a prompt for the household to see; False if it is already known."""
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

    @uncancellable
    async def keep_revocation(self, payload: bytes | None) -> None:
        """Keep the hub's notice that it no longer accepts this agent's key; None once it accepts it again."""
        async with self._transaction():
            await self._db.execute("DELETE FROM revocation")
            if payload is not None:
                await self._db.execute("INSERT INTO revocation VALUES (1, ?)", (payload,))

    async def revocation(self) -> bytes | None:
        """The payload of the hub's notice, if it sent one."""
        row = await self._one("SELECT payload FROM revocation")
        return row[0] if row else None

    async def given_answers(self) -> list[tuple[str, AnswerChoice, int]]:
        """Answers people left that are not yet in the chain: prompt, choice, time. Looked for often, so without asking
        the database while no program has written to its file.
        """
        if self._has_no_answers and self._is_as_before():
            return []
        rows = await self._all("SELECT prompt_id, choice, at FROM given_answer ORDER BY at, prompt_id")
        self._has_no_answers = not rows
        return [(prompt, AnswerChoice(choice), at) for prompt, choice, at in rows]

    def _forget_sizes(self) -> None:
        self._held_bytes = None

    async def _keep(self, sealings: Sequence[SealMessage], *, now_s: float, also: Sequence[SqlStatement]) -> None:
        async with self._transaction():
            first = link = self._next
            rows = []
            for sealing in sealings:
                made = sealing(link)
                digest = batch_hash(made.sealed)
                rows.append(_row(link, made, digest=digest, now_s=now_s))
                link = ChainLink(link.epoch, link.seq + 1, digest)
            await self._make_room(sum(len(row[3]) for row in rows))
            await self._db.executemany(_INSERT, rows)
            moved = await self._db.execute(
                "UPDATE state SET last_seq = ?, last_hash = ? WHERE epoch = ? AND last_seq = ?",
                (link.seq - 1, link.previous, link.epoch, first.seq - 1),
            )
            if moved.rowcount != 1:
                raise OutboxError("another program changed the outbox: restart the agent")
            for sql, parameters in also:
                await self._db.execute(sql, parameters)
        # If power fails before the commit, neither numbers nor checkpoint have moved: the slot is measured again
        # from its base. After it, the slot is kept and its energy cannot be counted a second time.
        self._next = link

    async def _note_times(self, state: ReceiptState) -> None:
        await self._db.execute(
            "INSERT INTO newest_receipt (one, signed_at, taken_back_at) VALUES (1, ?, ?) ON CONFLICT DO UPDATE SET"
            " signed_at = excluded.signed_at, taken_back_at = excluded.taken_back_at",
            (state.signed_at, state.reopened_at),
        )
        self._times_saved_s = state.signed_at

    async def _before(self, epoch: int, *, after: tuple[int, int], everything: bool) -> list[sqlite3.Row]:
        """The next messages of earlier epochs, in order: those without a receipt, or all."""
        which = "" if everything else " AND receipted_at IS NULL"
        return await self._rows_in_transaction(
            "SELECT epoch, seq, kind, topic, sealed FROM message"  # noqa: S608 - one of two constant texts
            f" WHERE id > ? AND id < ?{which} ORDER BY id LIMIT {SEALED_AT_ONCE}",
            (place_id(*after), place_id(epoch, 0)),
        )

    async def _move(
        self, rows: Sequence[sqlite3.Row], link: ChainLink, *, reseal: Reseal, now_s: float
    ) -> tuple[ChainLink, int]:
        """Inside a transaction: seal rows again at the end of the new chain; returns its end and how many moved."""
        moved, gone, places = [], [], []
        for epoch, seq, kind, topic, sealed in rows:
            sealing = reseal(SealedMessage(kind, topic, sealed))
            if sealing is None:
                continue
            made = sealing(link)
            digest = batch_hash(made.sealed)
            moved.append(_row(link, made, digest=digest, now_s=now_s))
            gone.append((place_id(epoch, seq),))
            places.append((link.epoch, link.seq, epoch, seq))
            link = ChainLink(link.epoch, link.seq + 1, digest)
        await self._db.executemany("DELETE FROM message WHERE id = ?", gone)
        await self._db.executemany("UPDATE answered SET epoch = ?1, seq = ?2 WHERE epoch = ?3 AND seq = ?4", places)
        await self._db.executemany(_INSERT, moved)
        return link, len(moved)

    async def _make_room(self, needed: int) -> None:
        """Inside a transaction: drop the oldest receipted messages until the new ones fit. Raises OutboxError."""
        if self._held_bytes is None:
            (held,) = await self._rows_in_transaction("SELECT coalesce(sum(length(sealed)), 0) FROM message")
            self._held_bytes = int(held[0])
        over = self._held_bytes + needed - self._max_bytes
        self._held_bytes += needed
        if over <= 0:
            return
        oldest = await self._rows_in_transaction(
            "SELECT id, length(sealed) FROM message WHERE receipted_at IS NOT NULL AND kind <> 'consent' ORDER BY id"
        )
        dropped = []
        for place, size in oldest:
            if over <= 0:
                break
            dropped.append((place,))
            over -= size
        self._held_bytes = None
        if over > 0:
            raise OutboxError(
                f"the outbox holds {self._max_bytes >> 20} MB without a receipt from the hub: "
                "new slots are not stored until the hub answers or you raise outbox.max_mb"
            )
        await self._db.executemany("DELETE FROM message WHERE id = ?", dropped)
        await self._db.execute("UPDATE state SET dropped = dropped + ?", (len(dropped),))
        self.dropped += len(dropped)

    def _published(self, seqs: Iterable[int], now_s: float) -> tuple[str, list[tuple[int, int]]]:
        return (
            "UPDATE message SET published_at = ? WHERE id = ? AND published_at IS NULL",
            [(int(now_s), place_id(self._next.epoch, seq)) for seq in seqs],
        )

    def _ids(self, first: int, last: int = MAX_NUMBER) -> tuple[int, int]:
        """The ids of a range of this epoch's numbers."""
        return place_id(self._next.epoch, first), place_id(self._next.epoch, last)


def _row(
    link: ChainLink, made: SealedMessage, *, digest: bytes, now_s: float
) -> tuple[int, str, str, bytes, bytes, int]:
    return place_id(link.epoch, link.seq), made.kind, made.topic, made.sealed, digest, int(now_s)
