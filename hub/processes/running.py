"""The running hub: starts the broker and a process for each part, keeps them going, and stops them in order."""

import asyncio
import logging
import secrets
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from hub.broker.file_watch import watch_file
from hub.broker.sharded.planned import plan_brokers
from hub.broker.sharded.running import Brokers
from hub.core.ledger.approvals import lone_board
from hub.folder.clock import clock_warning, open_clock
from hub.folder.opening import check_store, open_hub
from hub.folder.paths import KEY_NAME, running_alone, write_running
from hub.folder.settings import HubSettings, load_settings
from hub.folder.watching.health_settings import read_token
from hub.folder.watching.log_settings import JSON
from hub.health.facts import HubHealth, as_facts
from hub.health.log_lines import use_log
from hub.health.reported import HealthReportError, read_health
from hub.processes.channel import ChannelError, Facts
from hub.processes.homes_elsewhere import homes_listener, public_warnings
from hub.processes.own_hub import cpu_s
from hub.processes.part import NAMES
from hub.processes.part_process import PartProcess
from hub.processes.roles.life import new_life, own_name, process_label
from hub.processes.roles.names import HubRole
from hub.processes.roles.waiting import opened_when_there
from hub.processes.watching.health import HubWatch
from hub.processes.watching.health_server import HealthServer, Keys
from hub.quality.connections import home_limits, unstated_connections
from hub.storage.contract import Store
from hub.storage.errors import StoreError
from protocols.errors import CommonwattError
from protocols.service_manager import keep_service_manager_told
from protocols.slots import slot_of
from protocols.timeline import Clock

log = logging.getLogger(__name__)

CHECK_AT_START_S: Final = 30.0
"""How long a start may look for damage; `commonwatt-hub verify` has no such limit."""


ASK_WITHIN_S: Final = 10.0
ALIVE_WITHIN_S: Final = 60.0
MESSAGES_KEPT: Final = 2000
"""How many messages to homes wait while intake is being started again; the oldest go first."""


