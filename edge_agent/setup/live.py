"""The values of chosen devices now, read as the agent will read them: counters, power, and what the nameplate says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from pathlib import Path

from edge_agent.devices.assembly import make_fleet
from edge_agent.devices.line import DeviceReadError, RegisterLink
from edge_agent.devices.reader import Device, Readout
from edge_agent.settings import parse_settings
from edge_agent.setup.files import agent_toml
from edge_agent.setup.progress import DeviceChoice, MeterChoice
from protocols.maps.model import W_PER_UNIT, RoleName
from protocols.maps.roles import role_of, role_values

RATED_POWER = ("rated_power", "charging_power", "power_setting")
"""Names under which maps hold what the nameplate says, the surest first."""

COUNTER_NAMES = ("import_wh", "export_wh", "production_wh", "charge_wh", "discharge_wh")
_DIRECTION = {
    "grid": ("drawn from the grid", "fed into the grid"),
    "pv": ("produced", "taken (at night that is normal, by day the sign is wrong)"),
    "wind": ("produced", "taken"),
    "battery": ("going into the battery", "coming out of the battery"),
    "load": ("used", "given back (the sign may be wrong)"),
}
_COUNTER_WORDS = {
    "import_wh": "drawn",
    "export_wh": "fed in",
    "production_wh": "produced",
    "charge_wh": "charged",
    "discharge_wh": "discharged",
}


@dataclass(frozen=True, slots=True)
class LiveRole:
    """What one role of a device shows now. Units: W, Wh; in our signs.

    `is_before_inverter`: measured on the DC side, where more can flow than the inverter is rated for.
    """

    device: str
    role: RoleName
    power_w: int | None
    counters_wh: Mapping[str, int]
    rated_w: int | None = None
    stopped: str | None = None
    is_before_inverter: bool = False

    @property
    def has_values(self) -> bool:
        """Whether anything of this role can be read."""
        return self.power_w is not None or bool(self.counters_wh)

    @property
    def words(self) -> str:
        """The values as a person compares them with a display."""
        if self.stopped:
            return f"nothing: {self.stopped}"
        parts = []
        if self.power_w is not None:
            parts.append(f"{abs(self.power_w)} W {_DIRECTION[self.role][self.power_w < 0]} now")
        parts += [f"{wh / 1000:.2f} kWh {_COUNTER_WORDS[name]} in all" for name, wh in self.counters_wh.items()]
        return ", ".join(parts) or "nothing available now"


async def read_live(
    devices: Sequence[DeviceChoice], *, folder: Path = Path(), maps: str | None = None
) -> tuple[list[LiveRole], list[str]]:
    """Read what these choices measure, and a line for each device that gives nothing. Raises: SettingsError.

    `maps`: the folder of the household's own maps, as agent.toml in `folder` names it.
    """
    before = {} if maps is None else {"maps": maps}
    settings = parse_settings(agent_toml(devices, MeterChoice(), before).encode(), name="setup", folder=folder)
    found: list[LiveRole] = []
    troubles: list[str] = []
    for link, together in make_fleet(settings):
        try:
            for device in together:
                try:
                    found += await _read(link, device)
                except DeviceReadError as trouble:
                    troubles.append(f"{device.settings.name} at {link.endpoint.shown}: {trouble}")
        finally:
            await link.close()
    order = {each.name: at for at, each in enumerate(devices)}
    return sorted(found, key=lambda each: order[each.device]), troubles


async def _read(link: RegisterLink, device: Device) -> list[LiveRole]:
    readout = await device.read_places(link)
    rated_w = await _rated(link, device)
    return [_live(device, readout, place.role, rated_w) for place in device.places]


def _live(device: Device, readout: Readout, role: RoleName, rated_w: int | None) -> LiveRole:
    values = role_values(device.resolved, readout.values, role)
    counters = {
        name: int(value.to_integral_value(rounding=ROUND_FLOOR))
        for name in COUNTER_NAMES
        if (value := getattr(values, name)) is not None
    }
    power = values.power_w
    power_w = None if power is None else int(power.to_integral_value(rounding=ROUND_HALF_EVEN))
    of = role_of(device.resolved, role)
    is_before_inverter = of.counts == "source_dc" or of.side == "dc"
    return LiveRole(device.settings.name, role, power_w, counters, rated_w, values.stopped, is_before_inverter)


async def _rated(link: RegisterLink, device: Device) -> int | None:
    """The rated power, by the first of the points that the device answers with a number."""
    for name in RATED_POWER:
        if name not in device.resolved.points:
            continue
        try:
            readout = await device.read(link, [name])
        except DeviceReadError:
            continue  # this model refuses it: another point may say it
        value, unit = readout.values.get(name), device.resolved.points[name].point.unit
        if isinstance(value, Decimal) and value > 0 and unit in W_PER_UNIT:
            return int(value * W_PER_UNIT[unit])
    return None
