"""What bounds each of the home's readings: the household's own figures, and what the hub believes at most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.settings import DeviceSettings

MOST_HOME_W: Final = 100_000
"""No home carries more; a figure beyond this limits nothing."""


@dataclass(frozen=True, slots=True)
class RoleLimit:
    """One role of a device: its `max_power_w`, and whether the figure is this role's own and limits anything."""

    device: str
    role: str
    max_power_w: int
    is_own: bool
    is_a_limit: bool


def role_limits(devices: Iterable[DeviceSettings]) -> tuple[RoleLimit, ...]:
    """Every role of every device, in the configuration's order."""
    return tuple(
        RoleLimit(device.name, role, device.max_power_w, len(device.roles) == 1, device.max_power_w <= MOST_HOME_W)
        for device in devices
        for role in device.roles
    )


def limit_lines(limits: Sequence[RoleLimit]) -> list[str]:
    """One line for each role: its figure, or that it has none of its own and which bound holds then."""
    return [f"{limit.device} ({limit.role}): {_words(limit)}" for limit in limits]


def unlimited(limits: Sequence[RoleLimit]) -> list[RoleLimit]:
    """The roles without a figure of their own that limits them."""
    return [limit for limit in limits if not (limit.is_own and limit.is_a_limit)]


def _words(limit: RoleLimit) -> str:
    figure = f"max_power_w = {limit.max_power_w}"
    if not limit.is_a_limit:
        return f"not limited here, {figure} is more than a home carries; {_instead(limit.role)}"
    if not limit.is_own:
        return (
            f"no limit of its own, {figure} is for all roles of the device together; {_instead(limit.role)}; give each"
            " role a [[device]] with its own max_power_w"
        )
    return f"at most {limit.max_power_w} W"


def _instead(role: str) -> str:
    if role == "grid":
        return "the hub holds back what is above the board's figure for your connection"
    return "the hub has no other limit for it unless the board entered what your panels or turbine can make"
