"""How the home's grid meters count their three phases beside its legal meter: what is derived, and what cannot be.

Decides and words; the deriving is in `metering.phases`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from edge_agent.devices.reader import Device
from edge_agent.metering.home_meter import MeasuringPoint
from edge_agent.metering.phases.grid_meter import PhaseStep, phase_step
from edge_agent.metering.phases.overlap import TOLERATED_PERCENT, TOLERATED_WH
from protocols.maps.model import DeviceMap, Phases
from protocols.slots import Slot
from protocols.wire.meter_notices import ONCE, RELEASED, MeterNotice, NettingTime, ToldQuality

SOON_ENOUGH_S: Final = 10
"""Readings this close derive nearly every quarter hour well enough; see docs/quality.md for the figures."""


def counted_phases(device_map: DeviceMap) -> str | None:
    """How the family's import and export counters add their phases; None if its map does not say."""
    return None if device_map.metering is None else device_map.metering.phases


def phase_steps(devices: Iterable[Device], legal_phases: str) -> dict[MeasuringPoint, PhaseStep]:
    """What has to be derived at each grid meter that counts in another way than the legal meter.

    Devices whose phases have to be taken apart read the power of each from now on.
    """
    found: dict[MeasuringPoint, PhaseStep] = {}
    for device in devices:
        step = phase_step(counted_phases(device.device_map), legal_phases)
        device.reads_phases = step == "separate"
        found |= {place: step for place in device.places if place.role == "grid" and step is not None}
    return found


def grid_notice(
    devices: Iterable[Device],
    legal_phases: Phases,
    *,
    netting: NettingTime,
    agent: str,
    from_slot: Slot,
    is_released: Callable[[str], bool] = lambda _: False,
) -> MeterNotice | None:
    """What the hub is told of the grid meter; None for an agent that reads none, or one whose map does not say.

    No other device settles: an agent has one grid meter, and only what it counts is shared. `is_released`: whether the
    co-op's board has released the map in use for a family.
    """
    for device in devices:
        metering = device.device_map.metering
        if metering is not None and any(place.role == "grid" for place in device.places):
            quality: ToldQuality = device.device_map.quality
            is_scaled = device.settings.factor != 1
            if is_scaled:
                # Map and class are proven for what the device shows; the factor is the household's own.
                quality = "bronze"
            elif quality == "bronze" and is_released(device.settings.map):
                quality = RELEASED
            is_derived = phase_step(metering.phases, legal_phases) is not None
            return MeterNotice(
                agent=agent,
                at=0,
                from_slot=from_slot,
                quality=quality,
                phases=metering.phases,
                legal_phases=legal_phases,
                is_derived=is_derived,
                metrology="unknown" if is_scaled else metering.metrology,
                netting=netting,
                within_wh=TOLERATED_WH if is_derived else 0,
                within_percent=TOLERATED_PERCENT if is_derived else 0,
                factor_millionths=int(device.settings.factor * ONCE),
            )
    return None


def phase_lines(devices: Iterable[Device], legal_phases: str, *, interval_s: int) -> list[str]:
    """One line for each grid meter whose counting is derived, cannot be derived, or is not known to fit."""
    lines = []
    for device in devices:
        if any(place.role == "grid" for place in device.places):
            words = _words(device.device_map, legal_phases, interval_s=interval_s)
            lines += [f"{device.settings.name} (grid): {words}"] if words else []
    return lines


def _words(device_map: DeviceMap, legal_phases: str, *, interval_s: int) -> str | None:
    counted = counted_phases(device_map)
    step = phase_step(counted, legal_phases)
    if step == "net":
        slow = f"; with interval_s = {interval_s} many will be: set {SOON_ENOUGH_S} or less in [poll]"
        return (
            "counts each phase by itself, your legal meter their sum: the netted energy is derived from power; a"
            f" quarter hour that is uncertain by more than {TOLERATED_WH} Wh and {TOLERATED_PERCENT} % is missing"
            + (slow if interval_s > SOON_ENOUGH_S else "")
        )
    if step == "separate":
        if not has_phase_powers(device_map):
            return (
                "counts the sum of the phases, your legal meter each by itself: that cannot be derived, because its map"
                " has no power of each phase; its import and export are missing"
            )
        return "counts the sum of the phases, your legal meter each by itself: the energy of each is derived from power"
    if counted == "separate" and legal_phases == "unknown":
        return "counts each phase by itself; your legal meter may add them: say in [meter] which (phases or country)"
    if counted == "unknown" and legal_phases != "unknown":
        return "not known how the meters of this family add their phases: the counters are taken as they are"
    return None


def has_phase_powers(device_map: DeviceMap) -> bool:
    """Whether the map has the power of each phase beside the total of the grid."""
    total = device_map.roles["grid"].power if "grid" in device_map.roles else None
    return total is not None and all(device_map.named(f"{total}_l{phase}") for phase in (1, 2, 3))
