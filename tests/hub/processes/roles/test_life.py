"""What a process tells the others of itself, when it leaves its shards, and whom an enrolment waits for."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub.processes.channel import Channel, Facts
from hub.processes.roles import life, sharing
from hub.processes.roles.life import MAX_FACTS, Reporter, new_life, own_process, workers_know_agents
from hub.processes.roles.sharing import UNHEARD_S, IntakeSharing
from hub.storage.shared.records import HubProcess
from hub.storage.sqlite.store import SqliteStore
from tests.hub.intake.leases.two_workers import Worker, let_expire
from tests.hub.processes.roles.test_shared_work import within
from tests.hub.sending_home import open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_store(tmp_path)
    yield opened
    await opened.close()


async def test_what_is_done_is_reported_at_once_and_all_else_every_ten_seconds(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(life, "LOOK_S", 0.001)
    monkeypatch.setattr(life, "REPORT_S", 3600.0)
    figures: dict[str, object] = {"jobs_due": 1, "cpu_s": 1.0}
    asked = {"figures": 0, "health": 0}

    async def answer(what: str, _facts: Facts) -> Facts:
        asked[what] += 1
        return figures if what == "figures" else {"asked": asked[what]}

    async def looked(times: int) -> None:
        until = asked["figures"] + times
        while asked["figures"] < until:
            await asyncio.sleep(0)

    async def said() -> object:
        _, reports = await store.process_reports()
        return json.loads(reports[0].facts)["figures"]["jobs_due"] if reports and reports[0].facts else None

    async def is_said(jobs_due: int) -> None:
        while await said() != jobs_due:
            await asyncio.sleep(0)

    async def is_too_long() -> None:
        while "at most 65536 are kept" not in caplog.text:
            await looked(1)

    ends = socket.socketpair()
    channels = [await Channel.over(end, answer=answer) for end in ends]
    lines = [asyncio.create_task(each.run()) for each in channels]
    reporter = Reporter(store, own_process(new_life("web", name="w.pages")), channel=channels[0], beats=True)
    reporting = asyncio.create_task(reporter.run())
    await within(is_said(1))
    figures["jobs_due"] = 2
    await within(is_said(2))
    figures["cpu_s"] = 2.0
    before = asked["health"]
    await within(looked(3))
    assert asked["health"] == before, "time at work alone is no news"
    monkeypatch.setattr(life, "REPORT_S", 0.0)
    await within(looked(3))
    assert asked["health"] > before, "it says that it is alive"
    figures["long"] = "x" * MAX_FACTS
    await within(is_too_long())
    assert await said() == 2, "what is too long is not kept, and what it said before stays"
    reporting.cancel()
    await asyncio.wait({reporting})
    assert (await store.process_reports())[1] == (), "who ends in order is forgotten at once"
    for channel in channels:
        channel.close()
    await asyncio.wait(lines)


async def test_an_enrolment_waits_for_no_process_without_messages_and_for_none_that_is_dead(store: SqliteStore) -> None:
    dead = Worker("dead", store)
    await dead.turn()
    await store.take_turn(HubProcess("t", "timetable", "m", 0, 0), lambda _table: ())
    await store.write(lambda db: db.execute("UPDATE process SET heard_ms = heard_ms + 3600000 WHERE id = 't'"))
    await let_expire(store, dead)
    await within(workers_know_agents(store, within_s=3600))


async def test_a_worker_that_heard_no_broker_for_15_seconds_wants_no_shards(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steady, broker = [100.0], SimpleNamespace(is_any_connected=False)
    monkeypatch.setattr(sharing, "boot_s", lambda: steady[0])
    hub = SimpleNamespace(store=store)
    made = IntakeSharing(hub, life=new_life("intake", name="a"), link=broker, changed=lambda: None)  # type: ignore[arg-type]

    async def wants() -> bool:
        await made.shards.turn_once()
        return (await store.lease_table()).processes[0].wants_shards

    steady[0] += UNHEARD_S
    assert await wants(), "before its first turn it hears nothing on purpose"
    steady[0] += UNHEARD_S - 0.001
    assert await wants()
    steady[0] += 0.001
    assert not await wants()
    broker.is_any_connected = True
    assert await wants()