async def run_hub(
    folder: Path,
    *,
    clock_file: Path | None,
    web_port: int | None,
    broker_port: int | None,
    announce: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises: CommonwattError, with a one-line message, if the hub cannot start."""
    load_settings(folder)
    clock = open_clock(clock_file)
    with running_alone(folder) as lock:
        await refuse_damage(folder)
        settings, warnings = await opened_when_there(partial(_opened, folder, clock), say=announce)
        log_form = settings.watch.log
        use_log("hub", is_json=log_form.form == JSON, has_trail=log_form.trail)
        if log_form.form == JSON:
            announce = _logged
        hub = Hub(folder, settings, lock=lock, clock_file=clock_file)
        await hub.serve(web_port=web_port, broker_port=broker_port, announce=announce, warnings=warnings)


async def _opened(folder: Path, clock: Clock) -> tuple[HubSettings, Sequence[str | None]]:
    """The settings of a hub that can be run, and what its board should know.

    Opened first: what is wrong with it, and a step of the schema, is not the business of three processes.
    """
    settings, _, store = await open_hub(folder, clock=clock)
    try:
        return settings, await _warnings(settings, store, now_s=clock.now())
    finally:
        await store.close()


def _logged(line: str) -> None:
    """An announcement as a line of a log that is read by programs."""
    log.info("%s", line)


async def _warnings(settings: HubSettings, store: Store, *, now_s: float) -> Sequence[str | None]:
    """What the board should know of a hub that starts."""
    unstated = unstated_connections(await home_limits(store, slot=slot_of(now_s)))
    members = await store.members()
    lone = lone_board(
        [each.id for each in members if each.is_board], members=sum(each.held_by is None for each in members)
    )
    standby = None
    if settings.store is not None:
        from hub.folder.elsewhere.server_store import what_a_failover_loses  # noqa: PLC0415 - needs the extra postgres

        standby = await what_a_failover_loses(settings.store)
    return await clock_warning(store, now_s=now_s), unstated, lone, settings.web.warning, standby


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
    """The running hub's own process: it opens no connection to the store, and does no part's work.

    With `role` it has one part, and other processes of the hub, here or on other machines, have the others; `number`
    tells it apart from others of its role that run on this folder.
    """

    def __init__(
        self,
        folder: Path,
        settings: HubSettings,
        *,
        lock: int,
        clock_file: Path | None,
        role: HubRole | None = None,
        number: int = 1,
    ) -> None:
        self._folder, self._settings, self._clock_file, self._role = folder, settings, clock_file, role
        self._clock = open_clock(clock_file)
        self._process = process_label("" if role is None else role.name, number=number)
        self._status_key = secrets.token_urlsafe(24)
        names = NAMES if role is None else (role.part,)
        self._parts = {name: PartProcess(name, folder=folder, lock=lock, asked=self._answer) for name in names}
        self._name = own_name(folder, settings) if role is None else secrets.token_hex(8)
        self._for_homes: deque[Facts] = deque(maxlen=MESSAGES_KEPT)
        self._web: tuple[str, int | None] = ("", None)
        self._place: dict[str, object] = {}

    async def serve(
        self,
        *,
        web_port: int | None,
        broker_port: int | None,
        announce: Callable[[str], None],
        warnings: Sequence[str | None] = (),
    ) -> None:
        """Run until a signal arrives or a part cannot start; then stop everything in order."""
        settings, folder = self._settings, self._folder
        self._web = ("", web_port)
        homes = homes_listener(folder, settings.public, is_refreshed=self._serves_pages)
        plans = plan_brokers(settings, folder=folder, port=broker_port, homes=homes)
        self._brokers = Brokers(plans, changed=self._brokers_changed)
        self._watch = HubWatch(tuple(self._parts.values()), self._brokers, clock=self._clock, process=self._process)
        where = settings.watch.health
        keys = Keys(token=read_token(where), own=self._status_key)
        health = HealthServer(self._whole_health, keys=keys)

        async def announced() -> None:
            for part in self._parts.values():
                await part.serving.wait()
            if self._serves_pages:
                self._note_place(web=self._web[0], **self._brokers.place, status_key=self._status_key)
            announce(self._words)
            for warning in (*warnings, *self._brokers.warnings, *await public_warnings(folder, settings.public)):
                if warning is not None:
                    announce(warning)
            await keep_service_manager_told(is_alive=self._is_alive)
            await asyncio.Event().wait()

        # Stopped in this order: last the broker that the work comes from.
        tasks = [
            asyncio.create_task(announced(), name="announcement"),
            *(asyncio.create_task(part.run(), name=name) for name, part in self._parts.items()),
            asyncio.create_task(watch_file(folder / KEY_NAME, self._key_changed), name="hub key"),
            asyncio.create_task(self._watch.run(), name="watch"),
            asyncio.create_task(self._brokers.run(), name="broker"),
        ]
        if self._serves_pages:
            serving = health.run(where.host, where.port, is_bound=lambda address: self._note_place(health=address))
            tasks.insert(-1, asyncio.create_task(serving, name="health port"))
        await _until_stopped(tasks)

    @property
    def _serves_pages(self) -> bool:
        return "pages" in self._parts

    @property
    def _words(self) -> str:
        if self._role is None:
            return f"pages on {self._web[0]}, {self._brokers.words}"
        if self._serves_pages:
            return f"role {self._role.name}: pages on {self._web[0]}, {self._brokers.words}"
        return f"role {self._role.name}: at work, {self._brokers.words}"

    async def _whole_health(self) -> HubHealth:
        """Of this process, and of every other one where there may be others: the pages put that together."""
        if self._settings.store is not None:
            try:
                said = await self._parts["pages"].ask("whole health", within_s=ASK_WITHIN_S)
                return read_health(said, HubHealth)
            except (ChannelError, HealthReportError) as error:
                log.warning("the health of other processes is not known: %s", error)
        return await self._watch.health()

    async def _answer(self, part: PartProcess, what: str, facts: Facts) -> Facts:
        """What a part asks of the running hub, or through it of another part."""
        if what == "begin":
            return self._beginning(part)
        if what == "serving":
            self._note_serving(part, facts)
        elif what == "health":
            return as_facts(await self._watch.health())
        elif what == "figures":
            return await self._figures()
        elif what == "reload broker":
            self._brokers.reload(facts["number"])
        elif (intake := self._parts.get("intake")) is None:
            raise ChannelError(f"{what}: another process of the hub does this")
        elif what == "agents changed":
            await intake.ask(what, within_s=ASK_WITHIN_S)
        elif what == "publish":
            if intake.serving.is_set():
                intake.tell(what, **facts)
            else:
                self._for_homes.append(facts)
        return {}

    def _beginning(self, part: PartProcess) -> Facts:
        role = part.name if self._role is None else self._role.name
        life = new_life(role, name=f"{self._name}.{part.name}")
        return {
            "life": {**life, "is_role": self._role is not None},
            "clock": None if self._clock_file is None else str(self._clock_file),
            "web_port": self._web[1],
            "status_key": self._status_key,
            "brokers": self._brokers.facts,
        }

    def _note_serving(self, part: PartProcess, facts: Facts) -> None:
        if part.name == "pages":
            # Started again, the pages are where they were, even if any port was good enough at first.
            address = str(facts["web"])
            self._web = (address, int(address.rpartition(":")[2]))
        if part.name == "intake":
            # What it was told before it listened is lost, and that may have been the only word of the broker.
            self._brokers_changed()
            while self._for_homes:
                part.tell("publish", **self._for_homes.popleft())

    def _note_place(self, **place: object) -> None:
        """Write down where the hub is reached once the pages are; the port for metrics may be free before or after."""
        self._place |= place
        if "web" in self._place:
            write_running(self._folder, self._place)

    def _key_changed(self) -> None:
        """All parts at once: no home gets the new certificate from one and receipts under the old key from another."""
        for part in self._parts.values():
            part.start_again("the hub key has changed")

    def _brokers_changed(self) -> None:
        if (intake := self._parts.get("intake")) is not None:
            intake.tell("broker", are_ready=self._brokers.are_ready)

    def _is_alive(self) -> bool:
        return all(part.is_alive(within_s=ALIVE_WITHIN_S) for part in self._parts.values())

    async def _figures(self) -> Mapping[str, object]:
        """What the parts say of themselves; a part that does not answer has not done anything."""
        found: dict[str, object] = {}
        if self._role is None:
            found = {"broker_connected": False, "jobs_due": 0, "jobs_done_through_s": 0}
        spent_s = cpu_s()
        for name in sorted(self._parts.keys() - {"pages"}):
            try:
                said = dict(await self._parts[name].ask("figures", within_s=ASK_WITHIN_S))
            except ChannelError as error:
                log.debug("%s", error)
                continue
            spent_s += float(said.pop("cpu_s", 0.0))  # a part that is still starting says nothing
            found |= said
        processes = {name: {"pid": part.pid, "restarts": part.restarts} for name, part in self._parts.items()}
        return {**found, "cpu_s": spent_s, "processes": {**processes, **self._brokers.figures}}


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
        if task.cancelled() or (error := task.exception()) is None:
            continue
        if isinstance(error, CommonwattError):
            raise error
        log.error("%s failed", task.get_name(), exc_info=error)
        raise StoreError(f"{task.get_name()} failed: the log above shows the error; the hub has stopped")
