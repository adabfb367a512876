"""A leader acts under a lease that only it has, ends with it, and its failure is not kept quiet."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.intake.leases.sharing import LEASE_MS
from hub.processes.roles import leader
from hub.processes.roles.leader import Leader
from hub.storage.contract import Store
from hub.storage.errors import LeaseLostError, StoreError
from hub.storage.jobs.records import Job
from hub.storage.shared.records import HubProcess, Lease, LeaseTable
from hub.storage.sqlite.store import SqliteStore
from tests.hub.processes.roles.test_shared_work import Work, within
from tests.hub.sending_home import open_store

OWN = HubProcess("a", "timetable", "m", 0, 0)


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    monkeypatch.setattr(leader, "TURN_S", 0.01)
    opened = await open_store(tmp_path)
    yield opened
    await opened.close()


@asynccontextmanager
async def led(store: SqliteStore, work: Work) -> AsyncIterator[Leader]:
    """A leader that has begun this work."""
    made = Leader(store, OWN, name="timetable", lead=work)
    leading = asyncio.create_task(made.run())
    await within(work.began.wait())
    yield made
    leading.cancel()
    await asyncio.wait({leading})


async def test_what_an_earlier_life_began_cannot_write_beside_the_next(store: SqliteStore) -> None:
    def earlier(table: LeaseTable) -> Sequence[Lease]:
        return [Lease("timetable", "a", 3, table.now_ms + LEASE_MS)]

    await store.take_turn(OWN, earlier)
    held_up = store.fenced(holder="a", held=lambda: {"timetable": 3})
    work = Work()
    async with led(store, work):
        with pytest.raises(LeaseLostError):
            await held_up.put_job(Job("one", 1, None, ""))
        assert work.store is not None
        await work.store.put_job(Job("two", 1, None, ""))


async def test_work_begins_once_more_when_another_one_led_in_between_and_left(store: SqliteStore) -> None:
    work = Work()
    async with led(store, work):
        work.began.clear()
        await store.write(lambda db: db.execute("UPDATE lease SET holder = '', token = token + 1"))
        await within(work.began.wait())
        assert work.ended.is_set()
        assert work.store is not None
        await work.store.put_job(Job("one", 1, None, ""))


async def test_who_cannot_reach_the_store_leads_until_its_lease_is_over(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    steady, failed, work = [0.0], asyncio.Event(), Work()

    async def fails(*_asked: object) -> LeaseTable:
        failed.set()
        raise StoreError("the server is away")

    monkeypatch.setattr(leader, "boot_s", lambda: steady[0])
    async with led(store, work) as made:
        monkeypatch.setattr(store, "take_turn", fails)
        for steady[0] in (0.0, LEASE_MS / 1000):
            for _ in range(2):  # the second turn begins when what the first one found has been followed
                failed.clear()
                await within(failed.wait())
            assert made.leads
        steady[0] += 0.001
        await within(work.ended.wait())
    assert "another process" not in caplog.text, "nobody has taken it over as far as this process knows"


async def test_what_ends_the_work_ends_the_process_and_gives_the_lease_back(store: SqliteStore) -> None:
    async def breaks(_store: Store) -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"):
        await within(Leader(store, OWN, name="timetable", lead=breaks).run())
    assert (await store.lease_table()).leases["timetable"].holder == ""
