"""The part that serves members' pages and enrolment."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from hub.board.invitation_service import InvitationService
from hub.board.inviting import InvitingHub
from hub.board.map_releases import MapService
from hub.board.run_service import RunService
from hub.broker.sharded.directory import directory_of
from hub.core.payments.tax_terms import TaxTerms
from hub.folder.keys.salt_key import load_own_secret, load_seals
from hub.folder.tax_settings import load_tax_terms
from hub.forecasts.street_totals import StreetService
from hub.health.facts import HubHealth, PartHealth, as_facts
from hub.health.reported import HealthReportError, read_health
from hub.money.order_service import PaymentService
from hub.processes.channel import Channel, ChannelError, Facts
from hub.processes.enrolment_server import EnrolmentServer
from hub.processes.own_hub import OwnHub, cpu_s
from hub.processes.roles.life import Reporter, own_process, workers_know_agents
from hub.processes.roles.whole_health import OtherProcess, other_processes, whole_figures, with_others
from hub.processes.watching.stored_health import stored_health, unless_in_trouble
from hub.quality.decisions import FindingService
from hub.statements.months import StatementService
from hub.statements.shown_period import ShownPeriods
from hub.storage.errors import StoreError
from hub.trials.fairness_service import FairnessService
from hub.trials.what_if_service import TrialService
from hub.trust.authority_files import FolderAuthority
from hub.trust.enrolment import Enrolment
from hub.web.app import build_app
from hub.web.frame.own_names import own_names
from hub.web.frame.services import HubParts
from hub.web.server import serve_web
from hub.web.serving.request_tally import RequestTally
from protocols.slots import format_slot, slot_of

log = logging.getLogger(__name__)

HEALTH_WITHIN_S: Final = 7.0
FIGURES_WITHIN_S: Final = 22.0
AGENTS_WITHIN_S: Final = 12.0
WORKERS_WITHIN_S: Final = 6.0
"""How long the hub's own process may take to answer: 2 s more than it waits for the parts that it asks itself.

