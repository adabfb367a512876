"""Two hundred kills, pauses and splits of intake workers under a stream of batches: nothing lost, nothing twice."""

import asyncio
import random
import shutil
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.folder.elsewhere.store_settings import ADDRESS_NAME
from hub.storage.postgres.connections import connect
from tests.hub.processes.roles.cut_off import Way
from tests.hub.processes.roles.many import ManyHub, Street, kill, many_hub, own_folder, signal_all
from tests.hub.sending_home import SendingHome

SEED = 20_261
FAULTS = 200
WORKERS = 3
HOMES = 12
MESSAGES = 1_500
BATCHES_A_SECOND = 1.5
LONGEST_S = 16.0
"""Longer than a lease, so that about a third of the pauses and splits lose it."""

BETWEEN_S = 2.0


@dataclass
class Faults:
    """What is still to happen, and what has happened."""

    left: int = FAULTS
    done: Counter[str] = field(default_factory=Counter)


class Machine:
    """An intake worker on a machine of its own: its copy of the hub's folder, its ways to the broker and the store."""

    def __init__(self, hub: ManyHub, number: int) -> None:
        self._hub = hub
        self._folder = hub.folder.parent / f"machine-{number}"
        self._sockets = own_folder()
        self._broker = Way(("127.0.0.1", hub.broker_port))
        self._store = Way(hub.server.sockets / f".s.PGSQL.{hub.server.port}")
        self._process: asyncio.subprocess.Process | None = None

    async def begin(self) -> None:
        port = await self._broker.open()
        await self._store.open(self._sockets / f".s.PGSQL.{self._hub.server.port}")
        files = ["roles", "files", "--data", str(self._hub.folder), "--to", str(self._folder)]
        assert await asyncio.to_thread(main, files) == 0
        settings = (self._folder / "hub.toml").read_text()
        (self._folder / "hub.toml").write_text(settings.replace(f"port = {self._hub.broker_port}", f"port = {port}"))
        address = (self._folder / ADDRESS_NAME).read_text()
        assert str(self._hub.server.sockets) in address
        (self._folder / ADDRESS_NAME).write_text(address.replace(str(self._hub.server.sockets), str(self._sockets)))
        await self.start()

    async def start(self) -> None:
        self._process = await self._hub.start("intake", folder=self._folder)

    async def fault(self, chance: random.Random) -> str:
        """One fault and its end; its kind."""
        assert self._process is not None
        kind = chance.choice(["kill", "pause", "store silent", "store breaks", "broker silent", "broker breaks"])
        lasts_s = chance.uniform(0.5, LONGEST_S)
        if kind == "kill":
            await kill(self._process)
            await self.start()
        elif kind == "pause":
            await signal_all(self._process, signal.SIGSTOP)
            await asyncio.sleep(lasts_s)  # the pause itself
            await signal_all(self._process, signal.SIGCONT)
        else:
            way = self._store if kind.startswith("store") else self._broker
            way.cut(breaks=kind.endswith("breaks"))
            await asyncio.sleep(lasts_s)  # the split itself
            way.mend()
        return kind

    async def faults(self, faults: Faults, chance: random.Random) -> None:
        while faults.left > 0:
            faults.left -= 1
            faults.done[await self.fault(chance)] += 1
            await asyncio.sleep(chance.uniform(0, BETWEEN_S))  # the pace of the faults

    async def end(self) -> None:
        await self._broker.close()
        await self._store.close()
        shutil.rmtree(self._sockets)


async def held_back(hub: ManyHub, street: Street) -> list[str]:
    """Agents that were told of more than is stored."""
    told = dict(street.through)
    session = await connect(hub.server.admin("energy"))
    try:
        stored = {str(row[0]): int(row[1]) for row in await session.fetch("SELECT agent, seq FROM chain_head")}
    finally:
        session.terminate()
    return [agent for agent, through in told.items() if through > stored.get(agent, 0)]


async def takeovers(hub: ManyHub) -> int:
    session = await connect(hub.server.admin("energy"))
    try:
        return int(await session.fetchval("SELECT sum(token) FROM lease"))
    finally:
        session.terminate()


@pytest.mark.campaign
@pytest.mark.timeout(3600)
async def test_two_hundred_faults_of_workers_lose_and_double_nothing(tmp_path: Path) -> None:
    homes = [SendingHome(f"h{number:02d}") for number in range(HOMES)]
    async with many_hub(tmp_path, homes, slots=MESSAGES) as hub:
        machines = [Machine(hub, number) for number in range(WORKERS)]
        await asyncio.gather(*(machine.begin() for machine in machines))
        street = Street(hub, homes, messages=MESSAGES, batches_a_second=BATCHES_A_SECOND)
        faults = Faults()
        work = asyncio.gather(*(machine.faults(faults, random.Random(SEED + n)) for n, machine in enumerate(machines)))
        checked = 0
        while not work.done():
            until_s = asyncio.get_running_loop().time() + 5
            await street.send_until(lambda: asyncio.get_running_loop().time() > until_s or work.done())  # noqa: B023
            assert await held_back(hub, street) == [], f"a receipt for what is not stored, seed {SEED}"
            checked += 1
        await work
        under_faults, moved = street.receipted, await takeovers(hub)
        street.hurry()
        await street.send_until(lambda: street.is_done, within_s=600)
        await street.stop()
        assert await hub.stored() == {home.agent: list(range(1, MESSAGES + 1)) for home in homes}
        await hub.stop()
        assert await asyncio.to_thread(main, ["verify", "--data", str(hub.folder), "--clock", str(hub.clock)]) == 0
        for machine in machines:
            await machine.end()
    print(
        f"{sum(faults.done.values())} faults {dict(faults.done)}, {HOMES * MESSAGES} batches, {under_faults} of them"
        f" receipted meanwhile; shards changed hands {moved} times; receipts compared with the store {checked} times"
    )
