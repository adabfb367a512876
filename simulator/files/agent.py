"""The text of a home's agent.toml and consent.toml. Writes no file; `files.street` decides where they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocols.slots import SLOT_S, format_slot

if TYPE_CHECKING:
    from simulator.world.homes import SimulatedHome

HUB_URL = "http://127.0.0.1:8400"
INTERVAL_S = 60
FAST_INTERVAL_S = 300
"""Where time runs faster than the clock: an agent cannot read every simulated minute."""
TIMEOUT_MS = 1500
"""How long an agent waits for a simulated device in real time: it answers within milliseconds or not at all."""
_DAY_S = 86400


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """How the agents of this street read and where they enrol. Units: simulated seconds."""

    hub_url: str = HUB_URL
    interval_s: int = INTERVAL_S

    @property
    def boundary_window_s(self) -> int:
        """How long after a slot's end its reading may come."""
        return max(60, self.interval_s * 4 // 5)


def agent_text(home: SimulatedHome, connects: Mapping[tuple[str, str], str], manners: AgentOptions) -> str:
    """agent.toml of a home: the devices with a role; the agent does not read devices that are only watched."""
    lines = [
        f"# {home.name}, a simulated home ({home.kind})",
        'data = "data"',
        'consent = "consent.toml"',
        "",
        "[hub]",
        f'url = "{manners.hub_url}"',
        "",
        "[poll]",
        f"interval_s = {manners.interval_s}",
        f"boundary_window_s = {manners.boundary_window_s}",
        "",
        "# Many homes on one computer: only one of them could have the page's usual port.",
        "[page]",
        'listen = "off"',
    ]
    if home.counts_apart:
        lines += ["", "# Its grid meter counts each phase by itself.", "[meter]", 'phases = "netted"']
    for device in home.devices:
        if device.role is not None:
            lines += [
                "",
                "[[device]]",
                f'name = "{device.name}"',
                f'map = "{device.family}"',
                f'role = "{device.role}"',
                f'connect = "{connects[home.id, device.link]}"',
                f"unit = {device.unit}",
                f"max_power_w = {device.max_power_w}",
                f"timeout_ms = {TIMEOUT_MS}",
            ]
    return "\n".join(lines) + "\n"


def consent_text(home: SimulatedHome, *, first_day: int) -> str:
    """consent.toml of a home: its purposes, valid from the street's first day."""
    since = format_slot(first_day * _DAY_S // SLOT_S)
    lines = [f'home = "{home.id}"', "version = 2"]
    for purpose in home.purposes:
        lines += ["", "[[rule]]", f'purpose = "{purpose}"', f'valid_from = "{since}"']
    return "\n".join(lines) + "\n"