A page that waits longer would keep one of the few turns that all members' pages share.
"""

STORE_WITHIN_S: Final = 6.0
STORED_WITHIN_S: Final = 2.5
"""How long health waits for the store. Together with the question to the hub that is less than whoever asks waits."""


class PagesPart:
    """The pages on their port with `POST /api/enrol`, and for homes elsewhere the enrolment server on its own."""

    def __init__(self, hub: OwnHub, *, channel: Channel, begin: Facts) -> None:
        self._hub = hub
        self._channel = channel
        self._life = begin["life"]
        self._last_others: list[OtherProcess] = []
        self._is_whole = not self._life["is_role"]
        own = own_process(self._life)
        self._reporter = None if self._is_whole else Reporter(hub.store, own, channel=channel, beats=True)
        self._port = hub.settings.web.port if begin["web_port"] is None else int(begin["web_port"])
        broker, public = begin["brokers"][0], hub.settings.public
        place = (broker["host"], broker["port"]) if public is None else (public.host, public.broker_port)
        enrol = Enrolment(
            hub.store,
            coop=hub.settings.coop,
            signer=hub.signer,
            secret=load_own_secret(hub.folder),
            broker=lambda: place,
            directory=directory_of(hub.settings),
            clock=hub.clock,
            agents_changed=self._agents_changed,
            authority=None if public is None else FolderAuthority(hub.folder),
            enrol_port=0 if public is None else public.enrol_port,
        )
        self._elsewhere = None if public is None else EnrolmentServer(hub, public=public, enrol=enrol)
        self._app = build_app(self._parts(enrol, status_key=begin["status_key"]))
        self._tally = RequestTally(self._app.routes)

    def _parts(self, enrol: Enrolment, *, status_key: str) -> HubParts:
        hub, settings, store = self._hub, self._hub.settings, self._hub.store
        shown = ShownPeriods(store, plants=settings.plants)
        return HubParts(
            store=store,
            clock=hub.clock,
            coop=settings.coop,
            enrol=enrol,
            status=self.status,
            health=self.hub_health,
            statements=StatementService(store, key=hub.signer, seals=load_seals(hub.folder), plants=settings.plants),
            runs=RunService(store, calendar=settings.calendar, key=hub.signer, terms=self._tax_terms),
            payments=PaymentService(store, key=hub.signer),
            maps=MapService(store),
            invitations=InvitationService(
                hub.folder,
                settings=settings,
                hub=InvitingHub(store, hub.signer.identity, load_own_secret(hub.folder)),
                clock=hub.clock,
            ),
            trials=TrialService(store, shown=shown),
            fairness=FairnessService(store, shown=shown),
            findings=FindingService(store),
            street=StreetService(store, tz=settings.coop.tz, plants=settings.plants),
            secure_cookies=settings.web.https,
            bank=settings.bank,
            host_names=own_names((settings.web.host, *settings.web.names)),
            status_key=status_key,
            sends_mail=settings.mail is not None,
        )

    async def run(self) -> None:
        """Serve until cancelled."""
        web = self._hub.settings.web
        pages = serve_web(
            self._app,
            host=web.host,
            port=self._port,
            trust_proxy=web.https,
            is_bound=lambda address: self._channel.tell("serving", web=address),
            tally=self._tally,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(pages)
            if self._reporter is not None:
                group.create_task(self._reporter.run())
            if self._elsewhere is not None:
                group.create_task(self._elsewhere.run())

    async def answer(self, what: str, facts: Facts) -> Facts:
        """`whole health`: of all processes of the hub, where there may be others."""
        return as_facts(await self.hub_health()) if what == "whole health" else {}

    async def health(self) -> Facts:
        """What was answered since this process was started."""
        return {"pages": as_facts(self._tally.health)}

    async def hub_health(self) -> HubHealth:
        """The health of the whole hub, also while its own process or the timetable does not answer."""
        now_s, hub = self._hub.clock.now(), self._hub
        found, (others, trouble) = await asyncio.gather(
            self._own_health(now_s), unless_in_trouble(self._read_others(), within_s=STORE_WITHIN_S)
        )
        if found.stored is None and trouble is None:
            asked = stored_health(hub.folder, hub.store, settings=hub.settings, now_s=now_s)
            stored, trouble = await unless_in_trouble(asked, within_s=STORED_WITHIN_S)
            found = replace(found, stored=stored)
        if others is None:
            # Of the others nothing is known now, but for those of which nothing had been heard before.
            others = [each for each in self._last_others if each.is_gone]
        else:
            self._last_others = others
        return with_others(replace(found, store_trouble=found.store_trouble or trouble), others)

    async def _own_health(self, now_s: float) -> HubHealth:
        """What the hub's own process knows of itself and its parts."""
        try:
            return read_health(await self._ask("health", within_s=HEALTH_WITHIN_S), HubHealth)
        except (ChannelError, HealthReportError) as error:
            log.warning("the hub's health is not known: %s", error)
            return HubHealth(now_s, parts=(PartHealth("hub", is_serving=False),))

    async def status(self) -> Mapping[str, object]:
        """How far the hub has got, without any member's values. Raises: ChannelError if the hub does not answer."""
        store = self._hub.store
        refused: dict[str, int] = {}
        for row in await store.refusals():
            refused[row.reason] = refused.get(row.reason, 0) + row.count
        others = dict(await self._ask("figures", within_s=FIGURES_WITHIN_S))
        if self._hub.settings.store is not None:
            others = whole_figures(others, await self._read_others())
        now_s = self._hub.clock.now()
        return {
            "now": format_slot(slot_of(now_s)),
            "now_s": now_s,
            "received_through": await store.received_through(),
            "messages": {"stored": await store.message_count(), "refused": refused},
            "last_settled_day": await store.last_settled_day(),
            **others,
            "cpu_s": others["cpu_s"] + cpu_s(),
        }

    async def _ask(self, what: str, *, within_s: float) -> Facts:
        """The answer of the hub's own process. Raises: ChannelError if it is gone, or takes longer."""
        try:
            async with asyncio.timeout(within_s):
                return await self._channel.ask(what)
        except TimeoutError:
            raise ChannelError(f"the hub did not answer within {within_s:g} s") from None

    async def _read_others(self) -> list[OtherProcess]:
        """The processes of the hub that were not started with this one. Raises: StoreError."""
        if self._hub.settings.store is None:
            return []
        now_ms, reports = await self._hub.store.process_reports()
        return other_processes(now_ms, reports, own=str(self._life["id"]))

    async def _agents_changed(self) -> None:
        try:
            if self._is_whole:
                await self._ask("agents changed", within_s=AGENTS_WITHIN_S)
            if self._hub.settings.store is not None:
                await workers_know_agents(self._hub.store, within_s=WORKERS_WITHIN_S)
        except (ChannelError, StoreError) as error:
            # Whoever reads the list next sees the agent: intake when it starts again, or within seconds.
            log.warning("intake was not told of a new agent at once: %s", error)

    def _tax_terms(self) -> TaxTerms | None:
        return load_tax_terms(self._hub.folder)
