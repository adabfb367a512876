"""What the page may know of the running agent, and the few things it may do. Handed in by the program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.home_store.live_values import LiveValues
from edge_agent.metering.home_meter import MeasuringPoint
from edge_agent.settings import DeviceSettings
from edge_agent.uplink.sending_switch import SendingSwitch
from protocols.wire.readings import DeviceState


@dataclass(frozen=True, slots=True)
class RunningHome:
    """The home as the page sees it. `states` gives each device's state now, `wake` makes the uplink look up."""

    folder: Path
    agent: str
    home: str
    coop: str
    tz: str
    interval_s: int
    devices: tuple[DeviceSettings, ...]
    places: tuple[MeasuringPoint, ...]
    live: LiveValues
    switch: SendingSwitch
    now: Callable[[], float]
    states: Callable[[], list[DeviceState]]
    is_connected: Callable[[], bool]
    wake: Callable[[], None]
