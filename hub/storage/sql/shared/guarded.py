"""Stores messages only while what they were judged by still holds, where several processes take messages."""

# ruff: noqa: S608 - only question marks are put into SQL here; values are bound.

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from hub.storage.errors import HomesChangedError
from hub.storage.records import AcceptedMessage
from hub.storage.shared.records import HomeFacts
from hub.storage.sql.connection import Connection, Transactions
from hub.storage.sql.messages import store_in
from protocols.public_keys import is_sound_key
from protocols.quantities import Measure
from protocols.slots import Slot

AT_ONCE: Final = 400
"""So many names are asked for in one statement."""


class SqlGuarded(Transactions):
    """The guarded writing of the SharedStore slice."""

    async def store_messages_if(self, messages: Sequence[AcceptedMessage], *, assumed: Mapping[str, HomeFacts]) -> None:
        """`store_messages`, if every agent still counts and what was assumed of these homes still holds.

        Raises: HomesChangedError if not; nothing is written.
        """

        async def work(db: Connection) -> None:
            changed = await _revoked_homes(db, sorted({message.agent for message in messages}))
            facts = await _facts_of(db, sorted(assumed))
            changed |= {home for home, held in assumed.items() if facts[home] != held}
            if changed:
                raise HomesChangedError(frozenset(changed))
            await store_in(db, messages)

        await self.write(work)


async def _revoked_homes(db: Connection, agents: Sequence[str]) -> set[str]:
    """The homes of those of these agents that are shut out."""
    found: set[str] = set()
    for first in range(0, len(agents), AT_ONCE):
        part = agents[first : first + AT_ONCE]
        marks = ",".join("?" * len(part))
        rows = await db.execute_fetchall(
            f"SELECT home_id FROM agent WHERE id IN ({marks}) AND revoked_at IS NOT NULL", part
        )
        found |= {str(row[0]) for row in rows}
    return found


async def _facts_of(db: Connection, homes: Sequence[str]) -> dict[str, HomeFacts]:
    sources: dict[str, dict[Measure, tuple[str, Slot]]] = defaultdict(dict)
    consents: dict[str, dict[int, int]] = defaultdict(dict)
    seats: dict[str, dict[int, list[tuple[bool, Slot | None]]]] = defaultdict(lambda: defaultdict(list))
    for first in range(0, len(homes), AT_ONCE):
        part = homes[first : first + AT_ONCE]
        marks = ",".join("?" * len(part))
        for home, measure, agent, first_slot in await db.execute_fetchall(
            f"SELECT home, measure, agent, first_slot FROM measure_source WHERE home IN ({marks}) ORDER BY id", part
        ):
            sources[str(home)][Measure(measure)] = (str(agent), int(first_slot))
        for home, seat, version in await db.execute_fetchall(
            f"SELECT home, seat, max(version) FROM consent WHERE home IN ({marks}) GROUP BY home, seat", part
        ):
            consents[str(home)][int(seat)] = int(version)
        for home, seat, key, revoked_at, last_slot in await db.execute_fetchall(
            "SELECT agent.home_id, agent.seat, agent.public_key, agent.revoked_at, h.last_slot FROM agent"
            f" LEFT JOIN chain_head AS h ON h.agent = agent.id WHERE agent.home_id IN ({marks})",
            part,
        ):
            works = revoked_at is None and is_sound_key(bytes(key))
            seats[str(home)][int(seat)].append((works, None if last_slot is None else int(last_slot)))
    return {
        home: HomeFacts(
            dict(sources[home]),
            dict(consents[home]),
            {seat: _vacant_from(held) for seat, held in seats[home].items()},
        )
        for home in homes
    }


def _vacant_from(held: Sequence[tuple[bool, Slot | None]]) -> Slot | None:
    """As intake has it: the slot after the last one that a seat's agents sent; None while one of them works."""
    if any(works for works, _ in held):
        return None
    return max((last + 1 for _, last in held if last is not None), default=0)
