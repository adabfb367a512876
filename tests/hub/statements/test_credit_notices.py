"""The notices of credits: each agent its own home's, under the hub's key and its own topic, and again without end."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from hub.books.days import settle_day
from hub.processes.planned_jobs import CREDIT_HOURS
from hub.settlement_job import SettlementJob
from hub.statements.credit_notices import ACCESS, CreditsJob, CreditsSender
from hub.statements.own_days import OwnDays
from hub.storage.records import Agent
from hub.storage.sqlite.threads.connection import Connection
from hub.timetable import daily, first_of
from protocols.errors import RequestError
from protocols.slots import slots_of_day
from protocols.timeline import Clock
from protocols.wire.credits.notices import MAX_DAYS, CreditsNotice, decode_credits
from protocols.wire.envelope import open_sealed
from protocols.wire.topics import downlink_topic
from tests.hub.settled_street import COOP, KEY, Street, one_sun_wh, open_street

DAYS = tuple(date(2026, 6, day) for day in range(1, 10))
TOLD_S = int(datetime(2026, 6, 9, 22, 50, tzinfo=UTC).timestamp())  # 0:50 of the next day in Madrid
ENROLLED_S = 1_800_000_000


class Broker:
    """What was handed to it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []

    def publish(self, topic: str, sealed: bytes) -> None:
        self.sent.append((topic, sealed))

    def notices(self) -> dict[str, CreditsNotice]:
        """By agent, each checked with the hub's key under the agent's own topic."""
        found = [decode_credits(open_sealed(sealed, topic, KEY.public_key())) for topic, sealed in self.sent]
        assert [topic for topic, _ in self.sent] == [
            downlink_topic(COOP.id, each.agent, kind="credits") for each in found
        ]
        return {each.agent: each for each in found}


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    opened = await open_street(tmp_path, homes=6)
    yield opened
    await opened.store.close()


def job(street: Street, broker: Broker, *, now_s: float = TOLD_S) -> CreditsJob:
    sender = CreditsSender(coop=COOP.id, key=KEY, link=broker)
    return CreditsJob(
        street.store, days=OwnDays(street.store), send=sender.send, tz=COOP.tz, clock=Clock(lambda: now_s), pause_s=0
    )


async def test_each_agent_gets_the_last_week_of_its_own_home(street: Street) -> None:
    await street.arrive_days(DAYS)
    broker = Broker()
    await job(street, broker)(TOLD_S)
    assert broker.sent == [], "nothing is settled yet"
    for day in DAYS:
        await settle_day(street.store, day=day, made_at=1, key=KEY)
    await job(street, broker)(TOLD_S)
    notices = broker.notices()
    assert sorted(notices) == [f"a-{number:02d}" for number in range(1, 7)]
    first_slots = [slots_of_day(day, COOP.tz).start for day in DAYS[-MAX_DAYS:]]
    assert all([day.first_slot for day in each.days] == first_slots for each in notices.values())
    own = await OwnDays(street.store).read(DAYS[-MAX_DAYS:], access=ACCESS)
    assert {each.agent: each.days for each in notices.values()} == {
        f"a-{number:02d}": own[f"m{number:02d}"] for number in range(1, 7)
    }
    assert {each.at for each in notices.values()} == {TOLD_S}
    assert {len(sealed) for _, sealed in broker.sent} == {512}


async def test_a_correction_is_told_with_the_next_notice(tmp_path: Path) -> None:
    street, day = await open_street(tmp_path, homes=12, energy=one_sun_wh), DAYS[-1]
    late = [(number, slot) for slot in slots_of_day(day, COOP.tz)[40:48] for number in range(1, 13)]
    await street.arrive_days([day], without=late)
    settlement = SettlementJob(street.store, tz=COOP.tz, key=KEY)
    await settlement(TOLD_S - 1800)
    first, second = Broker(), Broker()
    await job(street, first)(TOLD_S)
    await street.arrive(late)
    await settlement(TOLD_S + 86_400)
    await job(street, second, now_s=TOLD_S + 90_000)(TOLD_S + 90_000)
    for agent, notice in second.notices().items():
        before = first.notices()[agent]
        assert notice.at > before.at
        assert [each.first_slot for each in notice.days] == [each.first_slot for each in before.days]
        assert notice.days != before.days
    await street.store.close()


async def test_neither_a_revoked_agent_nor_a_new_one_that_may_be_a_strangers_is_told(street: Street) -> None:
    await street.arrive_days(DAYS[-1:])
    await settle_day(street.store, day=DAYS[-1], made_at=1, key=KEY)
    assert await street.store.revoke_agent("a-02", by="m01", reason="sold") is None
    token = hashlib.sha256(b"new").digest()
    await street.store.add_invite(token, home_id="h03", expires_at=2 * ENROLLED_S, replaces="a-03")
    new = Agent("a-new", "h03", 5, token, ENROLLED_S, None)
    assert await street.store.redeem_invite(token, agent=new, now=ENROLLED_S) is None
    broker = Broker()
    # The job's day does not depend on when it runs, only on when it was due.
    await job(street, broker, now_s=ENROLLED_S + 3600)(TOLD_S)
    assert sorted(broker.notices()) == ["a-01", "a-04", "a-05", "a-06"]
    assert await street.store.object_to_agent("a-new", member="m03", reason="nobody was here") is None
    await job(street, broker, now_s=ENROLLED_S + 2 * 86_400)(TOLD_S)
    assert "a-new" not in broker.notices()
    assert await street.store.decide_agent("a-new", verdict="counts", by="m01", reason="it was the electrician") is None
    await job(street, broker, now_s=ENROLLED_S + 2 * 86_400)(TOLD_S)
    assert "a-new" in broker.notices()


async def test_damaged_books_are_one_line_for_the_board_and_no_notice(street: Street) -> None:
    day = DAYS[-1]
    late = [(1, slots_of_day(day, COOP.tz)[40])]
    await street.arrive_days([day], without=late)
    await settle_day(street.store, day=day, made_at=1, key=KEY)
    await street.arrive(late)
    await settle_day(street.store, day=day, made_at=2, key=KEY)

    async def damage(db: Connection) -> None:
        await db.execute("DROP TRIGGER run_is_fixed")
        await db.execute("UPDATE run SET allocation = x'00'")

    await street.store.write(damage)
    broker = Broker()
    with pytest.raises(RequestError, match=r"2026-06-09: .*run `commonwatt-hub verify`"):
        await job(street, broker)(TOLD_S)
    assert broker.sent == []


def test_it_is_due_four_times_a_local_day_also_when_the_clocks_change() -> None:
    due = first_of(*(daily(hour, 50, tz=COOP.tz) for hour in CREDIT_HOURS))
    at_s, found = int(datetime(2026, 10, 24, 21, 0, tzinfo=UTC).timestamp()), []
    for _ in range(5):
        at_s = due(at_s)
        found.append(datetime.fromtimestamp(at_s, UTC).strftime("%d %H:%M"))
    assert found == ["24 22:50", "25 05:50", "25 11:50", "25 17:50", "25 23:50"]
