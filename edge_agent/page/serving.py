"""Puts the local page together for a running agent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from edge_agent.devices.buses import Bus
from edge_agent.devices.line import RegisterLink
from edge_agent.devices.reader import Device
from edge_agent.home_store.live_values import LiveValues
from edge_agent.page.guard import Gate, own_hosts
from edge_agent.page.running_home import DeviceFacts, RunningHome
from edge_agent.page.server import PageServer
from edge_agent.page.site import PageSite
from edge_agent.page_settings import PageSettings
from edge_agent.settings import Settings
from edge_agent.timekeeping import Timekeeper
from edge_agent.uplink.identity import Identity
from edge_agent.uplink.mqtt_link import Uplink
from edge_agent.uplink.sending_switch import SendingSwitch
from protocols.wire.readings import DeviceState


def shown_at(settings: PageSettings | None) -> Callable[[RunningHome], Coroutine[Any, Any, None]] | None:
    """What serves a home's page there; None where the page is off."""
    return None if settings is None else partial(serve_page, settings)


async def serve_page(settings: PageSettings, home: RunningHome) -> None:
    """Serve the page until cancelled."""
    site = PageSite(home, names=own_hosts(settings.names), gate=Gate(home.folder, now=home.now))
    try:
        await PageServer(settings, answer=site.answer, refuse=site.refuse).run()
    finally:
        site.close()


def running_home(
    settings: Settings,
    identity: Identity,
    *,
    fleet: Sequence[tuple[RegisterLink, Sequence[Device]]],
    readers: Callable[[], Sequence[Bus]],
    live: LiveValues,
    switch: SendingSwitch,
    timekeeper: Timekeeper,
    uplink: Uplink,
) -> RunningHome:
    """What the page may know of these parts. `readers` gives those that read now."""
    enrolment = identity.enrolment
    devices = [device for _, mine in fleet for device in mine]

    def states() -> list[DeviceState]:
        return [state for reader in readers() for state in reader.states()]

    def facts() -> dict[str, DeviceFacts]:
        troubles = {name: found for reader in readers() for name, found in reader.troubles().items()}
        return {
            name: DeviceFacts(device.device_map.quality, *troubles.get(name, (0, "")))
            for device in devices
            if (name := device.settings.name)
        }

    return RunningHome(
        folder=settings.data,
        agent=enrolment.agent,
        home=enrolment.home,
        coop=enrolment.coop,
        tz=enrolment.tz,
        interval_s=settings.interval_s,
        devices=settings.devices,
        places=tuple(place for device in devices for place in device.places),
        live=live,
        switch=switch,
        now=timekeeper.clock.now,
        consent_path=settings.consent,
        states=states,
        facts=facts,
        is_connected=lambda: uplink.is_connected,
        wake=uplink.wake,
        beside=lambda: timekeeper.beside.sent,
        first_whole=lambda: timekeeper.first_whole,
    )
