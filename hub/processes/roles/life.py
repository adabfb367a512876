"""One life of a process of the hub, as it is known to the others: who it is, and how it does."""

import asyncio
import hashlib
import json
import logging
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hub.broker.client_id import hub_client_id
from hub.folder.paths import BROKER_NAME
from hub.folder.settings import HubSettings
from hub.intake.leases.sharing import LEASE_MS
from hub.processes.channel import Channel, ChannelError
from hub.storage.errors import StoreError
from hub.storage.shared.records import HubProcess, Lease, LeaseTable, SharedStore

log = logging.getLogger(__name__)

REPORT_S: Final = 10.0
LOOK_S: Final = 1.0
KNOWN_LOOK_S: Final = 0.2
MAX_FACTS: Final = 65_536
MACHINE_CHARS: Final = 64


def new_life(role: str, *, name: str) -> dict[str, object]:
    """The facts of a process that starts now under this name, which no other one has at the same time."""
    machine = socket.gethostname()[:MACHINE_CHARS]
    return {
        "id": name,
        "role": role,
        "machine": machine,
        "started_ms": time.time_ns() // 1_000_000,
    }


def process_label(role: str, *, number: int) -> str:
    """What metrics call a process of this role, or with no role a whole hub: the same again for the next with this
    number.

    >>> process_label("intake", number=2).removeprefix(socket.gethostname()[:MACHINE_CHARS])
    '-intake-2'
    """
    machine = socket.gethostname()[:MACHINE_CHARS]
    return f"{machine}-{role}-{number}" if role else machine


def own_name(folder: Path, settings: HubSettings) -> str:
    """The name of a hub that has its folder alone: it comes back under it, and has its leases again at once.

    Made from the name of its session at the broker, which stays secret. Raises: BrokerError.
    """
    kept = hub_client_id(folder / BROKER_NAME, coop=settings.coop.id)
    return hashlib.sha256(kept.encode()).hexdigest()[:16]


def own_process(facts: Mapping[str, Any]) -> HubProcess:
    """The process with these facts, not heard yet."""
    return HubProcess(str(facts["id"]), str(facts["role"]), str(facts["machine"]), int(facts["started_ms"]), 0)


class Reporter:
    """Writes down every ten seconds how this process does, and at once what it has got done. `beats`: it has no other
    way of saying that it is alive.
    """

    def __init__(self, store: SharedStore, own: HubProcess, *, channel: Channel, beats: bool) -> None:
        self._store, self._own, self._channel, self._beats = store, own, channel, beats
        self._last: tuple[float, object] = (float("-inf"), None)

    async def run(self) -> None:
        """Report until cancelled; what cannot be written is written at the next turn."""
        try:
            while True:
                try:
                    await self._look()
                except (StoreError, ChannelError) as error:
                    log.debug("the report of this process: %s", error)
                await asyncio.sleep(LOOK_S)
        finally:
            if self._beats:
                await _leave(self._store, self._own.id)

    async def _look(self) -> None:
        figures = dict(await self._channel.ask("figures"))
        news = {name: value for name, value in figures.items() if name not in ("cpu_s", "processes")}
        steady_s = asyncio.get_running_loop().time()
        if steady_s - self._last[0] < REPORT_S and news == self._last[1]:
            return
        health = await self._channel.ask("health")
        facts = json.dumps({"figures": figures, "health": health})
        if self._beats:
            await self._store.take_turn(self._own, _nothing)
        if len(facts) <= MAX_FACTS:
            await self._store.note_process_facts(self._own.id, facts)
        else:
            log.warning("the report of this process has %d characters, at most %d are kept", len(facts), MAX_FACTS)
        self._last = (steady_s, news)


async def workers_know_agents(store: SharedStore, *, within_s: float) -> None:
    """Returns when every worker that takes messages knows all agents that there are now, or after this time.

    Raises: StoreError.
    """
    began_ms = (await store.lease_table()).now_ms
    until_s = asyncio.get_running_loop().time() + within_s
    while asyncio.get_running_loop().time() < until_s:
        table = await store.lease_table()
        workers = [each for each in table.processes if each.wants_shards and table.now_ms - each.heard_ms < LEASE_MS]
        if all(each.agents_ms is not None and each.agents_ms >= began_ms for each in workers):
            return
        await asyncio.sleep(KNOWN_LOOK_S)
    log.warning("not every intake worker knows a new agent yet: it may have to wait for some seconds")


def _nothing(_table: LeaseTable) -> tuple[Lease, ...]:
    return ()


async def _leave(store: SharedStore, process: str) -> None:
    try:
        await store.leave(process)
    except StoreError as error:
        log.debug("this process is forgotten when it is not heard any more: %s", error)
