"""The running hub: starts the broker, intake, timetable and pages together and stops them in order."""

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from hub.broker.plans import plan_broker
from hub.broker.supervisor import BrokerProcess
from hub.core.ledger.approvals import lone_board
from hub.folder.opening import check_store, open_hub
from hub.folder.paths import BROKER_NAME, running_alone, write_running
from hub.folder.settings import load_settings
from hub.processes.intake import IntakePart
from hub.processes.own_hub import OwnHub, cpu_s
from hub.processes.pages import PagesPart
from hub.processes.timetable import TimetablePart
from hub.quality.connections import home_limits, unstated_connections
from hub.storage.errors import StoreError
from protocols.service_manager import keep_service_manager_told
from protocols.slots import slot_of
from protocols.timeline import Clock

log = logging.getLogger(__name__)

CHECK_AT_START_S: Final = 30.0
"""How long a start may look for damage; `commonwatt-hub verify` has no such limit."""


async def run_hub(
    folder: Path, *, clock: Clock, web_port: int | None, broker_port: int | None, announce: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises: CommonwattError, with a one-line message, if the hub cannot start."""
    load_settings(folder)
    with running_alone(folder):
        await refuse_damage(folder)
        settings, key, store = await open_hub(folder, clock=clock)
        try:
            hub = Hub(OwnHub(folder, settings, key, store, clock))
            await hub.serve(web_port=web_port, broker_port=broker_port, announce=announce)
        finally:
            await store.close()


async def refuse_damage(folder: Path) -> None:
    """Look through the store's file for a bounded time, before anything is written to it.

    Raises: StoreError if it is damaged, so that nothing is built on it.
    """
    check = await check_store(folder, within_s=CHECK_AT_START_S)
    if check.problem is not None:
        raise StoreError(
            f"{folder}: the store is damaged ({check.problem[:200]}): the hub does not start on it; restore the folder"
            f" from a backup, or see what is hit with: commonwatt-hub verify --data {folder}"
        )
    if not check.is_whole:
        log.warning(
            "only a part of the store was looked through for damage in %d s, and that part is sound; the whole of it is"
            " checked by: commonwatt-hub verify --data %s",
            CHECK_AT_START_S,
            folder,
        )


class Hub:
    """The parts of one running hub."""

    def __init__(self, hub: OwnHub) -> None:
        self._hub = hub
        self._signs_of_life: asyncio.Task[None] | None = None

    async def serve(self, *, web_port: int | None, broker_port: int | None, announce: Callable[[str], None]) -> None:
        """Run until a signal arrives or a part fails; then stop everything in order."""
        settings, folder, store = self._hub.settings, self._hub.folder, self._hub.store
        plan = plan_broker(settings.broker, folder=folder / BROKER_NAME, coop=settings.coop.id, port=broker_port)
        broker = BrokerProcess(plan)
        intake = IntakePart(self._hub, broker=broker)
        timetable = TimetablePart(self._hub, publisher=intake)
        status_key = secrets.token_urlsafe(24)

        async def figures() -> Mapping[str, object]:
            found = {**intake.figures(), **timetable.figures()}
            return {**found, "cpu_s": cpu_s() + float(str(found.pop("worker_cpu_s")))}

        pages = PagesPart(
            self._hub,
            broker=(plan.address.host, plan.address.port),
            agents_changed=intake.agents_changed,
            figures=figures,
            status_key=status_key,
        )
        unstated = unstated_connections(await home_limits(store, slot=slot_of(self._hub.clock.now())))
        members = await store.members()
        lone = lone_board(
            [each.id for each in members if each.is_board], members=sum(each.held_by is None for each in members)
        )

        def web_is_bound(address: str) -> None:
            write_running(folder, {"web": address, **plan.place, "status_key": status_key})
            self._signs_of_life = asyncio.create_task(keep_service_manager_told())
            announce(f"pages on {address}, broker ({plan.name}) on {plan.words}")
            for warning in (unstated, lone, settings.web.warning, plan.warning):
                if warning is not None:
                    announce(warning)

        # Stopped in this order: first requests, then work, and last the broker that the work comes from.
        tasks = [
            asyncio.create_task(pages.run(port=web_port, is_bound=web_is_bound), name="pages"),
            asyncio.create_task(timetable.run(), name="timetable"),
            asyncio.create_task(intake.run(), name="intake"),
            asyncio.create_task(broker.run(), name="broker"),
        ]
        await _until_stopped(tasks)


async def _until_stopped(tasks: Sequence[asyncio.Task[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        for task in tasks:
            task.cancel()
            await asyncio.wait({task})
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            log.error("%s failed", task.get_name(), exc_info=task.exception())
            raise StoreError(f"{task.get_name()} failed: the log above shows the error; the hub has stopped")
