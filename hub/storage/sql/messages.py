"""Writes verified messages and what they say to the store."""

# ruff: noqa: S608 - only constant column lists and question marks are put into SQL here; values are bound.

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from hub.storage.errors import StoreConflictError
from hub.storage.fleet_records import AgentClock
from hub.storage.records import AcceptedMessage, ChainHead, RefusalCount, RefusedNumber
from hub.storage.sql.connection import Connection, Transactions
from hub.storage.sql.periods.keeping import Reading, keep_sums
from hub.storage.sql.prompts import store_answer
from hub.storage.sql.short_form import shortened
from protocols.slots import Slot
from protocols.wire.chain import FIRST_PREVIOUS

# A better mark replaces a worse one, but not an equal one: the first value read from the meter counts (I2, I5).
_READING_SQL = """INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (home, measure, slot, span) DO UPDATE SET
    energy_wh = excluded.energy_wh, mark = excluded.mark, gap = excluded.gap
WHERE excluded.mark < reading.mark"""
_NEWEST_SQL: Final = """SELECT agent.home_id, max(chain_head.last_slot)
FROM agent JOIN chain_head ON chain_head.agent = agent.id WHERE agent.home_id IN ({marks}) GROUP BY agent.home_id"""
_READING: Final = ("home", "measure", "slot", "span", "energy_wh", "mark", "gap")
_KEY_OF: Final = itemgetter(0, 1, 2, 3)
MESSAGE_COLUMNS: Final = (
    *("position", "agent", "epoch", "seq", "kind", "hash", "sealed", "received_at", "first_slot", "last_slot"),
    "refused",
)
_HEAD_SQL = """INSERT INTO chain_head VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (agent) DO UPDATE SET
    epoch = excluded.epoch, seq = excluded.seq, hash = excluded.hash,
    last_slot = CASE WHEN chain_head.last_slot >= coalesce(excluded.last_slot, chain_head.last_slot)
        THEN chain_head.last_slot ELSE excluded.last_slot END,
    last_received_at = excluded.last_received_at, messages = chain_head.messages + excluded.messages"""
_LONG_SQL = "INSERT INTO long_interval VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_DEVICE_SQL = """INSERT INTO device VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (home, seat, name) DO UPDATE SET
    state = excluded.state, age_s = excluded.age_s, reported_at = excluded.reported_at
