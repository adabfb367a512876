"""The device families that are simulated, and their register maps from the same files the agent reads."""

from functools import cache
from importlib.resources import files

from protocols.maps.loading import load_map
from protocols.maps.model import DeviceMap
from simulator.errors import SimulatorError

SUNSPEC_INVERTER = "sunspec-inverter"
SUNSPEC_METER = "sunspec-meter"
SDM630 = "eastron-sdm630"
HUAWEI = "huawei-sun2000"
SHELLY = "shelly-pro3em"
BORNAY = "bornay-wind-plus"
FAMILIES = (SUNSPEC_INVERTER, SUNSPEC_METER, SDM630, HUAWEI, SHELLY, BORNAY)


@cache
def family_map(family: str) -> DeviceMap:
    """The register map of a family. Raises: SimulatorError."""
    if family not in FAMILIES:
        raise SimulatorError(f"no device family {family!r}: choose one of {', '.join(FAMILIES)}")
    name = f"{family}.toml"
    text = (files("firmware_configs") / "devices" / name).read_text(encoding="utf-8")
    return load_map(text, name=name)
