"""What a home's agents bring and allow,: the source of each meter, and the newest consent of each seat."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from hub.core.homes.consents import AgentConsent
from hub.core.homes.measure_sources import MeterSource, measures_of
from hub.storage.sql.connection import Connection, Row, Transactions
from protocols.quantities import Measure

_SOURCES_SQL: Final = """SELECT s.home, s.measure, s.agent, agent.seat, s.first_slot, s.since_at, s.after_position
FROM measure_source AS s JOIN agent ON agent.id = s.agent ORDER BY s.id"""
_CONSENTS_SQL: Final = """SELECT home, seat, version, document FROM consent AS c WHERE version =
    (SELECT max(version) FROM consent WHERE home = c.home AND seat = c.seat) ORDER BY home, seat"""
_LIVE_SQL: Final = "SELECT home_id, seat FROM agent WHERE revoked_at IS NULL"
_ENDED_SQL: Final = "SELECT home.id FROM home JOIN member ON member.id = home.member_id WHERE member.left_at <= ?"


@dataclass(frozen=True, slots=True)
class _Found:
    """The rows from which the consents of homes are put together."""

    consents: list[Row]
    sources: list[Row]
    live: list[Row]
    ended: list[Row]


async def meter_sources(db: Connection) -> list[MeterSource]:
    """Every source of every meter, in the order in which they took over."""
    rows = await db.execute_fetchall(_SOURCES_SQL)
    return [MeterSource(row[0], Measure(row[1]), *tuple(row)[2:]) for row in rows]


class SqlHomeAgents(Transactions):
    """The HomeAgentStore slice."""

    async def meter_sources(self) -> tuple[MeterSource, ...]:
        """Every source of every meter, in the order in which they took over."""
        return tuple(await self.read(meter_sources))

    async def seat_consents(self) -> tuple[tuple[str, int, bytes], ...]:
        """(home, seat, document): the newest consent of each seat that sent one."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(_CONSENTS_SQL)
        return tuple((str(home), int(seat), bytes(document)) for home, seat, _, document in rows)

    async def consents(self, *, lasting_at: int | None = None) -> dict[str, tuple[AgentConsent, ...]]:
        """The consents of each home's seats; with `lasting_at`, of members at that time."""
        async with self.reading() as db:
            found = _Found(
                consents=await db.execute_fetchall(_CONSENTS_SQL),
                sources=await db.execute_fetchall(_SOURCES_SQL),
                live=await db.execute_fetchall(_LIVE_SQL),
                ended=[] if lasting_at is None else await db.execute_fetchall(_ENDED_SQL, (lasting_at,)),
            )
        # Not by the event loop: there may be very many homes.
        return await asyncio.to_thread(_by_home, found)

    async def consent_bytes(self, home: str, *, seat: int = 1) -> tuple[int, bytes] | None:
        """The newest (version, document) of one seat of a home, or None."""
        async with self.reading() as db:
            rows = await db.execute_fetchall(
                "SELECT version, document FROM consent WHERE home = ? AND seat = ? ORDER BY version DESC LIMIT 1",
                (home, seat),
            )
        return next(((int(row[0]), bytes(row[1])) for row in rows), None)


def _by_home(found: _Found) -> dict[str, tuple[AgentConsent, ...]]:
    held = {(str(row[0]), int(row[1])): (int(row[2]), bytes(row[3])) for row in found.consents}
    live = {(str(home), int(seat)) for home, seat in found.live}
    newest = {(str(row[0]), Measure(row[1])): int(row[3]) for row in found.sources}
    brings: dict[tuple[str, int], set[Measure]] = defaultdict(set)
    for (home, meter), seat in newest.items():
        brings[home, seat] |= measures_of(meter)
    counting: dict[str, set[int]] = defaultdict(set)
    sent: dict[str, set[int]] = defaultdict(set)
    for home, seat in live | brings.keys():
        counting[home].add(seat)
    for home, seat in held:
        sent[home].add(seat)
    ended = {str(row[0]) for row in found.ended}
    return {
        # Seats with a working agent or with a measure that nobody took over since; else every seat with a consent.
        home: _of_home(home, counting.get(home) or sent[home], held=held, brings=brings)
        for home in sorted(sent.keys() - ended)
    }


def _of_home(
    home: str,
    seats: set[int],
    *,
    held: dict[tuple[str, int], tuple[int, bytes]],
    brings: dict[tuple[str, int], set[Measure]],
) -> tuple[AgentConsent, ...]:
    return tuple(
        AgentConsent(*held.get((home, seat), (0, b"")), frozenset(brings.get((home, seat), ())), seat)
        for seat in sorted(seats)
    )