WHERE excluded.reported_at >= device.reported_at"""
_CONSENT_SQL = "INSERT INTO consent VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_SOURCE_SQL = """INSERT INTO measure_source (home, measure, agent, after_position, first_slot, since_at)
SELECT ?, ?, agent, position - 1, ?, ? FROM message WHERE agent = ? AND epoch = ? AND seq = ?"""
_REFUSAL_SQL = """INSERT INTO refusal VALUES (?, ?, ?, ?, ?) ON CONFLICT (agent, reason) DO UPDATE SET
    count = refusal.count + excluded.count, last_at = excluded.last_at, detail = excluded.detail"""

_CLOCK_SQL = """INSERT INTO agent_clock VALUES (?, ?, ?, ?) ON CONFLICT (agent) DO UPDATE SET
    told_at = excluded.told_at, ahead_s = excluded.ahead_s, state = excluded.state"""


class SqlMessages(Transactions):
    """The writing half of the ReadingStore slice."""

    async def store_messages(self, messages: Sequence[AcceptedMessage]) -> None:
        """Store all of them in one durable transaction; a message already stored with the same hash is skipped.

        Raises: StoreConflictError if a message contradicts a stored one or leaves a gap in its agent's chain; then
        none of them is written.
        """

        await self.write(lambda db: store_in(db, messages))

    async def chain_heads(self) -> dict[str, ChainHead]:
        """The last stored message of each agent."""
        async with self.reading() as db:
            rows = await db.execute_fetchall("SELECT agent, epoch, seq, hash FROM chain_head")
        return {str(row[0]): ChainHead(*row) for row in rows}

    async def epoch_head(self, agent: str, *, epoch: int) -> ChainHead | None:
        """The last stored message in one of an agent's epochs, current or earlier; None if there is none."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT agent, epoch, seq, hash FROM message WHERE agent = ? AND epoch = ? ORDER BY seq DESC LIMIT 1",
                (agent, epoch),
            )
        return next((ChainHead(*row) for row in rows), None)

    async def refused_numbers(self, *, newest: int) -> tuple[RefusedNumber, ...]:
        """The `newest` latest refused numbers of each agent's epochs, in order."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT agent, epoch, seq, refused FROM (SELECT agent, epoch, seq, refused, row_number()"
                " OVER (PARTITION BY agent, epoch ORDER BY seq DESC) AS nth FROM message WHERE refused IS NOT NULL)"
                " AS numbered WHERE nth <= ? ORDER BY agent, epoch, seq",
                (newest,),
            )
        return tuple(RefusedNumber(*row) for row in rows)

    async def message_hash(self, agent: str, *, epoch: int, seq: int) -> bytes | None:
        """The hash of one stored message, or None."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT hash FROM message WHERE agent = ? AND epoch = ? AND seq = ?", (agent, epoch, seq)
            )
        return next((bytes(row[0]) for row in rows), None)

    async def count_refusals(self, refusals: Sequence[RefusalCount]) -> None:
        """Add to the counts; the newest detail replaces the previous one."""
        lines = [(r.agent, r.reason, r.count, r.last_at, r.detail) for r in refusals]

        async def work(db: Connection) -> None:
            await db.executemany(_REFUSAL_SQL, lines)

        await self.write(work)

    async def note_clocks(self, clocks: Sequence[AgentClock]) -> None:
        """Keep what agents said of their clocks in place of what they said before."""
        lines = [(c.agent, c.told_at, c.ahead_s, c.state) for c in clocks]

        async def work(db: Connection) -> None:
            await db.executemany(_CLOCK_SQL, lines)

        await self.write(work)

    async def refusals(self) -> tuple[RefusalCount, ...]:
        """All counts since the store was created, by agent and reason."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT agent, reason, count, last_at, detail FROM refusal ORDER BY agent, reason"
            )
        return tuple(RefusalCount(*row) for row in rows)

    async def received_through(self) -> dict[str, Slot]:
        """The last slot with a stored batch for each agent (missing key: none yet)."""
        async with self.reading() as db:
            rows = await db.execute_fetchall("SELECT agent, last_slot FROM chain_head WHERE last_slot IS NOT NULL")
        return {str(agent): int(slot) for agent, slot in rows}

    async def message_count(self) -> int:
        """How many messages are stored."""
        async with self.reading() as db:
            rows = list(await db.execute_fetchall("SELECT coalesce(sum(messages), 0) FROM chain_head"))
        return int(rows[0][0])


Fresh = Sequence[tuple[AcceptedMessage, bytes]]
"""Messages that are not stored yet, in order, each with the hash of the one before it."""


async def store_in(db: Connection, messages: Sequence[AcceptedMessage]) -> None:
    """Store what is not stored yet, in the caller's transaction. Raises: StoreConflictError."""
    if fresh := await _unheld(db, messages):
        await _insert(db, fresh)


async def _unheld(db: Connection, messages: Sequence[AcceptedMessage]) -> Fresh:
    agents = sorted({message.agent for message in messages})
    marks = ",".join("?" * len(agents))
    rows = await db.execute_fetchall(f"SELECT agent, epoch, seq, hash FROM chain_head WHERE agent IN ({marks})", agents)
    heads = {str(agent): (int(epoch), int(seq)) for agent, epoch, seq, _ in rows}
    hashes = {str(agent): bytes(hashed) for agent, _, _, hashed in rows}
    fresh: list[tuple[AcceptedMessage, bytes]] = []
    taken: dict[tuple[str, int, int], bytes] = {}
    for message in messages:
        key, head = (message.epoch, message.seq), heads.get(message.agent)
        if head is None or key > head:
            if head is not None and message.epoch == head[0] and message.seq != head[1] + 1:
                raise StoreConflictError(f"agent {message.agent}: message {key} leaves a hole after {head}")
            before = hashes[message.agent] if message.agent in hashes and message.seq > 1 else FIRST_PREVIOUS
            fresh.append((message, before))
            heads[message.agent], hashes[message.agent] = key, message.hash
            taken[message.agent, *key] = message.hash
        elif taken.get((message.agent, *key)) != message.hash:
            await _require_same(db, message)
    return fresh


async def _require_same(db: Connection, message: AcceptedMessage) -> None:
    rows = list(
        await db.execute_fetchall(
            "SELECT hash FROM message WHERE agent = ? AND epoch = ? AND seq = ?",
            (message.agent, message.epoch, message.seq),
        )
    )
    if not rows or rows[0][0] != message.hash:
        raise StoreConflictError(
            f"agent {message.agent}: message ({message.epoch}, {message.seq}) contradicts the stored one"
        )


