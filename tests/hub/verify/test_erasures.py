"""What the retention rule erases: verify says so and still holds, all runs stay as they are, and nobody can fake it."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from hub.books.days import settle_day
from hub.commands.operation.verify import verify_hub, verify_lines
from hub.folder.opening import open_store
from hub.moving_out.retention import RetentionJob
from hub.storage.access_records import AccessFilter
from protocols.errors import RequestError
from protocols.timeline import Clock
from tests.hub.verify.tampering import CLOCK, STORE, tampering
from tests.releases.release_state import LATER_S

MONTHS = 36
THEN_S = LATER_S + (MONTHS + 2) * 31 * 86_400
GONE, HOME = "m03", "h03"


async def move_out_and_erase(hub: Path, *, due_s: float = THEN_S) -> None:
    store = await open_store(hub, clock=CLOCK)
    for agent in await store.agents():
        if agent.home_id == HOME and agent.revoked_at is None:
            assert await store.revoke_agent(agent.id, by="m01", reason="moved out") is None
    await store.end_adult(HOME, GONE, by="m01")  # a row that the made-up store has in this table
    assert await store.set_left(GONE, int(LATER_S), last_day="then", by="m01") is None
    await store.close()
    store = await open_store(hub, clock=Clock(real=lambda: due_s))
    job = RetentionJob(store, months=MONTHS, tz="Europe/Madrid", is_paying=False)
    await job(int(due_s))
    await job(int(due_s))
    await store.close()


def rows(hub: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(hub / STORE)) as db:
        return db.execute(sql).fetchall()


def test_readings_and_person_go_and_the_rest_holds(hub: Path) -> None:
    for row in rows(
        hub, "SELECT member FROM objection AS o WHERE id NOT IN (SELECT objection FROM objection_decision)"
    ):
        assert row != (GONE,), "the made-up co-op has nothing open with this member"
    before = rows(hub, "SELECT run_key, result_hash, allocation FROM run ORDER BY position")
    asyncio.run(move_out_and_erase(hub))
    for table in ("reading", "long_interval", "device", "consent", "appliance", "prompt"):
        assert rows(hub, f"SELECT count(*) FROM {table} WHERE home = '{HOME}'") == [(0,)], table
    sealed = "SELECT coalesce(sum(length(sealed)), 0) FROM message JOIN agent ON agent.id = agent"
    sealed += f" WHERE home_id = '{HOME}'"
    assert rows(hub, sealed) == [(0,)]
    assert rows(hub, f"SELECT name, email FROM member WHERE id = '{GONE}'") == [("erased", "")]
    assert rows(hub, f"SELECT count(*) FROM account WHERE member = '{GONE}' AND iban <> ''") == [(0,)]
    assert rows(hub, "SELECT count(*) FROM reading WHERE home = 'h01'") != [(0,)]
    assert rows(hub, "SELECT run_key, result_hash, allocation FROM run ORDER BY position") == before

    found = asyncio.run(verify_hub(hub, clock=CLOCK))
    text = verify_lines(found)
    assert found["ok"], text
    assert "everything holds" in text
    assert f"erased by rule, not missing: {HOME}: " in text
    assert "rest on readings erased by rule" in text

    async def log() -> list[str]:
        store = await open_store(hub, clock=CLOCK)
        looks = await store.access_rows(HOME, limit=5, wanted=AccessFilter())
        kinds = [each.kind for each in await store.member_changes()]
        await store.close()
        assert kinds[-2:] == ["readings erased", "person erased"]
        return [each.fields for each in looks if each.actor == "job:retention"]

    assert asyncio.run(log()) == ["readings erased"]


def test_a_day_with_erased_readings_is_not_settled_again(hub: Path) -> None:
    asyncio.run(move_out_and_erase(hub))
    ((day,),) = rows(hub, "SELECT min(day) FROM settled_through")

    async def settle_again() -> None:
        store = await open_store(hub, clock=CLOCK)
        try:
            await settle_day(store, day=date.fromisoformat(str(day)), made_at=int(LATER_S))
        finally:
            await store.close()

    with pytest.raises(RequestError, match=f"the readings of {HOME} were erased by rule on"):
        asyncio.run(settle_again())


def test_nothing_goes_before_its_time(hub: Path) -> None:
    count = rows(hub, f"SELECT count(*) FROM reading WHERE home = '{HOME}'")
    asyncio.run(move_out_and_erase(hub, due_s=LATER_S + (MONTHS - 1) * 30 * 86_400))
    assert rows(hub, f"SELECT count(*) FROM reading WHERE home = '{HOME}'") == count
    assert rows(hub, "SELECT count(*) FROM erasure") == [(0,)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE erasure SET months = 240", "erasure h03: the row was changed past the hub"),
        (
            "UPDATE member SET left_at = left_at + 1 WHERE id = 'm03'",
            "erasure h03: its membership did not end at that time",
        ),
        ("INSERT INTO erasure VALUES ('h01', 'm01', 9, 16, 1, 2000000000)", "erasure h01: its membership did not end"),
        ("DELETE FROM person_erasure", "person_erasure m03: the row was removed past the hub"),
    ],
)
def test_an_erasure_that_never_was_is_noticed(hub: Path, change: str, said: str) -> None:
    asyncio.run(move_out_and_erase(hub))
    with tampering(hub) as db:
        db.execute(change)
    found = asyncio.run(verify_hub(hub, clock=CLOCK))
    assert not found["ok"]
    assert said in verify_lines(found)


def test_the_store_itself_lets_no_message_lose_its_bytes_without_an_erasure(hub: Path) -> None:
    with closing(sqlite3.connect(hub / STORE)) as db, pytest.raises(sqlite3.IntegrityError, match="never changed"):
        db.execute("UPDATE message SET sealed = x''")
