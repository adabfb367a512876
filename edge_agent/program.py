"""Builds the running agent: outbox, consent, meter, links, uplink. Chooses the concrete parts for `run`."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from edge_agent.consent.watch import ConsentWatch
from edge_agent.devices.assembly import make_fleet
from edge_agent.devices.boot_readings import BootReadings, TimedSamples
from edge_agent.devices.buses import Bus, ReadingPace
from edge_agent.devices.knowledge.memory import DeviceMemory
from edge_agent.devices.limits import limit_lines, role_limits, unlimited
from edge_agent.devices.phase_counting import grid_notice, phase_lines, phase_steps
from edge_agent.devices.silence import TroubleLog
from edge_agent.history import LONGEST_HOLE_S, RecordingRow, read_rows, replay
from edge_agent.home_assistant.publishing import HomeAssistantLink, HomeEnergies
from edge_agent.home_broker.address import open_access
from edge_agent.home_store.credit_days import CreditBook
from edge_agent.home_store.energy_totals import EnergyTotals, most_power_w
from edge_agent.home_store.keeping import HomeKeeper, open_home_store
from edge_agent.home_store.live_values import LiveValues, WatchedMeter
from edge_agent.household import consent_in_force
from edge_agent.hub_link import make_uplink, renewing
from edge_agent.metering.clock.trusted import (
    BootClock,
    ClockBounds,
    TrustedTime,
    first_slot,
    first_whole_slot,
    gap_of_absence,
)
from edge_agent.metering.counter_records import SlotBase
from edge_agent.metering.dc_side import unassigned_batteries
from edge_agent.metering.home_meter import HomeMeter, read_checkpoint
from edge_agent.metering.sample_feed import SampleFeed
from edge_agent.outbox.messages import OutboxError
from edge_agent.outbox.opening import open_outbox
from edge_agent.outbox.store import Outbox
from edge_agent.page.running_home import RunningHome
from edge_agent.page.serving import running_home, shown_at
from edge_agent.proxy.server import make_proxies
from edge_agent.run_loop import LoopParts, SlotCloser, forget, run_beside, send_answers
from edge_agent.settings import Settings
from edge_agent.timekeeping import RememberedAnswer, Timekeeper
from edge_agent.uplink.identity import Identity
from edge_agent.uplink.mqtt_link import Uplink
from edge_agent.uplink.sealing import ConsentFilter
from edge_agent.uplink.sending_switch import SendingSwitch
from protocols.consent.reduction import finest_spans
from protocols.consent.rules import ConsentSet
from protocols.errors import InputError, SettingsError
from protocols.quantities import Gap
from protocols.service_manager import keep_service_manager_told
from protocols.slots import SLOT_S, Slot, format_slot, slot_of, start_of
from protocols.timeline import Clock
from protocols.wire.readings import ClockTrust

log = logging.getLogger("commonwatt.agent")

MAX_RECORDING_BYTES = 512 << 20
HOLE_INTERVALS = 2.5
"""Derived energy bridges at most this many polling intervals without a sample."""


class AgentProgram:
    """One run of the agent; settings that cannot work are refused. `show_home`: in place of the settings' page."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        identity: Identity,
        *,
        wanted: ConsentSet | None,
        boot_clock: BootClock | None = None,
        is_synchronised: Callable[[], bool] | None = None,
        show_home: Callable[[RunningHome], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._show_home = show_home or shown_at(settings.page)
        self._settings = settings
        self._time = Timekeeper(
            clock,
            identity.signer,
            boot_clock=boot_clock,
            is_synchronised=is_synchronised or RememberedAnswer(),
        )
        self._clock = self._time.clock
        self._identity = identity
        self._wanted = wanted
        self._boot_clock = boot_clock
        memory = DeviceMemory(settings.data, now=self._clock.now)
        self._fleet = make_fleet(settings, pause=self._clock.pause, memory=memory, leave_out=log.error)
        self._devices = [device for _, devices in self._fleet for device in devices]
        self._places = [place for device in self._devices for place in device.places]
        self._phase_steps = phase_steps(self._devices, settings.legal_meter.phases)
        self._live_values = LiveValues()
        self._keeper = HomeKeeper(None, self._live_values)
        shown = settings.home_assistant
        self._broker_access = None if shown is None else open_access(shown.access, shown.broker, source=settings.source)
        self._totals = None if shown is None else EnergyTotals(settings.data, most_w=most_power_w(self._places))
        self._credit_book = CreditBook(settings.data, agent=identity.enrolment.agent)
        self._switch = SendingSwitch(settings.data)
        self._readers: list[Bus] = []

    async def run(self, recording: Iterable[str] | None, *, name: str = "recording") -> None:
        """Send the recording, if any, then go live until cancelled. `name` identifies the recording in errors.

        Raises: OutboxError, SettingsError.
        """
        settings = self._settings
        now_s = self._clock.now()
        async with open_outbox(settings.data, max_mb=settings.outbox_max_mb, now_s=now_s) as (outbox, aside):
            if aside is not None:
                log.error("the outbox was damaged and has been renamed to %s: starting a new one", aside.name)
            consent = await consent_in_force(
                outbox,
                self._identity,
                wanted=self._wanted,
                name=settings.consent.name if settings.consent else "consent",
                now_s=now_s,
            )
            home_store = await asyncio.to_thread(open_home_store, settings.data, now_s=now_s)
            self._keeper = HomeKeeper(home_store, self._live_values, self._totals)
            parts = LoopParts(
                self._clock,
                self._identity.signer,
                ConsentFilter(consent),
                outbox,
                settings.keep_days,
                self._time.is_confirmed,
                self._consent_watch(outbox),
            )
            try:
                rows = None if recording is None else read_rows(recording, name=name)
                uplink = make_uplink(
                    settings,
                    self._identity,
                    outbox=outbox,
                    timekeeper=self._time,
                    boot_clock=self._boot_clock,
                    is_stopped=lambda: self._switch.is_stopped,
                    credit_book=self._credit_book,
                )
                await self._work(parts, uplink, rows)
            except BaseExceptionGroup as group:
                raise _reported(group) from None
            finally:
                for link, _ in self._fleet:
                    await link.close()
                if home_store is not None:
                    home_store.close()

    async def _work(self, parts: LoopParts, uplink: Uplink, recording: Iterable[RecordingRow] | None) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_service_manager_told())
            tasks.create_task(uplink.run())
            for work in renewing(
                self._identity,
                uplink,
                timekeeper=self._time,
                boot_clock=self._boot_clock,
                is_stopped=lambda: self._switch.is_stopped,
            ):
                tasks.create_task(work)
            for name, begin in self._beside(uplink):
                tasks.create_task(run_beside(name, begin))
            tasks.create_task(send_answers(parts, uplink.wake))
            if recording is not None:
                await self._replay(parts, recording, uplink)
            tasks.create_task(self._measure(parts, uplink))
            tasks.create_task(forget(parts))

    async def _measure(self, parts: LoopParts, uplink: Uplink) -> None:
        """Measure until cancelled; from the start again if slots turn out to be sealed by a clock that was ahead."""
        while True:
            metering, works = await self._live(parts, uplink)
            async with asyncio.TaskGroup() as live:
                tasks = [live.create_task(work) for work in works]
                await self._time.sealed_too_far(metering)
                for task in tasks:
                    task.cancel()

    async def _replay(self, parts: LoopParts, rows: Iterable[RecordingRow], uplink: Uplink) -> None:
        kept = await parts.outbox.checkpoint()
        resumed = read_checkpoint(kept) if kept else None

        def make(first: Slot) -> tuple[HomeMeter, SlotCloser]:
            next_slot, bases = resumed or (first, {})
            metering = self._metering(next_slot, LONGEST_HOLE_S, bases)
            return metering, self._closer(parts, metering)

        log.info("sending the recording through the meter")
        through_s = await replay(rows, make=make, window_s=self._settings.boundary_window_s, stored=uplink.wake)
        log.info("recording: everything up to %s is in the outbox", format_slot(slot_of(through_s)))

    def _closer(self, parts: LoopParts, metering: WatchedMeter) -> SlotCloser:
        metering.live = self._live_values
        if self._totals is not None:
            self._totals.running = metering.running_wh
        closing = SlotCloser(parts, metering)
        closing.keep_at_home = self._keeper.keep
        return closing

    async def _live(self, parts: LoopParts, uplink: Uplink) -> tuple[HomeMeter, list[Coroutine[Any, Any, None]]]:
        """The meter of a live agent, continuing after the last batch, and its tasks."""
        settings = self._settings
        kept = await parts.outbox.checkpoint()
        resumed, bases = read_checkpoint(kept) if kept else (None, {})
        signed_s = float((await parts.outbox.receipted()).signed_at)
        found, moments = await self._find_time(ClockBounds(start_of(resumed) if resumed else 0.0, signed_s))
        if found.sealed_too_far and resumed is not None:
            log.error(
                "slots up to %s were sealed while the clock was ahead: continuing with the present time; what the meter"
                " counted since the last correct slot cannot be assigned to slots",
                format_slot(resumed),
            )
            kept, resumed, bases = None, None, {}
        begun_s = moments[0].at_s if moments else None
        next_slot, left_out = first_slot(found.now_s, resumed, begun_s=begun_s)
        if left_out:
            log.warning("the agent was off for so long that %d slots get no message", left_out)
        hole_s = max(HOLE_INTERVALS * settings.interval_s, SLOT_S / 3)
        metering = self._metering(next_slot, hole_s, bases)
        if kept is None:
            await parts.outbox.append([], now_s=found.now_s, checkpoint=metering.first_checkpoint())
        closing = self._closer(parts, metering)
        if moments:
            await self._fill_back(moments, metering, closing=closing, trust=found.trust)
            uplink.wake()
        pace = ReadingPace(settings.interval_s, settings.boundary_window_s)
        readers = [
            Bus(
                link,
                devices,
                metering=metering,
                clock=self._clock,
                pace=pace,
                random=random.random,
                closed=closing.signal.set,
                absence=gap_of_absence(found.waited and not moments),
                boot_clock=self._boot_clock,
            )
            for link, devices in self._fleet
        ]
        closing.readers = self._readers = readers
        closing.trouble_log = TroubleLog(settings.data, started_s=self._clock.now())
        limits = role_limits(settings.devices)
        for line in limit_lines(unlimited(limits)):
            log.warning("%s", line)
        seen_since_s = found.now_s if begun_s is None else begun_s
        self._tell_phases(uplink, slot_of(seen_since_s))
        for battery in unassigned_batteries(self._places):
            log.warning(
                "battery %r: no inverter is read on its unit, so the solar power behind it is unknown", battery.device
            )
        whole = first_whole_slot(
            metering.next_slot, seen_since_s, window_s=settings.boundary_window_s, goes_on=bool(bases)
        )
        self._time.first_whole = whole
        allowed = finest_spans(parts.consent_filter.consent, whole)
        sends_amounts = any(measure in allowed for place in self._places for measure in place.measures)
        log.info(
            "agent %s reads %s; the first readings are sent at %s, then each quarter hour"
            if sends_amounts
            else "agent %s reads %s; messages are sent at %s, then each quarter hour, without amounts until a rule in"
            " consent.toml allows them",
            parts.signer.agent,
            ", ".join(d.name for d in settings.devices),
            format_slot(whole + 1),
        )
        waking = closing.run(uplink.wake, hold=uplink.hold_for_slot, stored=partial(uplink.wake, for_slot=True))
        return metering, [*(reader.run() for reader in readers), waking]

    def _tell_phases(self, uplink: Uplink, from_slot: Slot) -> None:
        """Tell the household what is derived and what is not known, and the hub what the grid meter is."""
        settings, phases = self._settings, self._settings.legal_meter.phases
        self._tell_meter(uplink, from_slot)
        if uplink.maps is not None:
            # Slots that have begun keep what was told of them.
            uplink.maps.changed = lambda: self._tell_meter(uplink, slot_of(self._clock.now()) + 1)
        for line in phase_lines(self._devices, phases, interval_s=settings.interval_s):
            log.warning("%s", line)

    def _tell_meter(self, uplink: Uplink, from_slot: Slot) -> None:
        if uplink.meter is not None and uplink.maps is not None:
            uplink.meter.tell(
                grid_notice(
                    self._devices,
                    self._settings.legal_meter.phases,
                    netting=self._settings.legal_meter.netting,
                    agent=self._identity.enrolment.agent,
                    from_slot=from_slot,
                    is_released=uplink.maps.is_released,
                )
            )

    def _metering(self, next_slot: Slot, longest_hole_s: float, bases: Mapping[str, SlotBase]) -> WatchedMeter:
        steps = self._phase_steps
        return WatchedMeter(
            self._places, next_slot=next_slot, longest_hole_s=longest_hole_s, bases=bases, phase_steps=steps
        )

    def _beside(self, uplink: Uplink) -> Iterator[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """What shows the home to its people and programs, each with its name; none of it may stop the measuring."""
        settings, home = self._settings, self._running_home(uplink)
        if (show := self._show_home) is not None:
            yield "the local page", lambda: show(home)
        choice, access, totals = settings.home_assistant, self._broker_access, self._totals
        if choice is not None and access is not None and totals is not None:
            energies = HomeEnergies(totals, self._credit_book)
            yield (
                "the link to Home Assistant",
                lambda: HomeAssistantLink(choice, home, energies=energies, credentials=access).run(),
            )
        for proxy in make_proxies(settings.proxies, self._fleet):
            yield "a proxy", proxy.run

    def _running_home(self, uplink: Uplink) -> RunningHome:
        return running_home(
            self._settings,
            self._identity,
            fleet=self._fleet,
            readers=lambda: self._readers,
            live=self._live_values,
            switch=self._switch,
            timekeeper=self._time,
            uplink=uplink,
        )

    async def _find_time(self, bounds: ClockBounds) -> tuple[TrustedTime, list[TimedSamples]]:
        """The time once it can be trusted, and what was read meanwhile."""
        finding = self._time.find(bounds)
        boot_clock = self._boot_clock
        if boot_clock is None:
            return await finding, []
        readings = BootReadings()
        async with asyncio.TaskGroup() as tasks:
            reading = [tasks.create_task(readings.read(*bus, boot_clock)) for bus in self._fleet]
            found = await finding
            for task in reading:
                task.cancel()
        return found, readings.on_wall_clock(found.now_s, found.boot_s) if found.waited else []

    async def _fill_back(
        self, moments: list[TimedSamples], metering: HomeMeter, *, closing: SlotCloser, trust: ClockTrust
    ) -> None:
        """Assign slots to the readings taken before the time was known."""
        feed, missed = SampleFeed(metering, window_s=self._settings.boundary_window_s), Gap.AGENT_OFF
        for moment in moments:
            feed.add_samples(moment.at_s, moment.samples, missed)
            missed = Gap.DEVICE_SILENT
        await closing.store_closed(ClockTrust.BACKFILLED if trust is ClockTrust.TRUSTED else trust)
        log.info("the time is known: %d earlier readings were assigned to slots", len(moments))

    def _consent_watch(self, outbox: Outbox) -> ConsentWatch | None:
        """What takes up a new version of the household's consent file; None without such a file."""
        path = self._settings.consent
        if path is None:
            return None

        async def put_into_force(wanted: ConsentSet) -> ConsentSet:
            now_s = self._clock.now()
            return await consent_in_force(outbox, self._identity, wanted=wanted, name=path.name, now_s=now_s)

        return ConsentWatch(path, self._identity.enrolment.home, put_into_force)


@contextmanager
def history_lines(path: Path | None) -> Iterator[Iterable[str] | None]:
    """The lines of a recording, read as needed; a failure then is reported by the reader.

    Raises: SettingsError.
    """
    if path is None:
        yield None
        return
    try:
        if path.stat().st_size > MAX_RECORDING_BYTES:
            raise SettingsError(f"{path}: larger than {MAX_RECORDING_BYTES >> 20} MB: split it")
        file = path.open(encoding="utf-8", newline="\n")
    except OSError as cause:
        raise SettingsError(f"{path}: cannot be read: {cause.strerror or cause}") from None
    with file:
        yield file


def _reported(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error a person can act on, or the group itself if it is a fault of the program."""
    for error in group.exceptions:
        found = _reported(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, InputError | OutboxError):
            return found
    return group