async def _insert(db: Connection, fresh: Fresh) -> None:
    """Messages, readings and heads are written together: after a power cut, either all or none of them exist."""
    messages = [message for message, _ in fresh]
    ((newest,),) = await db.execute_fetchall("SELECT coalesce(max(position), 0) FROM message")
    rows = [(position, *_message_row(*each)) for position, each in enumerate(fresh, start=int(newest) + 1)]
    await db.add_logged_rows("message", MESSAGE_COLUMNS, rows)
    if readings := _reading_rows(messages):
        newest = await _newest_slots(db, sorted({home for home, *_ in readings}))
        await _put_readings(db, readings, newest)
        await keep_sums(db, readings, newest)
    await db.put_rows(_HEAD_SQL, _head_rows(messages))
    await _insert_if_any(
        db,
        _LONG_SQL,
        [(r.home, int(r.measure), r.first_slot, r.slots, r.energy_wh) for m in messages for r in m.long_intervals],
    )
    devices = {
        (d.home, d.seat, d.name): (d.home, d.seat, d.name, d.state, d.age_s, d.reported_at)
        for m in messages
        for d in m.devices
    }
    await _insert_if_any(db, _DEVICE_SQL, list(devices.values()))
    await _insert_if_any(
        db,
        _CONSENT_SQL,
        [(m.home, m.seat, m.consent_version, m.consent, m.received_at) for m in messages if m.consent is not None],
    )
    await _insert_if_any(
        db,
        _SOURCE_SQL,
        [
            (each.home, int(each.meter), each.first_slot, each.since_at, m.agent, m.epoch, m.seq)
            for m in messages
            for each in m.sources
        ],
    )
    await _take_answers(db, messages)


async def _insert_if_any(db: Connection, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        await db.executemany(sql, rows)


async def _take_answers(db: Connection, messages: Sequence[AcceptedMessage]) -> None:
    for message in messages:
        if message.answer is None:
            continue
        prompt_id, choice, at = message.answer
        # Intake has already refused what does not count; the store decides again for answers given on a page meanwhile.
        await store_answer(db, prompt_id, home=message.home, answer=choice, at=at)


async def _newest_slots(db: Connection, homes: Sequence[str]) -> dict[str, Slot]:
    """The newest slot that each of these homes has sent a batch for; -1 for one that has sent none."""
    found = await db.execute_fetchall(_NEWEST_SQL.format(marks=",".join("?" * len(homes))), homes)
    return dict.fromkeys(homes, -1) | {str(home): int(slot) for home, slot in found if slot is not None}


async def _put_readings(db: Connection, rows: Sequence[Reading], newest: Mapping[str, Slot]) -> None:
    """Of slots behind all that the home has sent, a reading is there for the first time: nothing is looked for then."""
    await db.make_room({row[2] for row in rows})
    late = [row for row in rows if row[2] <= newest[row[0]]]
    await db.add_rows("reading", _READING, [row for row in rows if row[2] > newest[row[0]]] if late else rows)
    await db.put_rows(_READING_SQL, late)


def _reading_rows(messages: Sequence[AcceptedMessage]) -> list[Reading]:
    """One row for each key: of several, the one that would be left if they were stored one after the other."""
    rows: list[Reading] = [each for message in messages for each in message.readings]
    if len(set(map(_KEY_OF, rows))) == len(rows):  # as nearly always
        return rows
    best: dict[Any, Reading] = {}
    for each in rows:
        held = best.get(each[:4])
        if held is None or each[5] < held[5]:
            best[each[:4]] = each
    return list(best.values())


def _message_row(message: AcceptedMessage, previous: bytes) -> tuple[object, ...]:
    first = last = message.slot
    if message.readings:
        first = min([row[2] - row[3] + 1 for row in message.readings])
        last = max([row[2] for row in message.readings])
    return (
        message.agent,
        message.epoch,
        message.seq,
        message.kind,
        message.hash,
        shortened(message.sealed, message.agent, previous),
        message.received_at,
        first,
        last,
        message.refused,
    )


def _head_rows(messages: Iterable[AcceptedMessage]) -> list[tuple[object, ...]]:
    last: dict[str, AcceptedMessage] = {}
    slots: dict[str, Slot] = {}
    counts: dict[str, int] = {}
    for message in messages:
        last[message.agent] = message
        counts[message.agent] = counts.get(message.agent, 0) + (message.refused is None)
        if message.slot is not None:
            # No reading may be behind it: `_put_readings` takes those for new.
            newest = max([message.slot, *[row.slot for row in message.readings]])
            slots[message.agent] = max(slots.get(message.agent, newest), newest)
    return [
        (agent, m.epoch, m.seq, m.hash, slots.get(agent), m.received_at, counts[agent]) for agent, m in last.items()
    ]
