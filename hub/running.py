"""The running hub: starts the broker, intake, timetable and pages together and stops them in order."""

import asyncio
import logging
import resource
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.board.run_service import RunService
from hub.broker.access_keeper import AccessKeeper
from hub.broker.client_id import hub_client_id
from hub.broker.connection import BrokerLink, Delivery
from hub.broker.plans import plan_broker
from hub.broker.supervisor import BrokerProcess
from hub.core.ledger.approvals import lone_board
from hub.core.payments.tax_terms import TaxTerms
from hub.folder.opening import check_store, open_hub
from hub.folder.paths import BROKER_NAME, running_alone, write_running
from hub.folder.salt_key import load_seals
from hub.folder.settings import HubSettings, load_settings
from hub.folder.tax_settings import load_tax_terms
from hub.forecasts.street_totals import StreetService
from hub.forecasts.worker import ForecastWorker
from hub.intake.agent_watch import AgentWatch
from hub.intake.broker_access import BrokerAccess
from hub.intake.receiver import Intake
from hub.money.order_service import PaymentService
from hub.planned_jobs import planned_jobs
from hub.prompts.delivery import PromptSender
from hub.quality.connections import home_limits, unstated_connections
from hub.quality.decisions import FindingService
from hub.statements.months import StatementService
from hub.statements.shown_period import ShownPeriods
from hub.storage.contract import Store
from hub.storage.errors import StoreError
from hub.timetable import Timetable
from hub.trials.fairness_service import FairnessService
from hub.trials.what_if_service import TrialService
from hub.trust.enrolment import Enrolment
from hub.web.app import build_app
from hub.web.frame.own_names import own_names
from hub.web.frame.services import HubParts
from hub.web.server import serve_web
from protocols.service_manager import keep_service_manager_told
from protocols.slots import format_slot, slot_of
from protocols.timeline import Clock
from protocols.wire.topics import up_filters

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
            hub = Hub(folder, settings=settings, key=key, store=store, clock=clock)
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
    """The parts of one running hub that live longer than a request."""

    def __init__(
        self, folder: Path, *, settings: HubSettings, key: Ed25519PrivateKey, store: Store, clock: Clock
    ) -> None:
        coop = settings.coop
        self._folder, self._settings, self._key, self._store, self._clock = folder, settings, key, store, clock
        self._link = BrokerLink(
            client_id=hub_client_id(folder / BROKER_NAME, coop=coop.id),
            filters=up_filters(coop.id),
            deliver=self._offer,
        )
        self._intake = Intake(store, coop=coop.id, key=key, clock=clock, broker=self._link, limits=settings.intake)
        self._worker = ForecastWorker()
        sender = PromptSender(store, coop=coop.id, key=key, link=self._link)
        jobs = planned_jobs(store, settings=settings, worker=self._worker, send_prompt=sender.send, key=key)
        self._timetable = Timetable(jobs, store=store, clock=clock)
        self._signs_of_life: asyncio.Task[None] | None = None

    async def serve(self, *, web_port: int | None, broker_port: int | None, announce: Callable[[str], None]) -> None:
        """Run until a signal arrives or a part fails; then stop everything in order."""
        settings = self._settings
        plan = plan_broker(settings.broker, folder=self._folder / BROKER_NAME, coop=settings.coop.id, port=broker_port)
        broker = BrokerProcess(plan)
        access = self._access(broker)
        enrol = Enrolment(
            self._store,
            coop=settings.coop,
            key=self._key,
            broker=lambda: (plan.address.host, plan.address.port),
            clock=self._clock,
            agents_changed=access.agents_changed,
        )
        shown = ShownPeriods(self._store, plants=settings.plants)
        parts = HubParts(
            store=self._store,
            clock=self._clock,
            coop=settings.coop,
            enrol=enrol,
            status=self.status,
            statements=StatementService(
                self._store, key=self._key, seals=load_seals(self._folder), plants=settings.plants
            ),
            runs=RunService(self._store, calendar=settings.calendar, key=self._key, terms=self._tax_terms),
            payments=PaymentService(self._store, key=self._key),
            trials=TrialService(self._store, shown=shown),
            fairness=FairnessService(self._store, shown=shown),
            findings=FindingService(self._store),
            street=StreetService(self._store, tz=settings.coop.tz, plants=settings.plants),
            secure_cookies=settings.web.https,
            bank=settings.bank,
            host_names=own_names((settings.web.host, *settings.web.names)),
            status_key=secrets.token_urlsafe(24),
        )

        unstated = unstated_connections(await home_limits(self._store, slot=slot_of(self._clock.now())))

        members = await self._store.members()
        lone = lone_board([each.id for each in members if each.is_board], members=len(members))

        def web_is_bound(address: str) -> None:
            where = {"web": address, **plan.place, "status_key": parts.status_key}
            write_running(self._folder, where)
            self._signs_of_life = asyncio.create_task(keep_service_manager_told())
            announce(f"pages on {address}, broker ({plan.name}) on {plan.words}")
            for warning in (unstated, lone, settings.web.warning, plan.warning):
                if warning is not None:
                    announce(warning)

        web = serve_web(
            build_app(parts),
            host=settings.web.host,
            port=settings.web.port if web_port is None else web_port,
            trust_proxy=settings.web.https,
            is_bound=web_is_bound,
        )
        # Stopped in this order: first requests, then work, and last the broker that the work comes from.
        tasks = [
            asyncio.create_task(web, name="pages"),
            asyncio.create_task(self._timetable.run(), name="timetable"),
            asyncio.create_task(self._intake.run(), name="intake"),
            asyncio.create_task(access.run(), name="access rules"),
            asyncio.create_task(AgentWatch(self._store, changed=access.agents_changed).run(), name="agent watch"),
            asyncio.create_task(self._connect(broker), name="broker link"),
            asyncio.create_task(broker.run(), name="broker"),
        ]
        await _until_stopped(tasks)

    async def status(self) -> Mapping[str, object]:
        """How far the hub has got, without any member's values."""
        refused: dict[str, int] = {}
        for row in await self._store.refusals():
            refused[row.reason] = refused.get(row.reason, 0) + row.count
        now_s = self._clock.now()
        return {
            "now": format_slot(slot_of(now_s)),
            "now_s": now_s,
            "received_through": await self._store.received_through(),
            "jobs_due": self._timetable.jobs_due,
            "jobs_done_through_s": self._timetable.done_through_s,
            "messages": {"stored": await self._store.message_count(), "refused": refused},
            "broker_connected": self._link.is_connected,
            "cpu_s": _cpu_s() + self._worker.usage.cpu_s,
            "last_settled_day": await self._store.last_settled_day(),
        }

    def _access(self, broker: BrokerProcess) -> BrokerAccess:
        return BrokerAccess(
            self._store,
            keeper=AccessKeeper(broker, coop=self._settings.coop.id),
            link=self._link,
            coop=self._settings.coop.id,
            key=self._key,
            clock=self._clock,
            intake_changed=self._intake.agents_changed,
        )

    def _tax_terms(self) -> TaxTerms | None:
        return load_tax_terms(self._folder)

    def _offer(self, deliveries: list[Delivery]) -> None:
        self._intake.offer(deliveries)

    async def _connect(self, broker: BrokerProcess) -> None:
        await broker.ready.wait()
        self._link.start(broker.plan.address)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(self._link.stop)
            await self._worker.stop()


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


def _cpu_s() -> float:
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
