"""What the page may know of the running agent, and the few things it may do. Handed in by the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_agent.home_store.live_values import LiveValues
from edge_agent.metering.home_meter import MeasuringPoint
from edge_agent.settings import DeviceSettings
from edge_agent.uplink.beside import SentBeside
from edge_agent.uplink.sending_switch import SendingSwitch
from protocols.slots import Slot
from protocols.wire.readings import DeviceState

FRESH_INTERVALS = 2
FRESH_SLACK_S = 5


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """More about a device than its state: the quality of its map, and how often and why it gave no answer."""

    quality: str
    failures: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class RunningHome:
    """The home as the page sees it.

    `states` gives each device's state now, `facts` what else is known by device; `wake` makes the uplink look up.
    `beside`: what left since the start beside the numbered messages, by kind. `first_whole`: the first quarter hour
    that this run of the agent sees whole; None until the time is known.
    `consent_path`: the household's file, in which a change of consent is written.
    """

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
    consent_path: Path | None
    states: Callable[[], list[DeviceState]]
    facts: Callable[[], Mapping[str, DeviceFacts]]
    is_connected: Callable[[], bool]
    wake: Callable[[], None]
    beside: Callable[[], Mapping[str, SentBeside]] = dict
    first_whole: Callable[[], Slot | None] = lambda: None

    @property
    def fresh_since_s(self) -> float:
        """A value read before this is too old to be shown as what is now."""
        return self.now() - FRESH_INTERVALS * self.interval_s - FRESH_SLACK_S
