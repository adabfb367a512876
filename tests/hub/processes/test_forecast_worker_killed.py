"""The forecast worker of a running hub is killed: nobody else notices, and the next forecast has a worker again."""

import asyncio
import os
import signal
import time
from pathlib import Path

from hub.folder.opening import open_hub
from hub.intake.acceptance import judge_message, open_message
from hub.intake.state import Acceptance, AgentChain, IncomingMessage, IntakeState, OpenedMessage
from hub.storage.jobs.records import Job
from hub.storage.records import AcceptedMessage
from hub.storage.sqlite.store import SqliteStore
from protocols.slots import Slot, slot_of
from protocols.timeline import Timeline
from simulator.demo.processes import tree_of
from tests.benchmarks.attacks.running_hub import REAL, prepare, running
from tests.hub.processes.test_running import Running
from tests.hub.processes.waiting import wait_for
from tests.hub.sending_home import COOP, SendingHome
from tests.hub.test_planned_jobs import columns, consent

HOUR_S = 3600
HISTORY_SLOTS = 48


async def give_history(folder: Path, homes: list[SendingHome], *, now_s: int) -> None:
    """Half a day of readings of homes that share them, and a forecast that has been due since an hour ago."""
    _, _, store = await open_hub(folder, clock=REAL)
    state = IntakeState(COOP.id)
    try:
        for number, home in enumerate(homes):
            state.chains[home.agent] = AgentChain(home.home, home.key.public_key())
            slots = range(slot_of(now_s) - HISTORY_SLOTS, slot_of(now_s))
            sealed = [home.consent(consent(home.home))]
            sealed += [home.batch(slot, columns=columns(slot, makes_power=False, shift=number)) for slot in slots]
            await store.store_messages([accepted(*each, state, now_s=now_s) for each in sealed])
        await store.put_job(Job("forecast", now_s - HOUR_S, now_s - 2 * HOUR_S, ""))
    finally:
        await store.close()


def accepted(topic: str, sealed: bytes, state: IntakeState, *, now_s: int) -> AcceptedMessage:
    opened = open_message(IncomingMessage(topic, sealed, now_s), state)
    assert isinstance(opened, OpenedMessage), opened
    (verdict,) = judge_message(opened, state, held_hash=None, now_s=now_s)
    assert isinstance(verdict, Acceptance)
    return verdict.message


def newest_forecast(folder: Path) -> Slot | None:
    """When the newest forecast of demand was issued."""

    async def ask() -> Slot | None:
        store = await SqliteStore.open(folder / "hub.sqlite", now=time.time)
        try:
            found = await store.latest_forecasts(issued_by=2**40)
            return found["demand"].issued_slot if "demand" in found else None
        finally:
            await store.close()

    return asyncio.run(ask())


def worker_of(hub: Running) -> int | None:
    """The process of the forecast worker, if it runs."""
    for pid in tree_of(hub.processes()["timetable"]["pid"]):
        try:
            if b"hub.forecasts.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        except OSError:
            continue
    return None


def test_a_killed_forecast_worker_stops_nobody_and_the_next_forecast_is_made(tmp_path: Path) -> None:
    folder, clock = tmp_path / "hub", tmp_path / "clock.json"
    homes = [SendingHome(f"h{number:02d}") for number in range(1, 6)]
    now_s = int(time.time())
    asyncio.run(prepare(folder, homes))
    asyncio.run(give_history(folder, homes, now_s=now_s))
    clock.write_text(Timeline(now_s, now_s, 1.0, None).text())
    with running(folder, "--clock", str(clock)) as where:
        hub = Running(folder, where, homes[0])
        hub.home.begin()
        first = wait_for(lambda: newest_forecast(folder))
        worker, before = worker_of(hub), hub.processes()
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        hub.home.begin()
        # The next hour comes.
        written = tmp_path / "next.json"
        written.write_text(Timeline(now_s, now_s + HOUR_S, 1.0, None).text())
        written.replace(clock)
        wait_for(lambda: newest_forecast(folder) > first)
        assert worker_of(hub) not in (worker, None)
        assert hub.processes() == before
        hub.home.begin()
        hub.home.close()
