"""Notices of grid meters: stored once for each change, and the spans that wait for the board."""

from collections.abc import Sequence
from typing import Any, Final

from hub.core.homes.measure_sources import GRID_METER
from hub.core.homes.meter_trust import UNPROVEN_METER, MeterSpan, ToldMeter, unproven_spans
from hub.storage.fleet_records import ReceivedNotice
from hub.storage.sql.connection import Connection, Transactions
from hub.storage.sql.people.home_agents import meter_sources
from hub.storage.sql.published.device_maps import release_windows
from protocols.slots import Slot, slot_of

MOST_NOTICES: Final = 1_000
_SAYS: Final = """quality, phases, legal_phases, is_derived, metrology, netting, within_wh, within_percent,
factor_millionths"""
_NEWEST_SQL: Final = f"SELECT {_SAYS} FROM meter_notice WHERE agent = ? ORDER BY id DESC LIMIT 1"  # noqa: S608
_COUNT_SQL: Final = "SELECT count(*) FROM meter_notice WHERE agent = ?"
_ADD_SQL: Final = f"""INSERT INTO meter_notice (agent, told_at, from_slot, {_SAYS}, sealed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""  # noqa: S608
_TOLD_SQL: Final = f"""SELECT agent.home_id, agent.seat, from_slot, told_at, {_SAYS}
FROM meter_notice JOIN agent ON agent.id = meter_notice.agent ORDER BY meter_notice.id"""  # noqa: S608
_ACCEPTED_SQL: Final = """SELECT f.home, f.first_slot FROM finding AS f WHERE f.code = ? AND (
    SELECT verdict FROM finding_decision WHERE finding = f.id ORDER BY id DESC LIMIT 1) = 'accept'"""


async def told_meters(db: Connection) -> list[ToldMeter]:
    """What was told of every home's grid meter by the agents in the seats that bring it, in order."""
    rows = list(await db.execute_fetchall(_TOLD_SQL))
    if not rows:
        return []
    bring = {(each.home, each.seat) for each in await meter_sources(db) if each.meter is GRID_METER}
    told = [_told(tuple(row)) for row in rows]
    # Before anything came of a home's grid, whichever agent tells of it is believed.
    known = {home for home, _ in bring}
    return [each for each in told if each.home not in known or (each.home, each.seat) in bring]


def _told(row: tuple[Any, ...]) -> ToldMeter:
    home, seat, slot, told_at, quality, phases, legal_phases, is_derived, metrology, netting, wh, percent, factor = row
    kind = quality, phases, legal_phases, bool(is_derived), metrology
    return ToldMeter(home, seat, slot, *kind, netting, wh, percent, slot_of(told_at), factor)


async def unproven_meters(db: Connection) -> list[MeterSpan]:
    """The meters whose readings wait until the board releases them."""
    if not (told := await told_meters(db)):
        return []
    accepted: list[tuple[str, Slot]] = [
        (str(home), int(slot)) for home, slot in await db.execute_fetchall(_ACCEPTED_SQL, (UNPROVEN_METER,))
    ]
    return unproven_spans(told, accepted, bundles=await release_windows(db))


class SqlMeterNotices(Transactions):
    """The MeterNoticeStore slice."""

    async def note_meters(self, received: Sequence[ReceivedNotice]) -> None:
        """Keep those that say something else than the one before of their agent, at most MOST_NOTICES of each."""

        async def work(db: Connection) -> None:
            for each in received:
                notice = each.notice
                kind = notice.quality, notice.phases, notice.legal_phases, int(notice.is_derived), notice.metrology
                error = notice.within_wh, notice.within_percent
                says = *kind, notice.netting, *error, notice.factor_millionths
                newest = [tuple(row) for row in await db.execute_fetchall(_NEWEST_SQL, (notice.agent,))]
                ((count,),) = await db.execute_fetchall(_COUNT_SQL, (notice.agent,))
                if newest != [says] and count < MOST_NOTICES:
                    row = (notice.agent, each.received_at, notice.from_slot, *says, each.sealed)
                    await db.execute(_ADD_SQL, row)

        await self.write(work)

    async def told_meters(self) -> tuple[ToldMeter, ...]:
        """What was told of every home's grid meter, by the agents in the seats that bring it, in order."""
        return tuple(await self.read(told_meters))

    async def unproven_meters(self) -> tuple[MeterSpan, ...]:
        """The meters whose readings wait until the board releases them."""
        return tuple(await self.read(unproven_meters))
